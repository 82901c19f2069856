"""splice(2), tee(2), vmsplice(2): pages from pipe to pipe, and between pipes and memory."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import call
from tests.kernel.pipe_ends import CAPACITY, INTS, Ends, new_pipe
from tests.kernel.test_moving_bytes import iovecs
from tickless.abi.errno import EAGAIN, EBADF, EFAULT, EINVAL, EPIPE, ERESTARTSYS, ESPIPE
from tickless.abi.fcntl import F_SETFL, O_NONBLOCK, SPLICE_F_NONBLOCK
from tickless.abi.siginfo import SI_USER, SigInfo
from tickless.abi.signal import SIGUSR1
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.errors import Errno
from tickless.kernel.machine import Calls, Machine, OwnTask, Program
from tickless.kernel.memory import PAGE_SIZE
from tickless.kernel.outcome import Answer
from tickless.kernel.signals import send_signal

BAD = 0x10  # no address


@pytest.fixture
def other(ends: Ends) -> Ends:
    """Another pipe of the task that has `ends`."""
    return another(ends.task, O_NONBLOCK)


def another(task: OwnTask, flags: int) -> Ends:
    kernel = task.kernel
    assert isinstance(kernel, Machine)
    fds = bytearray(INTS)
    assert call(task, "pipe2", fds, flags) == 0
    return Ends(kernel, task, int.from_bytes(fds[:4], "little"), int.from_bytes(fds[4:], "little"))


def splice(source: Ends, target: Ends, length: int, flags: int = 0) -> Answer | None:
    return call(source.task, "splice", source.read_fd, 0, target.write_fd, 0, length, flags)


def tee(source: Ends, target: Ends, length: int, flags: int = 0) -> Answer | None:
    return call(source.task, "tee", source.read_fd, target.write_fd, length, flags)


def test_bytes_move_to_the_other_pipe(ends: Ends, other: Ends) -> None:
    """splice(2): up to `length` bytes; what is left stays."""
    ends.write(b"splice")

    assert splice(ends, other, 2) == 2
    assert splice(ends, other, 100) == 4
    assert other.read(100) == b"splice"
    assert ends.read(1) == -EAGAIN


def test_tee_leaves_the_bytes(ends: Ends, other: Ends) -> None:
    """tee(2): they can be read from both pipes."""
    ends.write(b"tee")

    assert tee(ends, other, 2) == 2
    assert other.read(100) == b"te"
    assert ends.read(100) == b"tee"


def test_a_page_that_is_shared_is_not_written_to(ends: Ends, other: Ends) -> None:
    """fs/splice.c: only a page that went whole is added to; else a new one is taken."""
    ends.write(b"whole")
    splice(ends, other, 5)
    other.write(b"!")
    assert len(other.reader.pipe.slots) == 1

    ends.write(b"part")
    splice(ends, other, 3)
    other.write(b"!")
    assert len(other.reader.pipe.slots) == 3

    tee(ends, other, 1)
    other.write(b"!")
    assert len(other.reader.pipe.slots) == 5
    assert other.read(100) == b"whole!par!t!"


def test_no_more_pages_move_than_there_is_room_for(ends: Ends, other: Ends) -> None:
    """Each page is one of the other pipe's, however little it holds."""
    other.write(bytes(CAPACITY - PAGE_SIZE))
    ends.write(bytes(2 * PAGE_SIZE))

    assert tee(ends, other, 2 * PAGE_SIZE) == PAGE_SIZE
    other.read(PAGE_SIZE)
    assert splice(ends, other, 1) == 1
    assert splice(ends, other, 2 * PAGE_SIZE) == -EAGAIN
    other.read(PAGE_SIZE)
    assert splice(ends, other, 2 * PAGE_SIZE) == PAGE_SIZE - 1


def test_packets_stay_packets(packets: Ends) -> None:
    """pipe(2), O_DIRECT: a read takes one, wherever it has been moved; vmsplice does not end with it."""
    other = another(packets.task, O_NONBLOCK)
    vector, _ = iovecs(packets.task, 100)
    packets.write(b"one")
    packets.write(b"two")

    assert splice(packets, other, 100) == 6
    assert other.read(2) == b"on"
    assert tee(other, packets, 3) == 3
    other.write(b"more")
    assert call(packets.task, "vmsplice", other.read_fd, vector, 1, 0) == 7
    assert packets.read(1) == b"t"
    assert packets.read(1) == -EAGAIN


