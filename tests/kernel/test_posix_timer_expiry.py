"""timer_getoverrun(2): what a POSIX timer counts while nobody takes its signal; clock steps, exec and exit."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import call, idle
from tests.kernel.posix_timers import (
    HANDLER,
    MS,
    advance,
    arm,
    create,
    event,
    is_pending,
    overrun,
    setting,
    taken_overrun,
)
from tickless.abi.errno import EINVAL
from tickless.abi.signal import SIG_IGN, SIGALRM, SIGCHLD, SIGRTMIN, SIGSET, SIGUSR1, SIGUSR2, sigmask
from tickless.abi.time import (
    CLOCK_BOOTTIME,
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    SIGEV_NONE,
    TIMER_ABSTIME,
    pack_itimerspec,
    pack_timespec,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.clock import START_MONOTONIC_NS, START_REALTIME_NS
from tickless.kernel.machine import Calls, Machine, OwnTask, Program
from tickless.kernel.own_signals import SigAction
from tickless.kernel.process import exit_task


@pytest.fixture
def task(kernel: Machine) -> OwnTask:
    """A task that blocks the signals which the tests use."""
    task = kernel.spawn(idle)
    task.own_signals.set_mask(sigmask(SIGUSR1, SIGUSR2, SIGALRM, SIGRTMIN))
    return task


# Overruns


def test_while_its_signal_is_pending_a_timer_counts_without_events(kernel: Machine, task: OwnTask) -> None:
    timer = create(task)
    arm(task, timer, 10 * MS, 10 * MS)
    advance(kernel, 55 * MS)

    assert not kernel.jump()
    assert overrun(task, timer) == 0
    assert taken_overrun(task) == 4
    assert overrun(task, timer) == 4
    assert setting(task, timer) == (10 * MS, 5 * MS)
    assert not is_pending(task)
    kernel.jump()
    assert kernel.now_ns == 60 * MS
    assert taken_overrun(task) == 0
    assert overrun(task, timer) == 0


def test_looking_at_a_pending_timer_does_not_change_its_overrun(kernel: Machine, task: OwnTask) -> None:
    timer = create(task)
    arm(task, timer, 10 * MS, 10 * MS)
    advance(kernel, 35 * MS)

    assert setting(task, timer) == (10 * MS, 5 * MS)
    advance(kernel, 20 * MS)
    assert setting(task, timer) == (10 * MS, 5 * MS)
    assert taken_overrun(task) == 4


def test_an_instant_that_has_passed_long_ago_counts_from_then(kernel: Machine, task: OwnTask) -> None:
    timer = create(task)
    arm(task, timer, START_MONOTONIC_NS - SECOND, 100 * MS, flags=TIMER_ABSTIME)
    kernel.jump()

    assert kernel.now_ns == 0
    assert taken_overrun(task) == 10
    assert setting(task, timer) == (100 * MS, 100 * MS)


def test_the_overrun_ends_at_int_max(kernel: Machine, task: OwnTask) -> None:
    timer = create(task)
    arm(task, timer, 1, 1)
    advance(kernel, 5 * SECOND)

    assert taken_overrun(task) == 2**31 - 1
    assert overrun(task, timer) == 2**31 - 1


def test_an_expired_one_shot_is_off_while_its_signal_is_pending(kernel: Machine, task: OwnTask) -> None:
    timer = create(task)
    arm(task, timer, MS)
    advance(kernel, 3 * MS)

    assert setting(task, timer) == (0, 0)
    assert taken_overrun(task) == 0
    assert not kernel.jump()


def test_a_day_of_ticks_has_no_drift(kernel: Machine) -> None:
    rung: list[int] = []

    def program(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(0, SIGSET.pack(sigmask(SIGUSR1)), 0, 8)
        yield sys.timer_create(CLOCK_MONOTONIC, event(), bytearray(4))
        yield sys.timer_settime(0, 0, pack_itimerspec(7 * SECOND + 1, 7 * SECOND + 1), 0)
        for _ in range(12_000):
            yield sys.rt_sigtimedwait(SIGSET.pack(sigmask(SIGUSR1)), 0, 0, 8)
            rung.append(kernel.now_ns)

    kernel.spawn(program)
    kernel.run()

    assert rung == [(7 * SECOND + 1) * n for n in range(1, 12_001)]


# SIGEV_NONE


def test_a_silent_timer_is_computed_and_makes_no_events(kernel: Machine, task: OwnTask) -> None:
    timer = create(task, sigevent=event(SIGEV_NONE, 9999))
    settings = [setting(task, timer)]
    arm(task, timer, 10 * MS)
    settings.append(setting(task, timer))
    advance(kernel, 12 * MS)
    settings.append(setting(task, timer))
    arm(task, timer, 10 * MS, 10 * MS)
    advance(kernel, 25 * MS)
    settings.append(setting(task, timer))

    assert settings == [(0, 0), (0, 10 * MS), (0, 0), (10 * MS, 5 * MS)]
    assert overrun(task, timer) == 0
    assert not kernel.jump()


def test_a_silent_timer_that_is_turned_off_still_tells_its_time(task: OwnTask) -> None:
    """Measured on 6.18: nothing but its expiry says that a silent timer is on, and that is left alone."""
    timer = create(task, sigevent=event(SIGEV_NONE))
    arm(task, timer, 10 * SECOND)
    arm(task, timer, 0)

    assert setting(task, timer) == (0, 10 * SECOND)


# Ignored signals


def ignore(task: OwnTask, signo: int, handler: int = SIG_IGN) -> None:
    task.own_signals.set_action(signo, SigAction(handler, 0, 0, 0))


def test_an_ignored_signal_is_counted_for_the_one_that_comes_through(kernel: Machine, task: OwnTask) -> None:
    task.own_signals.set_mask(0)
    ignore(task, SIGUSR1)
    timer = create(task)
    arm(task, timer, 10 * MS, 10 * MS)
    advance(kernel, 10 * MS)
    advance(kernel, 10 * MS)
    left = setting(task, timer)
    task.own_signals.set_mask(sigmask(SIGUSR1))
    ignore(task, SIGUSR1, HANDLER)
    advance(kernel, 10 * MS)

    assert left == (10 * MS, 10 * MS)
    assert taken_overrun(task) == 2


def test_a_signal_ignored_by_default_is_ignored(kernel: Machine, task: OwnTask) -> None:
    timer = create(task, sigevent=event(signo=SIGCHLD))
    arm(task, timer, MS)
    advance(kernel, MS)

    assert not is_pending(task, SIGCHLD)
    assert setting(task, timer) == (0, 0)


@pytest.mark.parametrize("interval_ns", [0, 10 * MS])
def test_a_pending_signal_that_is_ignored_from_now_on_is_gone_and_the_timer_goes_on(
    kernel: Machine, task: OwnTask, interval_ns: int
) -> None:
    timer = create(task)
    arm(task, timer, 10 * MS, interval_ns)
    advance(kernel, 15 * MS)
    ignore(task, SIGUSR1)

    assert not is_pending(task)
    assert setting(task, timer) == ((10 * MS, 5 * MS) if interval_ns else (0, 0))
    assert kernel.jump() is bool(interval_ns)


def test_a_stale_signal_that_is_ignored_arms_nothing(kernel: Machine, task: OwnTask) -> None:
    timer = create(task)
    arm(task, timer, MS, MS)
    advance(kernel, MS)
    arm(task, timer, 0)
    ignore(task, SIGUSR1)

    assert not kernel.jump()


# Clock steps


@pytest.mark.parametrize(
    ("clock", "flags", "start_ns", "left_ns"),
    [
        pytest.param(CLOCK_REALTIME, TIMER_ABSTIME, START_REALTIME_NS, 4 * SECOND, id="an instant of REALTIME"),
        pytest.param(CLOCK_REALTIME, 0, 0, 10 * SECOND, id="a span of REALTIME"),
        pytest.param(CLOCK_MONOTONIC, TIMER_ABSTIME, START_MONOTONIC_NS, 10 * SECOND, id="an instant of MONOTONIC"),
        pytest.param(CLOCK_BOOTTIME, 0, 0, 10 * SECOND, id="a span of BOOTTIME"),
    ],
)
def test_a_clock_step_moves_only_instants_of_realtime(
    kernel: Machine, task: OwnTask, clock: int, flags: int, start_ns: int, left_ns: int
) -> None:
    timer = create(task, clock)
    arm(task, timer, start_ns + 10 * SECOND, flags=flags)
    call(task, "clock_settime", CLOCK_REALTIME, pack_timespec(START_REALTIME_NS + 6 * SECOND))

    assert setting(task, timer) == (0, left_ns)
    kernel.jump()
    assert kernel.now_ns == left_ns
    assert is_pending(task)


def test_a_step_past_many_instants_is_one_signal_with_an_overrun(kernel: Machine, task: OwnTask) -> None:
    timer = create(task, CLOCK_REALTIME)
    arm(task, timer, START_REALTIME_NS + SECOND, SECOND, flags=TIMER_ABSTIME)
    call(task, "clock_settime", CLOCK_REALTIME, pack_timespec(START_REALTIME_NS + 3600 * SECOND))

    assert taken_overrun(task) == 3599
    assert setting(task, timer) == (SECOND, SECOND)


# Processes


def test_a_child_has_no_timers_and_begins_with_id_0(kernel: Machine, task: OwnTask) -> None:
    arm(task, create(task), SECOND)
    child = kernel.spawn(idle, task)

    assert call(child, "timer_getoverrun", 0) == -EINVAL
    assert create(child) == 0


def test_threads_share_timers(kernel: Machine, task: OwnTask) -> None:
    timer = create(task)

    assert call(kernel.spawn(idle, task, same_group=True), "timer_delete", timer) == 0
    assert call(task, "timer_delete", timer) == -EINVAL


def test_exec_deletes_all_timers_and_ids_go_on(kernel: Machine, task: OwnTask) -> None:
    for _ in range(2):
        arm(task, create(task), SECOND)
    task.group.posix_timers.delete_all()

    assert not kernel.jump()
    assert create(task) == 2


def test_timers_end_with_their_process(kernel: Machine, task: OwnTask) -> None:
    arm(task, create(task), SECOND)
    exit_task(kernel, task, 0)

    assert not kernel.jump()
