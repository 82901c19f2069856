"""timerfd_create(2) on every clock: arming, expirations, overruns."""

import pytest

from tests.kernel.epoll_watcher import Watcher
from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.timerfds import advance, gettime, make, read, settime, timer
from tickless.abi.epoll import EPOLL_CTL_ADD, EPOLLET, EPOLLIN
from tickless.abi.errno import EAGAIN, EBADF, ECANCELED, EFAULT, EINTR, EINVAL, ENOTTY, EPERM
from tickless.abi.signal import SIGUSR1
from tickless.abi.time import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_TAI,
    ITIMERSPEC,
    pack_itimerspec,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.timerfd import (
    EXPIRATIONS,
    TFD_CLOEXEC,
    TFD_IOC_SET_TICKS,
    TFD_TIMER_ABSTIME,
    TFD_TIMER_CANCEL_ON_SET,
)
from tickless.kernel.clock import KTIME_MAX
from tickless.kernel.machine import Calls, Machine, OwnTask, Program

CANCELABLE = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET
CLOCKS = (CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM)
BAD = 0x10  # no address


def test_a_read_sleeps_until_the_timer_expires(kernel: Machine) -> None:
    """timerfd_create(2), read: it blocks until the next expiration and gives their number as 8 bytes."""
    results = []
    count = bytearray(8)

    def program(sys: Calls) -> Program:
        fd = yield sys.timerfd_create(CLOCK_MONOTONIC, 0)
        yield sys.timerfd_settime(fd, 0, pack_itimerspec(0, 5 * SECOND), 0)
        results.append((yield sys.read(fd, count, 8)))

    kernel.spawn(program)
    kernel.run()

    assert results == [8]
    assert EXPIRATIONS.unpack(count) == (1,)
    assert kernel.now_ns == 5 * SECOND


def test_an_unread_periodic_timer_counts_its_overruns(kernel: Machine, task: OwnTask) -> None:
    """timerfd_create(2): the number of expirations since the last successful read."""
    fd = make(task)
    settime(task, fd, 10, 3)
    advance(kernel, 20)

    assert read(task, fd) == 4  # at 10, 13, 16 and 19
    assert read(task, fd) == -EAGAIN
    assert gettime(task, fd) == (3, 2)


def test_gettime_consumes_nothing(kernel: Machine, task: OwnTask) -> None:
    fd = make(task)
    settime(task, fd, 10, 10)
    advance(kernel, 25)

    assert gettime(task, fd) == (10, 5)
    assert gettime(task, fd) == (10, 5)
    advance(kernel, 10)
    assert read(task, fd) == 3


def test_an_unread_timer_wakes_its_queue_once(kernel: Machine, task: OwnTask) -> None:
    """fs/timerfd.c: the timer is armed again by a read, so nobody's clock jumps for expirations that nobody reads."""
    fd = make(task)
    settime(task, fd, SECOND, SECOND)

    assert kernel.jump()
    assert not kernel.jump()
    read(task, fd)
    assert kernel.jump()


def test_an_expired_timer_that_fires_once_shows_no_time_left(kernel: Machine, task: OwnTask) -> None:
    fd = make(task)
    settime(task, fd, 10)
    advance(kernel, 25)

    assert gettime(task, fd) == (0, 0)
    assert read(task, fd) == 1
    assert read(task, fd) == -EAGAIN


def test_settime_tells_the_old_value_and_forgets_unread_expirations(kernel: Machine, task: OwnTask) -> None:
    fd = make(task)
    settime(task, fd, 10, 10)
    advance(kernel, 14)
    old = bytearray(ITIMERSPEC.size)

    assert call(task, "timerfd_settime", fd, 0, pack_itimerspec(0, 100), old) == 0

    assert ITIMERSPEC.unpack(old) == (0, 10, 0, 6)
    assert read(task, fd) == -EAGAIN
    assert gettime(task, fd) == (0, 100)


def test_a_value_of_zero_disarms(kernel: Machine, task: OwnTask) -> None:
    fd = make(task)
    settime(task, fd, 10)
    settime(task, fd, 0, 5)

    assert gettime(task, fd) == (5, 0)
    assert not kernel.jump()


