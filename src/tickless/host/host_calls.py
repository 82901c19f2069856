"""Calls that only a host has: what tells the supervisor that memory or fd tables change.

They are passed on, after the supervisor has noted what it must no longer believe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tickless.abi.errno import EINVAL
from tickless.abi.sched import CLONE_FILES, CLONE_NEWPID, CLONE_NEWTIME
from tickless.abi.types import S32, Address, Hex64, Size, UnshareFlags
from tickless.host.namespaces import moved
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import ArgumentTest, syscall, unserved

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee
    from tickless.kernel.task import Task

MAP_FIXED = 0x10


MEMORY_CALLS = ("mmap", "mprotect", "pkey_mprotect", "munmap", "mremap", "brk", "shmdt")


def _memory_changes(task: Task) -> Result:
    """Pages may lose their protection or their place: what was proved of them no longer holds."""
    cast("Tracee", task).memory.forget()
    return PASS_ON


@syscall(when=ArgumentTest(3, MAP_FIXED))
def mmap(task: Task, addr: Address, length: Size, prot: S32, flags: Hex64, fd: S32, offset: Size) -> Result:
    """With MAP_FIXED it may replace pages."""
    return _memory_changes(task)


@syscall
def mprotect(task: Task, addr: Address, size: Size, prot: S32) -> Result:
    return _memory_changes(task)


@syscall
def pkey_mprotect(task: Task, addr: Address, size: Size, prot: S32, pkey: S32) -> Result:
    return _memory_changes(task)


@syscall
def munmap(task: Task, addr: Address, length: Size) -> Result:
    return _memory_changes(task)


@syscall
def mremap(task: Task, old: Address, old_size: Size, new_size: Size, flags: S32, new: Address) -> Result:
    return _memory_changes(task)


@syscall
def brk(task: Task, addr: Address) -> Result:
    return _memory_changes(task)


@syscall
def shmdt(task: Task, addr: Address) -> Result:
    return _memory_changes(task)


# As clone(2) has it.
PID_NAMESPACE = unserved("TL304", "unshare(CLONE_NEWPID)", EINVAL)
TIME_NAMESPACE = unserved("TL305", "unshare(CLONE_NEWTIME)", EINVAL)


@syscall
def unshare(task: Task, flags: UnshareFlags) -> Result:
    """CLONE_FILES gives the task an fd table of its own; others give it namespaces."""
    if flags & CLONE_NEWPID:
        task.kernel.refuse(task, PID_NAMESPACE)
    if flags & CLONE_NEWTIME:
        task.kernel.refuse(task, TIME_NAMESPACE)
    if flags & CLONE_FILES:
        cast("Tracee", task).own_fd_table()
    moved(cast("Tracee", task))
    return PASS_ON
