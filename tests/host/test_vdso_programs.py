"""The virtual clock in the vDSO of real programs."""

import os
import shutil
import signal
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host.clocked import BOOTTIME, FAR, NOW, PAGE, REALTIME, SOURCE, STEP, SYSCALL_STOP, Clocked, expected_reads
from tests.host.traced import compile_c
from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.host import ptrace
from tickless.host.memory import AddressSpace
from tickless.host.vdso import CELLS, VdsoImage
from tickless.host.vdso_elf import own_vdso

pytestmark = pytest.mark.skipif(ARCH != "x86_64", reason="the clock's code is x86-64; elsewhere reads are system calls")

BUILDS = {"dynamic": (), "static": ("-static",), "static-pie": ("-static-pie",)}


@pytest.fixture(scope="module")
def image() -> VdsoImage:
    image = VdsoImage.of_this_kernel()
    assert image is not None, "this kernel has no vDSO"
    return image


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    folder = tmp_path_factory.mktemp("vdso")
    built: dict[tuple[str, ...], Path] = {}

    def program(*flags: str, compiler: str = "gcc") -> Path:
        key = (compiler, *flags)
        if key not in built:
            built[key] = compile_c(SOURCE, folder, *flags, compiler=compiler)
        return built[key]

    return program


@pytest.mark.parametrize("flags", BUILDS.values(), ids=BUILDS.keys())
def test_every_clock_is_exact_to_the_nanosecond(
    image: VdsoImage, programs: Callable[..., Path], flags: tuple[str, ...]
) -> None:
    """clock_gettime(2): seven clocks are served; unknown ones are the kernel's EINVAL, CPU time is its own."""
    with Clocked(image, programs(*flags), "every") as program:
        program.give()
        printed = program.run_to_end()

    assert printed == expected_reads()


def test_every_clock_is_exact_with_musl(image: VdsoImage, programs: Callable[..., Path]) -> None:
    """musl answers gettimeofday and time from clock_gettime, and sets no timezone."""
    assert shutil.which("musl-gcc"), "needs musl-tools"
    expected = [line if line != "zone 0 0" else "zone 1 1" for line in expected_reads()]
    with Clocked(image, programs("-static", compiler="musl-gcc"), "every") as program:
        program.give()
        printed = program.run_to_end()

    assert printed == expected


def test_reads_are_system_calls_until_the_clock_is_given(image: VdsoImage, programs: Callable[..., Path]) -> None:
    with Clocked(image, programs(), "reads", "3") as program:
        calls = program.clock_calls()

    assert calls == ["clock_gettime"] * 3


def test_no_read_below_the_limit_is_a_system_call(image: VdsoImage, programs: Callable[..., Path]) -> None:
    with Clocked(image, programs(), "reads", "3") as program:
        program.give()
        calls = program.clock_calls()

    assert calls == []


def test_take_knows_the_read_that_came_to_the_limit(image: VdsoImage, programs: Callable[..., Path]) -> None:
    """Reads get NOW, NOW + STEP, NOW + 2 STEP; the fourth would get the limit, so it is a call yet to be answered."""
    limit = NOW + 3 * STEP
    with Clocked(image, programs(), "reads", "5") as program:
        program.give(limit)
        call = program.next_clock_call()
        assert call is not None
        at_the_limit = program.clock.take(NOW, call[1])
        program.give(FAR, at_the_limit + STEP)
        rest = program.next_clock_call()
        after = program.clock.take(at_the_limit + STEP)
        printed = program.read_all()

    assert call[0] == "clock_gettime"
    assert at_the_limit == limit
    assert rest is None
    assert after == limit + STEP  # the memory went with the program: nothing to take
    assert [int(line) for line in printed[:3]] == [NOW, NOW + STEP, NOW + 2 * STEP]
    assert int(printed[4]) == limit + STEP


def test_reads_before_a_revoke_count_and_those_behind_it_are_calls(
    image: VdsoImage, programs: Callable[..., Path]
) -> None:
    with Clocked(image, programs(), "reads", "4") as program:
        program.give(NOW + 2 * STEP)
        program.next_clock_call()
        program.give()
        program.clock.revoke()
        call = program.next_clock_call()
        assert call is not None

        assert program.clock.take(NOW, call[1]) == NOW


