"""The supervisor's own epoll: what it waits for while no task runs."""

from __future__ import annotations

import select
from collections.abc import Callable

Callback = Callable[[int], object]
"""Gets the events that came."""


class Master:
    """Calls the callback of each fd that has events. An epoll that is itself registered here is read by its owner.

    Several are called in the order in which they were registered: the host's is that of interrupts.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, tuple[int, Callback]] = {}  # by fd, with the order of registration
        self._registered = 0  # so far

    def __len__(self) -> int:
        return len(self._callbacks)

    def register(self, fd: int, events: int, callback: Callback) -> None:
        """Watch `fd` for `events` (EPOLLET among them, if wanted). EPOLLERR and EPOLLHUP always come, even for 0."""
        self._epoll.register(fd, events)
        self._registered += 1
        self._callbacks[fd] = (self._registered, callback)

    def unregister(self, fd: int) -> None:
        """Forget `fd`, before it is closed."""
        del self._callbacks[fd]
        self._epoll.unregister(fd)

    def poll(self, timeout_s: float | None = 0) -> int:
        """Wait up to `timeout_s` real seconds (None: for ever) for events, call back; return how many fds had some."""
        events = self._epoll.poll(timeout_s)
        if not events:
            return 0
        if len(events) == 1:
            ((fd, mask),) = events
            self._callbacks[fd][1](mask)
            return 1
        for order, fd, mask in sorted((self._callbacks[fd][0], fd, mask) for fd, mask in events):
            registered = self._callbacks.get(fd)
            # An earlier callback may have unregistered this one, and its number may be another's.
            if registered is not None and registered[0] == order:
                registered[1](mask)
        return len(events)

    def close(self) -> None:
        self._epoll.close()


def is_readable(fd: int) -> bool:
    """Whether a read of `fd` would not wait."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return any(events & select.POLLIN for _, events in poll.poll(0))


def poll_one(fd: int, events: int) -> int:
    """Which of `events`, POLLERR and POLLHUP are true of `fd` now."""
    poll = select.poll()
    poll.register(fd, events)
    return sum(found for _, found in poll.poll(0))
