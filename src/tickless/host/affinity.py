"""sched_setaffinity(2), sched_getaffinity(2): the CPUs that a task may use, as it is told.

All run on one of them, and that is our affair. What a task asks for is kept for it, and inherited as on Linux.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from tickless.abi.capability import CAP_SYS_NICE
from tickless.abi.errno import EINVAL, EPERM
from tickless.abi.types import Address, Pid, Size
from tickless.host.namespaces import credentials
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import syscall

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee
    from tickless.kernel.task import Task

WORD = 8  # bytes
MOST_CPUS = 8192  # of a Linux for x86-64


@syscall
def sched_getaffinity(task: Task, pid: Pid, size: Size, mask: Address) -> Result:
    """The size of the mask in whole words. A process that is not of this run is asked of the host."""
    machine = max(cast("Tracee", task).supervisor.cpus)
    if size * 8 <= machine or size % WORD:
        raise Errno(EINVAL)
    target = _target(task, pid)
    if target is None:
        return PASS_ON
    length = min(size, WORD * (machine // (8 * WORD) + 1))
    return task.memory.copy_out(mask, sum(1 << cpu for cpu in target.cpus).to_bytes(size, "little")[:length])


@syscall
def sched_setaffinity(task: Task, pid: Pid, size: Size, mask: Address) -> Result:
    """Keep what is asked for, as far as the machine allows it: EINVAL if that is none."""
    wanted = int.from_bytes(task.memory.copy_in(mask, min(size, MOST_CPUS // 8)), "little")
    target = _target(task, pid)
    if target is None:
        return PASS_ON
    if target is not task and not _may_set(task, target):
        raise Errno(EPERM)
    cpus = frozenset(cpu for cpu in _allowed() if wanted >> cpu & 1)
    if not cpus:
        raise Errno(EINVAL)
    target.cpus = cpus
    return 0


def _target(task: Task, pid: int) -> Tracee | None:
    """The thread that is meant, None for one that is not of this run."""
    return cast("Tracee | None", task.kernel.tasks.get(pid) if pid else task)


def _may_set(task: Task, target: Task) -> bool:
    host = task.kernel.host
    assert host is not None, "a call of the host's, without one"
    owners = (credentials(target.tid)[0], host.real_uid(target))
    return credentials(task.tid)[0] in owners or host.has_capability(task, CAP_SYS_NICE)


def _allowed() -> set[int]:
    """What the machine and its cpuset would let any task of ours use: what is too much to ask for is left out."""
    ours = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(MOST_CPUS))
    try:
        return os.sched_getaffinity(0)
    finally:
        os.sched_setaffinity(0, ours)
