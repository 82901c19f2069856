"""timerfd_settime(2): what a step of CLOCK_REALTIME does to timers, and TFD_TIMER_CANCEL_ON_SET."""

import pytest

from tests.kernel.fake_host import call
from tests.kernel.timerfds import advance, gettime, make, read, settime, timer
from tickless.abi.epoll import EPOLLIN
from tickless.abi.errno import EAGAIN, ECANCELED
from tickless.abi.time import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    pack_itimerspec,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.timerfd import (
    TFD_TIMER_ABSTIME,
    TFD_TIMER_CANCEL_ON_SET,
)
from tickless.kernel.clock import KTIME_MAX
from tickless.kernel.machine import Calls, Machine, OwnTask, Program

CANCELABLE = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET
CLOCKS = (CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM)
BAD = 0x10  # no address


@pytest.mark.parametrize(
    ("clock_id", "flags", "left_ns"),
    [
        pytest.param(CLOCK_REALTIME, 0, 100, id="a span of REALTIME is one of MONOTONIC"),
        pytest.param(CLOCK_REALTIME, TFD_TIMER_ABSTIME, 60, id="an instant of REALTIME comes nearer"),
        pytest.param(CLOCK_REALTIME_ALARM, 0, 60, id="a span of REALTIME_ALARM is an instant"),
        pytest.param(CLOCK_BOOTTIME, TFD_TIMER_ABSTIME, 100, id="BOOTTIME is not stepped"),
    ],
)
def test_a_step_of_the_clock_moves_instants(
    kernel: Machine, task: OwnTask, clock_id: int, flags: int, left_ns: int
) -> None:
    """timerfd_settime(2), time(7): CLOCK_REALTIME may be set; a relative timer on it does not notice."""
    fd = make(task, clock_id)
    base_ns = kernel.clock.read(clock_id) if flags else 0
    settime(task, fd, base_ns + 100, 0, flags)

    kernel.clock.set_realtime(kernel.clock.read(CLOCK_REALTIME) + 40)

    assert gettime(task, fd) == (0, left_ns)


def test_a_step_back_after_an_expiration_lets_a_read_give_nothing(kernel: Machine, task: OwnTask) -> None:
    """timerfd_create(2), read: 0 if the clock of a periodic absolute timer was set back after it expired."""
    fd = make(task, CLOCK_REALTIME)
    settime(task, fd, kernel.clock.read(CLOCK_REALTIME) + 10, 10, TFD_TIMER_ABSTIME)
    advance(kernel, 15)
    kernel.clock.set_realtime(kernel.clock.read(CLOCK_REALTIME) - 100)

    assert read(task, fd) == 0
    assert gettime(task, fd) == (10, 95)


def test_setting_the_clock_cancels_a_read_that_waits(kernel: Machine) -> None:
    """timerfd_settime(2), TFD_TIMER_CANCEL_ON_SET: the read fails with ECANCELED, and the timer goes on."""
    results = []

    def reader(sys: Calls) -> Program:
        fd = yield sys.timerfd_create(CLOCK_REALTIME, 0)
        yield sys.timerfd_settime(fd, CANCELABLE, pack_itimerspec(0, 2**62), 0)
        results.append((yield sys.read(fd, bytearray(8), 8)))

    def setter(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        kernel.clock.set_realtime(0)

    kernel.spawn(reader)
    kernel.spawn(setter)
    kernel.run()

    assert results == [-ECANCELED]
    assert kernel.now_ns == SECOND


def test_a_cancellation_is_told_once(kernel: Machine, task: OwnTask) -> None:
    fd = make(task, CLOCK_REALTIME)
    settime(task, fd, KTIME_MAX, 0, CANCELABLE)
    kernel.clock.set_realtime(5 * SECOND)
    kernel.clock.set_realtime(6 * SECOND)

    assert timer(task, fd).poll(task) == EPOLLIN
    assert read(task, fd) == -ECANCELED
    assert read(task, fd) == -EAGAIN


def test_settime_tells_a_cancellation_and_arms_all_the_same(kernel: Machine, task: OwnTask) -> None:
    """fs/timerfd.c, timerfd_setup: the new time is set before ECANCELED is returned."""
    fd = make(task, CLOCK_REALTIME)
    settime(task, fd, KTIME_MAX, 0, CANCELABLE)
    kernel.clock.set_realtime(5 * SECOND)

    assert settime(task, fd, 5 * SECOND + 10, 0, CANCELABLE) == -ECANCELED
    assert gettime(task, fd) == (0, 10)
    assert settime(task, fd, 5 * SECOND + 10, 0, CANCELABLE) == 0


def test_a_cancelled_timer_that_had_expired_is_not_armed_again(kernel: Machine, task: OwnTask) -> None:
    fd = make(task, CLOCK_REALTIME)
    settime(task, fd, kernel.clock.read(CLOCK_REALTIME) + 10, 10, CANCELABLE)
    advance(kernel, 15)
    kernel.clock.set_realtime(5 * SECOND)

    assert read(task, fd) == -ECANCELED
    assert gettime(task, fd) == (10, 0)
    assert not kernel.jump()


def test_setting_the_clock_to_what_it_shows_cancels_nothing(kernel: Machine, task: OwnTask) -> None:
    fd = make(task, CLOCK_REALTIME)
    settime(task, fd, KTIME_MAX, 0, CANCELABLE)

    kernel.clock.set_realtime(kernel.clock.read(CLOCK_REALTIME))

    assert read(task, fd) == -EAGAIN


def test_waking_up_from_suspend_cancels(kernel: Machine, task: OwnTask) -> None:
    """fs/timerfd.c, timerfd_resume."""
    fd = make(task, CLOCK_REALTIME)
    settime(task, fd, KTIME_MAX, 0, CANCELABLE)

    kernel.clock.suspend(SECOND)

    assert read(task, fd) == -ECANCELED


@pytest.mark.parametrize(
    ("clock_id", "flags"),
    [
        pytest.param(CLOCK_MONOTONIC, CANCELABLE, id="another clock"),
        pytest.param(CLOCK_REALTIME, TFD_TIMER_CANCEL_ON_SET, id="a span"),
        pytest.param(CLOCK_REALTIME, TFD_TIMER_ABSTIME, id="not asked for"),
    ],
)
def test_only_instants_of_realtime_are_cancelled(kernel: Machine, task: OwnTask, clock_id: int, flags: int) -> None:
    fd = make(task, clock_id)
    settime(task, fd, KTIME_MAX, 0, flags)

    kernel.clock.set_realtime(5 * SECOND)

    assert read(task, fd) == -EAGAIN


def test_a_closed_timer_is_told_of_no_step(kernel: Machine, task: OwnTask) -> None:
    fd = make(task, CLOCK_REALTIME)
    settime(task, fd, kernel.clock.read(CLOCK_REALTIME) + SECOND, 0, CANCELABLE)

    call(task, "close", fd)

    assert kernel.clock.on_step == []
    assert not kernel.jump()
