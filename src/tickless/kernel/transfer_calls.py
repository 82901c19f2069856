"""splice(2), tee(2), vmsplice(2), sendfile(2), copy_file_range(2): bytes from file to file without the program.

Between files of the host they are the host's, once they cannot block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import EBADF, EINVAL, ESPIPE
from tickless.abi.fcntl import (
    O_ACCMODE,
    O_APPEND,
    O_NONBLOCK,
    O_RDONLY,
    O_WRONLY,
    SPLICE_F_GIFT,
    SPLICE_F_MORE,
    SPLICE_F_MOVE,
    SPLICE_F_NONBLOCK,
)
from tickless.abi.stat import S_IFIFO, S_IFMT, S_IFSOCK
from tickless.abi.types import Address, Fd, Hex32, IovecPtr, Size, SpliceFlags
from tickless.kernel.errors import Errno
from tickless.kernel.host_file import HostFile, HostStatus
from tickless.kernel.memory import ScatteredBuffer, read_iovec
from tickless.kernel.outcome import PASS_ON, Blocked, PassOn, Result
from tickless.kernel.pipe import PipeEnd
from tickless.kernel.registry import syscall
from tickless.kernel.splice import memory_to_pipe, pipe_to_memory
from tickless.kernel.splice_files import OFFSET, End, check_directions, sendfile_to_pipe, splice_ends, tee_ends

if TYPE_CHECKING:
    from tickless.kernel.task import Task

SPLICE_FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT


@syscall
def splice(
    task: Task, fd_in: Fd, off_in: Address, fd_out: Fd, off_out: Address, length: Size, flags: SpliceFlags
) -> Result:
    """Move bytes between a pipe and another file: pages of the pipe, where both are pipes."""
    if not length:
        return 0
    _check_flags(flags)
    if _has_pipe(task, fd_in, fd_out):
        return splice_ends(task, End(task, fd_in, off_in), End(task, fd_out, off_out), length, flags)

    def is_mistake(source: HostStatus, target: HostStatus) -> bool:
        if not source.is_fifo:
            return not target.is_fifo or off_out != 0
        return off_in != 0 or source.identity == target.identity or _takes_no_place(target, off_out)

    return _move(task, (fd_in, fd_out), flags, is_mistake)


@syscall
def tee(task: Task, fdin: Fd, fdout: Fd, length: Size, flags: SpliceFlags) -> Result:
    """Copy bytes from pipe to pipe."""
    _check_flags(flags)
    if not length:
        return 0
    if _has_pipe(task, fdin, fdout):
        return tee_ends(task, End(task, fdin), End(task, fdout), length, flags)
    return _move(task, (fdin, fdout), flags, _are_not_two_pipes)


@syscall
def vmsplice(task: Task, fd: Fd, iov: IovecPtr, nr_segs: Size, flags: SpliceFlags) -> Result:
    """Move bytes between memory and a pipe: which of the two ways, its end decides. O_NONBLOCK is not looked at."""
    _check_flags(flags)
    file = task.fds.get(fd)
    if isinstance(file, PipeEnd):
        return _vmsplice(task, file, read_iovec(task.memory, iov, nr_segs), nonblock=bool(flags & SPLICE_F_NONBLOCK))
    if not isinstance(file, HostFile):
        raise Errno(EBADF)
    status = file.status(task, fd)
    if flags & SPLICE_F_NONBLOCK or status is None or not status.is_fifo:
        return PASS_ON
    if not read_iovec(task.memory, iov, nr_segs).size:
        return 0
    return file.pass_on(task, fd, EPOLLIN | EPOLLOUT)


@syscall
def sendfile(task: Task, out_fd: Fd, in_fd: Fd, offset: Address, count: Size) -> Result:
    """Into a pipe, as splice; the host's between files of its own, once the one that is written to has room."""
    position = int(OFFSET.unpack(task.memory.copy_in(offset, OFFSET.size))[0]) if offset else None
    if _has_pipe(task, in_fd, out_fd):
        return _sendfile_with_pipe(task, End(task, in_fd, offset), position, out_fd, count)
    source, target = _host_files(task, in_fd, out_fd)
    status = source.status(task, in_fd)
    # What has no position is refused, whether there is room or not.
    if not count or status is None or status.mode & S_IFMT in (S_IFIFO, S_IFSOCK):
        return PASS_ON
    return target.pass_on(task, out_fd, EPOLLOUT)


