"""clock_getcpuclockid(3), timer_create(2): timers on the CPU time of a process or thread, which a host counts.

Computing takes no virtual time, so they have no deadline in the clock's order: the host has them looked at while tasks
compute, as Linux does at its ticks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tickless.abi.errno import EINVAL, EOPNOTSUPP, ERESTART_RESTARTBLOCK, ERESTARTNOHAND
from tickless.abi.time import (
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_THREAD_CPUTIME_ID,
    CPUCLOCK_PERTHREAD,
    CPUCLOCK_SCHED,
    pack_timespec,
)
from tickless.kernel.errors import Errno
from tickless.kernel.registry import unserved
from tickless.kernel.wait_queue import WaitQueue

if TYPE_CHECKING:
    from tickless.kernel.kernel import Kernel
    from tickless.kernel.outcome import Blocked
    from tickless.kernel.task import Task, ThreadGroup

UNCOUNTED = unserved("TL440", "timing a thread's user time, or the CPU time of a process outside", EINVAL)
WITHOUT_HOST = unserved("TL441", "timing CPU time without a host", EOPNOTSUPP)


class CpuClock:
    """The CPU time of a process, of one kind (CPUCLOCK_), or all that of one thread of it."""

    __slots__ = ("group", "kind", "thread")

    def __init__(self, group: ThreadGroup, thread: Task | None, kind: int) -> None:
        self.group = group
        self.thread = thread
        self.kind = kind

    @property
    def is_over(self) -> bool:
        """Whether nobody is left whose time it is: a zombie still has had some."""
        group, host = self.group, self.group.kernel.host
        if self.thread is not None:
            return self.thread not in group.threads
        return group.reaped or (group.wait_status is not None and host is not None and host.is_reaped(group))

    def read(self) -> int:
        """In ns; 0 when it is over."""
        host = self.group.kernel.host
        assert host is not None, "CPU time without a host"
        return 0 if self.is_over else host.cpu_time_ns(self.group, self.thread, self.kind)


def cpu_clock_of(task: Task, clock_id: int) -> CpuClock:
    """What the number stands for. Raises: Errno(EINVAL), Errno(EOPNOTSUPP) for what cannot be counted."""
    kernel = task.kernel
    if kernel.host is None:
        kernel.refuse(task, WITHOUT_HOST)
    if clock_id in (CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID):
        return CpuClock(task.group, task if clock_id == CLOCK_THREAD_CPUTIME_ID else None, CPUCLOCK_SCHED)
    number, kind = ~(clock_id >> 3), clock_id & 3
    if clock_id & CPUCLOCK_PERTHREAD:
        return _thread_clock(task, number, kind)
    group = kernel.groups.get(number) if number else task.group
    if group is None:
        kernel.refuse(task, UNCOUNTED)
    clock = CpuClock(group, None, kind)
    if clock.is_over:
        raise Errno(EINVAL)
    return clock


def _thread_clock(task: Task, tid: int, kind: int) -> CpuClock:
    """Only of the caller's own process."""
    thread = task.kernel.tasks.get(tid) if tid else task
    if thread is None or thread.group is not task.group:
        raise Errno(EINVAL)
    if kind != CPUCLOCK_SCHED:
        task.kernel.refuse(task, UNCOUNTED)
    return CpuClock(task.group, thread, kind)


class CpuAlarm:
    """Something that happens when a CPU clock has come to `at_ns`."""

    __slots__ = ("at_ns", "callback", "clock")

    def __init__(self, clock: CpuClock, at_ns: int, callback: Callable[[], object]) -> None:
        self.clock = clock
        self.at_ns = at_ns
        self.callback = callback


class CpuAlarms:
    """All that wait for CPU time, in the order in which they began to."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.waiting: dict[CpuAlarm, None] = {}

    def arm(self, clock: CpuClock, at_ns: int, callback: Callable[[], object]) -> CpuAlarm:
        alarm = CpuAlarm(clock, at_ns, callback)
        self.waiting[alarm] = None
        return alarm

    def cancel(self, alarm: CpuAlarm) -> None:
        self.waiting.pop(alarm, None)

    def check(self) -> bool:
        """Let what is due happen, and tell whether there was any. A clock that is over never comes to anything."""
        due = [alarm for alarm in self.waiting if alarm.clock.read() >= alarm.at_ns]
        self.kernel.cause = "CPU time"
        for alarm in due:
            # One of those before may have cancelled it.
            if alarm in self.waiting:
                del self.waiting[alarm]
                alarm.callback()
        self.kernel.cause = ""
        return bool(due)


def sleep_for_cpu_time(task: Task, clock: CpuClock, until_ns: int, *, absolute: bool, remaining: int) -> Blocked:
    """Sleep until others have computed so much; what a span had left is told if a signal comes. clock_nanosleep(2)

    Raises: Errno(ERESTARTNOHAND), Errno(ERESTART_RESTARTBLOCK), Errno(EFAULT).
    """
    alarms, queue = task.kernel.cpu_alarms, WaitQueue()
    alarm = alarms.arm(clock, until_ns, queue.wake_all)
    try:
        yield from queue.sleep_signalable_until(
            task,
            lambda: 0 if clock.read() >= until_ns else None,
            interrupted_as=ERESTARTNOHAND if absolute else ERESTART_RESTARTBLOCK,
        )
    except Errno:
        if not absolute:
            if remaining:
                task.memory.copy_out(remaining, pack_timespec(max(until_ns - clock.read(), 0)))
            task.restart_block = lambda: sleep_for_cpu_time(task, clock, until_ns, absolute=False, remaining=remaining)
        raise
    finally:
        alarms.cancel(alarm)
    return 0
