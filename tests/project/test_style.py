"""What a reader may count on: files and functions that fit in one sitting, and no trace of one machine."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 400
LONGEST_FUNCTION = 40
# Programs that tests run, kept as they were reported.
FOREIGN = ("tests/programs/cases/", "tests/programs/clients/")
# Nothing here may depend on where it was written.
MACHINE_PATHS = ("/work/", "../" + "shared", "/root/", "/home/")


def tracked_files() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


TRACKED = tracked_files()
PYTHON = [name for name in TRACKED if name.endswith(".py") and not name.startswith(FOREIGN)]
SOURCES = [name for name in TRACKED if name.endswith((".py", ".c", ".h", ".S")) and not name.startswith(FOREIGN)]


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_holds_one_mechanism(name: str) -> None:
    assert len((ROOT / name).read_text().splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("name", PYTHON)
def test_a_function_holds_one_step(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {function.name: lines_of(function) for function in functions}

    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From `def` to the last line. What explains the function, its decorators and docstring, is not counted."""
    explained = len((ast.get_docstring(function, clean=False) or "").splitlines())
    return (function.end_lineno or function.lineno) - function.lineno + 1 - explained


@pytest.mark.parametrize("name", [name for name in PYTHON if name.startswith("src/")])
def test_a_module_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(ast.parse((ROOT / name).read_text()))


def test_half_of_all_functions_fit_in_ten_lines() -> None:
    lengths = []
    for name in PYTHON:
        if name.startswith("src/"):
            tree = ast.parse((ROOT / name).read_text())
            lengths += [lines_of(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]

    assert sorted(lengths)[len(lengths) // 2] <= 10


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    this_file = str(Path(__file__).relative_to(ROOT))
    found = []
    for name in TRACKED:
        if name != this_file:
            text = (ROOT / name).read_text(errors="replace")
            found += [(name, path) for path in MACHINE_PATHS if path in text]

    assert found == []


def test_nothing_is_left_to_do_later() -> None:
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    found = [name for name in SOURCES if marks.search((ROOT / name).read_text())]

    assert found == []


def test_what_can_be_executed_says_how() -> None:
    executable = {name for name in TRACKED if (ROOT / name).stat().st_mode & 0o111}
    scripts = {name for name in TRACKED if (ROOT / name).read_bytes().startswith(b"#!")}

    assert executable == scripts
