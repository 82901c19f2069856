"""A timerfd, for tests that make its calls one by one."""

from tests.kernel.fake_host import call
from tickless.abi.time import (
    CLOCK_MONOTONIC,
    ITIMERSPEC,
    pack_itimerspec,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.timerfd import (
    EXPIRATIONS,
    TFD_NONBLOCK,
)
from tickless.kernel.machine import Machine, OwnTask
from tickless.kernel.timerfd import TimerFd


def make(task: OwnTask, clock_id: int = CLOCK_MONOTONIC) -> int:
    fd = call(task, "timerfd_create", clock_id, TFD_NONBLOCK)
    assert isinstance(fd, int)
    return fd


def settime(task: OwnTask, fd: int, value_ns: int, interval_ns: int = 0, flags: int = 0) -> object:
    return call(task, "timerfd_settime", fd, flags, pack_itimerspec(interval_ns, value_ns), 0)


def gettime(task: OwnTask, fd: int) -> tuple[int, int]:
    """(interval, value) in ns."""
    current = bytearray(ITIMERSPEC.size)
    assert call(task, "timerfd_gettime", fd, current) == 0
    every_s, every_ns, in_s, in_ns = ITIMERSPEC.unpack(current)
    return every_s * SECOND + every_ns, in_s * SECOND + in_ns


def read(task: OwnTask, fd: int) -> object:
    """The expirations, or what the call returns if it gives none."""
    count = bytearray(EXPIRATIONS.size)
    answer = call(task, "read", fd, count, EXPIRATIONS.size)
    return EXPIRATIONS.unpack(count)[0] if answer == EXPIRATIONS.size else answer


def advance(kernel: Machine, span_ns: int) -> None:
    kernel.handle_timer_irq(kernel.clock.now_ns + span_ns)


def timer(task: OwnTask, fd: int) -> TimerFd:
    file = task.fds.get(fd)
    assert isinstance(file, TimerFd)
    return file
