"""timer_create(2), timer_settime(2), timer_getoverrun(2), timer_delete(2): timers that send signals."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.capability import CAP_WAKE_ALARM
from tickless.abi.errno import EINVAL, EOPNOTSUPP, ESRCH
from tickless.abi.integers import INT_MAX
from tickless.abi.siginfo import SI_TIMER
from tickless.abi.signal import SIGALRM, SIGRTMAX
from tickless.abi.time import (
    ITIMERSPEC,
    SIGEV_NONE,
    SIGEV_SIGNAL,
    SIGEV_THREAD,
    SIGEV_THREAD_ID,
    SIGEVENT,
    TIMER_ABSTIME,
    pack_itimerspec,
)
from tickless.abi.types import (
    ClockId,
    IntOut,
    ItimerspecOut,
    ItimerspecPtr,
    SigeventPtr,
    TimerFlags,
    TimerId,
)
from tickless.kernel.capability import demand_capability
from tickless.kernel.clock import (
    ALARM_CLOCKS,
    KTIME_MAX,
    READ_ONLY_CLOCKS,
    Deadline,
    clock_of_span,
    is_cpu_clock,
    is_device_clock,
)
from tickless.kernel.cpu_timers import CpuAlarm, CpuClock, cpu_clock_of
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import Result
from tickless.kernel.registry import syscall
from tickless.kernel.signals import TimerSignal, send_signal
from tickless.kernel.timespec import timespec_ns

if TYPE_CHECKING:
    from tickless.kernel.task import Task, ThreadGroup

INT = Struct("<i")


class SigEvent:
    """How a timer notifies: `notify` is a SIGEV_ constant. sigevent(3)."""

    __slots__ = ("notify", "signo", "thread", "value")

    def __init__(self, notify: int, signo: int, value: int, thread: Task | None) -> None:
        self.notify = notify
        self.signo = signo
        self.value = value  # sigval, as 64 bits
        self.thread = thread  # who gets the signal of SIGEV_THREAD_ID; None: the process


class PosixTimer:
    """A timer of a process: it sends its signal at an instant of its clock, and again after each interval.

    At most one signal of it is pending. A periodic timer runs on when that is taken, at a multiple of the interval;
    what it passed over is the overrun. timer_getoverrun(2).
    """

    __slots__ = (
        "clock_id",
        "deadline",
        "event",
        "expires_ns",
        "group",
        "interval_ns",
        "overrun",
        "overrun_last",
        "runs_on",
        "signal",
        "timer_id",
    )

    def __init__(self, group: ThreadGroup, timer_id: int, clock_id: int, event: SigEvent) -> None:
        self.group = group
        self.timer_id = timer_id
        self.clock_id = clock_id
        self.event = event
        self.runs_on = clock_id  # a span of CLOCK_REALTIME runs on CLOCK_MONOTONIC
        self.expires_ns = 0  # on that clock: when it expires, or last did
        self.interval_ns = 0  # 0: once
        # None: not running; SIGEV_NONE timers never are, their time is computed.
        self.deadline: Deadline | CpuAlarm | None = None
        self.signal: TimerSignal | None = None  # the pending one
        self.overrun = -1  # expirations since a signal was taken, not counting the one that sends the next
        self.overrun_last = 0  # the overrun of the signal that was taken last

    def set(self, value_ns: int, interval_ns: int, *, absolute: bool) -> None:
        """Let it expire in `value_ns`, or at that instant; 0 disarms it. What it sent before counts no more."""
        self.stop()
        self.overrun, self.overrun_last = -1, 0
        self.interval_ns = interval_ns if value_ns else 0
        if not value_ns:
            return
        self.runs_on = self.clock_id if absolute else clock_of_span(self.clock_id)
        start_ns = 0 if absolute else self._now_ns()
        self.expires_ns = min(start_ns + value_ns, KTIME_MAX)
        self._start()

    def stop(self) -> None:
        """No signal comes from it any more; one that is pending is dropped by whoever takes it."""
        self.signal = None
        if self.deadline is not None:
            self._cancel(self.deadline)
            self.deadline = None

    def setting(self) -> tuple[int, int]:
        """(interval, what is left) in ns. kernel/time/posix-timers.c, common_timer_get."""
        silent = self.event.notify == SIGEV_NONE
        if not self.interval_ns and self.deadline is None and not silent:
            return 0, 0
        if self.interval_ns and self.deadline is None:
            self._pass_over()
        left_ns = self.expires_ns - self._now_ns()
        # Due, but not noticed yet: not 0, since that means disarmed.
        return self.interval_ns, max(left_ns, 0 if silent else 1)

    def signal_taken(self, signal: TimerSignal) -> bool:
        """Its signal is delivered, or given to a read or wait: run on. False if the signal counts no more."""
        if signal is not self.signal:
            return False
        self.signal = None
        if self.interval_ns:
            self._run_on()
            self.overrun_last, self.overrun = self.overrun, -1
            signal.overrun = self.last_overrun()
        return True

    def signal_dropped(self, signal: TimerSignal) -> None:
        """Its pending signal was made void by SIG_IGN: run on."""
        if signal is self.signal:
            self.signal = None
            if self.interval_ns:
                self._run_on()

    def last_overrun(self) -> int:
        """timer_getoverrun(2): for the signal that was taken last, up to DELAYTIMER_MAX."""
        return min(self.overrun_last, INT_MAX)

    def _now_ns(self) -> int:
        return self.group.kernel.clock.read(self.runs_on)

    def _start(self) -> None:
        if self.event.notify != SIGEV_NONE:
            self.deadline = self._arm()

    def _arm(self) -> Deadline | CpuAlarm:
        return self.group.kernel.clock.arm(self.expires_ns, self._expire, self.runs_on)

    def _cancel(self, deadline: Deadline | CpuAlarm) -> None:
        assert isinstance(deadline, Deadline), "a deadline of the clock"
        self.group.kernel.clock.cancel(deadline)

    def _run_on(self) -> None:
        self._pass_over()
        self._start()

    def _pass_over(self) -> None:
        """Move on by whole intervals, to the first expiration that is still to come."""
        late_ns = self._now_ns() - self.expires_ns
        if late_ns >= 0:
            passed = late_ns // self.interval_ns + 1
            self.expires_ns += passed * self.interval_ns
            self.overrun += passed

    def _expire(self) -> None:
        self.deadline = None
        event = self.event
        if event.thread is not None and event.thread not in self.group.threads:
            return
        self.signal = TimerSignal(self, event.signo, SI_TIMER, timerid=self.timer_id, value=event.value)
        if not send_signal(self.group, self.signal, event.thread):
            # Ignored. Linux since 6.13 waits until it no longer is; nobody tells us, so the timer goes on.
            self.signal_dropped(self.signal)


class CpuTimer(PosixTimer):
    """A timer on CPU time."""

    __slots__ = ("clock",)

    def __init__(self, group: ThreadGroup, timer_id: int, clock_id: int, event: SigEvent, clock: CpuClock) -> None:
        super().__init__(group, timer_id, clock_id, event)
        self.clock = clock

    def set(self, value_ns: int, interval_ns: int, *, absolute: bool) -> None:
        """Raises: Errno(ESRCH) if nobody is left whose time it is."""
        if self.clock.is_over:
            raise Errno(ESRCH)
        super().set(value_ns, interval_ns, absolute=absolute)

    def setting(self) -> tuple[int, int]:
        return (0, 0) if self.clock.is_over else super().setting()

    def _now_ns(self) -> int:
        return self.clock.read()

    def _start(self) -> None:
        if self._now_ns() < self.expires_ns:
            super()._start()
        elif self.event.notify != SIGEV_NONE:
            self._expire()  # the next look may be late: the process may do nothing but wait for it

    def _arm(self) -> CpuAlarm:
        return self.group.kernel.cpu_alarms.arm(self.clock, self.expires_ns, self._expire)

    def _cancel(self, deadline: Deadline | CpuAlarm) -> None:
        assert isinstance(deadline, CpuAlarm), "CPU time"
        self.group.kernel.cpu_alarms.cancel(deadline)


class PosixTimers:
    """The timers of a process: not inherited by fork, and gone after exec."""

    def __init__(self) -> None:
        self.timers: dict[int, PosixTimer] = {}
        self.next_id = 0  # ids are not used again

    def get(self, timer_id: int) -> PosixTimer:
        """Raises: Errno(EINVAL)."""
        timer = self.timers.get(timer_id)
        if timer is None:
            raise Errno(EINVAL)
        return timer

    def take_id(self) -> int:
        """Use up an id: a timer that cannot be made does, too."""
        self.next_id += 1
        return self.next_id - 1

    def delete(self, timer_id: int) -> None:
        """Raises: Errno(EINVAL)."""
        self.get(timer_id).stop()
        del self.timers[timer_id]

    def delete_all(self) -> None:
        """The process ends, or calls exec."""
        for timer_id in tuple(self.timers):
            self.delete(timer_id)


def _read_event(task: Task, packed: bytes | None, timer_id: int) -> SigEvent:
    """The sigevent as Linux takes it; None stands for SIGALRM to the process. Raises: Errno(EINVAL)."""
    if packed is None:
        return SigEvent(SIGEV_SIGNAL, SIGALRM, timer_id, None)
    value, signo, notify, tid = SIGEVENT.unpack(packed)
    # SIGEV_THREAD is for the C library to carry out: to the kernel it is SIGEV_SIGNAL.
    if notify not in (SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID):
        raise Errno(EINVAL)
    thread = None
    if notify == SIGEV_THREAD_ID:
        thread = task.kernel.tasks.get(tid)
        if thread is None or thread.group is not task.group:
            raise Errno(EINVAL)
    if notify != SIGEV_NONE and not 1 <= signo <= SIGRTMAX:
        raise Errno(EINVAL)
    return SigEvent(notify, signo, value, thread)


@syscall
def timer_create(task: Task, clockid: ClockId, sevp: SigeventPtr, timerid: IntOut) -> Result:
    """Make a timer, disarmed, and store its id."""
    packed = task.memory.copy_in(sevp, SIGEVENT.size) if sevp else None
    if clockid in READ_ONLY_CLOCKS or is_device_clock(clockid):
        raise Errno(EOPNOTSUPP)
    cpu_clock = cpu_clock_of(task, clockid) if is_cpu_clock(clockid) else None
    if cpu_clock is None:
        task.kernel.clock.time_line(clockid)
    timers = task.group.posix_timers
    timer_id = timers.take_id()
    event = _read_event(task, packed, timer_id)
    task.memory.copy_out(timerid, INT.pack(timer_id))
    if clockid in ALARM_CLOCKS:
        demand_capability(task, CAP_WAKE_ALARM)
    timers.timers[timer_id] = (
        PosixTimer(task.group, timer_id, clockid, event)
        if cpu_clock is None
        else CpuTimer(task.group, timer_id, clockid, event, cpu_clock)
    )
    return 0


@syscall
def timer_settime(
    task: Task, timerid: TimerId, flags: TimerFlags, new_value: ItimerspecPtr, old_value: ItimerspecOut
) -> Result:
    """Arm a timer, or disarm it with a value of 0, and give its old setting. Unknown flags are nothing to Linux."""
    if not new_value:
        raise Errno(EINVAL)
    fields = ITIMERSPEC.unpack(task.memory.copy_in(new_value, ITIMERSPEC.size))
    interval_ns, value_ns = timespec_ns(*fields[:2]), timespec_ns(*fields[2:])
    timer = task.group.posix_timers.get(timerid)
    old = timer.setting()
    timer.set(value_ns, interval_ns, absolute=bool(flags & TIMER_ABSTIME))
    if old_value:
        task.memory.copy_out(old_value, pack_itimerspec(*old))
    return 0


@syscall
def timer_gettime(task: Task, timerid: TimerId, curr_value: ItimerspecOut) -> Result:
    """Give a timer's setting: its interval and what is left."""
    task.memory.copy_out(curr_value, pack_itimerspec(*task.group.posix_timers.get(timerid).setting()))
    return 0


@syscall
def timer_getoverrun(task: Task, timerid: TimerId) -> Result:
    """How many expirations the signal that was taken last stands for, beside its own."""
    return task.group.posix_timers.get(timerid).last_overrun()


@syscall
def timer_delete(task: Task, timerid: TimerId) -> Result:
    """Disarm a timer and forget it."""
    task.group.posix_timers.delete(timerid)
    return 0
