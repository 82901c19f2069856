"""signalfd(2): read signals instead of being interrupted by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tickless.abi.epoll import EPOLLIN
from tickless.abi.errno import EINVAL
from tickless.abi.siginfo import SIGNALFD_SIGINFO, signalfd_siginfo
from tickless.abi.signal import SIGSET, UNBLOCKABLE
from tickless.abi.signalfd import SFD_CLOEXEC, SFD_FLAGS, SFD_NONBLOCK
from tickless.abi.types import Fd, SfdFlags, SignedFd, SigsetPtr, Size
from tickless.kernel.errors import Errno
from tickless.kernel.file import File
from tickless.kernel.host_file import refusal_of
from tickless.kernel.outcome import Result
from tickless.kernel.registry import syscall
from tickless.kernel.signals import pending_mask, pop_pending_masked

if TYPE_CHECKING:
    from tickless.kernel.memory import UserBuffer
    from tickless.kernel.task import Task
    from tickless.kernel.wait_queue import WaitQueue


class SignalFd(File):
    """A set of signals: readable while the caller has one of them pending, for itself or for its thread group.

    It answers for whoever asks, not for its creator. A read gives one record of 128 bytes per signal. signalfd(2).
    """

    name: ClassVar[str] = "signalfd"

    def __init__(self, mask: int, *, nonblock: bool) -> None:
        super().__init__(nonblock=nonblock)
        self.mask = mask  # bit n-1: signal n; never SIGKILL or SIGSTOP

    def read(self, task: Task, dst: UserBuffer) -> Result:
        if dst.size < SIGNALFD_SIGINFO.size:
            raise Errno(EINVAL)
        return self.attempt_or_sleep(task, lambda: self._take(task, dst), EPOLLIN)

    def poll(self, task: Task) -> int:
        return EPOLLIN if pending_mask(task) & self.mask else 0

    def queue_for(self, task: Task) -> WaitQueue:
        return task.group.signal_queue

    def describe(self, task: Task) -> str:
        return f"sigmask:\t{self.mask:016x}\n"

    def _take(self, task: Task, dst: UserBuffer) -> int | None:
        """As many records as there is room for."""
        copied = 0
        while copied + SIGNALFD_SIGINFO.size <= dst.size:
            info = pop_pending_masked(task, self.mask)
            if info is None:
                break
            try:
                copied += dst.copy_out(signalfd_siginfo(info), copied)
            except Errno:
                # The signal is lost, as on Linux; those that were copied before count.
                if copied:
                    break
                raise
        return copied or None


@syscall
def signalfd4(task: Task, fd: SignedFd, mask: SigsetPtr, sizemask: Size, flags: SfdFlags) -> Fd:
    """Make a signalfd (`fd` is -1), or give an old one another mask; `flags` are for a new one alone."""
    if sizemask != SIGSET.size:
        raise Errno(EINVAL)
    (signals,) = SIGSET.unpack(task.memory.copy_in(mask, SIGSET.size))
    if flags & ~SFD_FLAGS:
        raise Errno(EINVAL)
    signals &= ~UNBLOCKABLE
    if fd == -1:
        file = SignalFd(signals, nonblock=bool(flags & SFD_NONBLOCK))
        return task.fds.install(file, cloexec=bool(flags & SFD_CLOEXEC))
    old = task.fds.get(fd & 0xFFFFFFFF)
    if not isinstance(old, SignalFd):
        raise refusal_of(task, fd & 0xFFFFFFFF, old, EINVAL)
    old.mask = signals
    task.group.signal_queue.wake_all()
    return fd


@syscall
def signalfd(task: Task, fd: SignedFd, mask: SigsetPtr, sizemask: Size) -> Fd:
    """`signalfd4` without flags."""
    return signalfd4(task, fd, mask, sizemask, 0)
