"""splice(2), tee(2), sendfile(2): bytes between a pipe of the kernel and a file of the host, by a pipe of our own.

The host says what it does with such a file: first it is asked with a pipe that can neither give nor take a byte, then
it moves what can be moved without waiting. The file stays open meanwhile, as Linux keeps it for a sleeping call.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
from _socket import AF_UNIX, SO_ACCEPTCONN, SOCK_STREAM, SOL_SOCKET  # `import socket` takes 20 times as long
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.epoll import EPOLLERR, EPOLLIN, EPOLLOUT
from tickless.abi.errno import EAGAIN, EBADF, EINVAL
from tickless.abi.fcntl import F_SETPIPE_SZ, SPLICE_F_NONBLOCK
from tickless.abi.numbers import number_of
from tickless.abi.socket import MSG_MORE
from tickless.host.fifos import has_writer
from tickless.host.host_files import MEMORY_DEVICES
from tickless.host.master import poll_one
from tickless.host.piecewise import Sender
from tickless.host.sockets import kind_of_socket, socket_of, socket_timeout_ns
from tickless.kernel.errors import Errno
from tickless.kernel.pipe_pages import break_pipe
from tickless.kernel.registry import unserved

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee

SMALLEST = 4096
LARGEST = 1 << 20  # what anybody may make of a pipe

DEVICE = unserved("TL120", "splice between a pipe and a terminal", EINVAL)

_libc = ctypes.PyDLL(None, use_errno=True)
_TEE = ctypes.c_long(number_of(ARCH, "tee") or 0)


class FileEnd:
    """A file of the host that a call moves bytes from or to; `ours` is closed at its end."""

    def __init__(self, task: Tracee, fd: int, ours: int, events: int) -> None:
        self.task = task
        self.fd = fd
        self.ours = ours
        self.events = events  # EPOLLIN or EPOLLOUT: what it waits for
        self.status = os.fstat(ours)
        self.is_fifo = stat.S_ISFIFO(self.status.st_mode)
        self.domain, self.kind = kind_of_socket(ours)
        self.waits = not fcntl.fcntl(ours, fcntl.F_GETFL) & os.O_NONBLOCK

    def sleep(self) -> Generator[None, None, int]:
        """Sleep until the file is ready. Raises: Errno(EAGAIN) when a socket's time-out has passed, Errno(EINTR)."""
        deadline_ns = self.task.kernel.clock.deadline_after(socket_timeout_ns(self.ours, self.events))
        readiness = self.task.supervisor.readiness
        ready = yield from readiness.sleep(self.task, self.fd, self.ours, self.events, deadline_ns)
        if ready is None:
            raise Errno(EAGAIN)
        return ready

    def close(self) -> None:
        os.close(self.ours)

    def _not_now(self) -> None:
        """Raises: Errno(EAGAIN) where the call does not wait."""
        if not self.waits:
            raise Errno(EAGAIN)

    def _refuse_terminals(self) -> None:
        """It would be ours that waits for one, or is stopped by it."""
        if stat.S_ISCHR(self.status.st_mode) and os.major(self.status.st_rdev) != MEMORY_DEVICES:
            self.task.kernel.refuse(self.task, DEVICE)


class FromFile(FileEnd):
    """What is read from. `call`: splice, tee or sendfile."""

    def __init__(self, task: Tracee, fd: int, ours: int, offset: int | None, *, call: str, nonblock: bool) -> None:
        super().__init__(task, fd, ours, EPOLLIN)
        self.offset = offset
        self.move = _MOVES[call]
        # Other sockets do not look at SPLICE_F_NONBLOCK.
        if nonblock and (self.is_fifo or (self.domain, self.kind) == (AF_UNIX, SOCK_STREAM)):
            self.waits = False
        with _as_errno(), _pipe(SMALLEST) as (_, write_end):
            os.write(write_end, b"x")  # now it is full
            with suppress(BlockingIOError):
                self.move(ours, write_end, 1, offset)
        self._refuse_terminals()

    def take(self, size: int) -> bytes | None:
        """Up to `size` bytes, none at the end; None if they have to be waited for. Raises: Errno."""
        if not self._is_ready():
            self._not_now()
            return None
        with _as_errno(), _pipe(size) as (read_end, write_end):
            moved = self.move(self.ours, write_end, size, self.offset)
            return os.read(read_end, moved) if moved else b""

    def _is_ready(self) -> bool:
        if not self.is_fifo and self.kind < 0:
            return True  # a file on disk; and what cannot be spliced at all hears so
        return bool(poll_one(self.ours, EPOLLIN)) or self._ends_at_once()

    def _ends_at_once(self) -> bool:
        """Whether nothing can come: poll(2) does not tell it of a FIFO that never had a writer."""
        if self.is_fifo:
            return not has_writer(self.ours)
        with socket_of(self.ours) as one:
            return bool(one.getsockopt(SOL_SOCKET, SO_ACCEPTCONN))


