"""eventfd(2): counting, semaphores, overflow, and the 8 bytes."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import call
from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import EAGAIN, EFAULT, EINVAL
from tickless.abi.eventfd import EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.eventfd import COUNT, COUNT_MAX, EventFd
from tickless.kernel.machine import Calls, Machine, OwnTask, Program

BAD = 0x10  # no address


def make(task: OwnTask, count: int = 0, flags: int = 0) -> EventFd:
    """A new eventfd that does not block."""
    fd = call(task, "eventfd2", count, flags | EFD_NONBLOCK)
    assert isinstance(fd, int)
    file = task.fds.get(fd)
    assert isinstance(file, EventFd)
    return file


def read(task: OwnTask, fd: int = 0) -> object:
    """The count, or -errno."""
    count = bytearray(COUNT.size)
    answer = call(task, "read", fd, count, COUNT.size)
    return COUNT.unpack(count)[0] if answer == COUNT.size else answer


def write(task: OwnTask, count: int, fd: int = 0) -> object:
    return call(task, "write", fd, COUNT.pack(count), COUNT.size)


def test_a_read_of_zero_sleeps_until_a_write(kernel: Machine) -> None:
    """eventfd(2), read: a zero counter blocks the caller until it is nonzero."""
    results: list[int] = []
    count = bytearray(COUNT.size)

    def reader(sys: Calls) -> Program:
        fd = yield sys.eventfd2(0, 0)
        results.append((yield sys.read(fd, count, 8)))

    def writer(sys: Calls) -> Program:
        yield sys.sleep_ns(5 * SECOND)
        results.append((yield sys.write(0, COUNT.pack(3), 8)))

    main = kernel.spawn(reader)
    kernel.spawn(writer, main, same_group=True)
    kernel.run()

    assert results == [8, 8]
    assert COUNT.unpack(count) == (3,)
    assert kernel.now_ns == 5 * SECOND


def test_a_write_that_overflows_sleeps_until_a_read(kernel: Machine) -> None:
    """eventfd(2), write: the counter's largest value is 2**64 - 2."""
    results: list[tuple[int, int]] = []

    def writer(sys: Calls) -> Program:
        fd = yield sys.eventfd2(0, 0)
        yield sys.write(fd, COUNT.pack(COUNT_MAX), 8)
        results.append(((yield sys.write(fd, COUNT.pack(1), 8)), kernel.now_ns // SECOND))

    def reader(sys: Calls) -> Program:
        yield sys.sleep_ns(5 * SECOND)
        yield sys.read(0, bytearray(8), 8)

    main = kernel.spawn(writer)
    kernel.spawn(reader, main, same_group=True)
    kernel.run()

    assert results == [(8, 5)]


def test_a_read_takes_the_whole_count(task: OwnTask) -> None:
    make(task, 7)
    write(task, 3)

    assert [read(task), read(task)] == [10, -EAGAIN]


def test_a_semaphore_gives_ones(task: OwnTask) -> None:
    """eventfd(2), EFD_SEMAPHORE: a read gives 1 and takes 1."""
    make(task, 2, EFD_SEMAPHORE)

    assert [read(task), read(task), read(task)] == [1, 1, -EAGAIN]


@pytest.mark.parametrize(
    ("count", "ready"), [(0, EPOLLOUT), (1, EPOLLIN | EPOLLOUT), (COUNT_MAX, EPOLLIN)], ids=["empty", "one", "full"]
)
def test_it_is_ready_above_zero_and_while_one_more_fits(task: OwnTask, count: int, ready: int) -> None:
    file = make(task)
    write(task, count)

    assert file.poll(task) == ready


@pytest.mark.parametrize(
    ("count", "result"),
    [(0, 8), (COUNT_MAX, 8), (COUNT_MAX + 1, -EINVAL)],
    ids=["nothing", "all", "the one value that is none"],
)
def test_a_write_adds_up_to_the_largest_value(task: OwnTask, count: int, result: int) -> None:
    make(task)

    assert write(task, count) == result


def test_a_write_that_does_not_fit_adds_nothing(task: OwnTask) -> None:
    file = make(task, 5)

    assert write(task, COUNT_MAX - 4) == -EAGAIN
    assert file.count == 5
    assert file.describe(task) == "eventfd-count:                5\neventfd-semaphore: 0\n"


@pytest.mark.parametrize("size", [0, 7, 9])
def test_a_write_is_of_8_bytes(task: OwnTask, size: int) -> None:
    """Measured on Linux 6.18: longer ones are refused too; the page says so of shorter ones."""
    make(task)

    assert call(task, "write", 0, bytes(16), size) == -EINVAL


def test_a_read_needs_room_for_8_bytes(task: OwnTask) -> None:
    make(task, 1)

    assert call(task, "read", 0, bytearray(16), 7) == -EINVAL
    assert call(task, "read", 0, bytearray(16), 16) == 8


def test_a_read_that_faults_has_taken_the_count(task: OwnTask) -> None:
    """Measured on Linux 6.18."""
    make(task, 5)

    assert call(task, "read", 0, BAD, 8) == -EFAULT
    assert read(task) == -EAGAIN


def test_a_write_that_faults_adds_nothing(task: OwnTask) -> None:
    make(task)

    assert call(task, "write", 0, BAD, 8) == -EFAULT
    assert read(task) == -EAGAIN


def test_flags(task: OwnTask) -> None:
    assert call(task, "eventfd2", 0, EFD_CLOEXEC) == 0
    assert task.own_fds.cloexec == {0}
    assert call(task, "eventfd2", 0, 2) == -EINVAL
    assert call(task, "eventfd", 2**32 + 3) == 1
    assert read(task, 1) == 3
