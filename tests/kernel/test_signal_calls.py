"""kill(2), sigqueue(3), sigaction(2), sigprocmask(2): sending signals, masks and dispositions."""

from collections.abc import Callable

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.signalling import queued
from tickless.abi.errno import EINVAL, EPERM, ESRCH
from tickless.abi.siginfo import SI_QUEUE, SigInfo
from tickless.abi.signal import (
    KERNEL_SIGACTION,
    SA_NOCLDSTOP,
    SA_RESTART,
    SA_SIGINFO,
    SIG_BLOCK,
    SIG_IGN,
    SIG_SETMASK,
    SIG_UNBLOCK,
    SIGCHLD,
    SIGKILL,
    SIGRTMIN,
    SIGSET,
    SIGSTOP,
    SIGTERM,
    SIGUSR1,
    SIGUSR2,
    sigmask,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.wait import exit_status
from tickless.kernel.machine import Argument, Calls, Machine, Program
from tickless.kernel.outcome import PASS_ON
from tickless.kernel.signals import ALL_SIGNALS

NOBODY = 99999
ONE_SET = SIGSET.pack(sigmask(SIGUSR1))


# kill


def sleeper(sys: Calls) -> Program:
    yield sys.sleep_ns(100 * SECOND)


def test_kill_reaches_a_process_by_the_tid_of_any_thread(kernel: Machine) -> None:
    """Linux takes any tid for the process it belongs to, though the page only speaks of processes."""
    results = []

    def main(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        tid = yield sys.thread(sleeper)
        results.append((yield sys.kill(tid, SIGUSR1)))
        results.append(sys.task.group.pending.mask)
        yield sys.exit(0)

    kernel.spawn(main)
    kernel.run()

    assert results == [0, sigmask(SIGUSR1)]


def test_who_sends_what_ends_its_own_process_by_another_thread_never_goes_on(kernel: Machine) -> None:
    """signal(7): a signal that ends the process ends all its threads, whoever lets it through."""
    results = []

    def main(sys: Calls) -> Program:
        yield sys.thread(sleeper)
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        results.append((yield sys.kill(sys.task.group.tgid, SIGUSR1)))

    task = kernel.spawn(main)
    kernel.run()

    assert results == []
    assert task.group.wait_status == SIGUSR1


def test_sigtimedwait_is_no_shelter_from_a_signal_that_is_not_blocked(kernel: Machine) -> None:
    """sigwaitinfo(2): the signals of the set should be blocked; one that is not does what it does by default."""
    results: list[int | None] = []

    def waiter(sys: Calls) -> Program:
        results.append((yield sys.rt_sigtimedwait(ONE_SET, 0, 0, 8)))

    def main(sys: Calls) -> Program:
        child = yield sys.fork(waiter)
        yield sys.sleep_ns(SECOND)
        yield sys.kill(child, SIGUSR1)
        yield sys.sleep_ns(SECOND)
        results.append(kernel.groups[child].wait_status)

    kernel.spawn(main)
    kernel.run()

    assert results == [SIGUSR1]


def test_kill_minus_one_reaches_all_other_processes(kernel: Machine) -> None:
    results: list[int | None] = []

    def main(sys: Calls) -> Program:
        children = []
        for _ in range(2):
            children.append((yield sys.fork(sleeper)))
        results.append((yield sys.kill(-1, SIGTERM)))
        yield sys.sleep_ns(SECOND)
        results.extend(kernel.groups[pid].wait_status for pid in children)

    task = kernel.spawn(main)
    kernel.run()

    assert results == [0, SIGTERM, SIGTERM]
    assert task.group.wait_status == 0


def test_kill_of_a_process_group_reaches_its_members_alone(kernel: Machine) -> None:
    results: list[int | None] = []

    def main(sys: Calls) -> Program:
        child = yield sys.fork(sleeper)
        other = yield sys.fork(sleeper)
        kernel.groups[child].process_group = child
        results.append((yield sys.kill(-child, SIGTERM)))
        yield sys.sleep_ns(SECOND)
        results.extend(kernel.groups[pid].wait_status for pid in (child, other))
        yield sys.kill(other, SIGKILL)

    kernel.spawn(main)
    kernel.run()

    assert results == [0, SIGTERM, None]


def test_a_zombie_can_be_signalled_without_effect(kernel: Machine) -> None:
    """kill(2), notes: an existing process may be a zombie."""
    results: list[int | None] = []

    def ends(sys: Calls) -> Program:
        yield sys.exit(3)

    def main(sys: Calls) -> Program:
        child = yield sys.fork(ends)
        yield sys.sleep_ns(SECOND)
        results.append((yield sys.kill(child, SIGTERM)))
        results.append((yield sys.tgkill(child, child, SIGTERM)))
        results.append((yield sys.tgkill(child, child, 65)))
        results.append(kernel.groups[child].wait_status)

    kernel.spawn(main)
    kernel.run()

    assert results == [0, 0, -EINVAL, exit_status(3)]


def test_sigkill_to_oneself_does_not_return(kernel: Machine) -> None:
    results = []

    def main(sys: Calls) -> Program:
        results.append((yield sys.kill(sys.task.tid, SIGKILL)))

    task = kernel.spawn(main)
    kernel.run()

    assert results == []
    assert task.group.wait_status == SIGKILL


def test_sigqueue_carries_a_value(kernel: Machine) -> None:
    told: list[tuple[int, ...]] = []

    def handler(signo: int, info: SigInfo) -> None:
        told.append((signo, info.signo, info.code, info.pid, info.uid, info.value))

    def main(sys: Calls) -> Program:
        pid = sys.task.tid
        yield sys.sigaction(SIGRTMIN, handler, SA_SIGINFO)
        yield sys.rt_sigqueueinfo(pid, SIGRTMIN, queued(SI_QUEUE, value=7))
        yield sys.rt_tgsigqueueinfo(pid, pid, SIGRTMIN, queued(SI_QUEUE, value=8))

    kernel.spawn(main)
    kernel.run()

    # The sender's pid and uid are the sender's own claim, too.
    assert told == [(SIGRTMIN, SIGRTMIN, SI_QUEUE, 1, 2, value) for value in (7, 8)]


# Masks and dispositions


@pytest.mark.parametrize(
    ("how", "mask"),
    [
        pytest.param(SIG_BLOCK, sigmask(SIGUSR1, SIGUSR2), id="SIG_BLOCK"),
        pytest.param(SIG_UNBLOCK, sigmask(SIGUSR1), id="SIG_UNBLOCK"),
        pytest.param(SIG_SETMASK, sigmask(SIGUSR2), id="SIG_SETMASK"),
    ],
)
def test_sigprocmask_changes_the_mask_and_gives_the_old_one(kernel: Machine, how: int, mask: int) -> None:
    old = bytearray(8)
    masks = []

    def main(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        yield sys.rt_sigprocmask(how, SIGSET.pack(sigmask(SIGUSR2)), old, 8)
        masks.append(sys.task.own_signals.mask)

    kernel.spawn(main)
    kernel.run()

    assert SIGSET.unpack(old) == (sigmask(SIGUSR1),)
    assert masks == [mask]


def test_sigkill_and_sigstop_are_never_blocked(kernel: Machine) -> None:
    """sigprocmask(2): trying to block them is silently ignored."""
    masks = []

    def main(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_SETMASK, SIGSET.pack((1 << 64) - 1), 0, 8)
        masks.append(sys.task.own_signals.mask & sigmask(SIGKILL, SIGSTOP))

    kernel.spawn(main)
    kernel.run()

    assert masks == [0]


def test_sigaction_gives_the_old_action(kernel: Machine) -> None:
    old = bytearray(KERNEL_SIGACTION.size)
    mask = sigmask(SIGUSR2, SIGKILL)

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None, SA_RESTART, mask)
        yield sys.rt_sigaction(SIGUSR1, 0, old, 8)

    kernel.spawn(main)
    kernel.run()

    assert KERNEL_SIGACTION.unpack(old) == (0x1000, SA_RESTART, 0, sigmask(SIGUSR2))


def test_threads_share_dispositions_and_children_copy_them(kernel: Machine) -> None:
    handlers = {}

    def look(name: str) -> Callable[[Calls], Program]:
        def program(sys: Calls) -> Program:
            yield sys.sleep_ns(SECOND)
            handlers[name] = sys.task.own_signals.action(SIGUSR1).handler
            handlers[name + "'s mask"] = sys.task.own_signals.mask

        return program

    def main(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        yield sys.fork(look("child"))
        yield sys.thread(look("thread"))
        yield sys.sigaction(SIGUSR1, SIG_IGN)

    kernel.spawn(main)
    kernel.run()

    mask = sigmask(SIGUSR1)
    assert handlers == {"child": 0, "child's mask": mask, "thread": SIG_IGN, "thread's mask": mask}


# With a host


@pytest.fixture
def host(kernel: Machine) -> FakeHost:
    kernel.host = host = FakeHost()
    return host


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("kill", (NOBODY, SIGTERM)),
        ("tkill", (NOBODY, SIGTERM)),
        ("tgkill", (NOBODY, NOBODY, SIGTERM)),
        ("rt_sigqueueinfo", (NOBODY, SIGTERM, queued(SI_QUEUE))),
        ("rt_tgsigqueueinfo", (NOBODY, NOBODY, SIGTERM, queued(SI_QUEUE))),
    ],
)
def test_a_pid_outside_the_run_is_the_hosts(
    kernel: Machine, host: FakeHost, name: str, args: tuple[Argument, ...]
) -> None:
    assert call(kernel.spawn(idle), name, *args) is PASS_ON


@pytest.mark.parametrize("pid", [-1, -NOBODY])
def test_groups_never_reach_anybody_outside(kernel: Machine, host: FakeHost, pid: int) -> None:
    assert call(kernel.spawn(idle), "kill", pid, SIGTERM) == -ESRCH


@pytest.mark.parametrize(
    ("pid", "answer"),
    [
        pytest.param("child", -EPERM, id="a process"),
        pytest.param("group", 0, id="a process group: one success is enough"),
        pytest.param("others", 0, id="all others: EPERM does not count"),
    ],
)
def test_the_host_decides_who_may_signal_whom(kernel: Machine, host: FakeHost, pid: str, answer: int) -> None:
    task = kernel.spawn(idle)
    child = kernel.spawn(idle, task)
    host.protected.add(child.group)

    pids = {"child": child.tid, "group": -host.process_group(task.group), "others": -1}

    assert call(task, "kill", pids[pid], SIGUSR1) == answer
    assert child.group.pending.mask == 0


def test_all_others_give_the_error_of_one_that_is_not_eperm(kernel: Machine, host: FakeHost) -> None:
    task = kernel.spawn(idle)
    kernel.spawn(idle, task)

    assert call(task, "kill", -1, 65) == -EINVAL


def test_the_hosts_uid_is_in_the_siginfo(kernel: Machine, host: FakeHost) -> None:
    task = kernel.spawn(idle)
    host.uids[task.name] = 1000

    call(task, "kill", task.tid, SIGUSR1)

    info = task.group.pending.pop(ALL_SIGNALS)
    assert info is not None
    assert (info.pid, info.uid) == (task.tid, 1000)


def test_the_hosts_sigaction_of_sigchld_is_noted(kernel: Machine, host: FakeHost) -> None:
    task = kernel.spawn(idle)

    answer = call(task, "rt_sigaction", SIGCHLD, KERNEL_SIGACTION.pack(1, SA_NOCLDSTOP, 0, 0), 0, 8)

    assert answer is PASS_ON
    assert task.group.sigchld_flags == SA_NOCLDSTOP
