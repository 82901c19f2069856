"""The programs in c/, built for each C library and way of linking: their output is the same on Linux and here."""

from pathlib import Path

import pytest

from tests.programs.build import C_TOOLCHAINS, HERE, compile_c
from tests.programs.harness import run_natively, run_virtually

PROGRAMS = sorted((HERE / "c").glob("*.expected"))
each_program = pytest.mark.parametrize("expected", PROGRAMS, ids=lambda path: path.stem)
each_toolchain = pytest.mark.parametrize("toolchain", C_TOOLCHAINS)


@each_program
@each_toolchain
def test_program_on_linux(expected: Path, toolchain: str, tmp_path: Path) -> None:
    ended = run_natively([str(compile_c(expected.with_suffix(".c"), toolchain))], tmp_path)

    assert ended.stdout == expected.read_text(), ended.stderr
    assert ended.status == 0


@each_program
@each_toolchain
def test_program_under_tickless(expected: Path, toolchain: str, tmp_path: Path) -> None:
    ended = run_virtually([str(compile_c(expected.with_suffix(".c"), toolchain))], tmp_path)

    assert ended.stdout == expected.read_text(), ended.stderr
    assert ended.status == 0
