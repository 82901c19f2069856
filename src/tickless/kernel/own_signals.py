"""Signal masks and dispositions of a task without a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.siginfo import SigInfo

if TYPE_CHECKING:
    from tickless.kernel.task import Task


class OwnSignals:
    """The kernel's own answer to the SignalState protocol."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.mask = 0  # bit n-1: signal n is blocked

    def blocked(self) -> int:
        return self.mask

    def ignored(self) -> int:
        return 0

    def caught(self) -> int:
        return 0

    def ring(self, info: SigInfo, *, shared: bool) -> None:
        pass

    def taken(self, info: SigInfo) -> None:
        pass

    def refresh(self) -> None:
        pass
