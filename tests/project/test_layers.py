"""The architecture's arrows: each layer imports only what lies below it, and the kernel is pure."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "tickless"

# Which of our layers a layer may import. Modules beside the folders count as layers of their own.
MAY_IMPORT = {
    "abi": set[str](),
    "kernel": {"abi"},
    "host": {"abi", "kernel"},
    "trace": {"abi", "kernel"},
    "scenario": {"abi", "kernel"},
    "run": {"abi", "kernel", "host", "trace", "scenario"},
    # The front door reads options into what run takes; only run puts the parts together.
    "cli": {"abi", "kernel", "host", "trace", "scenario", "run", "conform", "doctor"},
    "conform": set(),  # asks the command, as any program would
    "doctor": {"abi", "host"},
    "__main__": {"cli"},
}
# A kernel that touches none of these runs the same everywhere, every time.
IMPURE = {
    *("ctypes", "fcntl", "io", "mmap", "os", "pathlib", "random", "secrets", "select", "selectors", "signal", "socket"),
    *(
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "datetime",
        "asyncio",
        "multiprocessing",
        "resource",
        "uuid",
    ),
}


def layer_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_by(file: Path) -> Iterator[str]:
    """The dotted names that a file imports, wherever in the file it does."""
    package = ("tickless", *file.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def our_layers(file: Path) -> set[str]:
    names = [name.split(".") for name in imported_by(file)]
    return {parts[1] for parts in names if parts[0] == "tickless" and len(parts) > 1 and not parts[1].startswith("__")}


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_downwards(file: Path) -> None:
    layer = layer_of(file)

    assert our_layers(file) <= MAY_IMPORT.get(layer, set()) | {layer}


@pytest.mark.parametrize("file", [file for file in FILES if layer_of(file) == "kernel"], ids=lambda file: file.name)
def test_the_kernel_is_pure(file: Path) -> None:
    assert {name.split(".")[0] for name in imported_by(file)} & IMPURE == set()


def test_every_layer_is_there() -> None:
    assert {layer_of(file) for file in FILES} - {"__init__"} == set(MAY_IMPORT)
