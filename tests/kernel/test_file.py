"""open(2): what an open file description has in common, whatever it is."""

from __future__ import annotations

from tickless.abi.epoll import EPOLL_CTL_ADD, EPOLL_EVENT, EPOLLIN
from tickless.abi.eventfd import COUNT
from tickless.kernel.machine import Calls, Machine, Program

SECOND = 10**9


def test_a_parked_read_keeps_a_file_that_lost_its_last_number(kernel: Machine) -> None:
    """close(2), multithreaded processes: the blocked call holds a reference of its own until it ends."""
    results: list[object] = []

    def main(sys: Calls) -> Program:
        ends = bytearray(8)
        yield sys.pipe(ends)
        read_end, write_end = (int.from_bytes(ends[at : at + 4], "little") for at in (0, 4))

        def reader(sys: Calls) -> Program:
            results.append((yield sys.read(read_end, bytearray(1), 1)))

        yield sys.thread(reader)
        yield sys.sleep_ns(SECOND)
        yield sys.close(read_end)
        results.append((yield sys.write(write_end, b"x", 1)))
        yield sys.sleep_ns(SECOND)
        results.append((yield sys.write(write_end, b"x", 1)))

    kernel.spawn(main)
    kernel.run()

    # The second write finds no reader: SIGPIPE ends the program before it can tell.
    assert results == [1, 1]


def test_a_parked_epoll_wait_keeps_its_epoll(kernel: Machine) -> None:
    """epoll_wait(2) in one thread, close(2) in another: events still come."""
    results: list[object] = []

    def main(sys: Calls) -> Program:
        epoll = yield sys.epoll_create1(0)
        counter = yield sys.eventfd2(0, 0)
        yield sys.epoll_ctl(epoll, EPOLL_CTL_ADD, counter, EPOLL_EVENT.pack(EPOLLIN, 7))

        def waiter(sys: Calls) -> Program:
            results.append((yield sys.epoll_wait(epoll, bytearray(EPOLL_EVENT.size), 1, 5000)))

        yield sys.thread(waiter)
        yield sys.sleep_ns(SECOND)
        yield sys.close(epoll)
        yield sys.write(counter, COUNT.pack(1), 8)

    kernel.spawn(main)
    kernel.run()

    assert results == [1]
    assert kernel.now_ns == SECOND
