"""pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2): a process by file descriptor.

With a host, pidfds are the host's and so is their readiness; only signals through them are the kernel's own.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, ClassVar

from tickless.abi.epoll import EPOLLHUP, EPOLLIN, EPOLLRDNORM
from tickless.abi.errno import EBADF, EINVAL, ENOENT, EPERM, ESRCH
from tickless.abi.siginfo import SI_TKILL, SI_USER, SigInfo
from tickless.abi.types import U32, Fd, Pid, PidfdOpenFlags, PidfdSignalFlags, SiginfoPtr, Signal, SignedFd
from tickless.abi.wait import (
    PIDFD_NONBLOCK,
    PIDFD_SIGNAL_PROCESS_GROUP,
    PIDFD_SIGNAL_THREAD,
    PIDFD_SIGNAL_THREAD_GROUP,
    PIDFD_THREAD,
)
from tickless.kernel.errors import Errno
from tickless.kernel.file import File
from tickless.kernel.outcome import Result
from tickless.kernel.process import find_group
from tickless.kernel.registry import UNTRAPPED, syscall
from tickless.kernel.signal_calls import (
    info_from,
    not_of_this_run,
    read_siginfo,
    send,
    send_to_process_group,
    send_to_thread,
)
from tickless.kernel.task import DEAD

if TYPE_CHECKING:
    from tickless.kernel.task import Task, ThreadGroup
    from tickless.kernel.wait_queue import WaitQueue

# Instead of an fd: the caller itself. include/uapi/linux/pidfd.h
PIDFD_SELF_THREAD = -10000
PIDFD_SELF_THREAD_GROUP = -10001

INT = Struct("<i")
SCOPES = (0, PIDFD_SIGNAL_THREAD, PIDFD_SIGNAL_THREAD_GROUP, PIDFD_SIGNAL_PROCESS_GROUP)


class PidFd(File):
    """Readable when its process has ended, or its thread with PIDFD_THREAD; EPOLLHUP too when that was reaped."""

    name: ClassVar[str] = "pidfd"

    def __init__(self, group: ThreadGroup, thread: Task | None, *, nonblock: bool) -> None:
        super().__init__(nonblock=nonblock)
        self.group = group
        self.thread = thread  # None: the whole process

    def named_pid(self) -> int:
        """The pid, -1 when nobody has it any more."""
        if self.group.reaped:
            return -1
        if self.thread is None or self.thread.tid == self.group.tgid:
            return self.group.tgid
        # A thread that is no leader is never a zombie.
        return -1 if self.thread.state is DEAD else self.thread.tid

    def poll(self, task: Task) -> int:
        if self.named_pid() == -1:
            return EPOLLIN | EPOLLRDNORM | EPOLLHUP
        ended = self.group.wait_status is not None or (self.thread is not None and self.thread.state is DEAD)
        return EPOLLIN | EPOLLRDNORM if ended else 0

    def queue_for(self, task: Task) -> WaitQueue:
        return self.group.exit_queue

    def describe(self, task: Task) -> str:
        pid = self.named_pid()
        return f"Pid:\t{pid}\nNSpid:\t{pid}\n"


def pid_of_pidfd(task: Task, fd: int) -> tuple[int, int]:
    """The pid that a pidfd names, -1 once it was reaped, and its O_NONBLOCK and PIDFD_THREAD. Raises: Errno(EBADF)."""
    host = task.kernel.host
    if host is not None:
        return host.pid_of_pidfd(task, fd), host.status_flags(task, fd)
    file = task.fds.get(fd)
    if not isinstance(file, PidFd):
        raise Errno(EBADF)
    flags = (PIDFD_NONBLOCK if file.nonblock else 0) | (PIDFD_THREAD if file.thread else 0)
    return file.named_pid(), flags


@syscall(trap=UNTRAPPED)
def pidfd_open(task: Task, pid: Pid, flags: PidfdOpenFlags) -> Fd:
    """A pidfd of a process, or with PIDFD_THREAD of a thread. It is close-on-exec, always."""
    if flags & ~(PIDFD_NONBLOCK | PIDFD_THREAD) or pid <= 0:
        raise Errno(EINVAL)
    group, thread = task.kernel.groups.get(pid), task.kernel.tasks.get(pid)
    if not flags & PIDFD_THREAD or thread is None:
        if group is None:
            raise Errno(ENOENT if thread else ESRCH)
        file = PidFd(group, None, nonblock=bool(flags & PIDFD_NONBLOCK))
    else:
        file = PidFd(thread.group, thread, nonblock=bool(flags & PIDFD_NONBLOCK))
    return task.fds.install(file, cloexec=True)


@syscall
def pidfd_send_signal(task: Task, pidfd: SignedFd, sig: Signal, info: SiginfoPtr, flags: PidfdSignalFlags) -> Result:
    """Send a signal to what the pidfd names; a zombie takes it and nothing happens."""
    if flags not in SCOPES:
        raise Errno(EINVAL)
    pid, scope = _target(task, pidfd, flags)
    siginfo = _siginfo(task, info, sig, scope, is_self=pid in (task.tid, task.group.tgid))
    if pid == -1:
        raise Errno(ESRCH)
    if scope == PIDFD_SIGNAL_PROCESS_GROUP:
        return send_to_process_group(task, pid, siginfo)
    if scope == PIDFD_SIGNAL_THREAD:
        return send_to_thread(task, None, pid, siginfo)
    group = find_group(task.kernel, pid)
    return not_of_this_run(task) if group is None else send(task, group, siginfo)


def _target(task: Task, pidfd: int, flags: int) -> tuple[int, int]:
    """The pid meant, -1 if nobody has it any more, and the scope: the one asked for, else the pidfd's own."""
    if pidfd == PIDFD_SELF_THREAD:
        return task.tid, flags or PIDFD_SIGNAL_THREAD
    if pidfd == PIDFD_SELF_THREAD_GROUP:
        return task.group.tgid, flags or PIDFD_SIGNAL_THREAD_GROUP
    number = pidfd & 0xFFFFFFFF
    try:
        pid, status_flags = pid_of_pidfd(task, number)
    except Errno:
        # Before there were pidfds, a process's directory in /proc was one. For signals it still is.
        directory_of = task.kernel.host.pid_of_directory(task, number) if task.kernel.host else None
        if directory_of is None:
            raise
        pid, status_flags = directory_of, 0
    own_scope = PIDFD_SIGNAL_THREAD if status_flags & PIDFD_THREAD else PIDFD_SIGNAL_THREAD_GROUP
    return pid, flags or own_scope