def test_an_empty_pipe_without_a_writer_has_ended(ends: Ends, other: Ends) -> None:
    vector, _ = iovecs(ends.task, 4)
    call(ends.task, "close", ends.write_fd)

    assert splice(ends, other, 1) == 0
    assert tee(ends, other, 1) == 0
    assert call(ends.task, "vmsplice", ends.read_fd, vector, 1, 0) == 0


def test_a_full_pipe_is_waited_for_even_at_the_end(ends: Ends, other: Ends) -> None:
    """fs/splice.c, opipe_prep: room comes before the end of the file."""
    call(ends.task, "close", ends.write_fd)
    other.write(bytes(CAPACITY))

    assert splice(ends, other, 1) == -EAGAIN


def test_nobody_reads_the_other_pipe(ends: Ends, other: Ends) -> None:
    """splice(2), EPIPE: but bytes are waited for first, and stay."""
    vector, _ = iovecs(ends.task, 4)
    call(ends.task, "close", other.read_fd)
    assert splice(ends, other, 1) == -EAGAIN
    ends.write(b"x")

    assert splice(ends, other, 1) == -EPIPE
    assert tee(ends, other, 1) == -EPIPE
    assert call(ends.task, "vmsplice", other.write_fd, vector, 1, 0) == -EPIPE
    assert ends.read(1) == b"x"


@pytest.mark.parametrize("which", ["reader", "writer", "flag"])
def test_either_pipe_or_a_flag_says_not_to_wait(kernel: Machine, which: str) -> None:
    """splice(2): SPLICE_F_NONBLOCK, and O_NONBLOCK of a pipe."""
    source = new_pipe(kernel, 0)
    target = another(source.task, 0)
    if which != "flag":
        fd = source.read_fd if which == "reader" else target.write_fd
        call(source.task, "fcntl", fd, F_SETFL, O_NONBLOCK)
    flags = SPLICE_F_NONBLOCK if which == "flag" else 0

    assert splice(source, target, 1, flags) == -EAGAIN
    assert tee(source, target, 1, flags) == -EAGAIN


