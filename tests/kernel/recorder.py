"""What happened in a test: a listener that keeps signals and deaths."""

from __future__ import annotations

from tickless.abi.siginfo import SigInfo
from tickless.kernel.task import Task


class Sent:
    """A listener that keeps the signals that were generated: (process, signo, code, pid, status)."""

    def __init__(self) -> None:
        self.signals: list[tuple[str, int, int, int, int]] = []
        self.ended: list[tuple[str, int]] = []

    def signal_generated(self, group: object, thread: object, info: SigInfo) -> None:
        self.signals.append((getattr(group, "name", ""), info.signo, info.code, info.pid, info.status))

    def task_ended(self, task: Task, status: int) -> None:
        self.ended.append((task.name, status))

    def __getattr__(self, name: str) -> object:
        return lambda *args: None
