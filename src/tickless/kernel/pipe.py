"""pipe(7): bytes, or packets, on their way from a write end to a read end."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tickless.abi.epoll import EPOLLERR, EPOLLHUP
from tickless.abi.errno import EAGAIN, EBADF, EFAULT, EINVAL, ENOPKG, ENOTTY
from tickless.abi.fcntl import (
    O_CLOEXEC,
    O_DIRECT,
    O_EXCL,
    O_NONBLOCK,
    O_RDONLY,
    O_WRONLY,
    PIPE_FLAGS,
)
from tickless.abi.ioctl import FIONREAD
from tickless.abi.siginfo import POLL_IN, POLL_OUT
from tickless.abi.stat import S_IFIFO
from tickless.abi.types import FdPairOut, PipeFlags
from tickless.kernel.errors import Errno
from tickless.kernel.file import File
from tickless.kernel.memory import PAGE_SIZE
from tickless.kernel.outcome import Blocked, Result
from tickless.kernel.pipe_memory import copy_in
from tickless.kernel.pipe_pages import READABLE, WRITABLE, Pipe, Slot, break_pipe
from tickless.kernel.registry import syscall, unserved
from tickless.kernel.sigio import tell
from tickless.kernel.wait_queue import sleep_until

if TYPE_CHECKING:
    from tickless.kernel.memory import UserBuffer
    from tickless.kernel.task import Task

NOTIFICATION_PIPE = unserved("TL110", "pipe2(O_NOTIFICATION_PIPE)", ENOPKG)


class PipeEnd(File):
    """What the ends of a pipe have in common."""

    name: ClassVar[str] = "pipe"
    device: ClassVar[int] = 0xF

    def __init__(self, pipe: Pipe, *, nonblock: bool) -> None:
        super().__init__(nonblock=nonblock)
        self.pipe = pipe
        self.inode = pipe.inode
        self.async_ends = pipe.async_writers if self.is_write_end else pipe.async_readers

    @property
    def mode(self) -> int:  # type: ignore[override]
        return S_IFIFO | self.pipe.permissions

    def ioctl(self, task: Task, request: int, argument: int) -> Result:
        if request != FIONREAD:
            raise Errno(ENOTTY)
        task.memory.copy_out(argument, self.pipe.unread().to_bytes(4, "little"))
        return 0

    def set_async(self, fd: int | None) -> bool:
        if fd is None and self.async_fd is not None:
            self.async_ends.remove(self)
            self.async_fd = None
        elif fd is not None and self.async_fd is None:
            self.async_ends.insert(0, self)
            self.async_fd = fd
        return True

    def released(self) -> None:
        super().released()
        self.set_async(None)
        pipe = self.pipe
        # One side alone is left: nothing will come, or nobody will read.
        if bool(pipe.readers) != bool(pipe.writers):
            pipe.read_queue.wake_everybody()
            pipe.write_queue.wake_everybody()
            tell(pipe.async_readers, POLL_IN)
            tell(pipe.async_writers, POLL_OUT)


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
        if not self.nonblock:
            return self._sleep_and_take(task, dst)
        tell(self.pipe.async_writers, POLL_OUT)
        return -EAGAIN

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
            data = memoryview(copy_in(self.src, wanted, self.written))
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
        if self.pipe.async_readers:
            tell(self.pipe.async_readers, POLL_IN)

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
            done = yield from sleep_until(
                self.task, (pipe.write_queue,), self._attempt, events=WRITABLE, exclusive=True, looked=True
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
        tell(self.pipe.async_readers, POLL_IN)


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
