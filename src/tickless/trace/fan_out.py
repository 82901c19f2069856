"""Several listeners as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickless.abi.siginfo import SigInfo
    from tickless.kernel.kernel import Listener
    from tickless.kernel.outcome import Answer
    from tickless.kernel.registry import Unserved
    from tickless.kernel.task import Task, ThreadGroup


class FanOut:
    """Tells each of its listeners, in their order, what it is told."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self.listeners = tuple(listeners)

    def call_entered(self, task: Task) -> None:
        for listener in self.listeners:
            listener.call_entered(task)

    def call_left(self, task: Task, answer: Answer) -> None:
        for listener in self.listeners:
            listener.call_left(task, answer)

    def wants_result(self, task: Task) -> bool:
        return any(listener.wants_result(task) for listener in self.listeners)

    def call_blocked(self, task: Task) -> None:
        for listener in self.listeners:
            listener.call_blocked(task)

    def woken(self, task: Task, cause: str) -> None:
        for listener in self.listeners:
            listener.woken(task, cause)

    def signal_generated(self, group: ThreadGroup, thread: Task | None, info: SigInfo) -> None:
        for listener in self.listeners:
            listener.signal_generated(group, thread, info)

    def signal_taken(self, task: Task, info: SigInfo) -> None:
        for listener in self.listeners:
            listener.signal_taken(task, info)

    def signal_delivered(self, task: Task, info: SigInfo) -> None:
        for listener in self.listeners:
            listener.signal_delivered(task, info)

    def clock_jumped(self, from_ns: int, to_ns: int) -> None:
        for listener in self.listeners:
            listener.clock_jumped(from_ns, to_ns)

    def task_started(self, task: Task) -> None:
        for listener in self.listeners:
            listener.task_started(task)

    def task_ended(self, task: Task, status: int) -> None:
        for listener in self.listeners:
            listener.task_ended(task, status)

    def refused(self, task: Task, unserved: Unserved) -> None:
        for listener in self.listeners:
            listener.refused(task, unserved)

    def noted(self, task: Task, what: str) -> None:
        for listener in self.listeners:
            listener.noted(task, what)
