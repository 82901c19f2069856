"""pipe(7): who waits, who is woken, what is ready, and what faults leave behind."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import call, idle
from tests.kernel.pipe_ends import CAPACITY, INTS, Ends, new_pipe
from tickless.abi.epoll import EPOLLERR, EPOLLIN, EPOLLOUT, EPOLLRDNORM, EPOLLWRNORM
from tickless.abi.errno import EFAULT, EINTR
from tickless.abi.signal import SIGUSR1
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.machine import Calls, Machine, Main, Program
from tickless.kernel.memory import PAGE_SIZE

BAD = 0x10  # no address
READABLE = EPOLLIN | EPOLLRDNORM
WRITABLE = EPOLLOUT | EPOLLWRNORM


# Waiting


def test_one_reader_is_woken_by_a_write(kernel: Machine) -> None:
    """fs/pipe.c: readers wait exclusively, the first first; what is left over is the next one's."""
    results: list[str] = []

    def reader(name: str) -> Main:
        def program(sys: Calls) -> Program:
            count = yield sys.read(0, bytearray(3), 3)
            results.append(f"{name}: {count} at {kernel.now_ns // SECOND}")

        return program

    def main(sys: Calls) -> Program:
        yield sys.pipe(bytearray(INTS))
        for name in ("a", "b", "c"):
            yield sys.thread(reader(name))
        yield sys.sleep_ns(SECOND)
        yield sys.write(1, b"abcd", 4)
        yield sys.sleep_ns(SECOND)
        yield sys.write(1, b"e", 1)

    kernel.spawn(main)
    kernel.run()

    assert results == ["a: 3 at 1", "b: 1 at 1", "c: 1 at 2"]


def test_a_reader_that_is_killed_leaves_its_wake_to_the_next(kernel: Machine) -> None:
    ends = new_pipe(kernel, 0)
    readers = [kernel.spawn(idle, ends.task, same_group=True) for _ in range(2)]
    for reader in readers:
        assert call(reader, "read", ends.read_fd, bytearray(1), 1) is None
    ends.write(b"x")
    assert [reader.state for reader in readers] == ["ready", "blocked"]

    kernel.abandon_call(readers[0])

    assert kernel.resume_call(readers[1]) == 1


