"""Starting must stay cheap: only what a run needs is imported."""

import subprocess
import sys

# Each costs tens of milliseconds and belongs to a subcommand, a terminal or an export.
HEAVY = {
    "asyncio",
    "rich",
    "tomllib",
    "json",
    "unittest",
    "email",
    "http",
    "multiprocessing",
    "concurrent",
    "decimal",
}


def imported(*arguments: str) -> set[str]:
    """The modules that python3 -X importtime reports."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], check=True, capture_output=True, text=True, timeout=60
    )
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def test_a_run_imports_only_what_it_needs() -> None:
    main = "import sys; from tickless.cli import main; sys.argv = ['tickless', 'run', '--', 'true']; main()"
    modules = imported("-c", main)

    assert "tickless.run" in modules
    assert {name.split(".")[0] for name in modules} & HEAVY == set()


def test_the_version_needs_neither_kernel_nor_host() -> None:
    main = "import sys; from tickless.cli import main; sys.argv = ['tickless', '--version']; main()"
    modules = imported("-c", main)

    assert "tickless.cli" in modules
    assert {"tickless.run", "tickless.kernel.kernel", "tickless.host.supervisor"} & modules == set()
