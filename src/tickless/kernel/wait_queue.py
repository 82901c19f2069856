"""Where tasks sleep: the one file that may suspend a call.

A sleeper is in its queues from before its condition is looked at until it stops waiting, so no wake is lost; a wake is
a hint, and the sleeper looks again. When several things are true at once the order is Linux's: the condition, then the
deadline, then the signal.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from tickless.abi.errno import EINTR, ERESTART_RESTARTBLOCK, ERESTARTSYS
from tickless.abi.time import CLOCK_MONOTONIC
from tickless.kernel.errors import Errno
from tickless.kernel.signals import has_pending_signals

if TYPE_CHECKING:
    from tickless.kernel.clock import Deadline
    from tickless.kernel.outcome import Blocked
    from tickless.kernel.task import Task

AnyWaiter = TypeVar("AnyWaiter")

# A queue's wake carries the poll events that changed; ANY_EVENT reaches everybody.
ANY_EVENT = 0xFFFFFFFF


class Waiter(Protocol):
    """What stands in a wait queue: a sleeping call, or an interest of an epoll."""

    exclusive: bool
    in_front: bool  # it is put before those who are there already, which an epoll's order of events shows

    def wake(self, events: int) -> bool:
        """Something changed; return whether anybody was really woken by it."""


class WaitQueue:
    """Who waits for one thing, in the order of arrival."""

    __slots__ = ("on_idle", "waiters")

    def __init__(self) -> None:
        self.waiters: dict[Waiter, None] = {}
        self.on_idle: Callable[[], object] | None = None  # called when a sleeper has left

    @property
    def waiter_count(self) -> int:
        return len(self.waiters)

    def wake_all(self, events: int = ANY_EVENT) -> int:
        """Wake every waiter, but only one of the exclusive ones; return how many were woken."""
        waiters = self.waiters
        if len(waiters) == 1:
            (waiter,) = waiters
            return 1 if waiter.wake(events) else 0
        woken = 0
        exclusive_done = False
        for waiter in self._in_order():
            if waiter.exclusive and exclusive_done:
                continue
            if waiter.wake(events):
                woken += 1
                exclusive_done |= waiter.exclusive
        return woken

    def _in_order(self) -> list[Waiter]:
        """Those in front, the last that came first, as Linux has it; the others in order of arrival."""
        behind = [waiter for waiter in self.waiters if not waiter.in_front]
        if len(behind) == len(self.waiters):
            return behind
        return [waiter for waiter in reversed(self.waiters) if waiter.in_front] + behind

    def wake_one(self, events: int = ANY_EVENT) -> int:
        """Wake the exclusive waiter that came first and can be woken; return 0 or 1."""
        waiters = self.waiters
        if len(waiters) == 1:
            (waiter,) = waiters
            return 1 if waiter.exclusive and waiter.wake(events) else 0
        for waiter in tuple(waiters):
            if waiter.exclusive and waiter.wake(events):
                return 1
        return 0

    def wake_everybody(self, events: int = ANY_EVENT) -> None:
        """Wake every waiter, all exclusive ones too: what they wait for will never come."""
        for waiter in tuple(self.waiters):
            waiter.wake(events)

    def add(self, waiter: Waiter) -> None:
        self.waiters[waiter] = None

    def remove(self, waiter: Waiter) -> None:
        self.waiters.pop(waiter, None)

    def sleep_signalable_until(
        self,
        task: Task,
        condition: Callable[[], int | None],
        deadline_ns: int | None = None,
        *,
        events: int = ANY_EVENT,
        exclusive: bool = False,
        interrupted_as: int = ERESTARTSYS,
    ) -> Generator[None, None, int | None]:
        """`sleep_until` on this queue alone."""
        return sleep_until(
            task, (self,), condition, deadline_ns, events=events, exclusive=exclusive, interrupted_as=interrupted_as
        )


class Sleeper:
    """One blocked call's place in the queues."""

    __slots__ = ("events", "exclusive", "task", "woken")

    in_front = False

    def __init__(self, task: Task, events: int, *, exclusive: bool) -> None:
        self.task = task
        self.events = events
        self.exclusive = exclusive
        self.woken = False

    def wake(self, events: int) -> bool:
        if not events & self.events or self.woken:
            # A second exclusive wake must reach somebody else: this sleeper takes only one thing.
            return False
        self.woken = True
        self.task.kernel.make_ready(self.task)
        return True

    def time_out(self) -> None:
        """The deadline has come."""
        self.woken = True
        self.task.kernel.make_ready(self.task)


