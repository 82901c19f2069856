"""write(2), send(2), recv(2) of more than a socket or a FIFO takes or gives at once: done here, piece by piece.

The host would block half-way in such a call, where nobody sees it. The file stays open meanwhile, as Linux keeps it for
a sleeping call.
"""

from __future__ import annotations

import os
import stat
from _socket import (  # `import socket` takes 20 times as long
    AF_UNIX,
    SCM_CREDENTIALS,
    SO_SNDBUF,
    SOL_SOCKET,
)
from collections.abc import Callable, Generator
from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import EAGAIN, EPIPE
from tickless.abi.fcntl import MAX_RW_COUNT, PIPE_BUF
from tickless.abi.numbers import number_of
from tickless.abi.siginfo import SI_USER
from tickless.abi.signal import SIGPIPE
from tickless.abi.socket import MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK, MSG_WAITALL
from tickless.host.sockets import kind_of_socket, socket_of
from tickless.host.task_state import status_of
from tickless.kernel.errors import Errno
from tickless.kernel.memory import UIO_MAXIOV, UserBuffer, read_iovec
from tickless.kernel.outcome import Blocked
from tickless.kernel.signal_calls import info_from
from tickless.kernel.signals import send_signal

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee

MSGHDR = Struct("<QIIQQQQ")  # name, its length, padding, iovecs and their number, ancillary data and its length
UCRED = Struct("=iII")
# The smallest send buffer is 4608 bytes, and one that may be written to has a quarter of its size free. socket(7)
SMALL = 1024
PIECE = 1 << 18  # moved at once: more than most buffers hold

Sleep = Callable[[], Generator[None, None, int | None]]
"""Sleeps until the file is ready: None if the socket's time-out has passed."""


def in_pieces(task: Tracee, ours: int, events: int) -> Pieces | None:
    """How to make the task's call on a stream, `ours`; None if it cannot block half-way, or only the task can make it.

    Raises: Errno(EFAULT), Errno(EINVAL).
    """
    moved = _moved_by(task)
    if moved is None:
        return None
    buffer, flags = moved
    if events == EPOLLOUT and buffer.size <= SMALL:
        return None
    if stat.S_ISFIFO(os.fstat(ours).st_mode):
        is_long = events == EPOLLOUT and buffer.size > PIPE_BUF
        return ToFifo(task, ours, buffer) if is_long and _may_write_to(ours) else None
    if events == EPOLLIN:
        waits_for_all = flags & (MSG_WAITALL | MSG_PEEK) == MSG_WAITALL
        return FromSocket(task, ours, buffer, flags & ~MSG_WAITALL) if waits_for_all else None
    with socket_of(ours) as one:
        fits = buffer.size <= one.getsockopt(SOL_SOCKET, SO_SNDBUF) // 4
    return None if fits else ToSocket(task, ours, buffer, flags)


class Pieces:
    """A call that moves its buffer piece by piece."""

    def __init__(self, task: Tracee, ours: int, buffer: UserBuffer, flags: int = 0) -> None:
        self.task = task
        self.ours = ours
        self.buffer = buffer
        self.flags = flags | MSG_DONTWAIT
        self.done = 0  # bytes that have been moved

    def move(self) -> int:
        """Move a piece: its size, 0 at the end of what there is. Raises: OSError, Errno(EFAULT)."""
        raise NotImplementedError

    def is_signalled(self) -> bool:
        """Whether the task gets a SIGPIPE when nobody can read any more."""
        return not self.flags & MSG_NOSIGNAL and not self.done

    def move_all(self, sleep: Sleep) -> Blocked:
        """What has been moved when all is, or when it cannot go on; if that is nothing, why not."""
        try:
            while self.done < self.buffer.size:
                try:
                    moved = self.move()
                except BlockingIOError:
                    if (yield from sleep()) is None:
                        return self.done or -EAGAIN
                    continue
                if moved == 0:
                    break
                self.done += moved
        except Errno:
            if not self.done:
                raise
        except OSError as error:
            number = error.errno or 0
            if number == EPIPE and self.is_signalled():
                send_signal(self.task.group, info_from(self.task, SIGPIPE, SI_USER), self.task)
            return self.done or -number
        return self.done

    def _next(self) -> bytes:
        return self.buffer.copy_in(min(PIECE, self.buffer.size - self.done), self.done)


class ToFifo(Pieces):
    """write(2) to a FIFO. fifo(7)"""

    def move(self) -> int:
        data = self._next()
        try:
            nonblocking = _open_again(self.ours)
        except OSError as error:
            raise BrokenPipeError(EPIPE, "nobody reads") from error
        try:
            return os.write(nonblocking, data)
        finally:
            os.close(nonblocking)

    def is_signalled(self) -> bool:
        return True  # whatever has been written


