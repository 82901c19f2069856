"""The event kernel without a host: what a timer and a ready file cost, few or many. `python -m benchmarks.pure_kernel`.

Timers: a million of them, spread over a simulated day, armed, re-armed once and fired. Epoll: one file of many is
ready, and a wait must cost the same whatever their number.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable

from tickless.abi.epoll import EPOLL_CTL_ADD, EPOLL_EVENT, EPOLLIN
from tickless.abi.numbers import number_of
from tickless.abi.time import CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, NSEC_PER_SEC
from tickless.kernel.clock import KTIME_MAX, Clock
from tickless.kernel.eventfd import EventFd
from tickless.kernel.machine import Calls, Machine, Program

DAY_NS = 86_400 * NSEC_PER_SEC
TIMERS = (1_000, 1_000_000)
INTERESTS = (10, 1_000, 100_000)
WAITS = 20_000
LINES = (CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class DayOfTimers:
    """`count` timers on all time lines: each is armed for an instant of the day, re-armed for another, and fires."""

    def __init__(self, count: int) -> None:
        draw = random.Random(0)
        self.clock = Clock()
        self.instants = [(draw.choice(LINES), draw.randrange(DAY_NS), draw.randrange(DAY_NS)) for _ in range(count)]
        self.fired = 0

    def fire(self) -> None:
        self.fired += 1

    def arm(self) -> None:
        clock = self.clock
        starts = {line: clock.read(line) for line in LINES}
        self.starts = starts
        self.armed = [clock.arm(starts[line] + first, self.fire, line) for line, first, _ in self.instants]

    def rearm(self) -> None:
        clock = self.clock
        for deadline, (line, _, second) in zip(self.armed, self.instants, strict=True):
            clock.cancel(deadline)
            clock.arm(self.starts[line] + second, self.fire, line)

    def run(self) -> None:
        clock = self.clock
        while clock.next_due_ns < KTIME_MAX:
            clock.handle_timer_irq(clock.next_due_ns)
        assert self.fired == len(self.instants), "a timer was lost"


def idle(sys: Calls) -> Program:
    yield sys.getpid()


class ManyInterests:
    """An epoll over `count` eventfds, the last of which is ready."""

    def __init__(self, count: int) -> None:
        self.machine = Machine()
        self.task = self.machine.spawn(idle)
        self.task.own_fds.limit = 2 * count + 10
        self.epoll = self.call("epoll_create1", 0)
        self.out = self.task.own_memory.allocate(EPOLL_EVENT.size * 16)
        for number in range(count):
            file = EventFd(1 if number == count - 1 else 0, semaphore=False, nonblock=True)
            # Above all others, so that no search for a free number is measured.
            fd = self.task.own_fds.install_from(count + number, file, cloexec=False)
            self.task.memory.copy_out(self.out, EPOLL_EVENT.pack(EPOLLIN, fd))
            assert self.call("epoll_ctl", self.epoll, EPOLL_CTL_ADD, fd, self.out) == 0

    def call(self, name: str, *args: int) -> int:
        answer = self.machine.begin_call(self.task, _number(name), (*args, *[0] * (6 - len(args))))
        assert isinstance(answer, int)
        return answer

    def wait(self) -> None:
        begin_call, task, number = self.machine.begin_call, self.task, _number("epoll_wait")
        args = (self.epoll, self.out, 16, 0, 0, 0)
        for _ in range(WAITS):
            assert begin_call(task, number, args) == 1


def _number(name: str) -> int:
    number = number_of("x86_64", name)
    assert number is not None
    return number


def main() -> int:
    print(f"{'timers over a simulated day':34} {'arm':>9} {'re-arm':>9} {'fire':>9}   µs each")
    for count in TIMERS:
        day = DayOfTimers(count)
        costs = [seconds(step) / count * 1e6 for step in (day.arm, day.rearm, day.run)]
        print(f"{count:34,} {costs[0]:9.2f} {costs[1]:9.2f} {costs[2]:9.2f}")
    print(f"\n{'epoll_wait, one file ready of':34} {'wait':>9}   µs each")
    for count in INTERESTS:
        print(f"{count:34,} {seconds(ManyInterests(count).wait) / WAITS * 1e6:9.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
