"""setitimer(2), getitimer(2), alarm(2): SIGALRM at exact multiples. tests/linux/timer_rules.c."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.signalling import block, unblock
from tickless.abi.errno import EFAULT, EINVAL
from tickless.abi.siginfo import SI_KERNEL, SigInfo
from tickless.abi.signal import SA_SIGINFO, SIG_IGN, SIGALRM, SIGSET, sigmask
from tickless.abi.time import (
    CLOCK_REALTIME,
    ITIMER_PROF,
    ITIMER_REAL,
    ITIMER_VIRTUAL,
    ITIMERVAL,
    pack_itimerval,
    pack_timespec,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.wait import signal_status
from tickless.kernel.clock import START_REALTIME_NS
from tickless.kernel.machine import Argument, Calls, Machine, OwnTask, Program
from tickless.kernel.outcome import PASS_ON

NOWHERE = 16
MILLISECOND = SECOND // 1000
ONE_SHOT = pack_itimerval(0, 7 * SECOND)


def setting(task: OwnTask) -> tuple[int, int]:
    """(interval, what is left) of ITIMER_REAL in ns, as getitimer gives them."""
    value = bytearray(ITIMERVAL.size)
    assert call(task, "getitimer", ITIMER_REAL, value) == 0
    interval_s, interval_us, left_s, left_us = ITIMERVAL.unpack(value)
    return interval_s * SECOND + interval_us * 1000, left_s * SECOND + left_us * 1000


def set_timer(task: OwnTask, value_ns: int, interval_ns: int = 0) -> None:
    assert call(task, "setitimer", ITIMER_REAL, pack_itimerval(interval_ns, value_ns), 0) == 0


def advance(kernel: Machine, span_ns: int) -> None:
    kernel.handle_timer_irq(kernel.clock.now_ns + span_ns)


@pytest.fixture
def task(kernel: Machine) -> OwnTask:
    """A task that blocks SIGALRM."""
    task = kernel.spawn(idle)
    task.own_signals.set_mask(sigmask(SIGALRM))
    return task


def take_alarm(task: OwnTask) -> int:
    """SIGALRM or -EAGAIN, at once."""
    answer = call(task, "rt_sigtimedwait", SIGSET.pack(sigmask(SIGALRM)), 0, pack_timespec(0), 8)
    assert isinstance(answer, int)
    return answer


# Signals


def test_a_periodic_timer_rings_at_exact_multiples(kernel: Machine) -> None:
    rung: list[int] = []
    infos: list[SigInfo] = []

    def handler(signo: int, info: SigInfo) -> None:
        rung.append(kernel.now_ns)
        infos.append(info)

    def program(sys: Calls) -> Program:
        yield sys.sigaction(SIGALRM, handler, SA_SIGINFO)
        yield sys.setitimer(ITIMER_REAL, pack_itimerval(300 * MILLISECOND, SECOND), 0)
        for _ in range(4):
            yield sys.pause()
            yield sys.sched_yield()
        yield sys.alarm(0)

    kernel.spawn(program)
    kernel.run()

    assert rung == [1000 * MILLISECOND, 1300 * MILLISECOND, 1600 * MILLISECOND, 1900 * MILLISECOND]
    assert {(info.signo, info.code, info.pid, info.uid) for info in infos} == {(SIGALRM, SI_KERNEL, 0, 0)}


def test_without_a_handler_the_alarm_kills(kernel: Machine) -> None:
    def child(sys: Calls) -> Program:
        yield sys.alarm(5)
        yield sys.pause()

    task = kernel.spawn(child)
    kernel.run()

    assert task.group.wait_status == signal_status(SIGALRM, core=False)
    assert kernel.now_ns == 5 * SECOND


def test_while_its_signal_is_pending_the_timer_stands_still(kernel: Machine, task: OwnTask) -> None:
    """kernel/signal.c: ITIMER_REAL is restarted when SIGALRM is taken."""
    set_timer(task, 10 * MILLISECOND, 10 * MILLISECOND)
    advance(kernel, 35 * MILLISECOND)
    pending = setting(task)

    assert not kernel.jump()
    assert pending == (10 * MILLISECOND, 0)
    assert take_alarm(task) == SIGALRM
    assert setting(task) == (10 * MILLISECOND, 5 * MILLISECOND)  # to 40 ms: no drift
    assert take_alarm(task) < 0


@pytest.mark.parametrize("late_ns", [0, 1, 10 * MILLISECOND - 1])
def test_it_goes_on_at_the_next_multiple_after_the_signal_was_taken(
    kernel: Machine, task: OwnTask, late_ns: int
) -> None:
    set_timer(task, 10 * MILLISECOND, 10 * MILLISECOND)
    advance(kernel, 20 * MILLISECOND + late_ns)
    take_alarm(task)
    kernel.jump()

    assert kernel.now_ns == 30 * MILLISECOND


def test_any_sigalrm_that_is_taken_lets_it_go_on(kernel: Machine, task: OwnTask) -> None:
    """One that somebody sent was pending when the timer expired: theirs is the one that is taken."""
    set_timer(task, 10 * MILLISECOND, 10 * MILLISECOND)
    call(task, "kill", task.tid, SIGALRM)
    advance(kernel, 15 * MILLISECOND)

    assert take_alarm(task) == SIGALRM
    assert setting(task) == (10 * MILLISECOND, 5 * MILLISECOND)


def test_taken_while_it_runs_a_sigalrm_changes_nothing(kernel: Machine, task: OwnTask) -> None:
    set_timer(task, 10 * MILLISECOND, 10 * MILLISECOND)
    call(task, "kill", task.tid, SIGALRM)
    take_alarm(task)

    assert setting(task) == (10 * MILLISECOND, 10 * MILLISECOND)


def test_an_ignored_signal_ends_the_timer(kernel: Machine) -> None:
    """As on Linux: nothing is taken, so nothing restarts it, even when the signal is caught again."""
    rung: list[int] = []
    settings: list[tuple[int, ...]] = []

    def program(sys: Calls) -> Program:
        yield sys.sigaction(SIGALRM, SIG_IGN)
        yield sys.setitimer(ITIMER_REAL, pack_itimerval(10 * MILLISECOND, 10 * MILLISECOND), 0)
        yield sys.sleep_ns(35 * MILLISECOND)
        yield sys.sigaction(SIGALRM, rung.append)
        yield sys.sleep_ns(35 * MILLISECOND)
        value = bytearray(ITIMERVAL.size)
        yield sys.getitimer(ITIMER_REAL, value)
        settings.append(ITIMERVAL.unpack(value))

    kernel.spawn(program)
    kernel.run()

    assert rung == []
    assert settings == [(0, 10_000, 0, 0)]
    assert kernel.now_ns == 70 * MILLISECOND


def test_a_day_of_ticks_has_no_drift(kernel: Machine) -> None:
    rung: list[int] = []

    def program(sys: Calls) -> Program:
        yield block(sys, SIGALRM)
        yield sys.setitimer(ITIMER_REAL, pack_itimerval(7 * SECOND + 1000, 7 * SECOND + 1000), 0)
        for _ in range(12_000):
            yield sys.rt_sigtimedwait(SIGSET.pack(sigmask(SIGALRM)), 0, 0, 8)
            rung.append(kernel.now_ns)
        yield sys.alarm(0)
        yield unblock(sys, SIGALRM)

    kernel.spawn(program)
    kernel.run()

    assert rung == [(7 * SECOND + 1000) * n for n in range(1, 12_001)]


# Settings


def test_a_setting_gives_the_old_one_in_microseconds_rounded_down(kernel: Machine, task: OwnTask) -> None:
    set_timer(task, SECOND, 300 * MILLISECOND)
    advance(kernel, 1)
    old = bytearray(ITIMERVAL.size)

    assert call(task, "setitimer", ITIMER_REAL, ONE_SHOT, old) == 0
    assert ITIMERVAL.unpack(old) == (0, 300_000, 0, 999_999)
    assert setting(task) == (0, 7 * SECOND)


def test_due_but_not_noticed_yet_a_microsecond_is_left(kernel: Machine, task: OwnTask) -> None:
    """0 would mean that it is off. kernel/time/itimer.c, itimer_get_remtime."""
    set_timer(task, SECOND)
    kernel.clock.now_ns += SECOND

    assert setting(task) == (0, 1000)


@pytest.mark.parametrize("off", [pack_itimerval(SECOND, 0), 0], ids=["value 0", "null"])
def test_a_value_of_nothing_turns_it_off_with_its_interval(kernel: Machine, task: OwnTask, off: Argument) -> None:
    set_timer(task, SECOND, SECOND)

    assert call(task, "setitimer", ITIMER_REAL, off, 0) == 0
    assert setting(task) == (0, 0)
    assert not kernel.jump()


@pytest.mark.parametrize(
    ("name", "args", "errno"),
    [
        pytest.param("setitimer", (5, NOWHERE, 0), EFAULT, id="pointer before timer"),
        pytest.param("setitimer", (5, ITIMERVAL.pack(0, 0, 0, 1_000_000), 0), EINVAL, id="value before timer"),
        pytest.param("setitimer", (ITIMER_REAL, ITIMERVAL.pack(0, 0, 0, 1_000_000), 0), EINVAL, id="wrong value"),
        pytest.param("setitimer", (ITIMER_REAL, ITIMERVAL.pack(0, 0, -1, 0), 0), EINVAL, id="negative value"),
        pytest.param("setitimer", (ITIMER_REAL, ITIMERVAL.pack(-1, 0, 0, 0), 0), EINVAL, id="negative interval"),
        pytest.param("setitimer", (ITIMER_REAL, ITIMERVAL.pack(0, -1, 0, 0), 0), EINVAL, id="wrong interval"),
        pytest.param("setitimer", (5, ONE_SHOT, 0), EINVAL, id="no such timer"),
        pytest.param("getitimer", (5, NOWHERE), EINVAL, id="get, timer before pointer"),
        pytest.param("getitimer", (ITIMER_REAL, NOWHERE), EFAULT, id="get, bad pointer"),
    ],
)
def test_wrong_calls_change_nothing(
    kernel: Machine, task: OwnTask, name: str, args: tuple[Argument, ...], errno: int
) -> None:
    set_timer(task, SECOND, SECOND)

    assert call(task, name, *args) == -errno
    assert setting(task) == (SECOND, SECOND)


def test_a_bad_place_for_the_old_setting_is_found_after_the_new_one_holds(task: OwnTask) -> None:
    assert call(task, "setitimer", ITIMER_REAL, ONE_SHOT, NOWHERE) == -EFAULT
    assert setting(task) == (0, 7 * SECOND)


@pytest.mark.parametrize(
    ("left_ns", "seconds"),
    [
        pytest.param(0, 0, id="none"),
        pytest.param(1, 1, id="a nanosecond"),
        pytest.param(SECOND // 2 - 1, 1, id="less than half a second"),
        pytest.param(SECOND, 1, id="a second"),
        pytest.param(3 * SECOND // 2 - 1, 1, id="less than 1.5"),
        pytest.param(3 * SECOND // 2, 2, id="1.5"),
        pytest.param(100 * SECOND, 100, id="100"),
    ],
)
def test_alarm_says_what_was_left_rounded_to_seconds(
    kernel: Machine, task: OwnTask, left_ns: int, seconds: int
) -> None:
    """Too much rather than too little, and never 0 while it runs. kernel/time/itimer.c, alarm_setitimer."""
    task.group.real_timer.set(left_ns, SECOND)

    assert call(task, "alarm", 4) == seconds
    assert setting(task) == (0, 4 * SECOND)
    assert call(task, "alarm", 0) == 4
    assert setting(task) == (0, 0)


def test_alarm_takes_unsigned_seconds(kernel: Machine, task: OwnTask) -> None:
    assert call(task, "alarm", -1) == 0
    assert setting(task) == (0, (2**32 - 1) * SECOND)


def test_a_clock_step_does_not_touch_it(kernel: Machine, task: OwnTask) -> None:
    set_timer(task, 10 * SECOND)
    call(task, "clock_settime", CLOCK_REALTIME, pack_timespec(START_REALTIME_NS + 3600 * SECOND))

    assert setting(task) == (0, 10 * SECOND)


def test_a_child_has_a_timer_of_its_own(kernel: Machine, task: OwnTask) -> None:
    set_timer(task, SECOND, SECOND)

    assert setting(kernel.spawn(idle, task)) == (0, 0)
    assert setting(kernel.spawn(idle, task, same_group=True)) == (SECOND, SECOND)


# CPU time


@pytest.mark.parametrize("timer", [ITIMER_VIRTUAL, ITIMER_PROF])
def test_timers_of_cpu_time_are_the_hosts(kernel: Machine, task: OwnTask, timer: int) -> None:
    kernel.host = FakeHost()

    assert call(task, "setitimer", timer, ONE_SHOT, 0) is PASS_ON
    assert call(task, "getitimer", timer, NOWHERE) is PASS_ON


@pytest.mark.parametrize("name", ["setitimer", "getitimer"])
def test_without_a_host_they_are_named_as_unserved(kernel: Machine, task: OwnTask, name: str) -> None:
    named: list[str] = []
    kernel.on_refused = lambda task, unserved: named.append(unserved.id)

    assert call(task, name, ITIMER_PROF, bytes(ITIMERVAL.size), 0) == -EINVAL
    assert named == ["TL430"]
