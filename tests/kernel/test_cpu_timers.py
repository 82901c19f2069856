"""timer_create(2), clock_nanosleep(2) on clocks of CPU time, which a host counts."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.posix_timers import MS, arm, create, event, is_pending, overrun, setting, take
from tickless.abi.errno import EFAULT, EINVAL, EOPNOTSUPP, ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ESRCH
from tickless.abi.siginfo import SI_USER, SigInfo
from tickless.abi.signal import SIGUSR1
from tickless.abi.time import (
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_THREAD_CPUTIME_ID,
    CPUCLOCK_PERTHREAD,
    CPUCLOCK_SCHED,
    CPUCLOCK_VIRT,
    SIGEV_NONE,
    TIMER_ABSTIME,
    cpu_clock_id,
    pack_itimerspec,
    pack_timespec,
)
from tickless.kernel.errors import Errno
from tickless.kernel.machine import Machine, OwnTask
from tickless.kernel.process import exit_group, exit_task
from tickless.kernel.signals import send_signal
from tickless.kernel.task import Task, ThreadGroup

U32 = 0xFFFFFFFF


@pytest.fixture
def host(kernel: Machine, task: OwnTask) -> FakeHost:
    kernel.host = host = FakeHost()
    task.own_signals.mask = 1 << (SIGUSR1 - 1)
    return host


def compute(host: FakeHost, who: Task | ThreadGroup, span_ns: int) -> None:
    """Use CPU time, and look as a host does at its ticks."""
    host.cpu_ns[who] = host.cpu_ns.get(who, 0) + span_ns
    kernel = who.kernel
    assert isinstance(kernel, Machine)
    kernel.cpu_alarms.check()


def test_a_timer_expires_when_so_much_was_computed(kernel: Machine, task: OwnTask, host: FakeHost) -> None:
    """timer_settime(2): a span of the process' CPU time; virtual time has nothing to do with it."""
    compute(host, task.group, 5 * MS)
    timer = create(task, CLOCK_PROCESS_CPUTIME_ID)
    arm(task, timer, 10 * MS)
    kernel.handle_timer_irq(kernel.clock.now_ns + 1000 * MS)
    compute(host, task.group, 4 * MS)
    assert setting(task, timer) == (0, 6 * MS)
    assert not is_pending(task)

    compute(host, task.group, 6 * MS)

    assert take(task) is not None
    assert setting(task, timer) == (0, 0)
    assert kernel.cpu_alarms.waiting == {}


def test_a_thread_has_a_clock_of_its_own(kernel: Machine, task: OwnTask, host: FakeHost) -> None:
    arm(task, create(task, CLOCK_THREAD_CPUTIME_ID), 10 * MS)
    other = kernel.spawn(idle, task, same_group=True)
    compute(host, other, 20 * MS)
    compute(host, task.group, 20 * MS)
    assert not is_pending(task)

    compute(host, task, 10 * MS)

    assert is_pending(task)


def test_a_periodic_timer_runs_on_when_its_signal_is_taken(task: OwnTask, host: FakeHost) -> None:
    """timer_getoverrun(2): what it passed over is told."""
    timer = create(task, CLOCK_PROCESS_CPUTIME_ID)
    arm(task, timer, 10 * MS, 10 * MS)
    compute(host, task.group, 35 * MS)
    compute(host, task.group, 10 * MS)

    assert take(task) is not None
    assert overrun(task, timer) == 3
    assert setting(task, timer) == (10 * MS, 5 * MS)
    compute(host, task.group, 5 * MS)
    assert take(task) is not None


def test_an_instant_that_has_passed_is_now(task: OwnTask, host: FakeHost) -> None:
    """timer_settime(2), TIMER_ABSTIME."""
    compute(host, task.group, 10 * MS)
    arm(task, create(task, CLOCK_PROCESS_CPUTIME_ID), 10 * MS, flags=TIMER_ABSTIME)

    assert is_pending(task)


def test_a_silent_timer_tells_what_is_left(task: OwnTask, host: FakeHost) -> None:
    timer = create(task, CLOCK_PROCESS_CPUTIME_ID, event(SIGEV_NONE))
    arm(task, timer, 10 * MS)
    compute(host, task.group, 9 * MS)
    assert setting(task, timer) == (0, 1 * MS)
    compute(host, task.group, 2 * MS)

    assert setting(task, timer) == (0, 0)
    assert not is_pending(task)


def test_what_is_disarmed_or_deleted_never_comes(task: OwnTask, host: FakeHost) -> None:
    disarmed, deleted = (create(task, CLOCK_PROCESS_CPUTIME_ID) for _ in range(2))
    for timer in (disarmed, deleted):
        arm(task, timer, MS)
    arm(task, disarmed, 0)
    call(task, "timer_delete", deleted)
    compute(host, task.group, 2 * MS)

    assert not is_pending(task)


def test_another_process_can_be_timed(kernel: Machine, task: OwnTask, host: FakeHost) -> None:
    """clock_getcpuclockid(3); once it is reaped there is nothing to time. timer_settime(2)"""
    child = kernel.spawn(idle, task)
    clock = cpu_clock_id(child.tid, CPUCLOCK_VIRT) & U32
    timer = create(task, clock)
    arm(task, timer, 10 * MS)
    exit_group(kernel, child.group, 0)
    compute(host, child.group, 10 * MS)
    assert is_pending(task)

    host.reaped.add(child.group)

    assert setting(task, timer) == (0, 0)
    assert call(task, "timer_settime", timer, 0, pack_itimerspec(0, MS), 0) == -ESRCH
    assert create(task, clock) == -EINVAL