@pytest.mark.parametrize("clock_id", CLOCKS)
def test_an_instant_that_has_passed_expires_at_once(kernel: Machine, task: OwnTask, clock_id: int) -> None:
    """timerfd_settime(2): with TFD_TIMER_ABSTIME the value is a reading of the clock."""
    fd = make(task, clock_id)
    now_ns = kernel.clock.read(clock_id)

    settime(task, fd, now_ns - 25, 10, TFD_TIMER_ABSTIME)

    assert read(task, fd) == 3
    assert gettime(task, fd) == (10, 5)


def test_an_instant_that_has_passed_is_one_edge(watcher: Watcher) -> None:
    """hrtimers: an expiration that is due has come before timerfd_settime returns."""
    fd = make(watcher.task)
    settime(watcher.task, fd, 1, 0, TFD_TIMER_ABSTIME)
    watcher.control(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET)

    assert watcher.wait() == [(EPOLLIN, fd)]
    assert not watcher.kernel.jump()
    assert watcher.wait() == []


def test_arming_for_the_past_wakes_who_waits(kernel: Machine, task: OwnTask) -> None:
    call(task, "timerfd_create", CLOCK_MONOTONIC, 0)
    thread = kernel.spawn(idle, task, same_group=True)
    assert call(thread, "read", 0, bytearray(8), 8) is None

    settime(task, 0, 1, 0, TFD_TIMER_ABSTIME)

    assert kernel.resume_call(thread) == 8


@pytest.mark.parametrize("clock_id", CLOCKS)
def test_an_instant_to_come_is_met_on_its_clock(kernel: Machine, task: OwnTask, clock_id: int) -> None:
    fd = make(task, clock_id)
    settime(task, fd, kernel.clock.read(clock_id) + 5, 0, TFD_TIMER_ABSTIME)

    assert kernel.jump()

    assert kernel.now_ns == 5
    assert read(task, fd) == 1


@pytest.mark.parametrize("flags", [0, TFD_TIMER_ABSTIME, CANCELABLE])
def test_the_longest_time_never_comes(kernel: Machine, task: OwnTask, flags: int) -> None:
    """timerfd_settime(2): tv_sec may be as large as time_t; Linux ends its ktime_t there."""
    fd = make(task, CLOCK_REALTIME)
    longest = ITIMERSPEC.pack(2**63 - 1, 999_999_999, 2**63 - 1, 999_999_999)

    assert call(task, "timerfd_settime", fd, flags, longest, 0) == 0

    clock_id = CLOCK_REALTIME if flags else CLOCK_MONOTONIC
    assert gettime(task, fd) == (KTIME_MAX, KTIME_MAX - kernel.clock.read(clock_id))
    assert not kernel.jump()


