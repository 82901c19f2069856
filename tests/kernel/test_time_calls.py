"""clock_gettime(2), gettimeofday(2), clock_settime(2), sysinfo(2), times(2). tests/linux/clock_rules.c, times.c."""

from __future__ import annotations

from struct import Struct

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tickless.abi.capability import CAP_SYS_TIME
from tickless.abi.errno import EFAULT, EINVAL, EOPNOTSUPP, EPERM
from tickless.abi.time import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW,
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_REALTIME_COARSE,
    CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID,
    TIMESPEC,
    TIMEVAL,
    pack_timespec,
    pack_timeval,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.clock import START_MONOTONIC_NS, START_REALTIME_NS
from tickless.kernel.machine import Argument, Machine, OwnTask
from tickless.kernel.outcome import PASS_ON
from tickless.kernel.task import Task

LONG = Struct("<q")
NOWHERE = 16
# CPU time of process 0 (the caller), and one that is none: kernel/time/posix-cpu-timers.c.
CPU_TIME_OF_SELF = -2 & 0xFFFFFFFF
NO_KIND_OF_CPU_TIME = -1 & 0xFFFFFFFF
DEVICE = -5 & 0xFFFFFFFF  # of fd 0
# 292 years less 30: the farthest that Linux sets a clock.
SETTABLE_END = (1 << 63) // SECOND - 30 * 365 * 86_400
LATER = START_REALTIME_NS + 3600 * SECOND

MONOTONIC_LINE = (CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE)
REALTIME_LINE = (CLOCK_REALTIME, CLOCK_REALTIME_COARSE, CLOCK_REALTIME_ALARM, CLOCK_TAI)
BOOTTIME_LINE = (CLOCK_BOOTTIME, CLOCK_BOOTTIME_ALARM)
OURS = (*MONOTONIC_LINE, *REALTIME_LINE, *BOOTTIME_LINE)


@pytest.fixture
def task(kernel: Machine) -> OwnTask:
    return kernel.spawn(idle)


