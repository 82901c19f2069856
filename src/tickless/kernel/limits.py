"""prlimit64(2): RLIMIT_NOFILE, the one limit that matters to a task without a host. With one, limits are the host's."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tickless.abi.errno import EINVAL, EPERM, ESRCH
from tickless.abi.resource import RLIMIT, RLIMIT_NOFILE
from tickless.abi.types import Pid, Resource, RlimitOut, RlimitPtr
from tickless.kernel.errors import Errno
from tickless.kernel.fd_table import OwnFdTable
from tickless.kernel.registry import UNTRAPPED, syscall

if TYPE_CHECKING:
    from tickless.kernel.task import Task

# No process may open more: /proc/sys/fs/nr_open.
MOST_FILES = 1 << 20


@syscall(trap=UNTRAPPED)
def prlimit64(task: Task, pid: Pid, resource: Resource, new_limit: RlimitPtr, old_limit: RlimitOut) -> Pid:
    """Change a process's limits and give the old ones. EINVAL for limits that are not kept here."""
    new = RLIMIT.unpack(task.memory.copy_in(new_limit, RLIMIT.size)) if new_limit else None
    named = task if pid == 0 else task.kernel.tasks.get(pid)
    if named is None:
        raise Errno(ESRCH)
    if resource != RLIMIT_NOFILE:
        raise Errno(EINVAL)
    fds, group = cast(OwnFdTable, named.fds), named.group
    old = fds.limit, group.file_hard_limit
    if new is not None:
        soft, hard = new
        if soft > hard:
            raise Errno(EINVAL)
        if hard > MOST_FILES:
            raise Errno(EPERM)
        fds.limit, group.file_hard_limit = soft, hard
    if old_limit:
        task.memory.copy_out(old_limit, RLIMIT.pack(*old))
    return 0
