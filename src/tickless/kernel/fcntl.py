"""fcntl(2): the flags of a number and of an open file description, duplicates, the size of a pipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tickless.abi.capability import CAP_FOWNER
from tickless.abi.errno import EBADF, EINVAL, ENOTDIR
from tickless.abi.fcntl import (
    F_CREATED_QUERY,
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_DUPFD_QUERY,
    F_GETFD,
    F_GETFL,
    F_GETLEASE,
    F_GETLK,
    F_GETOWN,
    F_GETOWN_EX,
    F_GETPIPE_SZ,
    F_GETSIG,
    F_NOTIFY,
    F_OFD_GETLK,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_SETFD,
    F_SETFL,
    F_SETLK,
    F_SETLKW,
    F_SETOWN,
    F_SETOWN_EX,
    F_SETPIPE_SZ,
    F_SETSIG,
    F_UNLCK,
    O_APPEND,
    O_ASYNC,
    O_DIRECT,
    O_NOATIME,
    O_NONBLOCK,
)
from tickless.abi.types import FcntlCommand, Fd, NumberOrPointer
from tickless.kernel.capability import demand_capability
from tickless.kernel.errors import Errno
from tickless.kernel.host_file import HostFile
from tickless.kernel.memory import PAGE_SIZE
from tickless.kernel.outcome import Result
from tickless.kernel.pipe import PipeEnd
from tickless.kernel.registry import syscall, unserved
from tickless.kernel.sigio import get_owner, get_owner_ex, get_signal, set_owner, set_owner_ex, set_signal

if TYPE_CHECKING:
    from tickless.kernel.file import File
    from tickless.kernel.task import Task

LOCKS = unserved("TL113", "fcntl locks on pipes and event files", EINVAL)

U32_MASK = 0xFFFFFFFF
# What F_SETFL changes besides O_NONBLOCK.
KEPT_FLAGS = O_APPEND | O_NOATIME | O_DIRECT


@syscall
def fcntl(task: Task, fd: Fd, cmd: FcntlCommand, arg: NumberOrPointer) -> Result:
    """What concerns the number is the table's, what concerns the open file description is done here."""
    file = task.fds.get(fd)
    if cmd in (F_DUPFD, F_DUPFD_CLOEXEC):
        return task.fds.duplicate(fd, arg & U32_MASK, cloexec=cmd == F_DUPFD_CLOEXEC)
    if cmd == F_GETFD:
        return task.fds.fd_flags(fd)
    if cmd == F_SETFD:
        return task.fds.set_fd_flags(fd, arg & U32_MASK)
    if isinstance(file, HostFile):
        return file.fcntl(task, fd, cmd, arg)
    if cmd == F_SETFL:
        return _set_flags(task, fd, file, arg)
    command = COMMANDS.get(cmd)
    if command is None:
        raise Errno(EINVAL)
    return command(task, file, arg)


def _get_flags(task: Task, file: File, arg: int) -> int:
    told = O_ASYNC if file.async_fd is not None else 0
    return file.access_mode | file.other_flags | told | (O_NONBLOCK if file.nonblock else 0)


def _set_flags(task: Task, fd: int, file: File, arg: int) -> int:
    """Flags that cannot be changed are ignored, as on Linux.

    Raises: Errno(EPERM) for O_NOATIME on an event file, which is root's, Errno(EINVAL) for O_DIRECT on what is no pipe.
    """
    is_pipe = isinstance(file, PipeEnd)
    if arg & O_NOATIME & ~file.other_flags and not is_pipe:
        demand_capability(task, CAP_FOWNER)
    if arg & O_DIRECT and not is_pipe:
        raise Errno(EINVAL)
    file.set_async(fd if arg & O_ASYNC else None)
    file.nonblock = bool(arg & O_NONBLOCK)
    file.other_flags = arg & KEPT_FLAGS | file.other_flags & ~KEPT_FLAGS
    return 0


def _is_same_description(task: Task, file: File, arg: int) -> int:
    return int(task.fds.get(arg & U32_MASK) is file)


def _pipe_size(task: Task, file: File, arg: int) -> int:
    return _pipe_end(file).pipe.capacity * PAGE_SIZE


def _set_pipe_size(task: Task, file: File, arg: int) -> int:
    return _pipe_end(file).pipe.resize(task, arg & U32_MASK)


def _pipe_end(file: File) -> PipeEnd:
    if not isinstance(file, PipeEnd):
        raise Errno(EBADF)
    return file


def _not_a_directory(task: Task, file: File, arg: int) -> int:
    raise Errno(ENOTDIR)


def _lock(task: Task, file: File, arg: int) -> int:
    task.kernel.refuse(task, LOCKS)


COMMANDS: dict[int, Callable[[Task, File, int], int]] = {
    F_GETFL: _get_flags,
    F_GETPIPE_SZ: _pipe_size,
    F_SETPIPE_SZ: _set_pipe_size,
    F_DUPFD_QUERY: _is_same_description,
    F_CREATED_QUERY: lambda task, file, arg: 0,
    F_GETLEASE: lambda task, file, arg: F_UNLCK,
    F_NOTIFY: _not_a_directory,
    F_SETOWN: set_owner,
    F_GETOWN: get_owner,
    F_SETOWN_EX: set_owner_ex,
    F_GETOWN_EX: get_owner_ex,
    F_SETSIG: set_signal,
    F_GETSIG: get_signal,
    **dict.fromkeys((F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW), _lock),
}