class Unprivileged(FakeHost):
    """A host whose tasks may do nothing special; what was asked is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def has_capability(self, task: Task, capability: int) -> bool:
        self.asked.append(capability)
        return False


def read_clock(task: OwnTask, clock_id: int) -> int:
    """The clock in ns."""
    time = bytearray(TIMESPEC.size)
    assert call(task, "clock_gettime", clock_id, time) == 0
    seconds, nanoseconds = TIMESPEC.unpack(time)
    return int(seconds * SECOND + nanoseconds)


# Reading


def test_every_clock_is_exact_and_on_its_time_line(kernel: Machine, task: OwnTask) -> None:
    kernel.handle_timer_irq(kernel.clock.now_ns + 1_234_567_891)
    kernel.clock.suspend(50 * SECOND)
    kernel.clock.set_realtime(kernel.clock.read(CLOCK_REALTIME) + 7 * SECOND)

    elapsed = 1_234_567_891
    assert {read_clock(task, clock) for clock in MONOTONIC_LINE} == {START_MONOTONIC_NS + elapsed}
    assert {read_clock(task, clock) for clock in REALTIME_LINE} == {START_REALTIME_NS + elapsed + 57 * SECOND}
    assert {read_clock(task, clock) for clock in BOOTTIME_LINE} == {START_MONOTONIC_NS + elapsed + 50 * SECOND}


def test_a_clock_resolves_nanoseconds_but_a_coarse_one_says_a_tick(task: OwnTask) -> None:
    resolution = bytearray(TIMESPEC.size)
    said = {}
    for clock in OURS:
        assert call(task, "clock_getres", clock, resolution) == 0
        said[clock] = TIMESPEC.unpack(resolution)

    coarse = {CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME_COARSE}
    assert {clock for clock, value in said.items() if value == (0, 4_000_000)} == coarse
    assert {clock for clock, value in said.items() if value == (0, 1)} == set(OURS) - coarse


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        pytest.param("clock_gettime", (CLOCK_REALTIME, NOWHERE), -EFAULT, id="gettime, bad pointer"),
        pytest.param("clock_gettime", (99, NOWHERE), -EINVAL, id="gettime, clock before pointer"),
        pytest.param("clock_gettime", (10, NOWHERE), -EINVAL, id="gettime, a clock that is gone"),
        pytest.param("clock_getres", (99, NOWHERE), -EINVAL, id="getres, clock before pointer"),
        pytest.param("clock_getres", (CLOCK_REALTIME, NOWHERE), -EFAULT, id="getres, bad pointer"),
        pytest.param("clock_getres", (CLOCK_REALTIME, 0), 0, id="getres, null"),
        pytest.param("gettimeofday", (NOWHERE, 0), -EFAULT, id="gettimeofday, bad pointer"),
        pytest.param("gettimeofday", (0, NOWHERE), -EFAULT, id="gettimeofday, bad zone"),
        pytest.param("gettimeofday", (0, 0), 0, id="gettimeofday, nulls"),
        pytest.param("time", (NOWHERE,), -EFAULT, id="time, bad pointer"),
        pytest.param("sysinfo", (NOWHERE,), -EFAULT, id="sysinfo, bad pointer"),
        pytest.param("times", (NOWHERE,), -EFAULT, id="times, bad pointer"),
        pytest.param("clock_gettime", (CLOCK_PROCESS_CPUTIME_ID, NOWHERE), -EINVAL, id="CPU time without a host"),
        pytest.param("clock_getres", (CPU_TIME_OF_SELF, NOWHERE), -EINVAL, id="getres of CPU time without a host"),
    ],
)
def test_wrong_reads(task: OwnTask, name: str, args: tuple[int, ...], result: int) -> None:
    assert call(task, name, *args) == result


@pytest.mark.parametrize("name", ["clock_gettime", "clock_getres"])
@pytest.mark.parametrize(
    "clock", [CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CPU_TIME_OF_SELF, NO_KIND_OF_CPU_TIME, DEVICE]
)
def test_cpu_time_and_devices_are_the_hosts(kernel: Machine, task: OwnTask, name: str, clock: int) -> None:
    kernel.host = FakeHost()
    if clock == NO_KIND_OF_CPU_TIME:
        assert call(task, name, clock, NOWHERE) == -EINVAL
    else:
        assert call(task, name, clock, NOWHERE) is PASS_ON


def test_gettimeofday_gives_microseconds_rounded_down_in_utc(kernel: Machine, task: OwnTask) -> None:
    kernel.handle_timer_irq(kernel.clock.now_ns + 1_999)
    time, zone = bytearray(TIMEVAL.size), bytearray(b"\xff" * 8)

    assert call(task, "gettimeofday", time, zone) == 0
    assert TIMEVAL.unpack(time) == (START_REALTIME_NS // SECOND, 1)
    assert zone == bytes(8)


def test_time_gives_whole_seconds_twice(kernel: Machine, task: OwnTask) -> None:
    kernel.handle_timer_irq(kernel.clock.now_ns + 2 * SECOND - 1)
    stored = bytearray(LONG.size)

    assert call(task, "time", 0) == START_REALTIME_NS // SECOND + 1
    assert call(task, "time", stored) == START_REALTIME_NS // SECOND + 1
    assert LONG.unpack(stored) == (START_REALTIME_NS // SECOND + 1,)


# Setting


def test_a_set_clock_goes_on_from_there_and_the_others_do_not_notice(kernel: Machine, task: OwnTask) -> None:
    assert call(task, "clock_settime", CLOCK_REALTIME, TIMESPEC.pack(2_000_000_000, 5)) == 0
    kernel.handle_timer_irq(kernel.clock.now_ns + 1)

    assert read_clock(task, CLOCK_REALTIME) == 2_000_000_000 * SECOND + 6
    assert read_clock(task, CLOCK_MONOTONIC) == START_MONOTONIC_NS + 1
    assert read_clock(task, CLOCK_BOOTTIME) == START_MONOTONIC_NS + 1


def test_settimeofday_sets_microseconds(task: OwnTask) -> None:
    assert call(task, "settimeofday", TIMEVAL.pack(2_000_000_000, 5), 0) == 0
    assert read_clock(task, CLOCK_REALTIME) == 2_000_000_000 * SECOND + 5_000


def test_timers_that_a_step_makes_due_fire_at_once(kernel: Machine, task: OwnTask) -> None:
    fired: list[int] = []
    kernel.clock.arm(LATER, lambda: fired.append(kernel.clock.read(CLOCK_REALTIME)), CLOCK_REALTIME)
    call(task, "clock_settime", CLOCK_REALTIME, pack_timespec(LATER + SECOND))

    assert fired == [LATER + SECOND]


@pytest.mark.parametrize(
    ("args", "errno"),
    [
        pytest.param((CLOCK_MONOTONIC, NOWHERE), EINVAL, id="another clock, before the pointer"),
        pytest.param((CLOCK_TAI, NOWHERE), EINVAL, id="CLOCK_TAI"),
        pytest.param((CLOCK_THREAD_CPUTIME_ID, NOWHERE), EINVAL, id="CPU time of the caller"),
        pytest.param((CPU_TIME_OF_SELF, pack_timespec(LATER)), EPERM, id="CPU time of a process"),
        pytest.param((NO_KIND_OF_CPU_TIME, NOWHERE), EINVAL, id="CPU time of no kind"),
        pytest.param((99, NOWHERE), EINVAL, id="no clock"),
        pytest.param((CLOCK_REALTIME, NOWHERE), EFAULT, id="bad pointer"),
        pytest.param((CLOCK_REALTIME, TIMESPEC.pack(1, SECOND)), EINVAL, id="too many nanoseconds"),
        pytest.param((CLOCK_REALTIME, TIMESPEC.pack(2, -1)), EINVAL, id="negative nanoseconds"),
        pytest.param((CLOCK_REALTIME, TIMESPEC.pack(-1, 0)), EINVAL, id="before 1970"),
        pytest.param((CLOCK_REALTIME, TIMESPEC.pack(999, SECOND - 1)), EINVAL, id="before the machine booted in 1970"),
        pytest.param((CLOCK_REALTIME, TIMESPEC.pack(SETTABLE_END, 0)), EINVAL, id="too late"),
    ],
)
def test_wrong_settings(task: OwnTask, args: tuple[Argument, ...], errno: int) -> None:
    assert call(task, "clock_settime", *args) == -errno
    assert read_clock(task, CLOCK_REALTIME) == START_REALTIME_NS


@pytest.mark.parametrize(
    "instant", [TIMESPEC.pack(1000, 0), TIMESPEC.pack(SETTABLE_END - 1, SECOND - 1)], ids=["earliest", "latest"]
)
def test_the_farthest_settings(task: OwnTask, instant: bytes) -> None:
    assert call(task, "clock_settime", CLOCK_REALTIME, instant) == 0


@pytest.mark.parametrize(
    ("tv", "tz", "result"),
    [
        pytest.param(0, 0, 0, id="nulls"),
        pytest.param(TIMEVAL.pack(1, 1_000_000), NOWHERE, -EINVAL, id="microseconds before the zone"),
        pytest.param(TIMEVAL.pack(1, -1), NOWHERE, -EINVAL, id="negative microseconds"),
        pytest.param(TIMEVAL.pack(-1, 0), NOWHERE, -EFAULT, id="zone before seconds"),
        pytest.param(TIMEVAL.pack(-1, 0), 0, -EINVAL, id="negative seconds"),
        pytest.param(NOWHERE, 0, -EFAULT, id="bad pointer"),
    ],
)
def test_settimeofday_checks_in_linux_order(task: OwnTask, tv: Argument, tz: Argument, result: int) -> None:
    assert call(task, "settimeofday", tv, tz) == result
    assert read_clock(task, CLOCK_REALTIME) == START_REALTIME_NS


@pytest.mark.parametrize(
    ("name", "args", "id", "errno"),
    [
        pytest.param("settimeofday", (0, bytes(8)), "TL420", EPERM, id="time zone"),
        pytest.param("clock_settime", (DEVICE, NOWHERE), "TL421", EOPNOTSUPP, id="device"),
    ],
)
def test_what_is_not_served_is_named(
    kernel: Machine, task: OwnTask, name: str, args: tuple[Argument, ...], id: str, errno: int
) -> None:
    named: list[str] = []
    kernel.on_refused = lambda task, unserved: named.append(unserved.id)

    assert call(task, name, *args) == -errno
    assert named == [id]


def test_setting_needs_cap_sys_time_and_a_valid_time_first(kernel: Machine, task: OwnTask) -> None:
    host = kernel.host = Unprivileged()
    answers = [
        call(task, "clock_settime", CLOCK_REALTIME, TIMESPEC.pack(-1, 0)),
        call(task, "clock_settime", CLOCK_REALTIME, pack_timespec(LATER)),
        # A valid time that cannot be set: before the machine booted.
        call(task, "settimeofday", pack_timeval(SECOND), 0),
        call(task, "settimeofday", 0, 0),
    ]

    assert answers == [-EINVAL, -EPERM, -EPERM, -EPERM]
    assert host.asked == [CAP_SYS_TIME] * 3
    assert read_clock(task, CLOCK_REALTIME) == START_REALTIME_NS


# sysinfo


def test_uptime_is_boottime_rounded_up_and_the_rest_is_the_hosts(kernel: Machine, task: OwnTask) -> None:
    class Host(FakeHost):
        def sysinfo(self) -> bytes:
            return b"\xff" * 112

    kernel.host = Host()
    kernel.handle_timer_irq(kernel.clock.now_ns + 1)
    kernel.clock.suspend(10 * SECOND)
    info = bytearray(112)

    assert call(task, "sysinfo", info) == 0
    assert LONG.unpack_from(info) == (1011,)
    assert info[8:] == b"\xff" * 104


def test_without_a_host_sysinfo_counts_the_tasks(kernel: Machine, task: OwnTask) -> None:
    kernel.spawn(idle)
    info = bytearray(112)
    call(task, "sysinfo", info)

    (total,) = Struct("<Q").unpack_from(info, 32)
    (processes,) = Struct("<H").unpack_from(info, 80)
    (unit,) = Struct("<I").unpack_from(info, 104)
    assert (total, processes, unit) == (1 << 30, 2, 1)


# times


def test_times_counts_virtual_ticks_and_the_hosts_cpu_time(kernel: Machine, task: OwnTask) -> None:
    """times(2): clock ticks since a point in the past. Those that are not whole are left out; a suspend is no time."""
    kernel.host = FakeHost()
    kernel.handle_timer_irq(kernel.clock.now_ns + 2 * SECOND - 1)
    kernel.clock.suspend(10 * SECOND)
    used = bytearray(32)

    assert call(task, "times", used) == 100_199
    assert Struct("<4q").unpack(used) == (1, 2, 3, 4)


def test_times_needs_no_buffer_and_no_host(task: OwnTask) -> None:
    used = bytearray(b"\xff" * 32)

    assert call(task, "times", 0) == 100_000
    assert call(task, "times", used) == 100_000
    assert used == bytes(32)
