"""fcntl(2), signal-driven I/O: a process, thread or group that a signal tells what a file has become ready for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLIN, EPOLLOUT, EPOLLRDNORM, EPOLLWRBAND, EPOLLWRNORM
from tickless.abi.errno import EINVAL, ESRCH
from tickless.abi.fcntl import F_OWNER_EX, F_OWNER_PGRP, F_OWNER_PID, F_OWNER_TID
from tickless.abi.integers import INT_MIN, signed_32
from tickless.abi.siginfo import OWN_CODE_SIGNALS, POLL_IN, POLL_OUT, SI_KERNEL, SI_SIGIO, SigInfo
from tickless.abi.signal import SIGIO, SIGRTMAX
from tickless.kernel.errors import Errno
from tickless.kernel.process import find_group, process_group_of
from tickless.kernel.signals import send_signal
from tickless.kernel.task import DEAD, Task, ThreadGroup

if TYPE_CHECKING:
    from tickless.kernel.file import File
    from tickless.kernel.kernel import Kernel

BANDS = {POLL_IN: EPOLLIN | EPOLLRDNORM, POLL_OUT: EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND}


class Owner:
    """Who is told of an open file description, and by which signal."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.signo = 0  # 0: SIGIO, without saying what the file is ready for
        self.kind = F_OWNER_TID
        self.target: Task | ThreadGroup | int | None = None  # int: a process group
        self.uid = 0  # the real user id of who has named it

    def set_target(self, task: Task, kind: int, number: int) -> None:
        """Name whom to tell; `number` 0: nobody. Raises: Errno(ESRCH)."""
        target = self._find(kind, number) if number else None
        if number and target is None:
            raise Errno(ESRCH)
        self.kind, self.target, self.uid = kind, target, self._real_uid(task)

    def number(self) -> int:
        """The id that was named; 0 if there is nobody any more."""
        target = self.target
        if isinstance(target, Task):
            return 0 if target.state is DEAD else target.tid
        if isinstance(target, ThreadGroup):
            return 0 if find_group(self.kernel, target.tgid) is not target else target.tgid
        return target or 0

    def tell(self, code: int, fd: int) -> None:
        """Send the signal: POLL_IN or POLL_OUT, and the number of the file when it was asked for."""
        for group, thread in self._told():
            one = thread or group.representative()
            if one is not None and self.uid in (0, self._real_uid(one)):
                send_signal(group, self._info(code, fd), thread)

    def _info(self, code: int, fd: int) -> SigInfo:
        if not self.signo:
            return SigInfo(SIGIO, SI_KERNEL)
        # Where codes from 1 on mean something else.
        is_taken = self.signo in OWN_CODE_SIGNALS and self.signo != SIGIO
        return SigInfo(self.signo, SI_SIGIO if is_taken else code, band=BANDS[code], fd=fd)

    def _told(self) -> list[tuple[ThreadGroup, Task | None]]:
        target = self.target
        if isinstance(target, Task):
            return [] if target.state is DEAD else [(target.group, target)]
        if isinstance(target, ThreadGroup):
            return [(target, None)]
        return [(group, None) for group in self._members(target)] if target else []

    def _find(self, kind: int, number: int) -> Task | ThreadGroup | int | None:
        """Of a process the id of any thread will do."""
        if kind == F_OWNER_TID:
            return self.kernel.tasks.get(number)
        if kind == F_OWNER_PID:
            return find_group(self.kernel, number)
        return number if self._members(number) else None

    def _members(self, process_group: int) -> list[ThreadGroup]:
        """The youngest first, as in Linux."""
        return [group for group in reversed(self.kernel.groups.values()) if process_group_of(group) == process_group]

    def _real_uid(self, task: Task) -> int:
        return 0 if self.kernel.host is None else self.kernel.host.real_uid(task)


def tell(files: Sequence[File], code: int) -> None:
    """Tell the owners of files that have O_ASYNC what they may be ready for."""
    for file in tuple(files):
        if file.owner is not None and file.async_fd is not None:
            file.owner.tell(code, file.async_fd)


# The commands of fcntl(2)


def set_owner(task: Task, file: File, arg: int) -> int:
    """F_SETOWN: a process, or above 0 when negated a process group. Raises: Errno(EINVAL), Errno(ESRCH)."""
    number = signed_32(arg)
    if number == INT_MIN:
        raise Errno(EINVAL)
    _owner_of(task, file).set_target(task, F_OWNER_PID if number >= 0 else F_OWNER_PGRP, abs(number))
    return 0


def get_owner(task: Task, file: File, arg: int) -> int:
    """F_GETOWN."""
    if file.owner is None:
        return 0
    number = file.owner.number()
    return -number if file.owner.kind == F_OWNER_PGRP else number


def set_owner_ex(task: Task, file: File, arg: int) -> int:
    """F_SETOWN_EX. Raises: Errno(EFAULT), Errno(EINVAL), Errno(ESRCH)."""
    kind, number = F_OWNER_EX.unpack(task.memory.copy_in(arg, F_OWNER_EX.size))
    if kind not in (F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP):
        raise Errno(EINVAL)
    _owner_of(task, file).set_target(task, kind, number)
    return 0


def get_owner_ex(task: Task, file: File, arg: int) -> int:
    """F_GETOWN_EX. Raises: Errno(EFAULT)."""
    owner = file.owner
    task.memory.copy_out(arg, F_OWNER_EX.pack(*((owner.kind, owner.number()) if owner else (F_OWNER_TID, 0))))
    return 0


def set_signal(task: Task, file: File, arg: int) -> int:
    """F_SETSIG. Raises: Errno(EINVAL)."""
    if arg > SIGRTMAX:
        raise Errno(EINVAL)
    _owner_of(task, file).signo = arg
    return 0


def get_signal(task: Task, file: File, arg: int) -> int:
    """F_GETSIG."""
    return file.owner.signo if file.owner else 0


def _owner_of(task: Task, file: File) -> Owner:
    if file.owner is None:
        file.owner = Owner(task.kernel)
    return file.owner
