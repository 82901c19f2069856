"""capabilities(7): what only a privileged task may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.errno import EPERM
from tickless.kernel.errors import Errno

if TYPE_CHECKING:
    from tickless.kernel.task import Task


def has_capability(task: Task, capability: int) -> bool:
    """Whether the task has a capability in effect; without a host it has them all."""
    host = task.kernel.host
    return host is None or host.has_capability(task, capability)


def demand_capability(task: Task, capability: int) -> None:
    """Raises: Errno(EPERM) without the capability."""
    if not has_capability(task, capability):
        raise Errno(EPERM)
