"""eventfd(2): a counter that tasks add to, drain and wait for."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, ClassVar

from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import EINVAL
from tickless.abi.eventfd import EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE
from tickless.abi.types import U32, EfdFlags, Fd
from tickless.kernel.errors import Errno
from tickless.kernel.file import File
from tickless.kernel.outcome import Result
from tickless.kernel.registry import syscall

if TYPE_CHECKING:
    from tickless.kernel.memory import UserBuffer
    from tickless.kernel.task import Task

COUNT = Struct("Q")
COUNT_MAX = 2**64 - 2
EFD_FLAGS = EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC


class EventFd(File):
    """A counter of 0 to 2**64 - 2: readable above 0, writable while 1 more fits.

    A read takes the whole count, or 1 from a semaphore. eventfd(2).
    """

    name: ClassVar[str] = "eventfd"
    writes_pieces: ClassVar[bool] = True

    def __init__(self, count: int, *, semaphore: bool, nonblock: bool) -> None:
        super().__init__(nonblock=nonblock)
        self.count = count  # 0 .. COUNT_MAX
        self.semaphore = semaphore

    def read(self, task: Task, dst: UserBuffer) -> Result:
        if dst.size < COUNT.size:
            raise Errno(EINVAL)
        if self.count:
            return self._take(task, dst)
        return self.sleep_until(task, lambda: self._take(task, dst) if self.count else None, EPOLLIN)

    def write(self, task: Task, src: UserBuffer) -> Result:
        # The manual page only rules out shorter writes; Linux refuses longer ones too.
        if src.size != COUNT.size:
            raise Errno(EINVAL)
        (added,) = COUNT.unpack(src.copy_in(COUNT.size))
        if added <= COUNT_MAX - self.count:
            return self._add(added)
        if added > COUNT_MAX:
            raise Errno(EINVAL)
        return self.sleep_until(task, lambda: self._add(added) if added <= COUNT_MAX - self.count else None, EPOLLOUT)

    def poll(self, task: Task) -> int:
        readable = EPOLLIN if self.count > 0 else 0
        writable = EPOLLOUT if self.count < COUNT_MAX else 0
        return readable | writable

    def describe(self, task: Task) -> str:
        return f"eventfd-count: {self.count:16x}\neventfd-semaphore: {int(self.semaphore)}\n"

    def _take(self, task: Task, dst: UserBuffer) -> int:
        taken = 1 if self.semaphore else self.count
        self.count -= taken
        if len(self.queue.waiters) > (1 if task.sleeping_on else 0):  # somebody besides the task waits
            self.queue.wake_all(EPOLLOUT)
        # The copy comes last: a read that faults has still taken the count, as on Linux.
        return dst.copy_out(COUNT.pack(taken))

    def _add(self, added: int) -> int:
        self.count += added
        # Even for a write of 0: edge-triggered epoll reports every write.
        if self.queue.waiters:
            self.queue.wake_all(EPOLLIN)
        return COUNT.size


@syscall
def eventfd2(task: Task, initval: U32, flags: EfdFlags) -> Fd:
    """Make an eventfd that starts at `initval`. EINVAL for unknown flags."""
    if flags & ~EFD_FLAGS:
        raise Errno(EINVAL)
    file = EventFd(initval, semaphore=bool(flags & EFD_SEMAPHORE), nonblock=bool(flags & EFD_NONBLOCK))
    return task.fds.install(file, cloexec=bool(flags & EFD_CLOEXEC))


@syscall
def eventfd(task: Task, initval: U32) -> Fd:
    """`eventfd2` without flags."""
    return eventfd2(task, initval, 0)