def test_a_splice_waits_for_bytes_and_for_room(kernel: Machine) -> None:
    """splice(2): it blocks, until there are both."""
    results: list[tuple[int, int]] = []

    def main(sys: Calls) -> Program:
        yield sys.pipe(bytearray(INTS))
        yield sys.pipe(bytearray(INTS))
        yield sys.write(3, bytes(CAPACITY), CAPACITY)
        yield sys.thread(others)
        results.append(((yield sys.splice(0, 0, 3, 0, 100, 0)), kernel.now_ns // SECOND))
        results.append(((yield sys.tee(0, 3, 100, 0)), kernel.now_ns // SECOND))

    def others(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        yield sys.write(1, b"some", 4)
        yield sys.sleep_ns(SECOND)
        yield sys.read(2, bytearray(CAPACITY), CAPACITY)
        yield sys.sleep_ns(SECOND)
        yield sys.write(1, b"other", 5)

    kernel.spawn(main)
    kernel.run()

    assert results == [(4, 2), (5, 3)]


def test_a_splice_wakes_a_reader_and_a_writer(kernel: Machine) -> None:
    """The one pipe has bytes, and the other room."""
    results: list[str] = []

    def main(sys: Calls) -> Program:
        yield sys.pipe(bytearray(INTS))
        yield sys.pipe(bytearray(INTS))
        yield sys.write(1, bytes(CAPACITY), CAPACITY)
        yield sys.thread(reader)
        yield sys.thread(writer)
        yield sys.sleep_ns(SECOND)
        results.append(f"moved {(yield sys.splice(0, 0, 3, 0, PAGE_SIZE, 0))}")

    def reader(sys: Calls) -> Program:
        results.append(f"read {(yield sys.read(2, bytearray(9), 9))}")

    def writer(sys: Calls) -> Program:
        results.append(f"written {(yield sys.write(1, b'again', 5))}")

    kernel.spawn(main)
    kernel.run()

    assert results == [f"moved {PAGE_SIZE}", "read 9", "written 5"]


def test_a_signal_interrupts_a_splice(kernel: Machine) -> None:
    """signal(7): its disposition is to end the process, so the call ends."""
    source = new_pipe(kernel, 0)
    target = another(source.task, 0)
    assert splice(source, target, 1) is None

    send_signal(source.task.group, SigInfo(SIGUSR1, SI_USER))

    with pytest.raises(Errno) as interrupted:
        next(source.task.blocked_call or iter(()))
    assert interrupted.value.number == ERESTARTSYS


# Memory


def test_memory_goes_into_a_pipe_page_by_page(ends: Ends) -> None:
    """vmsplice(2): the pages themselves are given, so a piece that crosses one takes two."""
    task = ends.task
    page = (task.own_memory.allocate(3 * PAGE_SIZE) + PAGE_SIZE) & -PAGE_SIZE
    task.memory.copy_out(page - 1, b"ab")
    vector = (page - 1).to_bytes(8, "little") + (2).to_bytes(8, "little")

    assert call(task, "vmsplice", ends.write_fd, vector * 2, 2, 0) == 4
    assert len(ends.reader.pipe.slots) == 4
    assert ends.read(100) == b"abab"


def test_a_full_pipe_takes_what_fits(ends: Ends) -> None:
    vector, _ = iovecs(ends.task, CAPACITY + 2 * PAGE_SIZE)

    moved = call(ends.task, "vmsplice", ends.write_fd, vector, 1, 0)

    assert isinstance(moved, int)
    assert CAPACITY - PAGE_SIZE < moved <= CAPACITY
    assert call(ends.task, "vmsplice", ends.write_fd, vector, 1, SPLICE_F_NONBLOCK) == -EAGAIN


def test_o_nonblock_means_nothing_to_vmsplice(ends: Ends) -> None:
    """fs/splice.c: only SPLICE_F_NONBLOCK does, though the pipe has O_NONBLOCK."""
    vector, _ = iovecs(ends.task, 1)

    assert call(ends.task, "vmsplice", ends.read_fd, vector, 1, SPLICE_F_NONBLOCK) == -EAGAIN
    assert call(ends.task, "vmsplice", ends.read_fd, vector, 1, 0) is None


def test_bad_memory_moves_nothing_but_what_came_before(ends: Ends) -> None:
    vector, _ = iovecs(ends.task, 2)
    good = vector[:16]
    bad = BAD.to_bytes(8, "little") + (1).to_bytes(8, "little")

    assert call(ends.task, "vmsplice", ends.write_fd, bad + good, 2, 0) == -EFAULT
    assert call(ends.task, "vmsplice", ends.write_fd, good + bad, 2, 0) == 2
    assert call(ends.task, "vmsplice", ends.read_fd, bad, 1, 0) == -EFAULT
    assert ends.reader.pipe.unread() == 2
    ends.write(bytes(PAGE_SIZE))
    assert call(ends.task, "vmsplice", ends.read_fd, good + bad, 2, 0) == 2
    assert ends.reader.pipe.unread() == PAGE_SIZE


@pytest.mark.parametrize(
    ("name", "args", "error"),
    [
        ("splice", (0, BAD, 3, 0, 1, 0), ESPIPE),
        ("splice", (1, 0, 2, BAD, 1, 0), ESPIPE),
        ("splice", (1, 0, 3, 0, 1, 0), EBADF),
        ("splice", (0, 0, 2, 0, 1, 0), EBADF),
        ("splice", (0, 0, 1, 0, 1, 0), EINVAL),
        ("splice", (0, 0, 4, 0, 1, 0), EINVAL),
        ("splice", (4, 0, 1, 0, 1, 0), EINVAL),
        ("splice", (4, BAD, 1, 0, 1, 0), EFAULT),
        ("tee", (1, 3, 1, 0), EBADF),
        ("tee", (0, 1, 1, 0), EINVAL),
        ("tee", (0, 4, 1, 0), EINVAL),
    ],
)
def test_the_order_of_checks(ends: Ends, other: Ends, name: str, args: tuple[int, ...], error: int) -> None:
    """splice(2): an offset of a pipe, its address, the way, one pipe twice; number 4 is an eventfd."""
    assert call(ends.task, "eventfd2", 0, 0) == 4

    assert call(ends.task, name, *args) == -error
