"""recv(2), send(2), accept(2), connect(2): sockets are the host's, but nobody may wait for one in the host."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import ENOTSOCK
from tickless.abi.fcntl import MAX_RW_COUNT, UIO_MAXIOV
from tickless.abi.socket import MSG_DONTWAIT, MSG_ERRQUEUE, MSG_OOB, MSG_WAITALL
from tickless.abi.types import U32, Address, BufferOut, BufferPtr, Fd, IntPtr, MsgFlags, Size, TimespecPtr
from tickless.kernel.errors import Errno
from tickless.kernel.host_file import HostFile
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import syscall

if TYPE_CHECKING:
    from tickless.kernel.task import Task

# Urgent data and errors are there or not: nobody waits for them. recv(2)
RECEIVED_AT_ONCE = MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE
# struct msghdr: where its ancillary data is, and how long; a struct mmsghdr is one and what came of it.
MSGHDR_CONTROL = 32
CONTROL = Struct("<QQ")
CONTROL_MAX = 4096  # more than there is with as many files as one message may have
MMSGHDR_SIZE = 64


@syscall
def connect(task: Task, fd: Fd, address: Address, length: U32) -> Result:
    """Connect a socket, which may take its time."""
    return _socket(task, fd).connect(task, fd, address, length)


@syscall
def accept(task: Task, fd: Fd, address: Address, length: IntPtr) -> Result:
    """Take a connection that has come."""
    return _when_ready(task, fd, EPOLLIN)


@syscall
def accept4(task: Task, fd: Fd, address: Address, length: IntPtr, flags: MsgFlags) -> Result:
    """`accept` with flags for the new socket."""
    return _when_ready(task, fd, EPOLLIN)


@syscall
def recvfrom(
    task: Task, fd: Fd, buf: BufferOut, size: Size, flags: MsgFlags, address: Address, length: IntPtr
) -> Result:
    """Receive what has come; with MSG_WAITALL all of it."""
    all_of_it = MAX_RW_COUNT if flags & MSG_WAITALL and size > 1 else 0
    return _when_ready(task, fd, EPOLLIN, all_of_it, at_once=flags & RECEIVED_AT_ONCE)


@syscall
def recvmsg(task: Task, fd: Fd, message: Address, flags: MsgFlags) -> Result:
    """`recvfrom` into several buffers, with ancillary data."""
    _note_control(task, message)
    return _when_ready(task, fd, EPOLLIN, at_once=flags & RECEIVED_AT_ONCE)


@syscall
def recvmmsg(task: Task, fd: Fd, messages: Address, count: U32, flags: MsgFlags, timeout: TimespecPtr) -> Result:
    """Several `recvmsg` in one call."""
    _note_control(task)
    return _when_ready(task, fd, EPOLLIN, at_once=flags & RECEIVED_AT_ONCE)


@syscall
def sendto(task: Task, fd: Fd, buf: BufferPtr, size: Size, flags: MsgFlags, address: Address, length: U32) -> Result:
    """Send once there is room."""
    return _when_ready(task, fd, EPOLLOUT, size, at_once=flags & MSG_DONTWAIT)


@syscall
def sendmsg(task: Task, fd: Fd, message: Address, flags: MsgFlags) -> Result:
    """`sendto` from several buffers, with ancillary data."""
    _note_control(task, message, sends=True)
    return _when_ready(task, fd, EPOLLOUT, MAX_RW_COUNT, at_once=flags & MSG_DONTWAIT)


@syscall
def sendmmsg(task: Task, fd: Fd, messages: Address, count: U32, flags: MsgFlags) -> Result:
    """Several `sendmsg` in one call."""
    _note_control(task, *range(messages, messages + min(count, UIO_MAXIOV) * MMSGHDR_SIZE, MMSGHDR_SIZE), sends=True)
    return _when_ready(task, fd, EPOLLOUT, at_once=flags & MSG_DONTWAIT)


def _note_control(task: Task, *messages: int, sends: bool = False) -> None:
    """Open files may come or go with one of the messages; without any, nobody knows with how many."""
    if task.kernel.host is None:
        return
    controls = [control for message in messages if (control := _control_of(task, message))]
    if controls or not messages:
        task.kernel.host.note_ancillary(task, controls if sends else [])


def _control_of(task: Task, message: int) -> bytes:
    """The ancillary data of a struct msghdr. One that cannot be read has none: the host refuses it."""
    try:
        address, length = CONTROL.unpack(task.memory.copy_in(message + MSGHDR_CONTROL, CONTROL.size))
        return task.memory.copy_in(address, min(length, CONTROL_MAX))
    except Errno:
        return b""


def _when_ready(task: Task, fd: int, events: int, size: int = 0, *, at_once: int = 0) -> Result:
    """Let the host do it as soon as it cannot block, or `at_once`. Raises: Errno(EBADF), Errno(ENOTSOCK)."""
    file = _socket(task, fd)
    return PASS_ON if at_once else file.pass_on(task, fd, events, size)


def _socket(task: Task, fd: int) -> HostFile:
    """A file of the host, which may be a socket. Raises: Errno(EBADF), Errno(ENOTSOCK) for files of ours."""
    file = task.fds.get(fd)
    if not isinstance(file, HostFile):
        raise Errno(ENOTSOCK)
    return file
