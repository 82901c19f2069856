"""clock_gettime(2), gettimeofday(2), time(2), clock_settime(2), sysinfo(2), times(2): read and set the clocks."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.capability import CAP_SYS_TIME
from tickless.abi.errno import EINVAL, EOPNOTSUPP, EPERM
from tickless.abi.time import (
    CLOCK_BOOTTIME,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_REALTIME,
    CLOCK_REALTIME_COARSE,
    NSEC_PER_SEC,
    NSEC_PER_USEC,
    TIMESPEC,
    TIMEVAL,
    TMS,
    pack_timespec,
    pack_timeval,
)
from tickless.abi.types import Address, ClockId, LongOut, TimespecOut, TimespecPtr, TimevalOut, TimevalPtr, TmsOut
from tickless.kernel.capability import demand_capability
from tickless.kernel.clock import KTIME_MAX, TIME_LINES, is_cpu_clock, is_device_clock, is_host_clock
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import ArgumentTest, syscall, unserved
from tickless.kernel.timespec import USEC_PER_SEC, timespec_ns

if TYPE_CHECKING:
    from tickless.kernel.task import Task

SET_TIME_ZONE = unserved("TL420", "settimeofday with a time zone", EPERM)
SET_DEVICE_CLOCK = unserved("TL421", "clock_settime on a device's clock", EOPNOTSUPP)

# sysconf(_SC_CLK_TCK) is 100.
_TICK_NS = 10_000_000

TIME = Struct("<q")
TIMEZONE = Struct("<ii")
# uptime, 3 loads, total, free, shared and buffer memory, total and free swap, processes, high memory, unit. sysinfo(2)
SYSINFO = Struct("<q3Q6QH6x2QI4x")
UPTIME = Struct("<q")

# What clock_getres says of the coarse clocks: a tick of a 250-Hz kernel. Here they are read as exactly as the others.
_COARSE_RESOLUTION_NS = 4_000_000
# Linux sets no clock so late that it could overflow within 30 years. linux/time64.h, TIME_SETTOD_SEC_MAX.
_SETTABLE_END_NS = (KTIME_MAX // NSEC_PER_SEC - 30 * 365 * 86_400) * NSEC_PER_SEC

# Load, then memory and swap in bytes, of a machine without a host: 1 GiB, most of it free.
_OWN_SYSINFO = (0, 0, 0, 1 << 30, 1 << 29, 0, 0, 0, 0)


def _read_host_clock(task: Task, clock_id: int) -> Result:
    """CPU time and devices are the host's. Raises: Errno(EINVAL) without one."""
    if task.kernel.host is None:
        raise Errno(EINVAL)
    return PASS_ON


@syscall(when=ArgumentTest(register=0, mask=0xFFFFFFFF, values=tuple(TIME_LINES)), clock_read=True)
def clock_gettime(task: Task, clockid: ClockId, tp: TimespecOut) -> Result:
    """Read a clock."""
    if is_host_clock(clockid):
        return _read_host_clock(task, clockid)
    task.memory.copy_out(tp, pack_timespec(task.kernel.clock.read(clockid)))
    return 0


@syscall(clock_read=True)
def clock_getres(task: Task, clockid: ClockId, res: TimespecOut) -> Result:
    """Say how fine a clock is: 1 ns, but for the coarse ones."""
    if is_host_clock(clockid):
        return _read_host_clock(task, clockid)
    task.kernel.clock.time_line(clockid)
    coarse = clockid in (CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME_COARSE)
    if res:
        task.memory.copy_out(res, pack_timespec(_COARSE_RESOLUTION_NS if coarse else 1))
    return 0


@syscall(clock_read=True)
def gettimeofday(task: Task, tv: TimevalOut, tz: Address) -> Result:
    """Read CLOCK_REALTIME in microseconds; the kernel's time zone is UTC."""
    if tv:
        task.memory.copy_out(tv, pack_timeval(task.kernel.clock.read(CLOCK_REALTIME)))
    if tz:
        task.memory.copy_out(tz, TIMEZONE.pack(0, 0))
    return 0


