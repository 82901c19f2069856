"""nanosleep(2), clock_nanosleep(2), sched_yield(2): calls that do nothing but wait; restart_syscall(2)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, cast

from tickless.abi.capability import CAP_WAKE_ALARM
from tickless.abi.errno import EINTR, EINVAL, EOPNOTSUPP, ERESTART_RESTARTBLOCK, ERESTARTNOHAND
from tickless.abi.time import (
    CLOCK_MONOTONIC,
    CLOCK_THREAD_CPUTIME_ID,
    TIMER_ABSTIME,
    pack_timespec,
)
from tickless.abi.types import ClockId, TimerFlags, TimespecOut, TimespecPtr
from tickless.kernel.capability import demand_capability
from tickless.kernel.clock import ALARM_CLOCKS, READ_ONLY_CLOCKS, clock_of_span, is_cpu_clock, is_device_clock
from tickless.kernel.cpu_timers import cpu_clock_of, sleep_for_cpu_time
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import Blocked, Result
from tickless.kernel.registry import syscall
from tickless.kernel.timespec import read_timespec
from tickless.kernel.wait_queue import give_way, sleep_until

if TYPE_CHECKING:
    from tickless.kernel.task import Task


def _never() -> None:
    """What a plain sleep waits for besides its deadline."""


def _sleep_until_instant(task: Task, deadline_ns: int, clock_id: int) -> Generator[None, None, int]:
    """A sleep that a handler ends for good, and nothing else. Raises: Errno(ERESTARTNOHAND)."""
    yield from sleep_until(task, (), _never, deadline_ns, clock_id=clock_id, interrupted_as=ERESTARTNOHAND)
    return 0


def _sleep_for_span(task: Task, deadline_ns: int, clock_id: int, remaining: int) -> Generator[None, None, int]:
    """A sleep that tells what was left of it, and that restart_syscall goes on with; its deadline stays.

    Raises: Errno(ERESTART_RESTARTBLOCK), Errno(EFAULT).
    """
    try:
        yield from sleep_until(task, (), _never, deadline_ns, clock_id=clock_id, interrupted_as=ERESTART_RESTARTBLOCK)
    except Errno:
        if remaining:
            left_ns = deadline_ns - task.kernel.clock.read(clock_id)
            task.memory.copy_out(remaining, pack_timespec(left_ns))
        task.restart_block = lambda: cast(Blocked, _sleep_for_span(task, deadline_ns, clock_id, remaining))
        raise
    return 0


@syscall
def nanosleep(task: Task, duration: TimespecPtr, rem: TimespecOut) -> Result:
    """Sleep for a span of CLOCK_MONOTONIC."""
    span_ns = read_timespec(task, duration)
    return cast(Blocked, _sleep_for_span(task, task.kernel.clock.now_ns + span_ns, CLOCK_MONOTONIC, rem))


@syscall
def clock_nanosleep(
    task: Task, clockid: ClockId, flags: TimerFlags, request: TimespecPtr, remain: TimespecOut
) -> Result:
    """Sleep for a span, or until an instant, of any clock that can be waited for."""
    clock = task.kernel.clock
    if clockid in READ_ONLY_CLOCKS or clockid == CLOCK_THREAD_CPUTIME_ID or is_device_clock(clockid):
        raise Errno(EOPNOTSUPP)
    counts_cpu_time = is_cpu_clock(clockid)
    if not counts_cpu_time:
        clock.time_line(clockid)
    given_ns = read_timespec(task, request)
    if counts_cpu_time:
        return _sleep_for_cpu_time(task, clockid, given_ns, absolute=bool(flags & TIMER_ABSTIME), remaining=remain)
    # Other clocks take unknown flags for nothing.
    if clockid in ALARM_CLOCKS:
        if flags & ~TIMER_ABSTIME:
            raise Errno(EINVAL)
        demand_capability(task, CAP_WAKE_ALARM)
    if flags & TIMER_ABSTIME:
        return cast(Blocked, _sleep_until_instant(task, given_ns, clockid))
    counted = clock_of_span(clockid)
    return cast(Blocked, _sleep_for_span(task, clock.read(counted) + given_ns, counted, remain))


def _sleep_for_cpu_time(task: Task, clock_id: int, given_ns: int, *, absolute: bool, remaining: int) -> Blocked:
    """Raises: Errno(EINVAL) for the caller's own: it would sleep for ever."""
    clock = cpu_clock_of(task, clock_id)
    if clock.thread is task:
        raise Errno(EINVAL)
    until_ns = given_ns if absolute else clock.read() + given_ns
    return sleep_for_cpu_time(task, clock, until_ns, absolute=absolute, remaining=remaining)


@syscall
def sched_yield(task: Task) -> Result:
    """Let every other task that is ready have its turn."""
    return cast(Blocked, give_way(task)) if task.kernel.ready else 0


@syscall
def restart_syscall(task: Task) -> Result:
    """Go on with the call that a stop interrupted. The kernel makes it; made by a program it is EINTR."""
    restart, task.restart_block = task.restart_block, None
    return -EINTR if restart is None else restart()