@syscall
def copy_file_range(
    task: Task, fd_in: Fd, off_in: Address, fd_out: Fd, off_out: Address, length: Size, flags: Hex32
) -> Result:
    """The host's; Linux itself copies only between regular files."""
    source, target = task.fds.get(fd_in), task.fds.get(fd_out)
    if not (source.host and target.host):
        raise Errno(EINVAL)
    return PASS_ON


def _has_pipe(task: Task, *fds: int) -> bool:
    """Whether one of them is a pipe of ours. Raises: Errno(EBADF)."""
    return any(isinstance(task.fds.get(fd), PipeEnd) for fd in fds)


def _sendfile_with_pipe(task: Task, source: End, position: int | None, out_fd: int, count: int) -> Result:
    """Raises: Errno(EBADF), Errno(ESPIPE), Errno(EINVAL) for what has no position, though a pipe takes bytes of it."""
    if source.file.access_mode == O_WRONLY:
        raise Errno(EBADF)
    if position is not None and not source.file.host:
        raise Errno(ESPIPE)
    target = End(task, out_fd)
    check_directions(source.file, target.file)
    if isinstance(target.file, PipeEnd):
        return sendfile_to_pipe(task, source, position, target.file, count)
    if target.status is not None and target.status.flags & O_ACCMODE == O_RDONLY:
        raise Errno(EBADF)
    raise Errno(EINVAL)


def _vmsplice(task: Task, end: PipeEnd, buffer: ScatteredBuffer, *, nonblock: bool) -> Result:
    if not buffer.size:
        return 0
    if end.access_mode == O_WRONLY:
        return memory_to_pipe(task, buffer, end.pipe, nonblock=nonblock)
    return pipe_to_memory(task, end.pipe, buffer, nonblock=nonblock)


def _check_flags(flags: int) -> None:
    """Raises: Errno(EINVAL)."""
    if flags & ~SPLICE_FLAGS:
        raise Errno(EINVAL)


def _move(task: Task, fds: tuple[int, int], flags: int, is_mistake: Callable[[HostStatus, HostStatus], bool]) -> Result:
    """Wait for both files, unless Linux refuses these at once."""
    fd_in, fd_out = fds
    source, target = _host_files(task, fd_in, fd_out)
    statuses = [file.status(task, fd) for file, fd in ((source, fd_in), (target, fd_out))]
    known = [status for status in statuses if status is not None]
    if flags & SPLICE_F_NONBLOCK or len(known) < len(statuses) or is_mistake(*known):
        return PASS_ON
    if any(status.is_fifo and status.flags & O_NONBLOCK for status in known):
        return PASS_ON
    readable = source.pass_on(task, fd_in, EPOLLIN)
    if isinstance(readable, int | PassOn):
        return target.pass_on(task, fd_out, EPOLLOUT)
    return _move_later(task, readable, target, fd_out)


def _are_not_two_pipes(source: HostStatus, target: HostStatus) -> bool:
    return not (source.is_fifo and target.is_fifo) or source.identity == target.identity


def _takes_no_place(target: HostStatus, offset: int) -> bool:
    """Whether a pipe is given an offset, or a file that is appended to is to be written elsewhere."""
    return offset != 0 if target.is_fifo else bool(target.flags & O_APPEND)


def _move_later(task: Task, readable: Blocked, target: HostFile, fd_out: int) -> Blocked:
    answer = yield from readable
    if answer is not PASS_ON:
        return answer
    writable = target.pass_on(task, fd_out, EPOLLOUT)
    return writable if isinstance(writable, int | PassOn) else (yield from writable)


def _host_files(task: Task, fd_in: int, fd_out: int) -> tuple[HostFile, HostFile]:
    """Raises: Errno(EBADF), Errno(EINVAL) for an event file, as Linux does."""
    source, target = task.fds.get(fd_in), task.fds.get(fd_out)
    check_directions(source, target)
    if not (isinstance(source, HostFile) and isinstance(target, HostFile)):
        raise Errno(EINVAL)
    return source, target
