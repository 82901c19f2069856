"""pipe(7): pages, atomic writes, packets, sizes, and the end of either end."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.pipe_ends import CAPACITY, INTS, Ends, new_pipe
from tickless.abi.epoll import EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDNORM, EPOLLWRNORM
from tickless.abi.errno import EAGAIN, EBADF, EBUSY, EFAULT, EINVAL, EMFILE, ENOPKG, ENOTTY, EPERM, EPIPE
from tickless.abi.fcntl import F_GETPIPE_SZ, F_SETPIPE_SZ, O_CLOEXEC, O_DIRECT, O_EXCL, O_NONBLOCK
from tickless.abi.ioctl import FIONREAD, TCGETS
from tickless.abi.signal import SIG_IGN, SIGPIPE
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.machine import Calls, Machine, Program
from tickless.kernel.memory import PAGE_SIZE

BAD = 0x10  # no address
READABLE = EPOLLIN | EPOLLRDNORM
WRITABLE = EPOLLOUT | EPOLLWRNORM


# Bytes


def test_bytes_come_out_as_they_went_in(ends: Ends) -> None:
    assert ends.read(4) == -EAGAIN
    assert [ends.write(b"hello "), ends.write(b"world")] == [6, 5]
    assert [ends.read(3), ends.read(100), ends.read(1)] == [b"hel", b"lo world", -EAGAIN]


def test_a_reader_sleeps_until_something_is_written(kernel: Machine) -> None:
    """pipe(7): a read from an empty pipe blocks until data is available."""
    results: list[int] = []
    data = bytearray(8)

    def reader(sys: Calls) -> Program:
        yield sys.pipe(bytearray(INTS))
        results.append((yield sys.read(0, data, 8)))

    def writer(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        yield sys.write(1, b"hello", 5)

    main = kernel.spawn(reader)
    kernel.spawn(writer, main, same_group=True)
    kernel.run()

    assert (results, bytes(data)) == ([5], b"hello\0\0\0")
    assert kernel.now_ns == SECOND


def test_nothing_is_read_or_written_at_once(kernel: Machine) -> None:
    """fs/pipe.c: a count of 0 succeeds, whatever the state of the pipe."""
    ends = new_pipe(kernel, 0)

    assert ends.read(0) == b""
    call(ends.task, "close", ends.read_fd)
    assert ends.write(b"") == 0


def test_a_megabyte_passes_in_order(kernel: Machine) -> None:
    """pipe(7): a write larger than the pipe blocks until all of it is written."""
    data = bytes(range(256)) * 4096
    parts: list[bytes] = []
    written: list[int] = []

    def reader(sys: Calls) -> Program:
        buffer = bytearray(10_000)
        while (count := (yield sys.read(0, buffer, len(buffer)))) > 0:
            parts.append(bytes(buffer[:count]))

    def writer(sys: Calls) -> Program:
        chunk = 200_000
        for start in range(0, len(data), chunk):
            piece = data[start : start + chunk]
            written.append((yield sys.write(1, piece, len(piece))))

    def main(sys: Calls) -> Program:
        yield sys.pipe(bytearray(INTS))
        yield sys.fork(writer)
        yield sys.close(1)
        yield from reader(sys)

    kernel.spawn(main)
    kernel.run()

    assert b"".join(parts) == data
    assert sum(written) == len(data)


# Pages


def test_a_pipe_holds_16_pages(ends: Ends) -> None:
    """pipe(7): the capacity is 65,536 bytes."""
    assert ends.write(bytes(2 * CAPACITY)) == CAPACITY
    assert ends.write(b"x") == -EAGAIN


def test_128_writes_of_511_bytes_fit(ends: Ends) -> None:
    """fs/pipe.c, pipe_write: small writes are merged into the last page as long as they fit there whole."""
    counts = [ends.write(bytes(511)) for _ in range(129)]

    assert counts == [511] * 128 + [-EAGAIN]


def test_what_does_not_fit_the_last_page_whole_goes_to_a_new_one(ends: Ends) -> None:
    """Linux 6.18: 16 writes of 2,049 bytes fill a pipe."""
    counts = [ends.write(bytes(2049)) for _ in range(17)]

    assert counts == [2049] * 16 + [-EAGAIN]


def test_a_page_that_was_partly_read_has_no_more_room(ends: Ends) -> None:
    """Merging starts after what was written to the page, read or not."""
    ends.write(bytes(4000))
    ends.read(3999)
    ends.write(bytes(97))

    assert len(ends.reader.pipe.slots) == 2
    assert ends.reader.pipe.unread() == 98


def test_the_odd_bytes_of_a_large_write_are_merged_first(ends: Ends) -> None:
    """fs/pipe.c: so that the rest of it is aligned to pages."""
    ends.write(b"a" * 96)
    assert ends.write(b"b" * (15 * PAGE_SIZE + 4000)) == 15 * PAGE_SIZE + 4000

    assert ends.write(b"c") == -EAGAIN
    assert ends.read(CAPACITY + 1) == b"a" * 96 + b"b" * (15 * PAGE_SIZE + 4000)


@pytest.mark.parametrize("free", [0, 1])
def test_up_to_pipe_buf_bytes_are_written_whole_or_not_at_all(ends: Ends, free: int) -> None:
    """pipe(7), PIPE_BUF: O_NONBLOCK, n <= PIPE_BUF."""
    ends.write(bytes(CAPACITY))
    for _ in range(free):
        ends.read(PAGE_SIZE)

    assert ends.write(bytes(PAGE_SIZE)) == (PAGE_SIZE if free else -EAGAIN)


def test_more_than_pipe_buf_bytes_are_written_in_part(ends: Ends) -> None:
    ends.write(bytes(CAPACITY - 2 * PAGE_SIZE))

    assert ends.write(bytes(PAGE_SIZE * 3 + 1)) == 2 * PAGE_SIZE


def test_fionread_counts_what_is_unread(ends: Ends) -> None:
    """pipe(7): FIONREAD, at either end."""
    ends.write(b"abc")
    counts = []
    for fd in (ends.read_fd, ends.write_fd):
        count = bytearray(4)
        assert call(ends.task, "ioctl", fd, FIONREAD, count) == 0
        counts.append(int.from_bytes(count, "little"))

    assert counts == [3, 3]
    assert call(ends.task, "ioctl", ends.read_fd, TCGETS, bytearray(64)) == -ENOTTY


# Packets


def test_a_packet_is_read_by_one_read(packets: Ends) -> None:
    """pipe(2), O_DIRECT: a read gives one packet; what does not fit the buffer is dropped."""
    for packet in (b"one", b"second", b"third"):
        packets.write(packet)

    assert [packets.read(100), packets.read(2), packets.read(100)] == [b"one", b"se", b"third"]


def test_a_large_write_is_cut_into_packets(packets: Ends) -> None:
    """pipe(2): writes of more than PIPE_BUF bytes become several packets."""
    packets.write(bytes(PAGE_SIZE + 10))

    assert [packets.read(9999), packets.read(9999)] == [bytes(PAGE_SIZE), bytes(10)]


def test_packets_begin_with_the_flag_and_nothing_is_merged_into_one(packets: Ends) -> None:
    """fcntl(2), F_SETFL: O_DIRECT switches packet mode of what is written from then on."""
    packets.write(b"packet")
    packets.writer.other_flags = 0
    packets.write(b"bytes")
    packets.write(b" more")

    assert [packets.read(100), packets.read(100)] == [b"packet", b"bytes more"]


# Ends


def test_without_a_writer_a_read_is_at_the_end(ends: Ends) -> None:
    """pipe(7): when all write ends are closed, a read gives what is left and then 0."""
    ends.write(b"last")
    call(ends.task, "close", ends.write_fd)

    assert [ends.read(10), ends.read(10)] == [b"last", b""]
    assert ends.reader.poll(ends.task) == EPOLLHUP


def test_without_a_reader_a_write_is_a_signal_and_an_error(kernel: Machine) -> None:
    """pipe(7): SIGPIPE, and EPIPE if it is ignored or handled; to the thread that writes."""
    signals: list[int] = []
    results: list[int] = []

    def program(sys: Calls) -> Program:
        yield sys.sigaction(SIGPIPE, signals.append)
        yield sys.pipe(bytearray(INTS))
        yield sys.close(0)
        results.append((yield sys.write(1, b"x", 1)))

    kernel.spawn(program)
    kernel.run()

    assert (signals, results) == ([SIGPIPE], [-EPIPE])


def test_a_duplicate_keeps_its_end_open(ends: Ends) -> None:
    duplicate = call(ends.task, "dup", ends.write_fd)
    assert isinstance(duplicate, int)
    call(ends.task, "close", ends.write_fd)

    assert ends.read(1) == -EAGAIN
    call(ends.task, "close", duplicate)
    assert ends.read(1) == b""


def test_the_end_wakes_all_readers(kernel: Machine) -> None:
    """Only one reader is woken by a write, but none can wait for what never comes."""
    results: list[int] = []

    def reader(sys: Calls) -> Program:
        results.append((yield sys.read(0, bytearray(1), 1)))

    def main(sys: Calls) -> Program:
        yield sys.pipe(bytearray(INTS))
        yield sys.thread(reader)
        yield sys.thread(reader)
        yield sys.sleep_ns(SECOND)
        yield sys.close(1)

    kernel.spawn(main)
    kernel.run()

    assert results == [0, 0]


def test_the_end_of_all_readers_ends_a_write_that_waits(kernel: Machine) -> None:
    """What was written before counts; the next write fails."""
    results: list[int] = []

    def writer(sys: Calls) -> Program:
        yield sys.sigaction(SIGPIPE, SIG_IGN)
        yield sys.close(0)
        results.append((yield sys.write(1, bytes(CAPACITY + 1), CAPACITY + 1)))
        results.append((yield sys.write(1, b"x", 1)))

    def main(sys: Calls) -> Program:
        yield sys.pipe(bytearray(INTS))
        yield sys.fork(writer)
        yield sys.sleep_ns(SECOND)

    kernel.spawn(main)
    kernel.run()

    assert results == [CAPACITY, -EPIPE]


# Sizes


@pytest.mark.parametrize(
    ("asked", "got"),
    [(0, 4096), (1, 4096), (4096, 4096), (4097, 8192), (1 << 20, 1 << 20), (2**31, 2**31), (2**31 + 1, -EINVAL)],
)
def test_a_size_is_a_power_of_2_of_pages(ends: Ends, asked: int, got: int) -> None:
    """fcntl(2), F_SETPIPE_SZ."""
    assert call(ends.task, "fcntl", ends.read_fd, F_SETPIPE_SZ, asked) == got
    assert call(ends.task, "fcntl", ends.write_fd, F_GETPIPE_SZ, 0) == (got if got > 0 else CAPACITY)


def test_a_pipe_is_not_shrunk_below_what_is_in_it(ends: Ends) -> None:
    ends.write(bytes(2 * PAGE_SIZE + 1))

    assert call(ends.task, "fcntl", ends.write_fd, F_SETPIPE_SZ, 2 * PAGE_SIZE) == -EBUSY
    assert call(ends.task, "fcntl", ends.write_fd, F_SETPIPE_SZ, 3 * PAGE_SIZE) == 4 * PAGE_SIZE
    assert ends.write(bytes(2 * PAGE_SIZE)) == PAGE_SIZE


def test_more_than_the_limit_asks_for_a_capability(kernel: Machine, ends: Ends) -> None:
    """pipe(7), /proc/sys/fs/pipe-max-size: CAP_SYS_RESOURCE."""
    kernel.host = FakeHost()
    kernel.host.has_capability = lambda task, capability: False  # type: ignore[method-assign]

    assert call(ends.task, "fcntl", ends.read_fd, F_SETPIPE_SZ, 1 << 20) == 1 << 20
    assert call(ends.task, "fcntl", ends.read_fd, F_SETPIPE_SZ, 1 << 21) == -EPERM


# Making one


def test_the_ends_have_their_flags(kernel: Machine) -> None:
    ends = new_pipe(kernel, O_NONBLOCK | O_CLOEXEC | O_DIRECT)

    assert (ends.reader.nonblock, ends.writer.nonblock) == (True, True)
    assert (ends.reader.other_flags, ends.writer.other_flags) == (0, O_DIRECT)
    assert ends.task.own_fds.cloexec == {ends.read_fd, ends.write_fd}
    assert ends.reader.inode == ends.writer.inode != new_pipe(kernel, 0).reader.inode


def test_each_end_goes_one_way(ends: Ends) -> None:
    assert call(ends.task, "write", ends.read_fd, b"x", 1) == -EBADF
    assert call(ends.task, "read", ends.write_fd, bytearray(1), 1) == -EBADF


@pytest.mark.parametrize(
    ("fds", "flags", "errno"),
    [
        pytest.param(BAD, 1, EINVAL, id="unknown flag"),
        pytest.param(BAD, O_EXCL, ENOPKG, id="notification pipe"),
        pytest.param(BAD, 0, EFAULT, id="where to tell"),
    ],
)
def test_pipe2_refuses(kernel: Machine, fds: int, flags: int, errno: int) -> None:
    task = kernel.spawn(idle)

    assert call(task, "pipe2", fds, flags) == -errno
    assert not task.own_fds.files


def test_a_pipe_needs_two_numbers(kernel: Machine) -> None:
    """pipe(2), EMFILE: then none is used."""
    task = kernel.spawn(idle)
    task.own_fds.limit = 1

    assert call(task, "pipe2", bytearray(INTS), 0) == -EMFILE
    assert not task.own_fds.files
