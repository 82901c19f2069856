"""read(2), write(2), readv(2), writev(2): the calls that move bytes, on any file."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import EBADF, EFAULT, EINVAL
from tickless.abi.fcntl import MAX_RW_COUNT, O_RDONLY, O_WRONLY
from tickless.abi.types import U32, BufferOut, BufferPtr, Fd, IovecPtr, Size
from tickless.kernel.errors import Errno
from tickless.kernel.file import File
from tickless.kernel.host_file import HostFile
from tickless.kernel.memory import USER_SPACE_END, ScatteredBuffer, UserBuffer, read_iovec
from tickless.kernel.outcome import Blocked, Result
from tickless.kernel.registry import syscall

if TYPE_CHECKING:
    from tickless.kernel.task import Task


@syscall
def read(task: Task, fd: Fd, buf: BufferOut, count: Size) -> Result:
    """Read up to `count` bytes; the file decides what one read gives."""
    file = task.fds.get(fd)
    if file.host:
        assert isinstance(file, HostFile)
        return file.read_from_host(task, fd, buf, count)
    if buf + count > USER_SPACE_END:
        check_readable(file)
        raise Errno(EFAULT)
    return file.read(task, UserBuffer(task.memory, buf, count))


@syscall
def write(task: Task, fd: Fd, buf: BufferPtr, count: Size) -> Result:
    """Write up to `count` bytes; the file decides what one write takes."""
    file = task.fds.get(fd)
    if file.host:
        assert isinstance(file, HostFile)
        return file.pass_on(task, fd, EPOLLOUT, count)
    if buf + count > USER_SPACE_END:
        check_writable(file)
        raise Errno(EFAULT)
    return file.write(task, UserBuffer(task.memory, buf, count))


@syscall
def readv(task: Task, fd: Fd, iov: IovecPtr, iovcnt: U32) -> Result:
    """`read` into the pieces of an iovec array."""
    file = task.fds.get(fd)
    if isinstance(file, HostFile):
        return file.pass_on(task, fd, EPOLLIN)
    check_readable(file)
    return read_pieces(task, file, read_iovec(task.memory, iov, iovcnt))


@syscall
def writev(task: Task, fd: Fd, iov: IovecPtr, iovcnt: U32) -> Result:
    """`write` from the pieces of an iovec array."""
    file = task.fds.get(fd)
    if isinstance(file, HostFile):
        return file.pass_on(task, fd, EPOLLOUT, MAX_RW_COUNT)
    check_writable(file)
    return write_pieces(task, file, read_iovec(task.memory, iov, iovcnt))


def check_readable(file: File) -> None:
    """What comes before a look at the caller's memory. Raises: Errno(EBADF), Errno(EINVAL)."""
    if file.access_mode == O_WRONLY:
        raise Errno(EBADF)
    if type(file).read is File.read:
        raise Errno(EINVAL)


def check_writable(file: File) -> None:
    """As `check_readable`."""
    if file.access_mode == O_RDONLY:
        raise Errno(EBADF)
    if type(file).write is File.write:
        raise Errno(EINVAL)


def read_pieces(task: Task, file: File, buffer: ScatteredBuffer) -> Result:
    """Nothing is asked of the file where nothing is to be read."""
    return file.read(task, buffer) if buffer.size else 0


def write_pieces(task: Task, file: File, buffer: ScatteredBuffer) -> Result:
    """As `read_pieces`. Some files take each piece by itself."""
    if not buffer.size:
        return 0
    if file.writes_pieces and len(buffer.pieces) > 1:
        return _write_each(task, file, buffer.pieces)
    return file.write(task, buffer)


def _write_each(task: Task, file: File, pieces: Sequence[tuple[int, int]]) -> Blocked:
    """A write for each piece, until one fails: what has been written, if anything has."""
    done = 0
    for address, length in pieces:
        try:
            result = file.write(task, UserBuffer(task.memory, address, length))
            written = (yield from result) if isinstance(result, Generator) else result
        except Errno as error:
            written = -error.number
        assert isinstance(written, int), "a write of our own is not the host's"
        if written < 0:
            return done or written
        done += written
    return done
