"""timespec(3), timeval(3type): times that a program gives, and what Linux makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.errno import EINVAL
from tickless.abi.time import NSEC_PER_MSEC, NSEC_PER_SEC, NSEC_PER_USEC, TIMESPEC
from tickless.kernel.errors import Errno

if TYPE_CHECKING:
    from tickless.kernel.task import Task

USEC_PER_SEC = NSEC_PER_SEC // NSEC_PER_USEC


def read_timespec(task: Task, address: int) -> int:
    """The timespec at `address` in ns, 0 or more. Raises: Errno(EFAULT), Errno(EINVAL)."""
    seconds, nanoseconds = TIMESPEC.unpack(task.memory.copy_in(address, TIMESPEC.size))
    return timespec_ns(seconds, nanoseconds)


def timespec_ns(seconds: int, nanoseconds: int) -> int:
    """A span or instant in ns, 0 or more. Raises: Errno(EINVAL)."""
    if seconds < 0 or not 0 <= nanoseconds < NSEC_PER_SEC:
        raise Errno(EINVAL)
    return seconds * NSEC_PER_SEC + nanoseconds


def timeval_ns(seconds: int, microseconds: int) -> int:
    """A span or instant in ns, 0 or more. Raises: Errno(EINVAL)."""
    if seconds < 0 or not 0 <= microseconds < USEC_PER_SEC:
        raise Errno(EINVAL)
    return seconds * NSEC_PER_SEC + microseconds * NSEC_PER_USEC


def deadline_after_ms(task: Task, timeout_ms: int) -> int | None:
    """When a time-out of poll(2) or epoll_wait(2) ends, in ns of CLOCK_MONOTONIC; None for a negative one: never."""
    return None if timeout_ms < 0 else task.kernel.clock.now_ns + timeout_ms * NSEC_PER_MSEC