def _siginfo(task: Task, address: int, sig: int, scope: int, *, is_self: bool) -> SigInfo:
    """What the signal will say of itself: as kill(2) does if `address` is 0."""
    if not address:
        return info_from(task, sig, SI_TKILL if scope == PIDFD_SIGNAL_THREAD else SI_USER)
    info = read_siginfo(task, sig, address)
    if task.memory.copy_in(address, INT.size) != INT.pack(sig):
        raise Errno(EINVAL)
    # Only to itself may a process pretend that the kernel, kill or tgkill sent it.
    if (not is_self or scope == PIDFD_SIGNAL_PROCESS_GROUP) and (info.code >= 0 or info.code == SI_TKILL):
        raise Errno(EPERM)
    return info


@syscall(trap=UNTRAPPED)
def pidfd_getfd(task: Task, pidfd: Fd, targetfd: Fd, flags: U32) -> Fd:
    """A number for the file that another process has as `targetfd`; close-on-exec.

    With a host this is no call of the kernel's: a virtual file is known by its placeholder, wherever that comes from.
    """
    if flags:
        raise Errno(EINVAL)
    pid, _ = pid_of_pidfd(task, pidfd)
    group = task.kernel.groups.get(pid)
    owner = group.representative() if group else None
    if owner is None:
        raise Errno(ESRCH)
    return task.fds.install(owner.fds.get(targetfd), cloexec=True)
