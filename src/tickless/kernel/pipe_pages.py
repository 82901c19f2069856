"""pipe(7): the pages that are between the ends of a pipe."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NoReturn

from tickless.abi.capability import CAP_SYS_RESOURCE
from tickless.abi.epoll import EPOLLIN, EPOLLOUT, EPOLLRDNORM, EPOLLWRNORM
from tickless.abi.errno import EBUSY, EINVAL, EPERM, EPIPE
from tickless.abi.fcntl import PIPE_DEF_BUFFERS, PIPE_MAX_SIZE
from tickless.abi.siginfo import POLL_IN, POLL_OUT, SI_USER
from tickless.abi.signal import SIGPIPE
from tickless.abi.stat import S_IRUSR, S_IWUSR
from tickless.kernel.capability import has_capability
from tickless.kernel.errors import Errno
from tickless.kernel.memory import PAGE_SIZE
from tickless.kernel.pipe_memory import copy_out
from tickless.kernel.sigio import tell
from tickless.kernel.signal_calls import info_from
from tickless.kernel.signals import send_signal
from tickless.kernel.wait_queue import WaitQueue

if TYPE_CHECKING:
    from tickless.kernel.file import File
    from tickless.kernel.memory import UserBuffer
    from tickless.kernel.task import Task

READABLE = EPOLLIN | EPOLLRDNORM
WRITABLE = EPOLLOUT | EPOLLWRNORM
MAX_REQUEST = 1 << 31  # F_SETPIPE_SZ beyond this is no size


class Slot:
    """A page of a pipe."""

    __slots__ = ("data", "filled", "is_packet")

    def __init__(self, data: bytes | memoryview, *, is_packet: bool) -> None:
        self.data = data  # what is unread, 1 .. PAGE_SIZE bytes
        self.filled = len(data)  # of the page, read or not: more is merged in after it, unless it is all of it
        self.is_packet = is_packet  # one read takes it whole and drops what does not fit


class Pipe:
    """What the two ends share: up to `capacity` pages.

    A page is a slot however little it holds, and a write puts its bytes into the last slot only if all that does not
    fill whole pages fits there; so up to PIPE_BUF bytes are never split. pipe(7), fs/pipe.c.
    """

    def __init__(self, inode: int) -> None:
        self.inode = inode
        self.permissions = S_IRUSR | S_IWUSR
        self.slots: deque[Slot] = deque()
        self.capacity = PIPE_DEF_BUFFERS  # pages, a power of 2
        self.readers = 0  # open file descriptions
        self.writers = 0
        self.read_queue = WaitQueue()
        self.write_queue = WaitQueue()
        # Ends with O_ASYNC, the last that asked first. They are told of every read and write, also of one that fails.
        self.async_readers: list[File] = []
        self.async_writers: list[File] = []
        self.was_polled = False  # from then on every write is an edge, not just the first into an empty pipe

    @property
    def is_full(self) -> bool:
        return len(self.slots) >= self.capacity

    def unread(self) -> int:
        """FIONREAD."""
        return sum(len(slot.data) for slot in self.slots)

    def take(self, dst: UserBuffer) -> int | None:
        """Read what there is, a packet at most: 0 at the end of file; None if that is not known yet.

        Raises: Errno(EFAULT), with nothing taken.
        """
        if not self.slots:
            return None if self.writers else 0
        pieces: list[bytes | memoryview] = []
        room = dst.size
        for slot in self.slots:
            pieces.append(slot.data if len(slot.data) <= room else slot.data[:room])
            room -= len(pieces[-1])
            if not room or slot.is_packet:
                break
        try:
            told = pieces[: copy_out(dst, pieces)]
        except Errno:
            tell(self.async_writers, POLL_OUT)
            raise
        self._drop(told)
        return sum(len(piece) for piece in told)

    def _drop(self, pieces: list[bytes | memoryview]) -> None:
        """Take what was read out of the first slots; writers are woken when the pipe is no longer full."""
        slots = self.slots
        was_full = self.is_full
        for piece in pieces:
            slot = slots[0]
            if slot.is_packet or len(piece) == len(slot.data):
                slots.popleft()
            else:
                slot.data = slot.data[len(piece) :]
        if was_full and not self.is_full:
            self.write_queue.wake_all(WRITABLE)
        if self.async_writers:
            tell(self.async_writers, POLL_OUT)

    def wake_readers(self) -> None:
        """Bytes have come by another road than a write."""
        self.read_queue.wake_all()
        tell(self.async_readers, POLL_IN)

    def wake_writers(self) -> None:
        """Pages have become free by another road than a read."""
        self.write_queue.wake_all()
        tell(self.async_writers, POLL_OUT)

    def resize(self, task: Task, size: int) -> int:
        """F_SETPIPE_SZ: the size in bytes that it gets, a power of 2 of pages.

        Raises: Errno(EINVAL), Errno(EPERM), Errno(EBUSY) if more is in it.
        """
        if size > MAX_REQUEST:
            raise Errno(EINVAL)
        pages = 1 << max((size - 1) // PAGE_SIZE, 0).bit_length()
        if pages > self.capacity and pages * PAGE_SIZE > PIPE_MAX_SIZE and not has_capability(task, CAP_SYS_RESOURCE):
            raise Errno(EPERM)
        if pages < len(self.slots):
            raise Errno(EBUSY)
        self.capacity = pages
        self.write_queue.wake_all(WRITABLE)
        return pages * PAGE_SIZE


def break_pipe(task: Task, *, quiet: bool = False) -> NoReturn:
    """Nobody reads: SIGPIPE unless `quiet`. Raises: Errno(EPIPE)."""
    if not quiet:
        send_signal(task.group, info_from(task, SIGPIPE, SI_USER), task)
    raise Errno(EPIPE)
