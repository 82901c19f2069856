"""With a seed, chance decides who is woken first; without one, whoever came first. docs/determinism.md."""

from collections.abc import Callable

import pytest

from tickless.abi.epoll import EPOLL_CTL_ADD, EPOLL_EVENT, EPOLLEXCLUSIVE, EPOLLIN
from tickless.abi.futex import FUTEX_WAIT, FUTEX_WAKE
from tickless.kernel.machine import Calls, Machine, Main, Program

WAITERS = 5
MS = 10**6
READ_END, WRITE_END = 0, 1
WORD = 0x10000 + 4096 * 8


def first(count: int) -> int:
    return 0


def last(count: int) -> int:
    return count - 1


def order_of(waiter: Callable[[int, list[int]], Main], choose: Callable[[int], int] | None, release: Main) -> list[int]:
    """The order in which `waiter(0)` … are woken by `release`, which runs as soon as all of them wait.

    They wait one after the other, since who is ready is chosen as well.
    """
    kernel = Machine(choose=choose)
    woken: list[int] = []

    def main(sys: Calls) -> Program:
        yield sys.pipe2(bytearray(8), 0)
        for number in range(WAITERS):
            yield sys.thread(waiter(number, woken))
            yield sys.sleep_ns(MS)
        yield from release(sys)

    kernel.spawn(main)
    kernel.run()
    return woken


def reader(number: int, woken: list[int]) -> Main:
    def main(sys: Calls) -> Program:
        yield sys.read(READ_END, bytearray(1), 1)
        woken.append(number)

    return main


def exclusive_watcher(number: int, woken: list[int]) -> Main:
    def main(sys: Calls) -> Program:
        epoll = yield sys.epoll_create1(0)
        yield sys.epoll_ctl(epoll, EPOLL_CTL_ADD, READ_END, EPOLL_EVENT.pack(EPOLLIN | EPOLLEXCLUSIVE, 0))
        yield sys.epoll_wait(epoll, bytearray(12), 1, -1)
        yield sys.read(READ_END, bytearray(1), 1)
        woken.append(number)

    return main


def futex_waiter(number: int, woken: list[int]) -> Main:
    def main(sys: Calls) -> Program:
        yield sys.futex(WORD, FUTEX_WAIT, 0, 0, 0, 0)
        woken.append(number)

    return main


def write_one_by_one(sys: Calls) -> Program:
    for _ in range(WAITERS):
        yield sys.write(WRITE_END, b"x", 1)
        yield sys.sleep_ns(MS)


def wake_one_by_one(sys: Calls) -> Program:
    for _ in range(WAITERS):
        yield sys.futex(WORD, FUTEX_WAKE, 1, 0, 0, 0)
        yield sys.sleep_ns(MS)


KINDS: dict[str, tuple[Callable[[int, list[int]], Main], Main]] = {
    "readers": (reader, write_one_by_one),
    "exclusive interests": (exclusive_watcher, write_one_by_one),
    "futex": (futex_waiter, wake_one_by_one),
}


@pytest.mark.parametrize(("waiter", "release"), KINDS.values(), ids=KINDS)
def test_who_came_first_is_woken_first(waiter: Callable[[int, list[int]], Main], release: Main) -> None:
    assert order_of(waiter, None, release) == list(range(WAITERS))


@pytest.mark.parametrize(("waiter", "release"), KINDS.values(), ids=KINDS)
def test_with_a_seed_the_place_in_the_queue_is_drawn(waiter: Callable[[int, list[int]], Main], release: Main) -> None:
    assert order_of(waiter, first, release) == list(reversed(range(WAITERS)))
    assert order_of(waiter, last, release) == list(range(WAITERS))
