"""close(2), dup(2), close_range(2), ioctl(2), lseek(2): calls on any file descriptor; fcntl(2) has its own file."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.errno import EINVAL, ENOTTY, ESPIPE
from tickless.abi.fcntl import CLOSE_RANGE_CLOEXEC, CLOSE_RANGE_UNSHARE, FD_CLOEXEC, O_CLOEXEC
from tickless.abi.ioctl import FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX
from tickless.abi.types import S32, U32, CloseRangeFlags, DupFlags, Fd, IoctlRequest, NumberOrPointer, Offset
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.pipe import PipeEnd
from tickless.kernel.registry import UNTRAPPED, syscall, unserved

if TYPE_CHECKING:
    from tickless.kernel.file import File
    from tickless.kernel.task import Task

INT = Struct("<i")
SEEK_MAX = 4  # SEEK_HOLE
POSIX_FADV_NOREUSE = 5

OWN_TABLE = unserved("TL112", "close_range(CLOSE_RANGE_UNSHARE) without a host", EINVAL)


@syscall
def close(task: Task, fd: Fd) -> Result:
    """Drop a number; a file goes with its last one."""
    return task.fds.close(fd)


@syscall
def close_range(task: Task, first: U32, last: U32, flags: CloseRangeFlags) -> Result:
    """Drop all numbers from `first` to `last`, or mark them close-on-exec."""
    if flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) or first > last:
        raise Errno(EINVAL)
    if flags & CLOSE_RANGE_UNSHARE and task.kernel.host is None:
        task.kernel.refuse(task, OWN_TABLE)
    return task.fds.close_range(first, last, flags)


@syscall
def dup(task: Task, fildes: Fd) -> Result:
    """Give the file another number, the lowest that is free."""
    return task.fds.duplicate(fildes, 0, cloexec=False)


@syscall
def dup2(task: Task, oldfd: Fd, newfd: Fd) -> Result:
    """Let `newfd` name the file of `oldfd`, whatever it named before; nothing happens if they are equal."""
    if oldfd == newfd:
        task.fds.get(oldfd)
        return newfd
    return task.fds.replace(oldfd, newfd, cloexec=False)


@syscall
def dup3(task: Task, oldfd: Fd, newfd: Fd, flags: DupFlags) -> Result:
    """`dup2` with O_CLOEXEC, and EINVAL for equal numbers."""
    if flags & ~O_CLOEXEC or oldfd == newfd:
        raise Errno(EINVAL)
    return task.fds.replace(oldfd, newfd, cloexec=bool(flags & O_CLOEXEC))


@syscall
def ioctl(task: Task, fd: Fd, request: IoctlRequest, argument: NumberOrPointer) -> Result:
    """What any file takes is done here, the rest by the file."""
    file = task.fds.get(fd)
    if file.host:
        return PASS_ON
    if request == FIOCLEX:
        return task.fds.set_fd_flags(fd, FD_CLOEXEC)
    if request == FIONCLEX:
        return task.fds.set_fd_flags(fd, 0)
    if request == FIONBIO:
        file.nonblock = _read_int(task, argument) != 0
        return 0
    if request == FIOASYNC:
        return _set_async(file, fd if _read_int(task, argument) else None)
    return file.ioctl(task, request, argument)


def _read_int(task: Task, address: int) -> int:
    (value,) = INT.unpack(task.memory.copy_in(address, INT.size))
    return int(value)


def _set_async(file: File, fd: int | None) -> int:
    """Raises: Errno(ENOTTY) where there is nothing to switch on."""
    if not file.set_async(fd) and fd is not None:
        raise Errno(ENOTTY)
    return 0


@syscall
def lseek(task: Task, fd: Fd, offset: Offset, whence: U32) -> Result:
    """A pipe has no position; that of an event file is 0 whatever is asked for."""
    file = task.fds.get(fd)
    if file.host:
        return PASS_ON
    if whence > SEEK_MAX:
        raise Errno(EINVAL)
    if isinstance(file, PipeEnd):
        raise Errno(ESPIPE)
    return 0


@syscall
def fadvise64(task: Task, fd: Fd, offset: Offset, length: Offset, advice: S32) -> Result:
    """posix_fadvise(2): nothing to be had from files that are no files."""
    file = task.fds.get(fd)
    if file.host:
        return PASS_ON
    if isinstance(file, PipeEnd):
        raise Errno(ESPIPE)
    if not 0 <= advice <= POSIX_FADV_NOREUSE or length < 0:
        raise Errno(EINVAL)
    return 0


# A placeholder answers these as Linux does for our files, so a host need not trap them.


@syscall(trap=UNTRAPPED)
def fsync(task: Task, fd: Fd) -> Result:
    """EINVAL: nothing to write back."""
    task.fds.get(fd)
    raise Errno(EINVAL)


@syscall(trap=UNTRAPPED)
def fdatasync(task: Task, fd: Fd) -> Result:
    """EINVAL, as `fsync`."""
    return fsync(task, fd)