class ToFile(FileEnd):
    """What is written to."""

    def __init__(self, task: Tracee, fd: int, ours: int, offset: int | None, *, nonblock: bool, more: bool) -> None:
        super().__init__(task, fd, ours, EPOLLOUT)
        self.offset = offset
        self.send_flags = MSG_MORE if more else 0
        self.sender = Sender(task, ours) if self.kind >= 0 else None
        if self.is_fifo:
            self.waits = self.waits and not nonblock
            if fcntl.fcntl(ours, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
                raise Errno(EBADF)
            return
        self._ask()
        self._refuse_terminals()

    def _ask(self) -> None:
        """Raises: Errno, what Linux says of such a file before it looks at the pipe."""
        read_end, write_end = os.pipe()
        os.close(write_end)
        try:
            with _as_errno():
                _splice_to(read_end, self.ours, 1, self.offset)
        finally:
            os.close(read_end)

    def put(self, data: bytes) -> int | None:
        """Write some of `data`: how many bytes; None if room has to be waited for. Raises: Errno."""
        self.task.supervisor.written(self.task, self.fd, self.ours)
        try:
            with _as_errno():
                return self._put(data)
        except Errno as error:
            if error.number != EAGAIN:
                raise
        self._not_now()
        return None

    def _put(self, data: bytes) -> int:
        if self.sender is not None:
            try:
                return self.sender.send(data, self.send_flags)
            except BrokenPipeError:
                break_pipe(self.task, quiet=self.kind != SOCK_STREAM)
        if self.is_fifo and poll_one(self.ours, EPOLLOUT) & EPOLLERR:
            break_pipe(self.task)
        with _pipe(len(data)) as (read_end, write_end):
            moved = _splice_to(read_end, self.ours, os.write(write_end, data), self.offset)
        if self.offset is not None:
            self.offset += moved
        return moved


@contextmanager
def _pipe(size: int) -> Iterator[tuple[int, int]]:
    """A pipe of about that size, which does not block."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        with suppress(PermissionError):  # it stays as small as its user's pipes are
            fcntl.fcntl(write_end, F_SETPIPE_SZ, min(size, LARGEST))
        yield read_end, write_end
    finally:
        os.close(read_end)
        os.close(write_end)


@contextmanager
def _as_errno() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Errno(error.errno or EINVAL) from None


def _splice_to(read_end: int, ours: int, size: int, offset: int | None) -> int:
    where = {} if offset is None else {"offset_dst": offset}
    return os.splice(read_end, ours, size, flags=SPLICE_F_NONBLOCK, **where)


def _splice(ours: int, write_end: int, size: int, offset: int | None) -> int:
    where = {} if offset is None else {"offset_src": offset}
    return os.splice(ours, write_end, size, flags=SPLICE_F_NONBLOCK, **where)


def _tee(ours: int, write_end: int, size: int, offset: int | None) -> int:
    copied: int = _libc.syscall(_TEE, ours, write_end, ctypes.c_size_t(size), SPLICE_F_NONBLOCK)
    if copied < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return copied


def _sendfile(ours: int, write_end: int, size: int, offset: int | None) -> int:
    return os.sendfile(write_end, ours, offset, size)


_MOVES: dict[str, Callable[[int, int, int, int | None], int]] = {"splice": _splice, "tee": _tee, "sendfile": _sendfile}
