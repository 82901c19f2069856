"""Random steps for the kernel without a host and for its model, whose answers must be the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from fuzz.model import QUEUED_FROM, SKIPPED, Counter, ModelFile, PipeEnd, SignalReader, Timer, Watcher
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
    pick = Pick(random.randrange, pair.model)
    below = pick.below
    tasks = pair.model.tasks
    for make in MAKERS * 2:
        yield 0, *make(pick)
    for _ in range(STEPS):
        if below(12) == 0:
            yield -1, "advance", (below(4),)
            continue
        awake = [number for number, task in enumerate(tasks) if task.sleep is None]
        if awake:
            yield awake[below(len(awake))], *ACTIONS[below(len(ACTIONS))](pick)
        else:
            yield -1, "advance", (1 + below(6),)


class Pick:
    """Draws numbers, and fds that stand for the right kind of file more often than not."""

    def __init__(self, below: Callable[[int], int], model: ModelOfCalls | None) -> None:
        self.below = below
        self.model = model

    def fd(self, *kinds: type[ModelFile]) -> int:
        fds = self.model.fds if self.model is not None else []
        fitting = [fd for fd, file in enumerate(fds) if isinstance(file, kinds)]
        return fitting[self.below(len(fitting))] if fitting and self.below(10) else self.below(FDS)

    def set(self) -> int:
        return SETS[self.below(16)]

    def timeout(self) -> int:
        return TIMEOUTS[self.below(8)]

    def one_of(self, items: Sequence[int]) -> int:
        return items[self.below(len(items))]

    def rarely(self) -> int:
        return int(self.below(3) == 0)


Made = tuple[str, tuple[int, ...]]
Action = Callable[[Pick], Made]


def _eventfd(pick: Pick) -> Made:
    return "eventfd", (pick.one_of(COUNTS[:4]), pick.below(2), pick.rarely())


def _timerfd(pick: Pick) -> Made:
    return "timerfd", (pick.rarely(),)


def _signalfd(pick: Pick) -> Made:
    return "signalfd", (pick.set(), pick.rarely())


def _epoll(pick: Pick) -> Made:
    return "epoll", ()


def _pipe(pick: Pick) -> Made:
    return "pipe", (pick.rarely(),)


def _dup(pick: Pick) -> Made:
    return "dup", (pick.fd(ModelFile),)


def _close(pick: Pick) -> Made:
    return "close", (pick.fd(ModelFile),)


def _read(pick: Pick) -> Made:
    return "read", (pick.fd(Counter, Timer, SignalReader, PipeEnd), pick.one_of((8, 128, 128, 256, 3, 4095)))


def _write(pick: Pick) -> Made:
    return "write", (pick.fd(PipeEnd), pick.one_of((1, 2, 1, 3, 2000, 4095, 2096)))


def _add(pick: Pick) -> Made:
    return "write", (pick.fd(Counter), pick.one_of(COUNTS))


def _settime(pick: Pick) -> Made:
    return "settime", (pick.fd(Timer), pick.below(5), pick.one_of((0, 0, 1, 2, 3)))


def _gettime(pick: Pick) -> Made:
    return "gettime", (pick.fd(Timer),)


def _ctl(pick: Pick) -> Made:
    flags = pick.one_of((0, 0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT))
    op = pick.one_of((1, 1, 1, 3, 2))
    return "ctl", (pick.fd(Watcher), op, pick.fd(ModelFile), pick.one_of(EVENTS) | flags, pick.below(1000))


def _wait(pick: Pick) -> Made:
    return "wait", (pick.fd(Watcher), pick.one_of((8, 8, 1, 2)), pick.timeout())


def _poll(pick: Pick) -> Made:
    one, other = pick.fd(ModelFile), pick.fd(ModelFile)
    return "poll", (one, pick.one_of((1, 4, 5)), other, pick.one_of((1, 4)), pick.timeout())


def _mask(pick: Pick) -> Made:
    return "mask", (pick.set(),)


def _pending(pick: Pick) -> Made:
    return "pending", ()


def _queue(pick: Pick) -> Made:
    return "queue", (pick.one_of(SIGNALS), pick.below(1000))


def _tgqueue(pick: Pick) -> Made:
    return "tgqueue", (pick.below(TASKS), pick.one_of(SIGNALS), pick.below(1000))


def _sigtimedwait(pick: Pick) -> Made:
    return "sigtimedwait", (pick.set(), pick.timeout())


def _store(pick: Pick) -> Made:
    return "store", (pick.below(2), pick.below(2))


def _futex_wait(pick: Pick) -> Made:
    return "futex_wait", (pick.below(2), pick.below(2), pick.one_of((-1, 1, 2, 5)))


def _futex_wake(pick: Pick) -> Made:
    return "futex_wake", (pick.below(2), 1 + pick.below(2))


def _requeue(pick: Pick) -> Made:
    return "requeue", (0, pick.below(2), 1, pick.below(3))


def _sleep(pick: Pick) -> Made:
    return "sleep", (1 + pick.below(5),)


MAKERS: tuple[Action, ...] = (_eventfd, _timerfd, _signalfd, _epoll, _pipe)
# How often an action is in the list is how likely it is.
ACTIONS: tuple[Action, ...] = (
    *([_read] * 8 + [_write] * 4 + [_add] * 4 + [_ctl] * 7 + [_wait] * 6 + [_poll] * 4 + [_settime] * 4),
    *([_queue] * 4 + [_tgqueue] * 4 + [_mask] * 3 + [_sigtimedwait] * 2 + [_futex_wait] * 3 + [_futex_wake] * 3),
    *(*MAKERS, _dup, _close, _gettime, _pending, _store, _requeue, _sleep),
)