def test_a_writer_waits_for_a_page(kernel: Machine) -> None:
    """fs/pipe.c: as long as a page is not read whole, there is no room."""
    results: list[tuple[int, int]] = []

    def writer(sys: Calls) -> Program:
        yield sys.pipe(bytearray(INTS))
        yield sys.write(1, bytes(CAPACITY), CAPACITY)
        results.append(((yield sys.write(1, b"x", 1)), kernel.now_ns // SECOND))

    def reader(sys: Calls) -> Program:
        for _ in range(2):
            yield sys.sleep_ns(SECOND)
            yield sys.read(0, bytearray(PAGE_SIZE), PAGE_SIZE // 2)

    main = kernel.spawn(writer)
    kernel.spawn(reader, main, same_group=True)
    kernel.run()

    assert results == [(1, 2)]


def test_two_writers_are_woken_one_after_the_other(kernel: Machine) -> None:
    results: list[str] = []

    def writer(name: str) -> Main:
        def program(sys: Calls) -> Program:
            yield sys.write(1, b"x", 1)
            results.append(f"{name} at {kernel.now_ns // SECOND}")

        return program

    def main(sys: Calls) -> Program:
        yield sys.pipe(bytearray(INTS))
        yield sys.write(1, bytes(CAPACITY), CAPACITY)
        yield sys.thread(writer("a"))
        yield sys.thread(writer("b"))
        yield sys.sleep_ns(SECOND)
        yield sys.read(0, bytearray(2 * PAGE_SIZE), 2 * PAGE_SIZE)

    kernel.spawn(main)
    kernel.run()

    assert results == ["a at 1", "b at 1"]


@pytest.mark.parametrize(
    ("size", "result"),
    [
        pytest.param(CAPACITY + 1, CAPACITY, id="what was written"),
        pytest.param(1, -EINTR, id="nothing was written"),
    ],
)
def test_a_handler_ends_a_write_that_waits(kernel: Machine, size: int, result: int) -> None:
    """signal(7): a write that was interrupted after some bytes gives their count."""
    results: list[int] = []

    def writer(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        yield sys.pipe(bytearray(INTS))
        if size == 1:
            yield sys.write(1, bytes(CAPACITY), CAPACITY)
        results.append((yield sys.write(1, bytes(size), size)))

    task = kernel.spawn(writer)

    def killer(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        yield sys.kill(task.tid, SIGUSR1)

    kernel.spawn(killer)
    kernel.run()

    assert results == [result]


# Readiness


def test_the_ends_are_ready_for_a_byte_and_a_page(ends: Ends) -> None:
    """pipe(7), poll(2): writable means that a page is free."""
    states = []
    for step in (lambda: None, lambda: ends.write(bytes(CAPACITY)), lambda: ends.read(1), lambda: ends.read(4095)):
        step()
        states.append((ends.reader.poll(ends.task), ends.writer.poll(ends.task)))

    assert states == [(0, WRITABLE), (READABLE, 0), (READABLE, 0), (READABLE, WRITABLE)]


def test_the_write_end_is_in_error_without_a_reader(ends: Ends) -> None:
    call(ends.task, "close", ends.read_fd)

    assert ends.writer.poll(ends.task) == WRITABLE | EPOLLERR


class Edges:
    """A waiter that counts its wakes."""

    exclusive = False
    in_front = False

    def __init__(self) -> None:
        self.events: list[int] = []

    def wake(self, events: int) -> bool:
        self.events.append(events)
        return True


@pytest.mark.parametrize("polled", [False, True])
def test_once_polled_every_write_is_an_edge(ends: Ends, *, polled: bool) -> None:
    """fs/pipe.c: epoll wants a wake whether the pipe was empty or not; others need none then."""
    edges = Edges()
    ends.reader.queue.add(edges)
    if polled:
        ends.reader.poll(ends.task)

    ends.write(b"a")
    ends.write(b"b")

    assert edges.events == [READABLE] * (2 if polled else 1)


def test_a_read_is_an_edge_to_writers_if_it_frees_the_first_page(ends: Ends) -> None:
    """Measured on Linux 6.18 with EPOLLET."""
    edges = Edges()
    ends.writer.queue.add(edges)
    ends.write(bytes(CAPACITY))
    counts = []
    for count in (1, PAGE_SIZE - 1, PAGE_SIZE):
        ends.read(count)
        counts.append(len(edges.events))

    assert counts == [0, 1, 1]


# Memory


def test_a_read_that_faults_takes_nothing(ends: Ends) -> None:
    ends.write(b"abc")

    assert call(ends.task, "read", ends.read_fd, BAD, 3) == -EFAULT
    assert ends.read(3) == b"abc"


def test_a_read_gives_the_pages_that_fit_the_memory(ends: Ends) -> None:
    ends.write(b"a" * PAGE_SIZE + b"b" * PAGE_SIZE)
    end_of_memory = ends.task.own_memory.base + len(ends.task.own_memory.bytes)

    assert call(ends.task, "read", ends.read_fd, end_of_memory - PAGE_SIZE - 1, 2 * PAGE_SIZE) == PAGE_SIZE
    assert ends.read(2 * PAGE_SIZE) == b"b" * PAGE_SIZE


@pytest.mark.parametrize(("before_end", "result"), [(1, -EFAULT), (PAGE_SIZE + 1, PAGE_SIZE)])
def test_a_write_takes_the_pages_that_can_be_read(ends: Ends, before_end: int, result: int) -> None:
    end_of_memory = ends.task.own_memory.base + len(ends.task.own_memory.bytes)

    assert call(ends.task, "write", ends.write_fd, end_of_memory - before_end, 2 * PAGE_SIZE) == result


def test_a_reader_that_faults_leaves_the_bytes_to_the_next(kernel: Machine) -> None:
    results: list[int] = []

    def reader(buffer: int) -> Main:
        def program(sys: Calls) -> Program:
            results.append((yield sys.read(0, buffer or bytearray(1), 1)))

        return program

    def main(sys: Calls) -> Program:
        yield sys.pipe(bytearray(INTS))
        yield sys.thread(reader(BAD))
        yield sys.thread(reader(0))
        yield sys.sleep_ns(SECOND)
        yield sys.write(1, b"x", 1)

    kernel.spawn(main)
    kernel.run()

    assert results == [-EFAULT, 1]
