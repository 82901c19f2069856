"""capabilities(7): what only a privileged task may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.errno import EPERM
from tickless.kernel.errors import Errno

if TYPE_CHECKING:
    from tickless.kernel.task import Task


def demand_capability(task: Task, capability: int) -> None:
    """Raises: Errno(EPERM) without the capability; a task without a host has them all."""
    host = task.kernel.host
    if host is not None and not host.has_capability(task, capability):
        raise Errno(EPERM)
