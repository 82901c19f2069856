"""timerfd_create(2): a timer that is read and waited for like a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tickless.abi.capability import CAP_WAKE_ALARM
from tickless.abi.epoll import EPOLLIN
from tickless.abi.errno import ECANCELED, EINVAL, ENOTTY
from tickless.abi.time import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    ITIMERSPEC,
    pack_itimerspec,
)
from tickless.abi.timerfd import (
    EXPIRATIONS,
    TFD_CLOEXEC,
    TFD_CREATE_FLAGS,
    TFD_IOC_SET_TICKS,
    TFD_NONBLOCK,
    TFD_SETTIME_FLAGS,
    TFD_TIMER_ABSTIME,
    TFD_TIMER_CANCEL_ON_SET,
)
from tickless.abi.types import ClockId, Fd, ItimerspecOut, ItimerspecPtr, TfdFlags, TfdSettimeFlags
from tickless.kernel.capability import demand_capability
from tickless.kernel.clock import ALARM_CLOCKS, KTIME_MAX, clock_of_span
from tickless.kernel.errors import Errno
from tickless.kernel.file import File
from tickless.kernel.host_file import refusal_of
from tickless.kernel.outcome import Result
from tickless.kernel.registry import syscall
from tickless.kernel.timespec import timespec_ns

if TYPE_CHECKING:
    from tickless.kernel.clock import Clock, Deadline
    from tickless.kernel.memory import UserBuffer
    from tickless.kernel.task import Task

CLOCKS = (CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM)
CANCELABLE_CLOCKS = (CLOCK_REALTIME, CLOCK_REALTIME_ALARM)
U64_MAX = 2**64 - 1  # where TFD_IOC_SET_TICKS lets the count wrap
CANCELABLE = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET


class TimerFd(File):
    """A timer: readable once it has expired, or its clock was set and it is to be cancelled then.

    Expirations are worked out from the deadline when somebody looks; the clock only wakes the queue. As on Linux a
    periodic timer wakes it once, and again only after a read or a gettime. timerfd_create(2).
    """

    name: ClassVar[str] = "timerfd"

    def __init__(self, clock: Clock, clock_id: int, *, nonblock: bool) -> None:
        super().__init__(nonblock=nonblock)
        self.clock = clock
        self.clock_id = clock_id
        self.clock_of_span = clock_of_span(clock_id)
        self.counted_clock = clock_id  # the one its deadline is an instant of
        self.deadline_ns: int | None = None  # of `counted_clock`; the first one unread if `expired`; None: not armed
        self.interval_ns = 0  # 0: it expires once
        self.expired = False  # since the last read, gettime or settime
        self.ticks = 0  # unread expirations, but for the overruns after the first
        self.settime_flags = 0
        self.alarm: Deadline | None = None  # that wakes the queue
        self.cancels_on_set = False
        self.was_cancelled = False
        # What CLOCK_REALTIME was ahead of CLOCK_MONOTONIC: setting the clock to what it shows is no step.
        self.realtime_offset_ns = clock.offsets[CLOCK_REALTIME]

    def read(self, task: Task, dst: UserBuffer) -> Result:
        if dst.size < EXPIRATIONS.size:
            raise Errno(EINVAL)
        taken = self._take(dst)
        return taken if taken is not None else self.sleep_until(task, lambda: self._take(dst), EPOLLIN)

    def poll(self, task: Task) -> int:
        return EPOLLIN if self.ticks or (self.deadline_ns is not None and self.check_expiry()) else 0

    def check_expiry(self) -> int:
        """Notice an expiration that has come by now; what is unread, without the overruns."""
        deadline_ns = self.deadline_ns
        if deadline_ns is not None and not self.expired and self.clock.read(self.counted_clock) >= deadline_ns:
            self.expired = True
            self.ticks += 1
        return self.ticks

    def settime(self, flags: int, interval_ns: int, value_ns: int) -> None:
        """Arm the timer for an instant, or in `value_ns`; 0 disarms it.

        Raises: Errno(ECANCELED) if its clock was set and nobody has read that yet; the new time holds all the same.
        """
        cancels = flags & CANCELABLE == CANCELABLE and self.clock_id in CANCELABLE_CLOCKS
        if cancels != self.cancels_on_set:
            self._set_cancels_on_set(cancels=cancels)
        if self.deadline_ns is not None:
            self._disarm()
        self.ticks = 0
        self.interval_ns = interval_ns if interval_ns < KTIME_MAX else KTIME_MAX
        if value_ns:
            if flags & TFD_TIMER_ABSTIME:
                self.counted_clock = self.clock_id
                self._arm(value_ns)
            else:
                self.counted_clock = self.clock_of_span
                self._arm_later(self.clock.read(self.counted_clock) + value_ns)
            if self.was_cancelled and self._take_cancellation():
                raise Errno(ECANCELED)
        self.settime_flags = flags

    def gettime(self) -> tuple[int, int]:
        """(interval, time to the next expiration), in ns; what is unread stays so."""
        self.check_expiry()
        if self.expired:
            self._count_overruns()
        return self.interval_ns, self.remaining_ns()

    def remaining_ns(self) -> int:
        """The time to `deadline_ns`: 0 for a timer that is not armed or has expired."""
        if self.deadline_ns is None:
            return 0
        return max(self.deadline_ns - self.clock.read(self.counted_clock), 0)

    def ioctl(self, task: Task, request: int, argument: int) -> Result:
        if request != TFD_IOC_SET_TICKS:
            raise Errno(ENOTTY)
        (ticks,) = EXPIRATIONS.unpack(task.memory.copy_in(argument, EXPIRATIONS.size))
        if not ticks:
            raise Errno(EINVAL)
        if self._take_cancellation():
            raise Errno(ECANCELED)
        self.ticks = ticks
        self.queue.wake_all(EPOLLIN)
        return 0

    def describe(self, task: Task) -> str:
        self.check_expiry()
        value = divmod(self.remaining_ns(), 10**9)
        interval = divmod(self.interval_ns, 10**9)
        return (
            f"clockid: {self.clock_id}\nticks: {self.ticks}\nsettime flags: 0{self.settime_flags:o}\n"
            f"it_value: ({value[0]}, {value[1]})\nit_interval: ({interval[0]}, {interval[1]})\n"
        )

    def released(self) -> None:
        super().released()
        self._disarm()
        if self.cancels_on_set:
            self._set_cancels_on_set(cancels=False)

    def _take(self, dst: UserBuffer) -> int | None:
        """All expirations, for a read."""
        if not self.expired and not self.check_expiry():
            return None
        if self.was_cancelled and self._take_cancellation():
            # What has expired meanwhile is void, and such a timer is not armed again: the program has to look anew.
            self.ticks = 0
            if self.expired:
                self._disarm()
            return -ECANCELED
        if self.expired:
            self._count_overruns()
        taken, self.ticks = self.ticks, 0
        # A step back of the clock may have taken the expiration away: Linux then reads nothing. timerfd_create(2).
        return dst.copy_out(EXPIRATIONS.pack(taken & U64_MAX)) if taken else 0

    def _count_overruns(self) -> None:
        """It has expired: count the expirations after the first one and set a periodic timer going again."""
        assert self.deadline_ns is not None, "an expired timer has a deadline"
        if self.alarm is not None:
            self._cancel_alarm()
        self.expired = False
        if not self.interval_ns:
            self.deadline_ns = None
            return
        late_ns = self.clock.read(self.counted_clock) - self.deadline_ns
        passed = late_ns // self.interval_ns + 1 if late_ns >= 0 else 0
        self.ticks += passed - 1
        self._arm(self.deadline_ns + passed * self.interval_ns)

    def _arm(self, deadline_ns: int) -> None:
        if self.clock.read(self.counted_clock) < deadline_ns:
            self._arm_later(deadline_ns)
            return
        self.deadline_ns = deadline_ns
        # Its interrupt comes before the call returns, so what looks later finds one edge, not two.
        self._ring()

    def _arm_later(self, deadline_ns: int) -> None:
        """Arm for an instant that is still to come."""
        self.deadline_ns = deadline_ns if deadline_ns < KTIME_MAX else KTIME_MAX
        self.alarm = self.clock.arm(self.deadline_ns, self._ring, self.counted_clock)

    def _ring(self) -> None:
        self.alarm = None
        if not self.expired:
            self.expired = True
            self.ticks += 1
        if self.queue.waiters:
            self.queue.wake_all(EPOLLIN)

    def _disarm(self) -> None:
        if self.alarm is not None:
            self._cancel_alarm()
        self.deadline_ns = None
        self.expired = False

    def _cancel_alarm(self) -> None:
        assert self.alarm is not None, "there is no alarm"
        self.clock.cancel(self.alarm)
        self.alarm = None

    def _set_cancels_on_set(self, *, cancels: bool) -> None:
        self.cancels_on_set = cancels
        if cancels:
            self.clock.on_step.append(self._clock_was_set)
        else:
            self.clock.on_step.remove(self._clock_was_set)

    def _clock_was_set(self) -> None:
        if self.was_cancelled or self.clock.offsets[CLOCK_REALTIME] != self.realtime_offset_ns:
            self.was_cancelled = True
            self.ticks += 1
            self.queue.wake_all(EPOLLIN)

    def _take_cancellation(self) -> bool:
        """Whether the clock was set since the last look."""
        if not self.cancels_on_set or not self.was_cancelled:
            return False
        self.was_cancelled = False
        self.realtime_offset_ns = self.clock.offsets[CLOCK_REALTIME]
        return True


@syscall
def timerfd_create(task: Task, clockid: ClockId, flags: TfdFlags) -> Fd:
    """Make a timer that is not armed. EINVAL for other clocks and flags, EPERM for an alarm clock."""
    if flags & ~TFD_CREATE_FLAGS or clockid not in CLOCKS:
        raise Errno(EINVAL)
    if clockid in ALARM_CLOCKS:
        demand_capability(task, CAP_WAKE_ALARM)
    file = TimerFd(task.kernel.clock, clockid, nonblock=bool(flags & TFD_NONBLOCK))
    return task.fds.install(file, cloexec=bool(flags & TFD_CLOEXEC))


@syscall
def timerfd_settime(
    task: Task, fd: Fd, flags: TfdSettimeFlags, new_value: ItimerspecPtr, old_value: ItimerspecOut
) -> Result:
    """Arm or disarm a timer and tell what it was set to. The new value is read before anything else is looked at."""
    every_s, every_ns, in_s, in_ns = ITIMERSPEC.unpack(task.memory.copy_in(new_value, ITIMERSPEC.size))
    if flags & ~TFD_SETTIME_FLAGS:
        raise Errno(EINVAL)
    interval_ns = timespec_ns(every_s, every_ns) if every_s or every_ns else 0
    value_ns = timespec_ns(in_s, in_ns)
    file = _timerfd(task, fd)
    if file.clock_id in ALARM_CLOCKS:
        demand_capability(task, CAP_WAKE_ALARM)
    old = file.gettime() if old_value else None
    file.settime(flags, interval_ns, value_ns)
    if old is not None:
        task.memory.copy_out(old_value, pack_itimerspec(*old))
    return 0


@syscall
def timerfd_gettime(task: Task, fd: Fd, curr_value: ItimerspecOut) -> Result:
    """Tell the time to the next expiration and the interval."""
    task.memory.copy_out(curr_value, pack_itimerspec(*_timerfd(task, fd).gettime()))
    return 0


def _timerfd(task: Task, fd: int) -> TimerFd:
    """Raises: Errno(EBADF), Errno(EINVAL)."""
    file = task.fds.get(fd)
    if not isinstance(file, TimerFd):
        raise refusal_of(task, fd, file, EINVAL)
    return file
