"""pread(2), preadv(2), preadv2(2) and their kin: reads and writes at a position, which our files do not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import EINVAL, EOPNOTSUPP, ESPIPE
from tickless.abi.fcntl import RWF_APPEND, RWF_DSYNC, RWF_HIPRI, RWF_NOAPPEND, RWF_NOSIGNAL, RWF_NOWAIT, RWF_SYNC
from tickless.abi.types import U32, BufferOut, BufferPtr, Fd, IovecPtr, Offset, ReadWriteFlags, Size
from tickless.kernel.errors import Errno
from tickless.kernel.host_file import HostFile
from tickless.kernel.memory import ScatteredBuffer, read_iovec
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.read_write import check_readable, check_writable, read_pieces, write_pieces
from tickless.kernel.registry import UNTRAPPED, syscall

if TYPE_CHECKING:
    from tickless.kernel.file import File
    from tickless.kernel.task import Task

# Those that mean something only to files on disk are taken as Linux takes them.
KNOWN_FLAGS = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND | RWF_NOSIGNAL
# The position that stands for the file's own.
CURRENT = -1

# A placeholder has no position either, so a host need not trap the calls that always give one.


@syscall(trap=UNTRAPPED)
def pread64(task: Task, fd: Fd, buf: BufferOut, count: Size, pos: Offset) -> Result:
    """ESPIPE, but EINVAL for a negative position."""
    return _no_position(task, fd, pos)


@syscall(trap=UNTRAPPED)
def pwrite64(task: Task, fd: Fd, buf: BufferPtr, count: Size, pos: Offset) -> Result:
    """ESPIPE, but EINVAL for a negative position."""
    return _no_position(task, fd, pos)


@syscall(trap=UNTRAPPED)
def preadv(task: Task, fd: Fd, vec: IovecPtr, vlen: U32, pos_l: Offset) -> Result:
    """ESPIPE, but EINVAL for a negative position."""
    return _no_position(task, fd, pos_l)


@syscall(trap=UNTRAPPED)
def pwritev(task: Task, fd: Fd, vec: IovecPtr, vlen: U32, pos_l: Offset) -> Result:
    """ESPIPE, but EINVAL for a negative position."""
    return _no_position(task, fd, pos_l)


def _no_position(task: Task, fd: int, position: int) -> Result:
    if position < 0:
        raise Errno(EINVAL)
    if task.fds.get(fd).host:
        return PASS_ON
    raise Errno(ESPIPE)


@syscall
def preadv2(
    task: Task, fd: Fd, vec: IovecPtr, vlen: U32, pos_l: Offset, pos_h: Offset, flags: ReadWriteFlags
) -> Result:
    """`readv` with flags if the position is -1."""
    if pos_l != CURRENT:
        return _no_position(task, fd, pos_l)
    file = task.fds.get(fd)
    if isinstance(file, HostFile):
        return PASS_ON if flags & RWF_NOWAIT else file.pass_on(task, fd, EPOLLIN)
    check_readable(file)
    return _with_flags(task, file, read_pieces, vec, vlen, flags)


@syscall
def pwritev2(
    task: Task, fd: Fd, vec: IovecPtr, vlen: U32, pos_l: Offset, pos_h: Offset, flags: ReadWriteFlags
) -> Result:
    """`writev` with flags if the position is -1."""
    if pos_l != CURRENT:
        return _no_position(task, fd, pos_l)
    file = task.fds.get(fd)
    if isinstance(file, HostFile):
        return PASS_ON if flags & RWF_NOWAIT else file.pass_on(task, fd, EPOLLOUT)
    check_writable(file)
    return _with_flags(task, file, write_pieces, vec, vlen, flags)


def _with_flags(
    task: Task, file: File, move: Callable[[Task, File, ScatteredBuffer], Result], vec: int, vlen: int, flags: int
) -> Result:
    buffer = read_iovec(task.memory, vec, vlen)
    if not buffer.size:
        return 0
    if flags & ~(RWF_HIPRI if file.writes_pieces and move is write_pieces else KNOWN_FLAGS):
        raise Errno(EOPNOTSUPP)
    if flags & RWF_APPEND and flags & RWF_NOAPPEND:
        raise Errno(EINVAL)
    nonblock = file.nonblock
    file.nonblock = nonblock or bool(flags & RWF_NOWAIT)
    file.quiet = bool(flags & RWF_NOSIGNAL)
    try:
        return move(task, file, buffer)
    finally:
        file.nonblock, file.quiet = nonblock, False
