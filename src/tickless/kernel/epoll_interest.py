"""epoll_ctl(2): what an epoll watches one file for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLET, EPOLLEXCLUSIVE, EPOLLIN, EPOLLONESHOT, EPOLLOUT, EPOLLWAKEUP
from tickless.kernel.wait_queue import ANY_EVENT, WaitQueue

if TYPE_CHECKING:
    from tickless.kernel.epoll import Epoll
    from tickless.kernel.file import File

# How an interest is watched, not what for: left when EPOLLONESHOT has disarmed it.
PRIVATE_BITS = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE


class Interest:
    """What an epoll watches one file for, under one number; it stands in the file's wait queue."""

    __slots__ = ("data", "epoll", "events", "exclusive", "fd", "file", "in_front", "queue")

    def __init__(self, epoll: Epoll, file: File, fd: int, events: int, data: int, queue: WaitQueue) -> None:
        self.epoll = epoll
        self.file = file
        self.fd = fd
        self.events = events
        self.data = data
        self.queue = queue
        self.exclusive = bool(events & EPOLLEXCLUSIVE)
        self.in_front = not self.exclusive

    def wake(self, events: int) -> bool:
        """The file has changed: it goes to the ready list, and whoever waits for the epoll looks.

        An exclusive interest has used up the file's wake only if somebody waits for its epoll.
        """
        if not events & self.events or not self.events & ~PRIVATE_BITS:
            return False
        epoll = self.epoll
        epoll.ready[self] = None
        waited_for = bool(epoll.wait_queue.waiters)
        if waited_for:
            epoll.wait_queue.wake_one(EPOLLIN)
        if epoll.queue.waiters:
            epoll.queue.wake_all(EPOLLIN)
        return not self.exclusive or (waited_for and self._answers(events))

    def _answers(self, events: int) -> bool:
        """A wake for one direction is answered by who watches that direction. fs/eventpoll.c, ep_poll_callback."""
        direction = events & (EPOLLIN | EPOLLOUT)
        return (
            events == ANY_EVENT or not direction or (direction in (EPOLLIN, EPOLLOUT) and self.events & direction > 0)
        )