def test_the_time_of_a_thread_that_has_ended_stands_still(kernel: Machine, task: OwnTask, host: FakeHost) -> None:
    thread = kernel.spawn(idle, task, same_group=True)
    timer = create(task, cpu_clock_id(thread.tid, CPUCLOCK_SCHED | CPUCLOCK_PERTHREAD) & U32)
    arm(task, timer, 10 * MS)
    exit_task(kernel, thread, 0)
    compute(host, thread, 20 * MS)

    assert not is_pending(task)
    assert setting(task, timer) == (0, 0)


@pytest.mark.parametrize("kind", [CPUCLOCK_SCHED, CPUCLOCK_SCHED | CPUCLOCK_PERTHREAD])
def test_0_is_oneself(task: OwnTask, host: FakeHost, kind: int) -> None:
    arm(task, create(task, cpu_clock_id(0, kind) & U32), MS)
    compute(host, task.group if kind == CPUCLOCK_SCHED else task, MS)

    assert is_pending(task)


def test_threads_of_other_processes_are_not_timed(kernel: Machine, task: OwnTask, host: FakeHost) -> None:
    """kernel/time/posix-cpu-timers.c, pid_for_clock."""
    child = kernel.spawn(idle, task)
    clocks = [cpu_clock_id(tid, CPUCLOCK_SCHED | CPUCLOCK_PERTHREAD) & U32 for tid in (child.tid, 99999)]

    assert [create(task, clock) for clock in clocks] == [-EINVAL, -EINVAL]


@pytest.mark.parametrize(("number", "kind"), [(99999, CPUCLOCK_SCHED), (0, CPUCLOCK_VIRT | CPUCLOCK_PERTHREAD)])
def test_what_cannot_be_counted_is_named(
    kernel: Machine, task: OwnTask, host: FakeHost, number: int, kind: int
) -> None:
    named: list[str] = []
    kernel.on_refused = lambda task, unserved: named.append(unserved.id)

    assert create(task, cpu_clock_id(number, kind) & U32) == -EINVAL
    assert named == ["TL440"]


def test_nobody_counts_without_a_host(kernel: Machine, task: OwnTask) -> None:
    """It is named once."""
    named: list[str] = []
    kernel.on_refused = lambda task, unserved: named.append(unserved.id)

    assert create(task, CLOCK_PROCESS_CPUTIME_ID) == -EOPNOTSUPP
    assert call(task, "clock_nanosleep", CLOCK_PROCESS_CPUTIME_ID, 0, pack_timespec(1), 0) == -EOPNOTSUPP
    assert named == ["TL441"]


# Sleeping


def sleep(
    task: OwnTask, span_ns: int, flags: int = 0, remaining: int = 0, clock: int = CLOCK_PROCESS_CPUTIME_ID
) -> object:
    return call(task, "clock_nanosleep", clock, flags, pack_timespec(span_ns), remaining)


def test_a_sleep_lasts_until_others_have_computed(kernel: Machine, task: OwnTask, host: FakeHost) -> None:
    """clock_nanosleep(2): CPU time of the process."""
    compute(host, task.group, 5 * MS)
    assert sleep(task, 10 * MS) is None
    compute(host, task.group, 9 * MS)
    assert kernel.resume_call(task) is None

    compute(host, task.group, MS)

    assert task.state == "ready"
    assert kernel.resume_call(task) == 0
    assert kernel.cpu_alarms.waiting == {}


def test_an_instant_of_cpu_time_may_have_passed(task: OwnTask, host: FakeHost) -> None:
    compute(host, task.group, 5 * MS)

    assert sleep(task, 5 * MS, TIMER_ABSTIME) == 0


@pytest.mark.parametrize(("flags", "error"), [(0, ERESTART_RESTARTBLOCK), (TIMER_ABSTIME, ERESTARTNOHAND)])
def test_a_signal_tells_what_was_left(kernel: Machine, task: OwnTask, host: FakeHost, flags: int, error: int) -> None:
    """clock_nanosleep(2), EINTR: of a span."""
    task.own_signals.mask = 0
    remaining = task.own_memory.allocate(16)
    sleep(task, 10 * MS, flags, remaining)
    compute(host, task.group, 4 * MS)
    send_signal(task.group, SigInfo(SIGUSR1, SI_USER))

    assert task.blocked_call is not None
    with pytest.raises(Errno) as interrupted:
        next(task.blocked_call)
    assert interrupted.value.number == error
    left = pack_timespec(6 * MS if not flags else 0)
    assert task.memory.copy_in(remaining, 16) == left
    assert kernel.cpu_alarms.waiting == {}


def test_what_an_interrupted_sleep_goes_on_with(kernel: Machine, task: OwnTask, host: FakeHost) -> None:
    """restart_syscall(2): up to the same instant."""
    task.own_signals.mask = 0
    sleep(task, 10 * MS)
    send_signal(task.group, SigInfo(SIGUSR1, SI_USER))
    kernel.resume_call(task)
    task.pending.discard(-1)
    task.group.pending.discard(-1)
    assert task.restart_block is not None

    restarted = call(task, "restart_syscall")
    compute(host, task.group, 10 * MS)

    assert restarted is None
    assert kernel.resume_call(task) == 0


def test_nobody_sleeps_on_their_own_time(task: OwnTask, host: FakeHost) -> None:
    """clock_nanosleep(2), EINVAL; a bad address comes before."""
    own = cpu_clock_id(task.tid, CPUCLOCK_SCHED | CPUCLOCK_PERTHREAD) & U32

    assert sleep(task, MS, clock=own) == -EINVAL
    assert sleep(task, MS, clock=CLOCK_THREAD_CPUTIME_ID) == -EOPNOTSUPP
    assert call(task, "clock_nanosleep", CLOCK_PROCESS_CPUTIME_ID, 0, 16, 0) == -EFAULT
