"""nanosleep(2), clock_nanosleep(2), sched_yield(2), restart_syscall(2). tests/linux/clock_rules.c."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import call, idle
from tests.kernel.test_time_calls import Unprivileged
from tickless.abi.capability import CAP_WAKE_ALARM
from tickless.abi.errno import EFAULT, EINTR, EINVAL, EOPNOTSUPP, EPERM
from tickless.abi.signal import SA_RESTART, SIGCONT, SIGSTOP, SIGUSR1
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
    TIMER_ABSTIME,
    TIMESPEC,
    pack_timespec,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.clock import START_MONOTONIC_NS, START_REALTIME_NS
from tickless.kernel.kernel import Deadlock
from tickless.kernel.machine import Argument, Calls, Machine, Program

NOWHERE = 16
WRONG = TIMESPEC.pack(0, SECOND)
ZERO = TIMESPEC.pack(0, 0)
WAITABLE = (
    CLOCK_REALTIME,
    CLOCK_MONOTONIC,
    CLOCK_BOOTTIME,
    CLOCK_TAI,
    CLOCK_REALTIME_ALARM,
    CLOCK_BOOTTIME_ALARM,
)
DEVICE = -5 & 0xFFFFFFFF


def slept(kernel: Machine, name: str, *args: Argument) -> tuple[int, int]:
    """What a sleep gave, and for how long it slept."""
    results: list[int] = []

    def program(sys: Calls) -> Program:
        results.append((yield getattr(sys, name)(*args)))

    kernel.spawn(program)
    kernel.run()
    return results[0], kernel.now_ns


# Spans and instants


def test_nanosleep_is_exact(kernel: Machine) -> None:
    assert slept(kernel, "nanosleep", TIMESPEC.pack(86_400, 1), 0) == (0, 86_400 * SECOND + 1)


def test_a_sleep_of_nothing_does_not_wait(kernel: Machine) -> None:
    assert slept(kernel, "nanosleep", ZERO, NOWHERE) == (0, 0)


def test_a_sleep_for_ever_never_ends(kernel: Machine) -> None:
    with pytest.raises(Deadlock):
        slept(kernel, "nanosleep", TIMESPEC.pack((1 << 63) - 1, SECOND - 1), 0)


@pytest.mark.parametrize("clock", WAITABLE)
def test_every_waitable_clock_takes_spans_and_instants(kernel: Machine, clock: int) -> None:
    ends: list[int] = []

    def program(sys: Calls) -> Program:
        yield sys.clock_nanosleep(clock, 0, pack_timespec(3 * SECOND), 0)
        ends.append(kernel.now_ns)
        until = pack_timespec(kernel.clock.read(clock) + 4 * SECOND)
        yield sys.clock_nanosleep(clock, TIMER_ABSTIME, until, 0)
        ends.append(kernel.now_ns)
        yield sys.clock_nanosleep(clock, TIMER_ABSTIME, until, 0)
        ends.append(kernel.now_ns)

    kernel.spawn(program)
    kernel.run()

    assert ends == [3 * SECOND, 7 * SECOND, 7 * SECOND]


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        pytest.param("nanosleep", (NOWHERE, 0), -EFAULT, id="nanosleep, bad pointer"),
        pytest.param("nanosleep", (WRONG, 0), -EINVAL, id="nanosleep, too many nanoseconds"),
        pytest.param("nanosleep", (TIMESPEC.pack(1, -1), 0), -EINVAL, id="nanosleep, negative nanoseconds"),
        pytest.param("nanosleep", (TIMESPEC.pack(-1, 0), 0), -EINVAL, id="nanosleep, negative seconds"),
        pytest.param("clock_nanosleep", (99, 0, NOWHERE, 0), -EINVAL, id="clock before pointer"),
        pytest.param("clock_nanosleep", (CLOCK_MONOTONIC, 0, NOWHERE, 0), -EFAULT, id="bad pointer"),
        pytest.param("clock_nanosleep", (CLOCK_MONOTONIC, 8, WRONG, 0), -EINVAL, id="wrong span"),
        pytest.param("clock_nanosleep", (CLOCK_MONOTONIC, 8, ZERO, 0), 0, id="unknown flags"),
        pytest.param("clock_nanosleep", (CLOCK_REALTIME_ALARM, 8, ZERO, 0), -EINVAL, id="unknown flags, alarm clock"),
        pytest.param("clock_nanosleep", (CLOCK_MONOTONIC_RAW, 0, NOWHERE, 0), -EOPNOTSUPP, id="raw clock"),
        pytest.param("clock_nanosleep", (CLOCK_MONOTONIC_COARSE, 0, NOWHERE, 0), -EOPNOTSUPP, id="coarse clock"),
        pytest.param("clock_nanosleep", (CLOCK_REALTIME_COARSE, 0, NOWHERE, 0), -EOPNOTSUPP, id="coarse realtime"),
        pytest.param("clock_nanosleep", (CLOCK_THREAD_CPUTIME_ID, 0, NOWHERE, 0), -EOPNOTSUPP, id="thread's CPU time"),
        pytest.param("clock_nanosleep", (CLOCK_PROCESS_CPUTIME_ID, 0, NOWHERE, 0), -EFAULT, id="CPU time, bad pointer"),
        pytest.param("clock_nanosleep", (CLOCK_PROCESS_CPUTIME_ID, 0, WRONG, 0), -EINVAL, id="CPU time, wrong span"),
        pytest.param("clock_nanosleep", (DEVICE, 0, NOWHERE, 0), -EOPNOTSUPP, id="device"),
    ],
)
def test_wrong_sleeps(kernel: Machine, name: str, args: tuple[Argument, ...], result: int) -> None:
    assert slept(kernel, name, *args) == (result, 0)


def test_an_alarm_clock_needs_cap_wake_alarm(kernel: Machine) -> None:
    host = kernel.host = Unprivileged()
    task = kernel.spawn(idle)

    assert call(task, "clock_nanosleep", CLOCK_BOOTTIME_ALARM, 8, ZERO, 0) == -EINVAL
    assert call(task, "clock_nanosleep", CLOCK_BOOTTIME_ALARM, 0, ZERO, 0) == -EPERM
    assert host.asked == [CAP_WAKE_ALARM]


# Clock steps


@pytest.mark.parametrize(
    ("clock", "flags", "start_ns", "ends_at"),
    [
        pytest.param(CLOCK_REALTIME, TIMER_ABSTIME, START_REALTIME_NS, 4, id="an instant of REALTIME comes nearer"),
        pytest.param(CLOCK_TAI, TIMER_ABSTIME, START_REALTIME_NS, 4, id="and of TAI"),
        pytest.param(CLOCK_REALTIME, 0, 0, 10, id="a span of REALTIME stays"),
        pytest.param(CLOCK_MONOTONIC, TIMER_ABSTIME, START_MONOTONIC_NS, 10, id="an instant of MONOTONIC stays"),
        pytest.param(CLOCK_BOOTTIME, TIMER_ABSTIME, START_MONOTONIC_NS, 10, id="and of BOOTTIME"),
    ],
)
def test_a_clock_step(kernel: Machine, clock: int, flags: int, start_ns: int, ends_at: int) -> None:
    """clock_nanosleep(2), Notes; POSIX lets no step change a span."""
    forward = pack_timespec(START_REALTIME_NS + 8 * SECOND)

    def stepper(sys: Calls) -> Program:
        yield sys.sleep_ns(2 * SECOND)
        yield sys.clock_settime(CLOCK_REALTIME, forward)

    kernel.spawn(stepper)

    assert slept(kernel, "clock_nanosleep", clock, flags, pack_timespec(start_ns + 10 * SECOND), 0) == (
        0,
        ends_at * SECOND,
    )


@pytest.mark.parametrize(("clock", "ends_at"), [(CLOCK_MONOTONIC, 10), (CLOCK_REALTIME, 10), (CLOCK_BOOTTIME, 2)])
def test_a_suspended_machine_sleeps_through_spans_of_boottime_alone(kernel: Machine, clock: int, ends_at: int) -> None:
    kernel.clock.arm(kernel.clock.start_ns + 2 * SECOND, lambda: kernel.clock.suspend(3600 * SECOND))

    assert slept(kernel, "clock_nanosleep", clock, 0, pack_timespec(10 * SECOND), 0) == (0, ends_at * SECOND)


# Signals


def interrupted(kernel: Machine, flags: int, name: str, *args: Argument) -> tuple[int, int]:
    """A sleep that SIGUSR1 interrupts after 2.5 s: what it gave, and when."""
    ended: list[int] = []

    def program(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None, flags)
        ended.append((yield getattr(sys, name)(*args)))
        ended.append(kernel.now_ns)

    def sender(sys: Calls) -> Program:
        yield sys.sleep_ns(5 * SECOND // 2)
        yield sys.kill(task.tid, SIGUSR1)

    task = kernel.spawn(program)
    kernel.spawn(sender)
    kernel.run()
    return ended[0], ended[1]


@pytest.mark.parametrize("flags", [0, SA_RESTART])
@pytest.mark.parametrize("name", ["nanosleep", "clock_nanosleep"])
def test_a_handler_ends_a_span_and_what_is_left_is_told(kernel: Machine, name: str, flags: int) -> None:
    """signal(7): never restarted after a handler, whatever its flags."""
    left = bytearray(TIMESPEC.size)
    clock = () if name == "nanosleep" else (CLOCK_REALTIME, 0)

    assert interrupted(kernel, flags, name, *clock, pack_timespec(10 * SECOND), left) == (-EINTR, 5 * SECOND // 2)
    assert TIMESPEC.unpack(left) == (7, SECOND // 2)


def test_a_handler_ends_a_sleep_until_an_instant_and_nothing_is_told(kernel: Machine) -> None:
    left = bytearray(b"\xff" * TIMESPEC.size)
    until = pack_timespec(START_MONOTONIC_NS + 10 * SECOND)

    assert interrupted(kernel, 0, "clock_nanosleep", CLOCK_MONOTONIC, TIMER_ABSTIME, until, left)[0] == -EINTR
    assert left == b"\xff" * TIMESPEC.size


def test_without_a_place_for_what_is_left_it_is_not_told(kernel: Machine) -> None:
    assert interrupted(kernel, 0, "nanosleep", pack_timespec(10 * SECOND), 0) == (-EINTR, 5 * SECOND // 2)


def test_a_bad_place_for_what_is_left_is_efault(kernel: Machine) -> None:
    assert interrupted(kernel, 0, "nanosleep", pack_timespec(10 * SECOND), NOWHERE) == (-EFAULT, 5 * SECOND // 2)


@pytest.mark.parametrize("flags", [0, TIMER_ABSTIME])
@pytest.mark.parametrize("continued_at", [3, 20])
def test_a_stop_leaves_the_deadline(kernel: Machine, flags: int, continued_at: int) -> None:
    """Stopped past its end, the sleep is over at once when the process goes on."""
    ended: list[int] = []

    def program(sys: Calls) -> Program:
        time = pack_timespec((START_MONOTONIC_NS if flags else 0) + 10 * SECOND)
        ended.append((yield sys.clock_nanosleep(CLOCK_MONOTONIC, flags, time, 0)))
        ended.append(kernel.now_ns)

    def outside(sys: Calls) -> Program:
        yield sys.sleep_ns(2 * SECOND)
        yield sys.kill(task.tid, SIGSTOP)
        yield sys.sleep_ns((continued_at - 2) * SECOND)
        yield sys.kill(task.tid, SIGCONT)

    task = kernel.spawn(program)
    kernel.spawn(outside)
    kernel.run()

    assert ended == [0, max(10, continued_at) * SECOND]


def test_a_sleep_stopped_twice_still_tells_what_is_left(kernel: Machine) -> None:
    ended: list[int] = []
    left = bytearray(TIMESPEC.size)

    def program(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        ended.append((yield sys.nanosleep(pack_timespec(10 * SECOND), left)))

    def outside(sys: Calls) -> Program:
        for _ in range(2):
            yield sys.sleep_ns(SECOND)
            yield sys.kill(task.tid, SIGSTOP)
            yield sys.kill(task.tid, SIGCONT)
        yield sys.sleep_ns(SECOND)
        yield sys.kill(task.tid, SIGUSR1)

    task = kernel.spawn(program)
    kernel.spawn(outside)
    kernel.run()

    assert ended == [-EINTR]
    assert TIMESPEC.unpack(left) == (7, 0)


def test_restart_syscall_made_by_a_program_is_eintr(kernel: Machine) -> None:
    assert slept(kernel, "restart_syscall") == (-EINTR, 0)


# sched_yield


def test_sched_yield_lets_all_who_are_ready_go_first(kernel: Machine) -> None:
    tasks = [kernel.spawn(idle) for _ in range(3)]
    runner = kernel.pick()
    assert runner is tasks[0]

    assert call(runner, "sched_yield") is None
    assert [kernel.pick() for _ in range(4)] == [*tasks[1:], runner, None]
    assert kernel.resume_call(runner) == 0
    assert not runner.gives_way


def test_alone_sched_yield_returns_at_once(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    kernel.ready.clear()

    assert call(task, "sched_yield") == 0
