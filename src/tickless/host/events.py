"""What waitpid(2) tells the tracer, kept until it is its turn: an event may be waited for before it is handled."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from signal import SIGTRAP

from tickless.host import ptrace
from tickless.host.task_state import is_traced

AT_EXEC = SIGTRAP | ptrace.PTRACE_EVENT_EXEC << 8  # as the high bits of waitpid's status

Event = tuple[int, int]
"""(tid, status of waitpid)."""


class Events:
    """Events of all tasks, in the order in which the host gave them."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()

    def __len__(self) -> int:
        return len(self._events)

    def collect(self) -> None:
        """Take in every event that is there."""
        while True:
            try:
                tid, status = os.waitpid(-1, os.WNOHANG | ptrace.WALL)
            except ChildProcessError:
                return
            if tid == 0:
                return
            self._events.append((tid, status))

    def take(self, wanted: Callable[[int, int], bool]) -> Event | None:
        """The oldest event that is `wanted`."""
        for index, event in enumerate(self._events):
            if wanted(*event):
                del self._events[index]
                return event
        return None

    def has_ended(self, tid: int) -> bool:
        """Whether the task's death is among the events."""
        return any(other == tid and not os.WIFSTOPPED(status) for other, status in self._events)

    def take_exec(self, tgid: int) -> Event | None:
        """The exec of the process."""
        return self.take(lambda tid, status: tid == tgid and status >> 8 == AT_EXEC)

    def tids(self) -> set[int]:
        """The tasks that the events are of."""
        return {tid for tid, _ in self._events}

    def forget(self, tid: int) -> None:
        """Drop what there is of a task."""
        self._events = deque(event for event in self._events if event[0] != tid)

    def has_exec(self, tgid: int) -> bool:
        """Whether an exec of the process is among the events."""
        return any(tid == tgid and status >> 8 == AT_EXEC for tid, status in self._events)

    def collect_one(self) -> bool:
        """Wait for an event of any task; False when there is none left."""
        try:
            self._events.append(os.waitpid(-1, ptrace.WALL))
        except ChildProcessError:
            return False
        return True

    def wait_for(self, tid: int, *, is_there: bool = False) -> int | None:
        """The next event of one task, waited for if need be: its status. None if it has none any more.

        It may have ended and been taken in, or vanished without a status. That happens at exec, to the leader and to
        the thread that calls it: what follows has the leader's tid. So no wait is for one tid alone.
        `is_there`: it was there since events were last collected. Then at least one is to come, its own or an exec's.
        """
        while (event := self.take(lambda other, status: other == tid)) is None:
            if not is_there and not is_traced(tid):
                self.collect()
                event = self.take(lambda other, status: other == tid)
                return None if event is None else event[1]
            is_there = False
            if not self.collect_one():
                return None
        return event[1]

    def wait_for_end(self, tid: int) -> int | None:
        """The status of a task that is dying, whatever stops come before; None if it has vanished without one."""
        while (status := self.wait_for(tid)) is not None and os.WIFSTOPPED(status):
            with suppress(ProcessLookupError):  # SIGKILL has ended the stop
                ptrace.cont(tid)
        return status
