"""setpgid(2), setsid(2), getpid(2): who a process is and belongs to. With a host, it answers all of these itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.errno import EINVAL, EPERM, ESRCH
from tickless.abi.types import Pid
from tickless.kernel.errors import Errno
from tickless.kernel.registry import UNTRAPPED, syscall

if TYPE_CHECKING:
    from tickless.kernel.task import Task, ThreadGroup

# Who adopts orphans, and the parent of the first process.
INIT_PID = 1


@syscall(trap=UNTRAPPED)
def getpid(task: Task) -> Pid:
    """The process's id, which is its first thread's."""
    return task.group.tgid


@syscall(trap=UNTRAPPED)
def gettid(task: Task) -> Pid:
    """The calling thread's id."""
    return task.tid


@syscall(trap=UNTRAPPED)
def getppid(task: Task) -> Pid:
    """The parent's id: of whoever adopted the process, if its parent has ended."""
    return task.group.parent.tgid if task.group.parent else INIT_PID


@syscall(trap=UNTRAPPED)
def getpgrp(task: Task) -> Pid:
    """The caller's process group."""
    return task.group.process_group


@syscall(trap=UNTRAPPED)
def getpgid(task: Task, pid: Pid) -> Pid:
    """The process group of `pid`, 0 for the caller's. ESRCH."""
    return _find(task, pid).process_group


@syscall(trap=UNTRAPPED)
def getsid(task: Task, pid: Pid) -> Pid:
    """The session of `pid`, 0 for the caller's. ESRCH."""
    return _find(task, pid).session


@syscall(trap=UNTRAPPED)
def setpgid(task: Task, pid: Pid, pgid: Pid) -> Pid:
    """Move the caller (0) or a child to a process group of its session, a new one if `pgid` is 0 or its own id."""
    own = task.group
    pid = pid or own.tgid
    pgid = pgid or pid
    if pgid < 0:
        raise Errno(EINVAL)
    if pid in task.kernel.tasks and pid not in task.kernel.groups:
        raise Errno(EINVAL)  # a thread that is no leader
    group = _find(task, pid)
    if group is not own and group.parent is not own:
        raise Errno(ESRCH)
    if group.session != own.session or group.session == group.tgid:
        raise Errno(EPERM)
    if pgid != pid and not any(
        other.process_group == pgid and other.session == own.session for other in task.kernel.groups.values()
    ):
        raise Errno(EPERM)
    group.process_group = pgid
    return 0


@syscall(trap=UNTRAPPED)
def setsid(task: Task) -> Pid:
    """Begin a session, and a process group in it. EPERM for the leader of a process group."""
    group = task.group
    if any(other.process_group == group.tgid for other in task.kernel.groups.values()):
        raise Errno(EPERM)
    group.session = group.process_group = group.tgid
    return group.session


def _find(task: Task, pid: int) -> ThreadGroup:
    if pid == 0:
        return task.group
    group = task.kernel.groups.get(pid)
    if group is None and pid in task.kernel.tasks:
        group = task.kernel.tasks[pid].group
    if group is None:
        raise Errno(ESRCH)
    return group
