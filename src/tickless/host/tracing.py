"""ptrace(2): a task has one tracer, and that is tickless."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.errno import EPERM
from tickless.abi.types import S64, Address, Pid
from tickless.kernel.outcome import Result
from tickless.kernel.registry import syscall, unserved

if TYPE_CHECKING:
    from tickless.kernel.task import Task

TRACING = unserved("TL511", "ptrace", EPERM)


@syscall
def ptrace(task: Task, request: S64, pid: Pid, addr: Address, data: Address) -> Result:
    """EPERM, which a task that is traced already gets from Linux."""
    task.kernel.refuse(task, TRACING)
