"""Random steps for the kernel without a host and for its model, whose answers must be the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from fuzz.model import QUEUED_FROM, SKIPPED
from fuzz.model_calls import ModelOfCalls
from fuzz.pure_kernel import PureKernel
from tickless.abi.epoll import EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT
from tickless.abi.signal import SIGUSR1, SIGUSR2, sigmask

TASKS = 3
STEPS = 150  # of one run: enough for long stories, and another one begins anew
FDS = 12
SIGNALS = (SIGUSR1, SIGUSR2, QUEUED_FROM + 2, QUEUED_FROM + 3)
SETS = tuple(sigmask(*(signo for bit, signo in enumerate(SIGNALS) if number >> bit & 1)) for number in range(16))
COUNTS = (0, 1, 1, 2, 5, 2**64 - 3, 2**64 - 2)
EVENTS = (EPOLLIN, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT, 0)
TIMEOUTS = (0, -1, -1, 1, 2, 3, 5, 8)

# The task, or -1 for time; the call; its numbers.
PureStep = tuple[int, str, tuple[int, ...]]


class Difference(Exception):
    """The kernel and its model gave something else at the last step of `steps`."""

    def __init__(self, steps: Sequence[PureStep], kernel: object, model: object) -> None:
        super().__init__(f"kernel: {kernel}\nmodel:  {model}")
        self.steps = tuple(steps)


class Pair:
    """A kernel and its model."""

    def __init__(self) -> None:
        self.kernel = PureKernel(TASKS)
        self.model = ModelOfCalls(TASKS)
        self.done: list[PureStep] = []
        self.skipped = 0

    def step(self, step: PureStep) -> None:
        """Make a step with both. Raises: Difference."""
        task, call, args = step
        kernel, model = self.kernel, self.model
        if task >= 0 and model.tasks[task].sleep is not None:
            return
        self.done.append(step)
        model.told, model.handled, kernel.told, kernel.handled = [], [], [], []
        if task < 0:
            model.advance(*args)
            kernel.advance(*args)
        else:
            expected = getattr(model, call)(model.tasks[task], *args)
            if expected == SKIPPED:
                self.done.pop()
                self.skipped += 1
                return
            given = getattr(kernel, call)(task, *args)
            if given != expected:
                raise Difference(self.done, given, expected)
        model.settle()
        kernel.settle()
        if model.told or kernel.told or model.handled or kernel.handled:
            self._compare()

    def _compare(self) -> None:
        """Which of several tasks goes on first is promised by nobody; each by itself keeps its order."""
        expected = sorted(self.model.told, key=_task), sorted(self.model.handled, key=_task)
        given = sorted(self.kernel.told, key=_task), sorted(self.kernel.handled, key=_task)
        if given != expected:
            raise Difference(self.done, given, expected)


def _task(told: tuple[int, Any] | tuple[int, int, int]) -> int:
    return told[0]


def replay(steps: Sequence[PureStep]) -> Difference | None:
    """Whether these steps show a difference."""
    pair = Pair()
    try:
        for step in steps:
            pair.step(step)
    except Difference as difference:
        return difference
    return None


def shrink(difference: Difference) -> Difference:
    """A difference with fewer steps, if there is one."""
    length = len(difference.steps) // 2
    while length:
        at = 0
        while at < len(difference.steps):
            smaller = replay(difference.steps[:at] + difference.steps[at + length :])
            if smaller is not None:
                difference = smaller
            else:
                at += length
        length //= 2
    return difference


def run(seed: int, count: int) -> Iterator[Pair]:
    """`count` steps from `seed` on, one run after another. Raises: Difference."""
    done = 0
    while done < count:
        pair = Pair()
        random = Random(seed)
        for step in _steps(random, pair):
            pair.step(step)
        seed += 1
        done += len(pair.done)
        yield pair


def _steps(random: Random, pair: Pair) -> Iterator[PureStep]:
    below = random.randrange
    tasks = pair.model.tasks
    for make in MAKERS * 2:
        yield 0, *make(below)
    for _ in range(STEPS):
        if below(12) == 0:
            yield -1, "advance", (below(4),)
            continue
        awake = [number for number, task in enumerate(tasks) if task.sleep is None]
        if awake:
            yield awake[below(len(awake))], *ACTIONS[below(len(ACTIONS))](below)
        else:
            yield -1, "advance", (1 + below(6),)


Below = Callable[[int], int]
Made = tuple[str, tuple[int, ...]]


def _fd(below: Below) -> int:
    return below(FDS)


def _eventfd(below: Below) -> Made:
    return "eventfd", (COUNTS[below(4)], below(2), int(below(3) == 0))


def _timerfd(below: Below) -> Made:
    return "timerfd", (int(below(3) == 0),)


def _signalfd(below: Below) -> Made:
    return "signalfd", (SETS[below(16)], int(below(3) == 0))


def _epoll(below: Below) -> Made:
    return "epoll", ()


def _pipe(below: Below) -> Made:
    return "pipe", (int(below(3) == 0),)


def _dup(below: Below) -> Made:
    return "dup", (_fd(below),)


def _close(below: Below) -> Made:
    return "close", (_fd(below),)


def _read(below: Below) -> Made:
    return "read", (_fd(below), (8, 128, 8, 256, 3, 4095)[below(6)])


def _write(below: Below) -> Made:
    return "write", (_fd(below), (1, 2, 1, 3, 2000, 4095, 2096)[below(7)] if below(4) else 1)


def _add(below: Below) -> Made:
    return "write", (_fd(below), (1, 2, 3)[below(3)])


def _settime(below: Below) -> Made:
    return "settime", (_fd(below), below(5), (0, 0, 1, 2, 3)[below(5)])


def _gettime(below: Below) -> Made:
    return "gettime", (_fd(below),)


def _ctl(below: Below) -> Made:
    flags = (0, 0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT)[below(5)]
    return "ctl", (_fd(below), (1, 1, 1, 3, 2)[below(5)], _fd(below), EVENTS[below(5)] | flags, below(1000))


def _wait(below: Below) -> Made:
    return "wait", (_fd(below), (8, 8, 1, 2)[below(4)], TIMEOUTS[below(8)])


def _poll(below: Below) -> Made:
    return "poll", (_fd(below), (1, 4, 5)[below(3)], _fd(below), (1, 4)[below(2)], TIMEOUTS[below(8)])


def _mask(below: Below) -> Made:
    return "mask", (SETS[below(16)],)


def _pending(below: Below) -> Made:
    return "pending", ()


def _queue(below: Below) -> Made:
    return "queue", (SIGNALS[below(4)], below(1000))


def _tgqueue(below: Below) -> Made:
    return "tgqueue", (below(TASKS), SIGNALS[below(4)], below(1000))


def _sigtimedwait(below: Below) -> Made:
    return "sigtimedwait", (SETS[below(16)], TIMEOUTS[below(8)])


def _store(below: Below) -> Made:
    return "store", (below(2), below(2))


def _futex_wait(below: Below) -> Made:
    return "futex_wait", (below(2), below(2), (-1, 1, 2, 5)[below(4)])


def _futex_wake(below: Below) -> Made:
    return "futex_wake", (below(2), 1 + below(2))


def _requeue(below: Below) -> Made:
    return "requeue", (0, below(2), 1, below(3))


def _sleep(below: Below) -> Made:
    return "sleep", (1 + below(5),)


MAKERS: tuple[Callable[[Below], Made], ...] = (_eventfd, _timerfd, _signalfd, _epoll, _pipe)
# How often an action is in the list is how likely it is.
ACTIONS: tuple[Callable[[Below], Made], ...] = (
    *([_read] * 8 + [_write] * 4 + [_add] * 4 + [_ctl] * 7 + [_wait] * 6 + [_poll] * 4 + [_settime] * 4),
    *([_queue] * 4 + [_tgqueue] * 4 + [_mask] * 3 + [_sigtimedwait] * 2 + [_futex_wait] * 3 + [_futex_wake] * 3),
    *(*MAKERS, _dup, _close, _gettime, _pending, _store, _requeue, _sleep),
)