def test_a_signal_interrupts_a_read_that_waits(kernel: Machine) -> None:
    results = []

    def sleeper(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        fd = yield sys.timerfd_create(CLOCK_MONOTONIC, 0)
        results.append((yield sys.read(fd, bytearray(8), 8)))

    task = kernel.spawn(sleeper)

    def killer(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        yield sys.kill(task.tid, SIGUSR1)

    kernel.spawn(killer)
    kernel.run()

    assert results == [-EINTR]


def test_a_read_takes_the_expirations_even_if_it_faults(kernel: Machine, task: OwnTask) -> None:
    fd = make(task)
    settime(task, fd, 10)
    advance(kernel, 10)

    assert call(task, "read", fd, BAD, 8) == -EFAULT
    assert read(task, fd) == -EAGAIN


@pytest.mark.parametrize(
    ("clock_id", "flags", "errno"),
    [
        pytest.param(CLOCK_MONOTONIC, 1, EINVAL, id="unknown flag"),
        pytest.param(CLOCK_MONOTONIC_RAW, 0, EINVAL, id="clock that only reads"),
        pytest.param(CLOCK_TAI, TFD_CLOEXEC, EINVAL, id="TAI"),
        pytest.param(-1, 0, EINVAL, id="negative clock"),
    ],
)
def test_create_refuses(task: OwnTask, clock_id: int, flags: int, errno: int) -> None:
    assert call(task, "timerfd_create", clock_id, flags) == -errno


def test_an_alarm_clock_asks_for_a_capability(kernel: Machine, task: OwnTask) -> None:
    """timerfd_create(2), EPERM: CAP_WAKE_ALARM; settime asks again."""
    fd = make(task, CLOCK_BOOTTIME_ALARM)
    kernel.host = FakeHost()
    kernel.host.has_capability = lambda task, capability: False  # type: ignore[method-assign]

    assert call(task, "timerfd_create", CLOCK_REALTIME_ALARM, 0) == -EPERM
    assert settime(task, fd, 10) == -EPERM


@pytest.mark.parametrize(
    ("fd", "flags", "new", "errno"),
    [
        pytest.param(99, 4, BAD, EFAULT, id="the new value is read first"),
        pytest.param(99, 4, bytes(32), EINVAL, id="unknown flag before the fd"),
        pytest.param(99, 0, ITIMERSPEC.pack(0, 0, 0, 10**9), EINVAL, id="nanoseconds of a second"),
        pytest.param(99, 0, ITIMERSPEC.pack(0, -1, 0, 0), EINVAL, id="negative interval"),
        pytest.param(99, 0, ITIMERSPEC.pack(0, 0, -1, 0), EINVAL, id="negative value"),
        pytest.param(99, 0, bytes(32), EBADF, id="no file"),
        pytest.param(0, 0, bytes(32), EINVAL, id="another file"),
    ],
)
def test_settime_refuses(task: OwnTask, fd: int, flags: int, new: bytes | int, errno: int) -> None:
    call(task, "eventfd2", 0, 0)

    assert call(task, "timerfd_settime", fd, flags, new, 0) == -errno


def test_settime_arms_even_if_the_old_value_cannot_be_told(kernel: Machine, task: OwnTask) -> None:
    fd = make(task)

    assert call(task, "timerfd_settime", fd, 0, pack_itimerspec(0, 10), BAD) == -EFAULT
    assert gettime(task, fd) == (0, 10)


def test_a_read_of_fewer_than_8_bytes_is_refused(task: OwnTask) -> None:
    assert call(task, "read", make(task), bytearray(7), 7) == -EINVAL


def test_a_timer_is_not_written_to(task: OwnTask) -> None:
    assert call(task, "write", make(task), bytes(8), 8) == -EINVAL


def test_ticks_can_be_set(kernel: Machine, task: OwnTask) -> None:
    """ioctl TFD_IOC_SET_TICKS, for checkpoint and restore: EINVAL for 0."""
    file = timer(task, make(task, CLOCK_REALTIME))
    address = task.own_memory.allocate(8)
    task.memory.copy_out(address, EXPIRATIONS.pack(7))

    assert file.ioctl(task, TFD_IOC_SET_TICKS, address) == 0
    assert read(task, 0) == 7


@pytest.mark.parametrize(
    ("request_", "ticks", "errno"),
    [(TFD_IOC_SET_TICKS, 0, EINVAL), (TFD_IOC_SET_TICKS, 5, ECANCELED), (1, 5, ENOTTY)],
    ids=["no ticks", "cancelled", "another request"],
)
def test_setting_ticks_is_refused(kernel: Machine, task: OwnTask, request_: int, ticks: int, errno: int) -> None:
    fd = make(task, CLOCK_REALTIME)
    settime(task, fd, KTIME_MAX, 0, CANCELABLE)
    kernel.clock.set_realtime(5 * SECOND)

    assert call(task, "ioctl", fd, request_, EXPIRATIONS.pack(ticks)) == -errno


def test_fdinfo_shows_the_timer(kernel: Machine, task: OwnTask) -> None:
    """proc_pid_fdinfo(5): ticks do not count the overruns."""
    fd = make(task)
    settime(task, fd, kernel.clock.now_ns + 2 * SECOND, 7 * SECOND + 5, TFD_TIMER_ABSTIME)
    advance(kernel, 500)

    before = timer(task, fd).describe(task)
    advance(kernel, 20 * SECOND)

    assert before == ("clockid: 1\nticks: 0\nsettime flags: 01\nit_value: (1, 999999500)\nit_interval: (7, 5)\n")
    assert timer(task, fd).describe(task).startswith("clockid: 1\nticks: 1\n")