def test_threads_share_one_clock_that_never_stands_still(image: VdsoImage, programs: Callable[..., Path]) -> None:
    with Clocked(image, programs(), "threads") as program:
        program.give()
        printed = program.run_to_end()

    assert printed == [f"last {NOW + 40_000 * STEP}"]


def test_a_forked_child_has_a_clock_of_its_own(image: VdsoImage, programs: Callable[..., Path]) -> None:
    """fork(2) copies the cells: the child's reads are given anew, and neither sees the other's."""
    with Clocked(image, programs("-static"), "fork") as program:
        program.give()
        ptrace.cont(program.pid)
        program.wait(program.pid)
        child = ptrace.geteventmsg(program.pid)
        program.wait(child)
        memory = AddressSpace(child)
        clock = program.clock.forked(memory)
        copied = os.pread(memory.fd, CELLS.size, program.clock.cells)
        clock.give(NOW + 10**9, REALTIME, STEP, FAR)
        ptrace.cont(child)
        printed = program.run_to_end()
        memory.close()

    assert CELLS.unpack(copied) == (NOW + STEP, REALTIME, BOOTTIME, STEP, 0)  # limit 0: not given
    assert printed == [
        f"parent {NOW}",
        f"child {NOW + 10**9}",
        f"child {NOW + 10**9 + STEP}",
        f"parent {NOW + STEP}",
    ]


def test_a_bad_pointer_is_a_segmentation_fault(image: VdsoImage, programs: Callable[..., Path]) -> None:
    """As in the kernel's own vDSO, and not EFAULT, which only a system call can give."""
    with Clocked(image, programs(), "bad") as program:
        program.give()
        ptrace.cont(program.pid)
        _, stop = program.wait()
        (address,) = struct.unpack_from("Q", ptrace.getsiginfo(program.pid), 16)
        words = ptrace.getregs(program.pid).words
        rescued = program.clock.rescue(address, words[ptrace.REGISTERS.instruction_pointer])
        ptrace.cont(program.pid, os.WSTOPSIG(stop))
        _, end = program.wait()

    assert rescued is None
    assert os.WIFSIGNALED(end)
    assert os.WTERMSIG(end) == signal.SIGSEGV