class ToSocket(Pieces):
    """send(2)."""

    def __init__(self, task: Tracee, ours: int, buffer: UserBuffer, flags: int) -> None:
        super().__init__(task, ours, buffer, flags)
        self.sender = Sender(task, ours)

    def move(self) -> int:
        return self.sender.send(self._next(), self.flags)


class Sender:
    """Sends in the task's name: a unix socket's other end may ask who has written, where we may say so. unix(7)"""

    def __init__(self, task: Tracee, ours: int) -> None:
        self.ours = ours
        credentials = _credentials_of(task) if kind_of_socket(ours)[0] == AF_UNIX else b""
        self.ancillary = [(SOL_SOCKET, SCM_CREDENTIALS, credentials)] if credentials else []

    def send(self, data: bytes, flags: int) -> int:
        """Send without waiting, and without a signal: how many bytes. OSError: EAGAIN, EPIPE and others."""
        flags |= MSG_DONTWAIT | MSG_NOSIGNAL
        with socket_of(self.ours) as to:
            try:
                return to.sendmsg([data], self.ancillary, flags)
            except PermissionError:
                self.ancillary = []
                return to.sendmsg([data], (), flags)


class FromSocket(Pieces):
    """recv(2) with MSG_WAITALL."""

    def move(self) -> int:
        with socket_of(self.ours) as source:
            data = source.recv(min(PIECE, self.buffer.size - self.done), self.flags)
        return self.buffer.copy_out(data, self.done)


def _open_again(ours: int) -> int:
    """A FIFO with O_NONBLOCK: that of `ours` is the program's, too. OSError: ENXIO if nobody reads, EACCES. fifo(7)"""
    return os.open(f"/proc/self/fd/{ours}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _may_write_to(ours: int) -> bool:
    try:
        os.close(_open_again(ours))
    except PermissionError:
        return False
    except OSError:
        return True  # ENXIO: nobody reads
    return True


def _credentials_of(task: Tracee) -> bytes:
    """A struct ucred: process, real user and group id. Empty if the task has died."""
    try:
        uids, gids = (status_of(task.tid, field) for field in ("Uid:", "Gid:"))
    except OSError:
        return b""
    return UCRED.pack(task.group.tgid, int(uids[0]), int(gids[0]))


def _moved_by(task: Tracee) -> tuple[UserBuffer, int] | None:
    """What the task's call moves, and its MSG_ flags; None for calls with an address or ancillary data, and others."""
    reader = _CALLS.get(task.call or 0)
    moved = reader(task) if reader else None
    if moved is not None:
        moved[0].size = min(moved[0].size, MAX_RW_COUNT)
    return moved


def merge(task: Tracee, ours: int) -> int | None:
    """Write to a full FIFO what fits behind the bytes in its last page; None if nothing does. pipe(7)"""
    moved = _moved_by(task)
    if moved is None or moved[0].size > PIPE_BUF or not _may_write_to(ours):
        return None
    try:
        return ToFifo(task, ours, moved[0]).move()
    except OSError:
        return None


def size_sent_by(task: Tracee) -> int | None:
    """How many bytes the task's call sends on a connected socket; None if it names a receiver, or sends several times.

    Raises: Errno(EFAULT), Errno(EINVAL).
    """
    if task.call == _SENDMSG:
        name, _, _, iovecs, count, *_ = MSGHDR.unpack(task.memory.copy_in(task.args[1], MSGHDR.size))
        return None if name or count > UIO_MAXIOV else read_iovec(task.memory, iovecs, count).size
    moved = _moved_by(task)
    return None if moved is None else moved[0].size


def _plain(task: Tracee) -> tuple[UserBuffer, int] | None:
    return UserBuffer(task.memory, task.args[1], task.args[2]), 0


def _vector(task: Tracee) -> tuple[UserBuffer, int] | None:
    return read_iovec(task.memory, task.args[1], task.args[2] & 0xFFFFFFFF), 0


def _with_flags(task: Tracee) -> tuple[UserBuffer, int] | None:
    return None if task.args[4] else (UserBuffer(task.memory, task.args[1], task.args[2]), task.args[3] & 0xFFFFFFFF)


def _message(task: Tracee) -> tuple[UserBuffer, int] | None:
    name, _, _, iovecs, count, _, ancillary = MSGHDR.unpack(task.memory.copy_in(task.args[1], MSGHDR.size))
    if name or ancillary or count > UIO_MAXIOV:
        return None
    return read_iovec(task.memory, iovecs, count), task.args[2] & 0xFFFFFFFF


_SENDMSG = number_of(ARCH, "sendmsg")
_CALLS: dict[int | None, Callable[[Tracee], tuple[UserBuffer, int] | None]] = {
    number_of(ARCH, "write"): _plain,
    number_of(ARCH, "writev"): _vector,
    number_of(ARCH, "sendto"): _with_flags,
    number_of(ARCH, "recvfrom"): _with_flags,
    _SENDMSG: _message,
}
