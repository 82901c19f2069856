"""pipe(7): bytes, or packets, on their way from a write end to a read end."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar, NoReturn

from tickless.abi.capability import CAP_SYS_RESOURCE
from tickless.abi.epoll import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDNORM, EPOLLWRNORM
from tickless.abi.errno import EAGAIN, EBADF, EBUSY, EFAULT, EINVAL, ENOPKG, ENOTTY, EPERM, EPIPE
from tickless.abi.fcntl import (
    O_CLOEXEC,
    O_DIRECT,
    O_EXCL,
    O_NONBLOCK,
    O_RDONLY,
    O_WRONLY,
    PIPE_DEF_BUFFERS,
    PIPE_FLAGS,
    PIPE_MAX_SIZE,
)
from tickless.abi.ioctl import FIONREAD
from tickless.abi.siginfo import SI_USER
from tickless.abi.signal import SIGPIPE
from tickless.abi.stat import S_IFIFO, S_IRUSR, S_IWUSR
from tickless.abi.types import FdPairOut, PipeFlags
from tickless.kernel.capability import has_capability
from tickless.kernel.errors import Errno
from tickless.kernel.file import File
from tickless.kernel.outcome import Blocked, Result
from tickless.kernel.pipe_memory import copy_in, copy_out
from tickless.kernel.registry import syscall, unserved
from tickless.kernel.signal_calls import info_from
from tickless.kernel.signals import send_signal
from tickless.kernel.wait_queue import WaitQueue

if TYPE_CHECKING:
    from tickless.kernel.memory import UserBuffer
    from tickless.kernel.task import Task

PAGE_SIZE = 4096
READABLE = EPOLLIN | EPOLLRDNORM
WRITABLE = EPOLLOUT | EPOLLWRNORM
MAX_REQUEST = 1 << 31  # F_SETPIPE_SZ beyond this is no size

NOTIFICATION_PIPE = unserved("TL110", "pipe2(O_NOTIFICATION_PIPE)", ENOPKG)


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
        told = pieces[: copy_out(dst, pieces)]
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


class PipeEnd(File):
    """What the ends of a pipe have in common."""

    name: ClassVar[str] = "pipe"
    device: ClassVar[int] = 0xF

    def __init__(self, pipe: Pipe, *, nonblock: bool) -> None:
        super().__init__(nonblock=nonblock)
        self.pipe = pipe
        self.inode = pipe.inode

    @property
    def mode(self) -> int:  # type: ignore[override]
        return S_IFIFO | self.pipe.permissions

    def ioctl(self, task: Task, request: int, argument: int) -> Result:
        if request != FIONREAD:
            raise Errno(ENOTTY)
        task.memory.copy_out(argument, self.pipe.unread().to_bytes(4, "little"))
        return 0

    def released(self) -> None:
        super().released()
        pipe = self.pipe
        # One side alone is left: nothing will come, or nobody will read.
        if bool(pipe.readers) != bool(pipe.writers):
            pipe.read_queue.wake_everybody()
            pipe.write_queue.wake_everybody()


class PipeReader(PipeEnd):
    """The read end: readable while something is in the pipe, hung up when no write end is left."""

    access_mode: ClassVar[int] = O_RDONLY

    def __init__(self, pipe: Pipe, *, nonblock: bool) -> None:
        super().__init__(pipe, nonblock=nonblock)
        self.queue = pipe.read_queue
        pipe.readers += 1

    def read(self, task: Task, dst: UserBuffer) -> Result:
        if not dst.size:
            return 0
        count = self.pipe.take(dst)
        if count is not None:
            return count
        return -EAGAIN if self.nonblock else self._sleep_and_take(task, dst)

    def write(self, task: Task, src: UserBuffer) -> Result:
        raise Errno(EBADF)

    def poll(self, task: Task) -> int:
        self.pipe.was_polled = True
        readable = READABLE if self.pipe.slots else 0
        return readable if self.pipe.writers else readable | EPOLLHUP

    def released(self) -> None:
        self.pipe.readers -= 1
        super().released()

    def _sleep_and_take(self, task: Task, dst: UserBuffer) -> Blocked:
        pipe = self.pipe
        try:
            count = yield from self.queue.sleep_signalable_until(
                task, lambda: pipe.take(dst), events=READABLE, exclusive=True
            )
        finally:
            # Readers are woken one at a time: what is left is the next one's.
            if pipe.slots:
                self.queue.wake_all(READABLE)
        assert count is not None, "a read without a deadline"
        return count


class PipeWriter(PipeEnd):
    """The write end: writable while a page is free, in error when no read end is left."""

    is_write_end: ClassVar[bool] = True
    access_mode: ClassVar[int] = O_WRONLY

    def __init__(self, pipe: Pipe, *, nonblock: bool, packets: bool) -> None:
        super().__init__(pipe, nonblock=nonblock)
        self.other_flags = O_DIRECT if packets else 0
        self.queue = pipe.write_queue
        pipe.writers += 1

    def read(self, task: Task, dst: UserBuffer) -> Result:
        raise Errno(EBADF)

    def write(self, task: Task, src: UserBuffer) -> Result:
        if not src.size:
            return 0
        return PipeWrite(task, self, src).begin()

    def poll(self, task: Task) -> int:
        self.pipe.was_polled = True
        writable = 0 if self.pipe.is_full else WRITABLE
        return writable if self.pipe.readers else writable | EPOLLERR

    def released(self) -> None:
        self.pipe.writers -= 1
        super().released()


class PipeWrite:
    """One write, and how far it has got."""

    __slots__ = ("end", "pipe", "quiet", "src", "task", "was_empty", "written")

    def __init__(self, task: Task, end: PipeWriter, src: UserBuffer) -> None:
        self.task = task
        self.end = end
        self.pipe = end.pipe
        self.quiet = end.quiet
        self.src = src
        self.written = 0  # .. src.size
        self.was_empty = not end.pipe.slots  # when it began, or went on

    def begin(self) -> Result:
        """What can be written now, or a sleep until all is."""
        try:
            if self.pipe.readers:
                self._merge()
            done = self.go_on()
        except Errno as error:
            return self.end_with(error)
        if done is not None:
            return done
        if self.end.nonblock:
            return self.end_with(Errno(EAGAIN))
        return self._sleep_and_go_on()

    def go_on(self) -> int | None:
        """Fill the pages that are free; the whole count when all is written. Raises: Errno(EPIPE), Errno(EFAULT)."""
        pipe = self.pipe
        if not pipe.readers:
            break_pipe(self.task, quiet=self.quiet)
        wanted = min(self.src.size - self.written, (pipe.capacity - len(pipe.slots)) * PAGE_SIZE)
        if wanted > 0:
            is_packet = bool(self.end.other_flags & O_DIRECT)
            data = memoryview(copy_in(self.src, wanted, self.written, PAGE_SIZE))
            for start in range(0, len(data), PAGE_SIZE):
                pipe.slots.append(Slot(data[start : start + PAGE_SIZE], is_packet=is_packet))
            self.written += len(data)
            if len(data) < wanted:
                raise Errno(EFAULT)
        if self.written < self.src.size:
            return None
        self._end()
        return self.written

    def end_with(self, error: Errno) -> int:
        """What the call gives when it cannot go on: the bytes written, if there are any."""
        self._end()
        return self.written or -error.number

    def _end(self) -> None:
        # Once the pipe was polled, a write that has written nothing is an edge as well. pipe_write in fs/pipe.c
        if self.was_empty or self.pipe.was_polled:
            self.pipe.read_queue.wake_all(READABLE)

    def _merge(self) -> None:
        """Put what does not fill a page into the last slot, if it fits there whole."""
        chars = self.src.size % PAGE_SIZE
        if not chars or self.was_empty:
            return
        last = self.pipe.slots[-1]
        if not last.is_packet and last.filled + chars <= PAGE_SIZE:
            last.data = b"".join((last.data, self.src.copy_in(chars)))
            last.filled += chars
            self.written = chars

    def _sleep_and_go_on(self) -> Blocked:
        pipe = self.pipe
        self._wake_readers_before_sleep()
        done = None
        try:
            done = yield from pipe.write_queue.sleep_signalable_until(
                self.task, self._attempt, events=WRITABLE, exclusive=True
            )
        except Errno:
            if not self.written:
                raise
            return self.written
        finally:
            if done is None:  # interrupted, killed, or in error
                self._end()
            # Writers are woken one at a time: the space that is left is the next one's.
            if not pipe.is_full:
                pipe.write_queue.wake_all(WRITABLE)
        assert done is not None, "a write without a deadline"
        return done

    def _attempt(self) -> int | None:
        self.was_empty = not self.pipe.slots
        done = self.go_on()
        if done is None:
            self._wake_readers_before_sleep()
        return done

    def _wake_readers_before_sleep(self) -> None:
        if self.was_empty:
            self.pipe.read_queue.wake_all(READABLE)


def break_pipe(task: Task, *, quiet: bool = False) -> NoReturn:
    """Nobody reads: SIGPIPE unless `quiet`. Raises: Errno(EPIPE)."""
    if not quiet:
        send_signal(task.group, info_from(task, SIGPIPE, SI_USER), task)
    raise Errno(EPIPE)


@syscall
def pipe2(task: Task, fildes: FdPairOut, flags: PipeFlags) -> Result:
    """Make a pipe and tell the numbers of its read end and its write end. EINVAL for unknown flags."""
    if flags & O_EXCL and not flags & ~(PIPE_FLAGS | O_EXCL):
        task.kernel.refuse(task, NOTIFICATION_PIPE)
    if flags & ~PIPE_FLAGS:
        raise Errno(EINVAL)
    # Linux opens nothing if there are not two numbers, or if they cannot be told.
    task.fds.check_room(task, 2)
    task.memory.copy_out(fildes, task.memory.copy_in(fildes, 8))
    pipe = Pipe(task.kernel.new_inode())
    nonblock, cloexec = bool(flags & O_NONBLOCK), bool(flags & O_CLOEXEC)
    read_fd = task.fds.install(PipeReader(pipe, nonblock=nonblock), cloexec=cloexec)
    writer = PipeWriter(pipe, nonblock=nonblock, packets=bool(flags & O_DIRECT))
    write_fd = task.fds.install(writer, cloexec=cloexec)
    task.memory.copy_out(fildes, read_fd.to_bytes(4, "little") + write_fd.to_bytes(4, "little"))
    return 0


@syscall
def pipe(task: Task, fildes: FdPairOut) -> Result:
    """`pipe2` without flags."""
    return pipe2(task, fildes, 0)
