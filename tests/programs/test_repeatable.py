"""What would differ from run to run and is settled before a program starts: its addresses, and the TSC."""

import sys
from pathlib import Path

import pytest

from tests.programs.build import HERE, compile_c
from tests.programs.harness import run_virtually
from tickless.abi.arch import ARCH

ADDRESSES = """
import ctypes
print(hex(id(object())), hex(ctypes.addressof(ctypes.c_int.in_dll(ctypes.pythonapi, "Py_OptimizeFlag"))))
"""


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_program_finds_the_same_addresses(tmp_path: Path) -> None:
    """personality(2), ADDR_NO_RANDOMIZE: heap and libraries lie where they lay."""
    program = [sys.executable, "-S", "-c", ADDRESSES]
    runs = [run_virtually(program, make(tmp_path / name)).stdout for name in ("first", "again")]

    assert runs[0].startswith("0x")
    assert runs[0] == runs[1]


@pytest.mark.skipif(ARCH != "x86_64", reason="the stack is moved where the clock's cells are put on it")
def test_an_environment_of_another_length_does_not_move_the_stack(tmp_path: Path) -> None:
    """mktemp(1), for one, makes names of the address of a variable."""
    program = str(compile_c(HERE / "virtual" / "stack.c"))
    addresses = {
        run_virtually(["env", f"MORE={'x' * length}", program], make(tmp_path / f"{length}")).stdout
        for length in (0, 10, 100, 1000)
    }

    assert len(addresses) == 1


@pytest.mark.skipif(ARCH != "x86_64", reason="a counter of x86-64")
def test_the_tsc_tells_virtual_time(tmp_path: Path) -> None:
    ended = run_virtually([str(compile_c(HERE / "virtual" / "tsc.c"))], tmp_path)

    assert ended.stdout.splitlines() == [
        "an hour is 3600 e9",
        "it: it moved on 1, on CPU 0",
        "a child: it moved on 1, on CPU 0",
        "after exec: it moved on 1, on CPU 0",
        "a fault: SEGV_MAPERR",
        "a privileged instruction: SI_KERNEL",
    ]
