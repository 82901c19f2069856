"""What a script in the making remembers, and what it draws: numbers, files, time-outs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from fuzz.scripts import RULER, VARIABLES, Step, step_deadlines
from tickless.abi.epoll import EPOLLIN, EPOLLOUT, EPOLLRDHUP
from tickless.abi.signal import (
    SIGALRM,
    SIGCHLD,
    SIGURG,
    SIGUSR1,
    SIGUSR2,
    sigmask,
)
from tickless.abi.time import CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME

Item = TypeVar("Item")
# `choose(n)` is a number from 0 to n - 1; 0 is the simplest.
Choose = Callable[[int], int]

# The first two real-time signals that glibc does not keep for itself.
REAL_TIME = (34, 35)
SIGNALS = (SIGUSR1, SIGUSR2, *REAL_TIME, SIGALRM, SIGURG, SIGCHLD)
SENT = SIGNALS[:-1]
CLOCKS = (CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME)
COUNT_MAX = 2**64 - 2
TIMED_UNITS = 5
FILE_KINDS = ("eventfd", "timerfd", "signalfd", "epoll", "pipe_out", "pipe_in", "socket", "socket_end")


class Generator:
    """Writes one script; it remembers what variables probably stand for, so that most calls make sense."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.steps: list[Step] = []
        self.kinds: dict[int, str] = {}  # by variable
        self.tasks = [0]
        self.leaders = [0]  # the tasks that are the first of a process
        self.parents: list[int] = []
        self.timers: list[int] = []
        self.busy_units: set[int] = set()
        self.now = 0
        self.units = TIMED_UNITS if choose(10) >= 7 else 0

    def one_of(self, items: Sequence[Item]) -> Item:
        return items[self.choose(len(items))]

    def chance(self, percent: int) -> bool:
        return self.choose(100) >= 100 - percent

    def add(self, task: int, call: str, *args: int) -> None:
        step = Step(task, call, args)
        units = step_deadlines(step, self.now, self.units)
        if len(units) == len(set(units)) and not self.busy_units.intersection(units):
            self.busy_units.update(units)
            self.steps.append(step)

    def advance(self) -> None:
        self.now += 1
        self.steps.append(Step(RULER, "advance", ()))

    def flags(self, *flags: int) -> int:
        return sum(flag for flag in flags if self.chance(30))

    def some_signals(self, percent: int = 40) -> int:
        return sigmask(*(signo for signo in SIGNALS if self.chance(percent)))

    def file(self, *kinds: str) -> int:
        """A variable that stands for one of these kinds, or now and then for anything."""
        fitting = [variable for variable, kind in self.kinds.items() if not kinds or kind in kinds]
        if not fitting or self.chance(4):
            return self.choose(VARIABLES)
        return self.one_of(fitting)

    def new(self, kind: str) -> int:
        free = [variable for variable in range(VARIABLES) if variable not in self.kinds]
        variable = free[0] if free else self.choose(VARIABLES)
        self.kinds[variable] = kind
        return variable

    def timeout(self) -> int:
        """0, never, or so many units; for ever without time."""
        if self.choose(4) == 1:
            return 0
        if not self.units or self.choose(3) == 0:
            return -1
        return self.span()

    def patience(self) -> int:
        """A time-out for calls of which it is not promised that they sleep when there is no time to."""
        return self.timeout() or -1

    def span(self) -> int:
        """Units up to an instant at which nothing else happens; 0 if there is none left."""
        free = [unit for unit in range(self.now, self.units) if unit not in self.busy_units]
        return self.one_of(free) - self.now + 1 if free else 0

    def events(self) -> int:
        return self.one_of((EPOLLIN, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT, EPOLLIN | EPOLLRDHUP, 0))