def sleep_until(
    task: Task,
    queues: Sequence[WaitQueue],
    condition: Callable[[], int | None],
    deadline_ns: int | None = None,
    *,
    clock_id: int = CLOCK_MONOTONIC,
    events: int = ANY_EVENT,
    exclusive: bool = False,
    interrupted_as: int = ERESTARTSYS,
    signalable: bool = True,
    late: int | None = None,
    looked: bool = False,
) -> Generator[None, None, int | None]:
    """Sleep until `condition` gives something, and return that; `late` when `deadline_ns` of `clock_id` has passed.

    `looked`: it has just given nothing, and changed nothing by it, so it is not asked again before the first sleep.

    Raises: Errno(interrupted_as) for a pending signal that the task does not block.
    """
    clock = task.kernel.clock
    sleeper = Sleeper(task, events, exclusive=exclusive)
    alarm = None
    task.sleeping_on, task.interrupted_as = queues, interrupted_as if signalable else 0
    try:
        for queue in queues:
            queue.waiters[sleeper] = None
            if exclusive and task.kernel.choose:
                place_by_chance(queue.waiters, sleeper, task.kernel.choose)
        while True:
            sleeper.woken = False
            if not looked and (result := condition()) is not None:
                return result
            looked = False
            if deadline_ns is not None:
                if clock.read(clock_id) >= deadline_ns:
                    return late
                if alarm is None:
                    alarm = clock.arm(deadline_ns, sleeper.time_out, clock_id)
            if signalable and (task.pending.mask or task.group.pending.mask) and has_pending_signals(task):
                raise Errno(interrupted_as)
            if not sleeper.woken:  # looking at the condition may itself have changed something
                yield
    finally:
        _leave(sleeper, queues, alarm)


def _leave(sleeper: Sleeper, queues: Sequence[WaitQueue], alarm: Deadline | None) -> None:
    """The call has ended, or dies: nobody waits for it any more."""
    task = sleeper.task
    if alarm is not None:
        task.kernel.clock.cancel(alarm)
    task.sleeping_on = ()
    for queue in queues:
        queue.waiters.pop(sleeper, None)
        if queue.on_idle is not None:
            queue.on_idle()
    if sleeper.exclusive and sleeper.woken:
        # It dies before it could look at what it was woken for: the next one gets it.
        for queue in queues:
            queue.wake_one(sleeper.events)


def place_by_chance(waiters: dict[AnyWaiter, None], waiter: AnyWaiter, choose: Callable[[int], int]) -> None:
    """Put a waiter that came last to a place of its queue that is drawn: with a seed, who is woken first is chance."""
    others = [other for other in waiters if other is not waiter]
    if others:
        others.insert(choose(len(others) + 1), waiter)
        waiters.clear()
        waiters.update(dict.fromkeys(others))


def give_way(task: Task) -> Generator[None, None, int]:
    """Let the tasks that are ready have their turn first: 0. No signal ends it. sched_yield(2)."""
    task.gives_way = True
    yield
    return 0


def sleep_masked(task: Task, mask: int | None, sleep: Blocked) -> Blocked:
    """Wait in `sleep` with the signal mask `mask`, or the task's own if that is None. ppoll(2), sigsuspend(2).

    Only a host can deliver a signal under another mask than the task's, so it is asked to end the call. Without one
    the mask stays in force until the signal is delivered.
    """
    if mask is None:
        return (yield from sleep)
    task.temporary_mask = mask
    delivers = False
    try:
        return (yield from sleep)
    except Errno as error:
        host = task.kernel.host
        interrupted = error.number == EINTR or ERESTARTSYS <= error.number <= ERESTART_RESTARTBLOCK
        # A process that was stopped looks at its signals when it goes on.
        if interrupted and host is not None and not task.group.stopped_by:
            return host.end_masked_call(task, mask, error.number)
        delivers = interrupted and host is None
        raise
    finally:
        if not delivers:
            task.temporary_mask = None