def test_a_program_that_takes_the_cells_away_goes_on_with_system_calls(
    image: VdsoImage, programs: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its reads faults on the cells, is repaired at the SIGSEGV, and is a system call then."""
    for number in range(1200):  # two pages of pointers, so that main's frame is on another page than the cells
        monkeypatch.setenv(f"PADDING{number}", "")
    rescues = []
    with Clocked(image, programs(), "protect") as program:
        program.give()
        program.send_line(str(program.clock.cells & -PAGE))
        ptrace.cont(program.pid)
        while program.tasks:
            tid, status = program.wait()
            if not os.WIFSTOPPED(status):
                continue
            if ptrace.stop_event(status):
                ptrace.cont(tid)
                continue
            assert os.WSTOPSIG(status) == signal.SIGSEGV
            (address,) = struct.unpack_from("Q", ptrace.getsiginfo(tid), 16)
            at = ptrace.getregs(tid).words[ptrace.REGISTERS.instruction_pointer]
            target = program.clock.rescue(address, at)
            assert target is not None
            rescues.append(target)
            ptrace.poke_register(tid, ptrace.REGISTERS.instruction_pointer, target)
            ptrace.cont(tid)
        printed = program.read_all()

    assert printed == ["read 1 1 1 1"]
    assert len(rescues) == 4
    assert not program.clock.wanted
    assert program.clock.given is None


@pytest.mark.parametrize("what", range(4), ids=["realtime", "boottime", "gettimeofday", "time"])
def test_a_signal_at_any_instruction_finds_its_way_out(
    image: VdsoImage, programs: Callable[..., Path], what: int
) -> None:
    """backtrace(3) in a handler that interrupts the clock: the frame descriptions have to be those of our code."""
    assert image.code_offset is not None
    turns = 60  # more than the longest function has instructions
    interrupted = 0
    with Clocked(image, programs("-DUNWIND", "-funwind-tables"), "unwind", str(what), str(turns)) as program:
        program.give()
        start = program.clock.vdso + image.start
        markers = 0
        while program.tasks:
            ptrace.cont_to_syscall(program.pid)
            _, status = program.wait()
            if not os.WIFSTOPPED(status):
                break
            assert os.WSTOPSIG(status) == SYSCALL_STOP, f"signal {os.WSTOPSIG(status)}: the backtrace crashed"
            words = ptrace.getregs(program.pid).words
            if words[ptrace.REGISTERS.call_number] != number_of(ARCH, "getppid"):
                continue
            ptrace.cont_to_syscall(program.pid)
            program.wait()
            markers += 1
            if markers > 4 and program.step_into(range(start, start + len(image.text)), markers - 5):
                os.kill(program.pid, signal.SIGUSR1)
                ptrace.cont(program.pid)
                _, status = program.wait()
                ptrace.cont_to_syscall(program.pid, os.WSTOPSIG(status))
                program.wait()
                interrupted += 1
        printed = program.read_all()

    assert printed == []
    assert interrupted >= 14  # time() is the shortest


def test_arguments_and_environment_survive_the_gap(
    image: VdsoImage, programs: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAST", "environment")
    arguments = [str(number) for number in range(20_000)]
    with Clocked(image, programs(), "arguments", *arguments) as program:
        program.give()
        printed = program.run_to_end()

    assert printed == [f"20002 19999 environment {NOW}"]


def test_the_text_is_written_where_the_kernel_lets_only_ptrace_write(
    image: VdsoImage, programs: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CONFIG_PROC_MEM_NO_FORCE: /proc/PID/mem heeds protections, and the vDSO is read-only."""

    def heedful(fd: int, data: bytes, address: int) -> int:
        if len(data) == len(image.text):
            raise PermissionError
        return os.pwrite(fd, data, address)

    monkeypatch.setattr("tickless.host.vdso.pwrite", heedful)
    with Clocked(image, programs(), "every") as program:
        program.give()
        printed = program.run_to_end()

    assert printed == expected_reads()


# ---- images that are not as expected


def altered_vdso(alter: Callable[[bytearray, int], None]) -> VdsoImage:
    """This kernel's image after `alter(image, offset of a symbol)` for each symbol of a replaced function."""
    image = own_vdso()
    assert image is not None
    changed = bytearray(image)
    for function in VdsoImage(image).known.values():
        needle = struct.pack("QQ", *function)
        at = changed.find(needle)
        while at >= 0:
            alter(changed, at - 8)
            at = changed.find(needle, at + 1)
    return VdsoImage(bytes(changed))


def shrink(image: bytearray, symbol: int) -> None:
    struct.pack_into("Q", image, symbol + 16, 24)


def shrink_to_nothing(image: bytearray, symbol: int) -> None:
    struct.pack_into("Q", image, symbol + 16, 4)


def test_a_vdso_without_room_gets_system_calls(programs: Callable[..., Path]) -> None:
    image = altered_vdso(shrink)
    with Clocked(image, programs("-static"), "every") as program:
        program.give()
        calls = program.clock_calls()

    assert image.code_offset is None
    assert not image.hidden
    assert calls.count("clock_gettime") == 11
    assert calls.count("gettimeofday") + calls.count("time") == 4


def test_a_vdso_where_nothing_fits_is_hidden(programs: Callable[..., Path]) -> None:
    image = altered_vdso(shrink_to_nothing)
    with Clocked(image, programs(), "auxv") as program:
        program.give()
        printed = program.run_to_end()

    assert image.hidden
    assert printed == ["vdso 0", "clock 1"]


def test_a_vdso_of_another_kind_is_left_alone(image: VdsoImage, programs: Callable[..., Path]) -> None:
    """A 32-bit program has one: nothing of ours may be written over it."""
    other = VdsoImage.of_this_kernel()
    assert other is not None
    other.original = bytes(len(other.original))
    with Clocked(other, programs(), "auxv") as program:
        program.give()
        mapped = Path(f"/proc/{program.pid}/maps").read_text().partition("[vdso]")[0].splitlines()[-1]
        text = os.pread(program.memory.fd, len(image.original), int(mapped.split("-")[0], 16) + image.start)
        printed = program.run_to_end()

    assert text == image.original
    assert program.clock.given is None
    assert printed == ["vdso 1", "clock 1"]


def test_without_a_vdso_all_reads_are_calls_already(programs: Callable[..., Path]) -> None:
    with Clocked(None, programs(), "auxv") as program:
        program.give()

        assert program.clock.given is None
        assert program.clock.take(NOW) == NOW
