"""The virtual clock in the vDSO: the assembled code, and what is believed of what comes back from a program."""

import ctypes
import os
import runpy
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.host.clocked import PAGE
from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.host import vdso_code
from tickless.host.memory import AddressSpace
from tickless.host.vdso import SYSTEM_CALLS, ClockGrant, TaskClock

ASSEMBLE = Path(__file__).parents[2] / "scripts" / "assemble_vdso.py"


@pytest.mark.skipif(ARCH != "x86_64", reason="needs x86-64's assembler")
def test_the_generated_code_is_what_the_source_assembles_to(tmp_path: Path) -> None:
    script = runpy.run_path(str(ASSEMBLE))
    text = script["render"](*script["assemble"](tmp_path))

    assert script["TARGET"].read_text() == text


def test_getrandom_says_enosys() -> None:
    """glibc 2.41 asks the vDSO for its parameters; -ENOSYS makes it use the system call."""
    getrandom = vdso_code.CODE[vdso_code.ENTRIES["getrandom"] :]

    assert SYSTEM_CALLS["x86_64"]["__vdso_getrandom"].endswith(getrandom)  # mov rax, -38; ret


def test_the_system_calls_of_each_architecture_have_its_numbers() -> None:
    x86_64 = SYSTEM_CALLS["x86_64"]
    aarch64 = SYSTEM_CALLS["aarch64"]

    for name in ("clock_gettime", "gettimeofday", "clock_getres"):
        number = number_of("x86_64", name)
        assert number is not None
        assert struct.pack("<BI", 0xB8, number) in x86_64["__vdso_" + name]
        number = number_of("aarch64", name)
        assert number is not None
        # MOVZ X8, #number: its 16-bit immediate begins at bit 5.
        assert struct.unpack_from("<I", aarch64["__kernel_" + name])[0] >> 5 & 0xFFFF == number


# ---- what comes back is a program's own word


class OwnCells:
    """A TaskClock whose cells are memory of this very process, so that a test can lie in them."""

    def __init__(self) -> None:
        self.memory = AddressSpace(os.getpid())
        self.cells = (ctypes.c_uint64 * 5)()
        self.clock = TaskClock(self.memory, None, 0, ctypes.addressof(self.cells))


@pytest.fixture
def own() -> Iterator[OwnCells]:
    own = OwnCells()
    yield own
    own.memory.close()


def test_take_believes_reads_up_to_the_limit(own: OwnCells) -> None:
    own.clock.give(1000, 0, 20, 2000)
    own.cells[0] = 1500

    assert own.clock.take(1000) == 1500


def test_take_never_goes_back(own: OwnCells) -> None:
    own.clock.give(1000, 0, 20, 2000)

    assert own.clock.take(1700) == 1700


def test_take_stops_short_of_a_step_behind_the_limit(own: OwnCells) -> None:
    own.clock.give(1000, 0, 20, 2000)
    own.cells[0] = 2060

    assert own.clock.take(1000) == 2019


@pytest.mark.parametrize("told", [0, 999, 2000 + 64 * 20 + 1, 2**64 - 1])
def test_cells_that_hold_something_else_are_never_touched_again(own: OwnCells, told: int) -> None:
    """The program has other uses for that memory: what it holds there is not ours to change."""
    own.clock.wanted = True
    own.clock.give(1000, 0, 20, 2000)
    own.cells[0] = told

    assert own.clock.take(1000) == 1000
    own.clock.give(3000, 0, 20, 4000)
    own.clock.revoke()
    for _ in range(10):
        own.clock.note_trapped_read()
    assert list(own.cells) == [told, 0, 0, 20, 2000]
    assert not own.clock.wanted
    assert own.clock.given is None


def test_unmapped_cells_are_never_touched_again(own: OwnCells) -> None:
    clock = TaskClock(own.memory, None, 0, PAGE)
    clock.give(1000, 0, 20, 2000)

    assert clock.given is None
    assert clock.take(1000) == 1000


def test_before_1970_reads_are_left_to_the_kernel(own: OwnCells) -> None:
    own.clock.give(1000, -1001, 20, 2000)
    assert own.cells[4] == 0

    own.clock.give(1000, -1000, 20, 2000)
    assert own.cells[4] == 2000


def test_a_task_that_stops_reading_loses_the_clock(own: OwnCells) -> None:
    for _ in range(ClockGrant.READS_TO_WANT):
        own.clock.note_trapped_read()
    for _ in range(ClockGrant.IDLE_TO_STOP):
        own.clock.give(1000, 0, 20, 2000)
        own.clock.take(1000)

    assert not own.clock.wanted
    assert own.clock.given is None
    assert own.cells[4] == 0


def test_a_task_that_reads_now_and_then_keeps_it(own: OwnCells) -> None:
    for _ in range(ClockGrant.READS_TO_WANT):
        own.clock.note_trapped_read()

    for turn in range(5 * ClockGrant.IDLE_TO_STOP):
        own.clock.give(1000, 0, 20, 2000)
        own.cells[0] += 20 * (turn % 10 == 9)
        own.clock.take(1000)

    assert own.clock.wanted


@pytest.mark.parametrize(("reads", "wanted"), [(2, False), (3, True)])
def test_the_grant_needs_three_reads_again_after_it_was_lost(reads: int, wanted: bool) -> None:
    grant = ClockGrant()
    for _ in range(3):
        grant.note_trapped_read()
    for _ in range(16):
        grant.note_take(moved=False)
    for _ in range(reads):
        grant.note_trapped_read()

    assert grant.wanted == wanted


def test_a_read_between_takes_keeps_the_grant() -> None:
    grant = ClockGrant()
    for _ in range(3):
        grant.note_trapped_read()
    for _ in range(10):
        for _ in range(15):
            grant.note_take(moved=False)
        grant.note_take(moved=True)

    assert grant.wanted
