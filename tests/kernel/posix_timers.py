"""What tests of POSIX timers share: the calls, made at once, and the signals, taken at once."""

from __future__ import annotations

from struct import Struct

from tests.kernel.fake_host import call
from tickless.abi.errno import EAGAIN
from tickless.abi.siginfo import SIGINFO_SIZE, SigInfo
from tickless.abi.signal import SIGSET, SIGUSR1, sigmask
from tickless.abi.time import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_TAI,
    ITIMERSPEC,
    SIGEV_SIGNAL,
    SIGEVENT,
    pack_itimerspec,
    pack_timespec,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.machine import Machine, OwnTask

INT = Struct("<i")
NOWHERE = 16
MS = SECOND // 1000
ARMABLE = (CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM)
HANDLER = 0x1000


def event(notify: int = SIGEV_SIGNAL, signo: int = SIGUSR1, *, value: int = 77, tid: int = 0) -> bytes:
    return SIGEVENT.pack(value, signo, notify, tid)


def create(task: OwnTask, clock: int = CLOCK_MONOTONIC, sigevent: bytes | int = event()) -> int:
    """A timer's id, or -errno."""
    stored = bytearray(INT.size)
    answer = call(task, "timer_create", clock, sigevent, stored)
    assert isinstance(answer, int)
    return answer or int(INT.unpack(stored)[0])


def arm(task: OwnTask, timer: int, value_ns: int, interval_ns: int = 0, *, flags: int = 0) -> None:
    assert call(task, "timer_settime", timer, flags, pack_itimerspec(interval_ns, value_ns), 0) == 0


def setting(task: OwnTask, timer: int) -> tuple[int, int]:
    """(interval, what is left) in ns."""
    value = bytearray(ITIMERSPEC.size)
    assert call(task, "timer_gettime", timer, value) == 0
    interval_s, interval_ns, left_s, left_ns = ITIMERSPEC.unpack(value)
    return interval_s * SECOND + interval_ns, left_s * SECOND + left_ns


def overrun(task: OwnTask, timer: int) -> int:
    answer = call(task, "timer_getoverrun", timer)
    assert isinstance(answer, int)
    return answer


def take(task: OwnTask, signo: int = SIGUSR1) -> SigInfo | None:
    """The pending signal of that number, None if there is none that counts."""
    info = bytearray(SIGINFO_SIZE)
    answer = call(task, "rt_sigtimedwait", SIGSET.pack(sigmask(signo)), info, pack_timespec(0), 8)
    assert answer in (signo, -EAGAIN)
    return SigInfo.unpack(bytes(info)) if answer == signo else None


def taken_overrun(task: OwnTask, signo: int = SIGUSR1) -> int | None:
    """The si_overrun of the pending signal."""
    info = take(task, signo)
    return None if info is None else info.overrun


def is_pending(task: OwnTask, signo: int = SIGUSR1) -> bool:
    return bool((task.pending.mask | task.group.pending.mask) & sigmask(signo))


def advance(kernel: Machine, span_ns: int) -> None:
    kernel.handle_timer_irq(kernel.clock.now_ns + span_ns)
