"""An open file description: what dup, fork and SCM_RIGHTS share. open(2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from tickless.abi.errno import EAGAIN, EINVAL, ENOTTY
from tickless.abi.fcntl import O_RDWR
from tickless.abi.stat import S_IRUSR, S_IWUSR
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import Result
from tickless.kernel.wait_queue import Sleeper, WaitQueue, sleep_until

if TYPE_CHECKING:
    from tickless.kernel.epoll_interest import Interest
    from tickless.kernel.memory import UserBuffer
    from tickless.kernel.sigio import Owner
    from tickless.kernel.task import Task


class File:
    """An open file description that the kernel serves itself."""

    # What /proc/PID/fd shows, and the trace.
    name: ClassVar[str] = "file"
    # Whether the host kernel holds it; then only its readiness is known here.
    host: ClassVar[bool] = False
    # Whether it is only written to, as the write end of a pipe.
    is_write_end: ClassVar[bool] = False
    # O_RDONLY, O_WRONLY or O_RDWR.
    access_mode: ClassVar[int] = O_RDWR
    # Whether writev makes a write of each piece.
    writes_pieces: ClassVar[bool] = False
    # What stat shows. All files without a name in the file system share one inode, but for pipes.
    mode: int = S_IRUSR | S_IWUSR
    device: ClassVar[int] = 0x10
    inode: int = 1038

    def __init__(self, *, nonblock: bool) -> None:
        self.nonblock = nonblock
        self.quiet = False  # while a write with RWF_NOSIGNAL begins: it sends no SIGPIPE
        self.other_flags = 0  # O_APPEND, O_NOATIME, O_DIRECT: those that F_SETFL changes besides O_NONBLOCK
        self.queue = WaitQueue()
        self.interests: set[Interest] = set()  # of the epolls that watch it
        self.owner: Owner | None = None  # who is told by a signal
        self.async_fd: int | None = None  # the number that O_ASYNC was asked for with; None: nobody is told
        self.references = 0  # fds that name it, where the kernel keeps the fd table

    def read(self, task: Task, dst: UserBuffer) -> Result:
        raise Errno(EINVAL)

    def write(self, task: Task, src: UserBuffer) -> Result:
        raise Errno(EINVAL)

    def poll(self, task: Task) -> int:
        """The events that are true now, for a caller `task`."""
        raise NotImplementedError

    def queue_for(self, task: Task) -> WaitQueue:
        """Where `task` waits for a change."""
        return self.queue

    def ioctl(self, task: Task, request: int, argument: int) -> Result:
        """What FIONBIO and its like leave over. Raises: Errno(ENOTTY)."""
        raise Errno(ENOTTY)

    def set_async(self, fd: int | None) -> bool:
        """Tell the owner from now on, or nobody if None; whether files of this kind do so at all. O_ASYNC"""
        return False

    def describe(self, task: Task) -> str:
        """The lines that /proc/PID/fdinfo adds for this file, as `task` sees them."""
        return ""

    def let_go(self) -> None:
        """No fd names the file any more. A call that sleeps on it goes on with it, and it is released after that."""
        queues = self.sleeping_queues()
        in_use = any(isinstance(waiter, Sleeper) for queue in queues for waiter in queue.waiters)
        for queue in queues:
            queue.on_idle = self.let_go if in_use else None
        if not in_use:
            self.released()

    def sleeping_queues(self) -> tuple[WaitQueue, ...]:
        """Where calls on this file sleep."""
        return (self.queue,)

    def released(self) -> None:
        """The last reference anywhere is gone: leave every epoll's interest list."""
        for interest in tuple(self.interests):
            interest.epoll.forget(interest)

    def attempt_or_sleep(self, task: Task, attempt: Callable[[], int | None], events: int) -> Result:
        """What `attempt` gives now, or a sleep until it gives something. EAGAIN if O_NONBLOCK.

        `events` are the poll events that may make another attempt succeed.
        """
        result = attempt()
        return result if result is not None else self.sleep_until(task, attempt, events)

    def sleep_until(self, task: Task, attempt: Callable[[], int | None], events: int) -> Result:
        """The same where `attempt` is known to give nothing now."""
        if self.nonblock:
            return -EAGAIN
        # Without a deadline the sleep does not end without a result.
        return sleep_until(task, (self.queue_for(task),), attempt, events=events, looked=True)  # type: ignore[return-value]
