"""adjtimex(2): how CLOCK_REALTIME is corrected. The virtual clock is exact: it can be stepped, and is never slewed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.capability import CAP_SYS_TIME
from tickless.abi.errno import EINVAL, EOPNOTSUPP, EPERM
from tickless.abi.time import CLOCK_REALTIME, NSEC_PER_SEC, NSEC_PER_USEC
from tickless.abi.timex import (
    ADJ_ADJTIME,
    ADJ_MICRO,
    ADJ_NANO,
    ADJ_OFFSET,
    ADJ_OFFSET_SS_READ,
    ADJ_SETOFFSET,
    STA_NANO,
    TIME_OK,
    TIMEX,
)
from tickless.abi.types import Address, ClockId
from tickless.kernel.capability import demand_capability
from tickless.kernel.clock import is_cpu_clock, is_device_clock
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import Result
from tickless.kernel.registry import syscall, unserved
from tickless.kernel.time_calls import step_realtime

if TYPE_CHECKING:
    from tickless.kernel.task import Task

SLEW = unserved("TL423", "adjtimex with other modes than ADJ_SETOFFSET", EPERM)
ADJUST_DEVICE_CLOCK = unserved("TL424", "clock_adjtime on a device's clock", EOPNOTSUPP)

_STEPS = (ADJ_SETOFFSET, ADJ_SETOFFSET | ADJ_NANO, ADJ_SETOFFSET | ADJ_MICRO)

# What a fresh kernel says of its clock, but for the errors: constant, precision and tolerance; microseconds per tick.
_TIME_CONSTANT = 2
_PRECISION = 1
_TOLERANCE = 500 << 16
_TICK = 10_000

_MODES, _SECONDS, _FRACTION = 0, 9, 10  # where they are in struct timex


def _demand_valid_modes(task: Task, modes: int) -> None:
    """kernel/time/timekeeping.c, timekeeping_validate_timex. Raises: Errno(EINVAL), Errno(EPERM)."""
    if modes & ADJ_ADJTIME and not modes & ADJ_OFFSET:
        raise Errno(EINVAL)
    if modes and modes != ADJ_OFFSET_SS_READ:
        demand_capability(task, CAP_SYS_TIME)
        if modes not in _STEPS:
            task.kernel.refuse(task, SLEW)


def _offset_ns(modes: int, seconds: int, fraction: int) -> int:
    """What ADJ_SETOFFSET asks for: below 0 the seconds are, the fraction never is. Raises: Errno(EINVAL)."""
    fraction_ns = fraction if modes & ADJ_NANO else fraction * NSEC_PER_USEC
    if not 0 <= fraction_ns < NSEC_PER_SEC:
        raise Errno(EINVAL)
    return seconds * NSEC_PER_SEC + fraction_ns


def _adjust(task: Task, buf: int, packed: bytes) -> int:
    """Do what the struct timex asks for, and fill it."""
    fields = TIMEX.unpack(packed)
    modes = fields[_MODES]
    clock = task.kernel.clock
    _demand_valid_modes(task, modes)
    if modes & ADJ_SETOFFSET:
        step_realtime(task, clock.read(CLOCK_REALTIME) + _offset_ns(modes, fields[_SECONDS], fields[_FRACTION]))
    seconds, fraction = divmod(clock.read(CLOCK_REALTIME), NSEC_PER_SEC)
    if modes & ADJ_NANO and modes & ADJ_SETOFFSET:
        status = STA_NANO
    else:
        status, fraction = 0, fraction // NSEC_PER_USEC
    correction = (0, 0, 0, 0, status, _TIME_CONSTANT, _PRECISION, _TOLERANCE)
    task.memory.copy_out(buf, TIMEX.pack(modes, *correction, seconds, fraction, _TICK, *[0] * 9))
    return TIME_OK


@syscall
def adjtimex(task: Task, buf: Address) -> Result:
    """Read the state of CLOCK_REALTIME, or step it."""
    return _adjust(task, buf, task.memory.copy_in(buf, TIMEX.size))


@syscall
def clock_adjtime(task: Task, clockid: ClockId, buf: Address) -> Result:
    """`adjtimex` for a clock; of ours only CLOCK_REALTIME can be adjusted."""
    packed = task.memory.copy_in(buf, TIMEX.size)
    if is_device_clock(clockid):
        task.kernel.refuse(task, ADJUST_DEVICE_CLOCK)
    if clockid >= 0 and not is_cpu_clock(clockid):
        task.kernel.clock.time_line(clockid)
    if clockid != CLOCK_REALTIME:
        raise Errno(EOPNOTSUPP)
    return _adjust(task, buf, packed)