@syscall(clock_read=True)
def time(task: Task, tloc: LongOut) -> Result:
    """Read CLOCK_REALTIME in seconds."""
    seconds = task.kernel.clock.read(CLOCK_REALTIME) // NSEC_PER_SEC
    if tloc:
        task.memory.copy_out(tloc, TIME.pack(seconds))
    return seconds


@syscall
def clock_settime(task: Task, clockid: ClockId, tp: TimespecPtr) -> Result:
    """Set CLOCK_REALTIME, the only clock that can be set."""
    if is_device_clock(clockid):
        task.kernel.refuse(task, SET_DEVICE_CLOCK)
    if clockid != CLOCK_REALTIME:
        # The CPU time of a certain process or thread could be set, but by nobody.
        raise Errno(EPERM if clockid < 0 and is_cpu_clock(clockid) else EINVAL)
    seconds, nanoseconds = TIMESPEC.unpack(task.memory.copy_in(tp, TIMESPEC.size))
    return _set_realtime(task, seconds, nanoseconds)


@syscall
def settimeofday(task: Task, tv: TimevalPtr, tz: Address) -> Result:
    """Set CLOCK_REALTIME in microseconds."""
    given = None
    if tv:
        seconds, microseconds = TIMEVAL.unpack(task.memory.copy_in(tv, TIMEVAL.size))
        if not 0 <= microseconds < USEC_PER_SEC:
            raise Errno(EINVAL)
        given = seconds, microseconds * NSEC_PER_USEC
    if tz:
        task.memory.copy_in(tz, TIMEZONE.size)
        task.kernel.refuse(task, SET_TIME_ZONE)
    if given is None:
        demand_capability(task, CAP_SYS_TIME)
        return 0
    return _set_realtime(task, *given)


def _set_realtime(task: Task, seconds: int, nanoseconds: int) -> int:
    """kernel/time/time.c, do_sys_settimeofday64. Raises: Errno(EINVAL), Errno(EPERM)."""
    realtime_ns = timespec_ns(seconds, nanoseconds)
    if realtime_ns >= _SETTABLE_END_NS:
        raise Errno(EINVAL)
    demand_capability(task, CAP_SYS_TIME)
    step_realtime(task, realtime_ns)
    return 0


def step_realtime(task: Task, realtime_ns: int) -> None:
    """Set the clock, and let the timers fire that are due now. Raises: Errno(EINVAL)."""
    kernel = task.kernel
    # The machine cannot have booted before 1970.
    if not kernel.clock.now_ns <= realtime_ns < _SETTABLE_END_NS:
        raise Errno(EINVAL)
    kernel.clock.set_realtime(realtime_ns)
    kernel.handle_timer_irq(kernel.clock.now_ns)


@syscall
def sysinfo(task: Task, info: Address) -> Result:
    """The machine's memory and load are the host's, its uptime is CLOCK_BOOTTIME, rounded up."""
    kernel = task.kernel
    host = kernel.host
    rest = SYSINFO.pack(0, *_OWN_SYSINFO, len(kernel.tasks), 0, 0, 1) if host is None else host.sysinfo()
    uptime = -(-kernel.clock.read(CLOCK_BOOTTIME) // NSEC_PER_SEC)
    task.memory.copy_out(info, UPTIME.pack(uptime) + rest[UPTIME.size :])
    return 0


@syscall
def times(task: Task, buffer: TmsOut) -> Result:
    """CLOCK_MONOTONIC in ticks of 10 ms; the CPU times of the process and of its awaited children are the host's."""
    kernel = task.kernel
    if buffer:
        used = (0, 0, 0, 0) if kernel.host is None else kernel.host.cpu_times(task.group)
        task.memory.copy_out(buffer, TMS.pack(*used))
    return kernel.clock.read(CLOCK_MONOTONIC) // _TICK_NS
