"""Small programs from public bug reports (cases/SOURCES.md): each prints what Linux does."""

import sys
from pathlib import Path

import pytest

from tests.programs.build import HERE, compile_c
from tests.programs.harness import run_natively, run_virtually

INTERPRETERS = {".py": sys.executable, ".sh": "bash"}
CASES = sorted(path for path in (HERE / "cases").iterdir() if path.suffix in {".c", *INTERPRETERS})
# The long ones take from an hour to two months natively: only a clock that jumps lives to see their end.
SHORT_CASES = [case for case in CASES if not case.stem.startswith("long-")]


def command_of(case: Path) -> list[str]:
    if case.suffix == ".c":
        return [str(compile_c(case))]
    return [INTERPRETERS[case.suffix], str(case)]


def expected_of(case: Path) -> str:
    return case.with_suffix(".expected").read_text()


@pytest.mark.parametrize("case", SHORT_CASES, ids=lambda case: case.stem)
def test_case_on_linux(case: Path, tmp_path: Path) -> None:
    ended = run_natively(command_of(case), tmp_path)

    assert ended.stdout == expected_of(case), ended.stderr
    assert ended.status == 0


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_case_under_tickless(case: Path, tmp_path: Path) -> None:
    ended = run_virtually(command_of(case), tmp_path)

    assert ended.stdout == expected_of(case), ended.stderr
    assert ended.status == 0
