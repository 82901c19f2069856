"""timer_create(2), timer_settime(2), timer_getoverrun(2), timer_delete(2). tests/linux/timer_rules.c."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import call, idle
from tests.kernel.posix_timers import (
    ARMABLE,
    MS,
    NOWHERE,
    advance,
    arm,
    create,
    event,
    is_pending,
    overrun,
    setting,
    take,
)
from tests.kernel.test_time_calls import DEVICE, Unprivileged
from tickless.abi.capability import CAP_WAKE_ALARM
from tickless.abi.errno import EFAULT, EINVAL, EOPNOTSUPP, EPERM
from tickless.abi.siginfo import SI_TIMER
from tickless.abi.signal import SIGALRM, SIGRTMIN, SIGSET, SIGUSR1, SIGUSR2, sigmask
from tickless.abi.time import (
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW,
    ITIMERSPEC,
    SIGEV_SIGNAL,
    SIGEV_THREAD,
    SIGEV_THREAD_ID,
    TIMER_ABSTIME,
    pack_itimerspec,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.machine import Argument, Calls, Machine, OwnTask, Program
from tickless.kernel.process import exit_task


@pytest.fixture
def task(kernel: Machine) -> OwnTask:
    """A task that blocks the signals which the tests use."""
    task = kernel.spawn(idle)
    task.own_signals.set_mask(sigmask(SIGUSR1, SIGUSR2, SIGALRM, SIGRTMIN))
    return task


# Creation


def test_ids_count_up_and_a_failed_creation_uses_one_up(task: OwnTask) -> None:
    ids = [create(task), create(task)]
    call(task, "timer_delete", 0)
    ids.append(create(task))
    wrong = [
        create(task, sigevent=event(signo=0)),
        create(task, CLOCK_MONOTONIC_RAW),
        create(task, 99),
        create(task, sigevent=NOWHERE),
    ]
    ids.append(create(task))

    assert wrong == [-EINVAL, -EOPNOTSUPP, -EINVAL, -EFAULT]
    assert ids == [0, 1, 2, 4]


@pytest.mark.parametrize(
    ("args", "errno"),
    [
        pytest.param((99, NOWHERE, NOWHERE), EFAULT, id="event before clock"),
        pytest.param((99, event(8), NOWHERE), EINVAL, id="no clock"),
        pytest.param((CLOCK_MONOTONIC_RAW, event(8), NOWHERE), EOPNOTSUPP, id="raw clock before notify"),
        pytest.param((CLOCK_MONOTONIC_COARSE, event(), NOWHERE), EOPNOTSUPP, id="coarse clock"),
        pytest.param((DEVICE, event(), NOWHERE), EOPNOTSUPP, id="device"),
        pytest.param((CLOCK_MONOTONIC, event(8), NOWHERE), EINVAL, id="wrong notify before pointer"),
        pytest.param((CLOCK_MONOTONIC, event(3), NOWHERE), EINVAL, id="two kinds of notify"),
        pytest.param((CLOCK_MONOTONIC, event(signo=0), NOWHERE), EINVAL, id="signal 0"),
        pytest.param((CLOCK_MONOTONIC, event(signo=65), NOWHERE), EINVAL, id="signal 65"),
        pytest.param((CLOCK_MONOTONIC, event(SIGEV_THREAD_ID, tid=1), NOWHERE), EINVAL, id="no such thread"),
        pytest.param((CLOCK_MONOTONIC, event(), NOWHERE), EFAULT, id="bad pointer"),
    ],
)
def test_wrong_creations(task: OwnTask, args: tuple[Argument, ...], errno: int) -> None:
    assert call(task, "timer_create", *args) == -errno
    assert task.group.posix_timers.timers == {}


def test_the_highest_signal_can_be_asked_for(task: OwnTask) -> None:
    assert create(task, sigevent=event(signo=64)) == 0


def test_a_thread_of_another_process_gets_no_signal(kernel: Machine, task: OwnTask) -> None:
    other = kernel.spawn(idle)

    assert create(task, sigevent=event(SIGEV_THREAD_ID, tid=other.tid)) == -EINVAL


def test_an_alarm_clock_needs_cap_wake_alarm(kernel: Machine, task: OwnTask) -> None:
    host = kernel.host = Unprivileged()

    assert create(task, CLOCK_BOOTTIME_ALARM) == -EPERM
    assert host.asked == [CAP_WAKE_ALARM]
    assert task.group.posix_timers.timers == {}


# Signals


def test_the_default_event_is_sigalrm_with_the_id_as_its_value(kernel: Machine, task: OwnTask) -> None:
    create(task)
    timer = create(task, sigevent=0)
    arm(task, timer, MS)
    advance(kernel, MS)
    info = take(task, SIGALRM)

    assert info is not None
    assert (info.code, info.timerid, info.value, info.overrun) == (SI_TIMER, timer, timer, 0)


@pytest.mark.parametrize("notify", [SIGEV_SIGNAL, SIGEV_THREAD])
def test_the_process_gets_the_signal_with_its_value(kernel: Machine, task: OwnTask, notify: int) -> None:
    """SIGEV_THREAD is carried out by the C library; asked for, the kernel signals the process."""
    timer = create(task, sigevent=event(notify, SIGRTMIN, value=1 << 40))
    arm(task, timer, MS)
    advance(kernel, MS)

    assert task.group.pending.mask == sigmask(SIGRTMIN)
    info = take(task, SIGRTMIN)
    assert info is not None
    assert (info.value, info.timerid) == (1 << 40, timer)


def test_one_thread_gets_the_signal(kernel: Machine, task: OwnTask) -> None:
    thread = kernel.spawn(idle, task, same_group=True)
    timer = create(task, sigevent=event(SIGEV_THREAD_ID, tid=thread.tid))
    arm(task, timer, MS)
    advance(kernel, MS)

    assert (thread.pending.mask, task.group.pending.mask) == (sigmask(SIGUSR1), 0)


def test_a_thread_that_has_ended_gets_none(kernel: Machine, task: OwnTask) -> None:
    thread = kernel.spawn(idle, task, same_group=True)
    timer = create(task, sigevent=event(SIGEV_THREAD_ID, tid=thread.tid))
    arm(task, timer, MS, MS)
    exit_task(kernel, thread, 0)
    advance(kernel, MS)

    assert not is_pending(task)
    assert not kernel.jump()


def test_signals_of_two_timers_do_not_coalesce(kernel: Machine, task: OwnTask) -> None:
    """kernel/signal.c: each timer has its own entry in the queue, also for a standard signal."""
    for timer in (create(task), create(task)):
        arm(task, timer, MS)
    advance(kernel, MS)
    first, second, third = take(task), take(task), take(task)

    assert first is not None
    assert second is not None
    assert (first.timerid, second.timerid, third) == (0, 1, None)


def test_timers_of_one_instant_fire_in_the_order_of_arming(kernel: Machine, task: OwnTask) -> None:
    timers = [create(task, sigevent=event(signo=SIGRTMIN, value=number)) for number in range(3)]
    for timer in (2, 0, 1):
        arm(task, timers[timer], MS)
    advance(kernel, MS)
    values = [info.value for _ in range(3) if (info := take(task, SIGRTMIN)) is not None]

    assert values == [2, 0, 1]


@pytest.mark.parametrize("clock", ARMABLE)
@pytest.mark.parametrize("flags", [0, TIMER_ABSTIME])
def test_every_armable_clock(kernel: Machine, task: OwnTask, clock: int, flags: int) -> None:
    timer = create(task, clock)
    arm(task, timer, (kernel.clock.read(clock) if flags else 0) + 5 * MS, flags=flags)
    left = setting(task, timer)
    kernel.jump()

    assert left == (0, 5 * MS)
    assert is_pending(task)
    assert kernel.now_ns == 5 * MS


# A new setting, and deletion


@pytest.mark.parametrize("end", ["timer_settime", "timer_delete"])
def test_what_a_timer_sent_before_counts_no_more(kernel: Machine, task: OwnTask, end: str) -> None:
    """Still pending, it is dropped by whoever takes it."""
    timer = create(task)
    arm(task, timer, MS, MS)
    advance(kernel, 3 * MS)
    args = (timer, 0, pack_itimerspec(0, 0), 0) if end == "timer_settime" else (timer,)

    assert call(task, end, *args) == 0
    assert is_pending(task)
    assert take(task) is None
    assert not is_pending(task)
    assert not kernel.jump()


def test_a_dropped_signal_does_not_hide_the_next(kernel: Machine, task: OwnTask) -> None:
    timer = create(task)
    arm(task, timer, MS)
    advance(kernel, MS)
    arm(task, timer, 2 * MS)
    advance(kernel, 2 * MS)

    assert take(task) is not None
    assert take(task) is None


def test_a_stale_signal_is_not_delivered(kernel: Machine) -> None:
    handled: list[int] = []

    def program(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, handled.append)
        yield sys.rt_sigprocmask(0, SIGSET.pack(sigmask(SIGUSR1)), 0, 8)
        for _ in range(2):
            yield sys.timer_create(CLOCK_MONOTONIC, event(), bytearray(4))
        yield sys.timer_settime(0, 0, pack_itimerspec(0, MS), 0)
        yield sys.timer_settime(1, 0, pack_itimerspec(0, MS), 0)
        yield sys.sleep_ns(2 * MS)
        yield sys.timer_delete(0)
        yield sys.rt_sigprocmask(1, SIGSET.pack(sigmask(SIGUSR1)), 0, 8)

    kernel.spawn(program)
    kernel.run()

    assert handled == [SIGUSR1]


def test_a_setting_gives_the_old_one(kernel: Machine, task: OwnTask) -> None:
    timer = create(task)
    arm(task, timer, 10 * MS, 3 * MS)
    advance(kernel, 4 * MS)
    old = bytearray(ITIMERSPEC.size)

    assert call(task, "timer_settime", timer, 0, pack_itimerspec(5, 0), old) == 0
    assert ITIMERSPEC.unpack(old) == (0, 3 * MS, 0, 6 * MS)
    assert setting(task, timer) == (0, 0)


def test_due_but_not_noticed_yet_a_nanosecond_is_left(kernel: Machine, task: OwnTask) -> None:
    timer = create(task)
    arm(task, timer, MS)
    kernel.clock.now_ns += MS

    assert setting(task, timer) == (0, 1)


def test_a_new_setting_forgets_the_overrun(kernel: Machine, task: OwnTask) -> None:
    timer = create(task)
    arm(task, timer, MS, MS)
    advance(kernel, 5 * MS)
    take(task)
    arm(task, timer, MS, MS)

    assert overrun(task, timer) == 0


WRONG = ITIMERSPEC.pack(0, 0, 0, SECOND)


@pytest.mark.parametrize(
    ("name", "args", "errno"),
    [
        pytest.param("timer_settime", (99, 0, 0, 0), EINVAL, id="settime, null"),
        pytest.param("timer_settime", (99, 0, NOWHERE, 0), EFAULT, id="settime, pointer before id"),
        pytest.param("timer_settime", (0, 0, WRONG, 0), EINVAL, id="settime, wrong value"),
        pytest.param("timer_settime", (0, 0, ITIMERSPEC.pack(0, -1, 0, 0), 0), EINVAL, id="settime, wrong interval"),
        pytest.param("timer_settime", (0, 0, ITIMERSPEC.pack(0, 0, -1, 0), 0), EINVAL, id="settime, negative"),
        pytest.param("timer_settime", (99, 0, pack_itimerspec(0, 1), 0), EINVAL, id="settime, no such timer"),
        pytest.param("timer_gettime", (99, NOWHERE), EINVAL, id="gettime, no such timer"),
        pytest.param("timer_gettime", (0, NOWHERE), EFAULT, id="gettime, bad pointer"),
        pytest.param("timer_getoverrun", (99,), EINVAL, id="getoverrun, no such timer"),
        pytest.param("timer_delete", (99,), EINVAL, id="delete, no such timer"),
        pytest.param("timer_delete", (-1,), EINVAL, id="delete, -1"),
    ],
)
def test_wrong_calls(task: OwnTask, name: str, args: tuple[Argument, ...], errno: int) -> None:
    timer = create(task)
    arm(task, timer, SECOND, SECOND)

    assert call(task, name, *args) == -errno
    assert setting(task, timer) == (SECOND, SECOND)


def test_a_bad_place_for_the_old_setting_is_found_after_the_new_one_holds(task: OwnTask) -> None:
    timer = create(task)

    assert call(task, "timer_settime", timer, 0, pack_itimerspec(0, SECOND), NOWHERE) == -EFAULT
    assert setting(task, timer) == (0, SECOND)


def test_unknown_flags_are_nothing(task: OwnTask) -> None:
    timer = create(task)
    arm(task, timer, SECOND, flags=8)

    assert setting(task, timer) == (0, SECOND)
