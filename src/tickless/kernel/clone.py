"""clone(2), clone3(2), fork(2), vfork(2): a new task; set_tid_address(2), get_robust_list(2): what its end wakes.

With a host the tasks are the host's: these calls note what was asked for, and the host tells when the task is there.
Tasks that nobody traces are out of its reach, so CLONE_UNTRACED counts for nothing.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.errno import EINVAL, ENOSYS, ERESTARTNOINTR, ESRCH
from tickless.abi.sched import (
    CLONE_ARGS,
    CLONE_ARGS_SIZE_VER0,
    CLONE_CHILD_CLEARTID,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_UNTRACED,
    CLONE_VFORK,
    CLONE_VM,
    CSIGNAL,
)
from tickless.abi.signal import SIGCHLD
from tickless.abi.types import Address, CloneArgsPtr, CloneFlags, LongOut, Pid, Size
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import UNTRAPPED, syscall, unserved

if TYPE_CHECKING:
    from tickless.kernel.task import Task

ROBUST_LIST_HEAD_SIZE = 24
POINTER = Struct("<Q")
FLAGS = Struct("<Q")

# In these namespaces pids and clocks mean something else, and the kernel keeps one of each. A Linux that was built
# without them says EINVAL.
PID_NAMESPACE = unserved("TL301", "clone(CLONE_NEWPID)", EINVAL)
TIME_NAMESPACE = unserved("TL302", "clone3(CLONE_NEWTIME)", EINVAL)


class Birth:
    """What the last clone of a task asked for: the host needs it when it tells of the new task."""

    __slots__ = ("clear_child_tid", "exit_signal", "flags")

    def __init__(self, flags: int, exit_signal: int, clear_child_tid: int) -> None:
        self.flags = flags  # CLONE_ flags
        self.exit_signal = exit_signal  # to the parent, of a process; 0: none
        self.clear_child_tid = clear_child_tid  # address; 0: none


def _note(task: Task, flags: int, exit_signal: int, child_tid: int) -> Result:
    """Keep what the new task will be, and let the host make it."""
    if flags & CLONE_NEWPID:
        task.kernel.refuse(task, PID_NAMESPACE)
    if task.kernel.host is None:
        raise Errno(ENOSYS)
    task.birth = Birth(flags, exit_signal, child_tid if flags & CLONE_CHILD_CLEARTID else 0)
    return PASS_ON


@syscall
def clone(
    task: Task, flags: CloneFlags, stack: Address, parent_tid: Address, fourth: Address, fifth: Address
) -> Result:
    """Make a task; the signal to its parent is in the low byte of `flags`.

    The thread pointer and the child's tid are the last two arguments, in an order that depends on the architecture.
    """
    child_tid = fourth if task.kernel.architecture == "x86_64" else fifth
    if flags & CLONE_UNTRACED and task.kernel.host is not None:
        return -ERESTARTNOINTR  # the host makes it again without
    return _note(task, flags & ~CSIGNAL & 0xFFFFFFFF, flags & CSIGNAL, child_tid)


@syscall
def clone3(task: Task, cl_args: CloneArgsPtr, size: Size) -> Result:
    """Make a task as the structure at `cl_args` says; a size that is none of Linux's is left to the host to refuse."""
    if not CLONE_ARGS_SIZE_VER0 <= size <= 4096:
        return _note(task, 0, SIGCHLD, 0)
    raw = task.memory.copy_in(cl_args, min(size, CLONE_ARGS.size)).ljust(CLONE_ARGS.size, b"\0")
    flags, _, child_tid, _, exit_signal, *_ = CLONE_ARGS.unpack(raw)
    if flags & CLONE_UNTRACED:
        flags &= ~CLONE_UNTRACED
        task.memory.copy_out(cl_args, FLAGS.pack(flags))
    if flags & CLONE_NEWTIME:
        task.kernel.refuse(task, TIME_NAMESPACE)
    return _note(task, flags, exit_signal, child_tid)


@syscall
def fork(task: Task) -> Result:
    """Make a process that shares nothing but open file descriptions."""
    return _note(task, 0, SIGCHLD, 0)


@syscall
def vfork(task: Task) -> Result:
    """Make a process in the caller's memory; the caller waits in the host until it calls exec or ends."""
    return _note(task, CLONE_VM | CLONE_VFORK, SIGCHLD, 0)


@syscall
def set_tid_address(task: Task, tidptr: Address) -> Result:
    """Let the end of the task clear and wake the word at `tidptr`; return its tid."""
    task.clear_child_tid = tidptr
    return PASS_ON if task.kernel.host is not None else task.tid


@syscall
def set_robust_list(task: Task, head: Address, len: Size) -> Result:
    """Let the end of the task mark the futexes of the list at `head`."""
    if len != ROBUST_LIST_HEAD_SIZE:
        raise Errno(EINVAL)
    task.robust_list = head
    return PASS_ON if task.kernel.host is not None else 0


@syscall(trap=UNTRAPPED)
def get_robust_list(task: Task, pid: Pid, head_ptr: LongOut, len_ptr: LongOut) -> Result:
    """Store the head of a task's list, 0 for the caller's own, and the size of a head."""
    named = task if pid == 0 else task.kernel.tasks.get(pid)
    if named is None:
        raise Errno(ESRCH)
    task.memory.copy_out(len_ptr, POINTER.pack(ROBUST_LIST_HEAD_SIZE))
    task.memory.copy_out(head_ptr, POINTER.pack(named.robust_list))
    return 0
