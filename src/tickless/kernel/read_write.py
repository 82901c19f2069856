"""read(2), write(2), readv(2), writev(2): the calls that move bytes, on any file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.types import BufferOut, BufferPtr, Fd, IovecPtr, Size
from tickless.kernel.host_file import HostFile
from tickless.kernel.memory import UserBuffer, read_iovec
from tickless.kernel.outcome import Result
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
    return file.read(task, UserBuffer(task.memory, buf, count))


@syscall
def write(task: Task, fd: Fd, buf: BufferPtr, count: Size) -> Result:
    """Write up to `count` bytes; the file decides what one write takes."""
    file = task.fds.get(fd)
    if file.host:
        assert isinstance(file, HostFile)
        return file.pass_on(task, fd, EPOLLOUT)
    return file.write(task, UserBuffer(task.memory, buf, count))


@syscall
def readv(task: Task, fd: Fd, iov: IovecPtr, iovcnt: Size) -> Result:
    """`read` into the pieces of an iovec array."""
    file = task.fds.get(fd)
    if isinstance(file, HostFile):
        return file.pass_on(task, fd, EPOLLIN)
    return file.read(task, read_iovec(task.memory, iov, iovcnt))


@syscall
def writev(task: Task, fd: Fd, iov: IovecPtr, iovcnt: Size) -> Result:
    """`write` from the pieces of an iovec array."""
    file = task.fds.get(fd)
    if isinstance(file, HostFile):
        return file.pass_on(task, fd, EPOLLOUT)
    return file.write(task, read_iovec(task.memory, iov, iovcnt))
