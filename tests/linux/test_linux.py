"""The programs here print facts, one claim each: Linux is what we are like, so both outputs must be equal."""

from pathlib import Path

import pytest

from tests.programs.build import compile_c
from tests.programs.harness import run_natively, run_virtually

PROGRAMS = sorted(Path(__file__).parent.glob("*.c"))


@pytest.mark.parametrize("source", PROGRAMS, ids=lambda path: path.stem)
def test_facts_are_the_same_as_on_linux(source: Path, tmp_path: Path) -> None:
    program = [str(compile_c(source))]

    linux = run_natively(program, tmp_path)
    tickless = run_virtually(program, tmp_path)

    assert linux.stdout, "a program without facts"
    assert tickless.stdout == linux.stdout, tickless.stderr
    assert tickless.status == linux.status
