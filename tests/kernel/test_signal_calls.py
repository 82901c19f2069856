"""kill(2), sigqueue(3), sigaction(2), sigpending(2), sigsuspend(2), sigtimedwait(2), pause(2)."""

from collections.abc import Callable

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tickless.abi.errno import E2BIG, EAGAIN, EFAULT, EINTR, EINVAL, EPERM, ERESTARTNOHAND, ESRCH
from tickless.abi.siginfo import SI_ASYNCNL, SI_KERNEL, SI_QUEUE, SI_TKILL, SI_USER, SIGINFO_SIZE, SigInfo
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
from tickless.abi.time import TIMESPEC, pack_timespec
from tickless.abi.wait import exit_status
from tickless.kernel.machine import Argument, Call, Calls, Machine, Program
from tickless.kernel.outcome import PASS_ON
from tickless.kernel.signals import ALL_SIGNALS, pending_mask, send_signal
from tickless.kernel.task import Task

NOWHERE = 8  # an address that is in no task's memory
NOBODY = 99999
ONE_SET = SIGSET.pack(sigmask(SIGUSR1))

MakeCall = Callable[[Calls], Call]


def result_of(kernel: Machine, make_call: MakeCall) -> int:
    """What a single call gives to a program that blocks SIGUSR1."""
    results = []

    def program(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        results.append((yield make_call(sys)))

    kernel.spawn(program)
    kernel.run()
    return results[0]


def send_at(kernel: Machine, at_ns: int, task: Task, signo: int) -> None:
    info = SigInfo(signo, SI_USER)
    kernel.clock.arm(kernel.clock.start_ns + at_ns, lambda: send_signal(task.group, info))


def queued(code: int, *, value: int = 0, tail: bytes = b"") -> bytes:
    """A siginfo_t as sigqueue(3) makes it; `tail` is at its very end."""
    packed = SigInfo(0, code, pid=1, uid=2, value=value).pack()
    return packed[: SIGINFO_SIZE - len(tail)] + tail


@pytest.mark.parametrize(
    ("make_call", "result"),
    [
        pytest.param(lambda sys: sys.kill(NOBODY, 1000), -ESRCH, id="kill: nobody, before a bad signal"),
        pytest.param(lambda sys: sys.kill(-NOBODY, 0), -ESRCH, id="kill: no such process group"),
        pytest.param(lambda sys: sys.kill(-(1 << 31), 0), -ESRCH, id="kill: -INT_MIN is no number"),
        pytest.param(lambda sys: sys.kill(-1, 0), -ESRCH, id="kill: all others, but there are none"),
        pytest.param(lambda sys: sys.kill(sys.task.tid, 65), -EINVAL, id="kill: signal too high"),
        pytest.param(lambda sys: sys.kill(sys.task.tid, -1), -EINVAL, id="kill: signal below 0"),
        pytest.param(lambda sys: sys.kill(sys.task.tid, 0), 0, id="kill: 0 asks"),
        pytest.param(lambda sys: sys.kill(0, 0), 0, id="kill: the own process group"),
        pytest.param(lambda sys: sys.kill(0, 65), -EINVAL, id="kill: a process group and a bad signal"),
        pytest.param(lambda sys: sys.tkill(0, SIGUSR1), -EINVAL, id="tkill: no tid"),
        pytest.param(lambda sys: sys.tkill(NOBODY, SIGUSR1), -ESRCH, id="tkill: nobody"),
        pytest.param(lambda sys: sys.tkill(sys.task.tid, 0), 0, id="tkill: 0 asks"),
        pytest.param(lambda sys: sys.tgkill(0, sys.task.tid, 0), -EINVAL, id="tgkill: no tgid"),
        pytest.param(lambda sys: sys.tgkill(sys.task.tid, -1, 0), -EINVAL, id="tgkill: no tid"),
        pytest.param(lambda sys: sys.tgkill(NOBODY, sys.task.tid, 0), -ESRCH, id="tgkill: of another process"),
        pytest.param(lambda sys: sys.tgkill(sys.task.tid, sys.task.tid, 65), -EINVAL, id="tgkill: bad signal"),
        pytest.param(lambda sys: sys.rt_sigqueueinfo(NOBODY, 65, NOWHERE), -EFAULT, id="sigqueue: bad siginfo"),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(NOBODY, 65, queued(SI_USER)), -EPERM, id="sigqueue: looks like kill"
        ),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(NOBODY, 65, queued(SI_TKILL)), -EPERM, id="sigqueue: looks like tkill"
        ),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(NOBODY, 65, queued(SI_KERNEL)), -EPERM, id="sigqueue: looks like the kernel"
        ),
        pytest.param(lambda sys: sys.rt_sigqueueinfo(NOBODY, 65, queued(SI_QUEUE)), -ESRCH, id="sigqueue: nobody"),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(sys.task.tid, 65, queued(SI_QUEUE)), -EINVAL, id="sigqueue: bad signal"
        ),
        pytest.param(lambda sys: sys.rt_sigqueueinfo(0, SIGUSR1, queued(SI_QUEUE)), -ESRCH, id="sigqueue: no group"),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(sys.task.tid, SIGUSR1, queued(SI_USER)), 0, id="sigqueue: all to oneself"
        ),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(sys.task.tid, 0, queued(-100, tail=b"x")),
            -E2BIG,
            id="sigqueue: more than Linux keeps of an unknown kind",
        ),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(sys.task.tid, 0, queued(-100)), 0, id="sigqueue: an unknown kind that fits"
        ),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(sys.task.tid, 0, queued(SI_ASYNCNL, tail=b"x")), 0, id="sigqueue: known"
        ),
        pytest.param(
            lambda sys: sys.rt_tgsigqueueinfo(0, sys.task.tid, 0, NOWHERE), -EFAULT, id="tgsigqueue: bad siginfo"
        ),
        pytest.param(
            lambda sys: sys.rt_tgsigqueueinfo(0, 1, 0, queued(SI_USER)), -EINVAL, id="tgsigqueue: no tgid, before EPERM"
        ),
        pytest.param(
            lambda sys: sys.rt_tgsigqueueinfo(sys.task.tid, NOBODY, 0, queued(SI_USER)), -EPERM, id="tgsigqueue: others"
        ),
        pytest.param(
            lambda sys: sys.rt_tgsigqueueinfo(sys.task.tid, NOBODY, 0, queued(SI_QUEUE)),
            -ESRCH,
            id="tgsigqueue: nobody",
        ),
        pytest.param(lambda sys: sys.rt_sigpending(NOWHERE, 9), -EINVAL, id="sigpending: too long, before the address"),
        pytest.param(lambda sys: sys.rt_sigpending(NOWHERE, 8), -EFAULT, id="sigpending: bad address"),
        pytest.param(lambda sys: sys.rt_sigpending(bytearray(2), 2), 0, id="sigpending: a shorter set will do"),
        pytest.param(lambda sys: sys.rt_sigsuspend(NOWHERE, 4), -EINVAL, id="sigsuspend: wrong size"),
        pytest.param(lambda sys: sys.rt_sigsuspend(NOWHERE, 8), -EFAULT, id="sigsuspend: bad address"),
        pytest.param(lambda sys: sys.rt_sigtimedwait(NOWHERE, 0, NOWHERE, 4), -EINVAL, id="sigtimedwait: wrong size"),
        pytest.param(lambda sys: sys.rt_sigtimedwait(NOWHERE, 0, NOWHERE, 8), -EFAULT, id="sigtimedwait: bad set"),
        pytest.param(lambda sys: sys.rt_sigtimedwait(ONE_SET, 0, NOWHERE, 8), -EFAULT, id="sigtimedwait: bad time-out"),
        pytest.param(
            lambda sys: sys.rt_sigtimedwait(ONE_SET, 0, TIMESPEC.pack(0, SECOND), 8),
            -EINVAL,
            id="sigtimedwait: no time",
        ),
        pytest.param(
            lambda sys: sys.rt_sigtimedwait(ONE_SET, 0, TIMESPEC.pack(0, 0), 8), -EAGAIN, id="sigtimedwait: no waiting"
        ),
        pytest.param(lambda sys: sys.rt_sigprocmask(7, NOWHERE, NOWHERE, 4), -EINVAL, id="sigprocmask: wrong size"),
        pytest.param(lambda sys: sys.rt_sigprocmask(7, NOWHERE, NOWHERE, 8), -EFAULT, id="sigprocmask: bad new set"),
        pytest.param(lambda sys: sys.rt_sigprocmask(7, ONE_SET, NOWHERE, 8), -EINVAL, id="sigprocmask: unknown how"),
        pytest.param(lambda sys: sys.rt_sigprocmask(7, 0, 0, 8), 0, id="sigprocmask: how means nothing without a set"),
        pytest.param(lambda sys: sys.rt_sigprocmask(7, 0, NOWHERE, 8), -EFAULT, id="sigprocmask: bad old set"),
        pytest.param(lambda sys: sys.rt_sigaction(0, NOWHERE, NOWHERE, 4), -EINVAL, id="sigaction: wrong size"),
        pytest.param(lambda sys: sys.rt_sigaction(0, NOWHERE, NOWHERE, 8), -EFAULT, id="sigaction: bad address"),
        pytest.param(lambda sys: sys.rt_sigaction(0, 0, 0, 8), -EINVAL, id="sigaction: no signal"),
        pytest.param(lambda sys: sys.rt_sigaction(65, 0, 0, 8), -EINVAL, id="sigaction: signal too high"),
        pytest.param(lambda sys: sys.sigaction(SIGKILL, SIG_IGN), -EINVAL, id="sigaction: SIGKILL"),
        pytest.param(lambda sys: sys.sigaction(SIGSTOP, SIG_IGN), -EINVAL, id="sigaction: SIGSTOP"),
        pytest.param(lambda sys: sys.rt_sigaction(SIGKILL, 0, 0, 8), 0, id="sigaction: asking about SIGKILL"),
        pytest.param(lambda sys: sys.rt_sigaction(SIGUSR1, 0, NOWHERE, 8), -EFAULT, id="sigaction: bad old action"),
    ],
)
def test_arguments_are_checked_in_linux_order(kernel: Machine, make_call: MakeCall, result: int) -> None:
    assert result_of(kernel, make_call) == result


# kill


def sleeper(sys: Calls) -> Program:
    yield sys.sleep_ns(100 * SECOND)


def test_kill_reaches_a_process_by_the_tid_of_any_thread(kernel: Machine) -> None:
    """Linux takes any tid for the process it belongs to, though the page only speaks of processes."""
    results = []

    def main(sys: Calls) -> Program:
        tid = yield sys.thread(sleeper)
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        results.append((yield sys.kill(tid, SIGUSR1)))
        results.append(sys.task.group.pending.mask)
        yield sys.exit(0)

    kernel.spawn(main)
    kernel.run()

    assert results == [0, sigmask(SIGUSR1)]


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


# Waiting


def test_sigpending_tells_of_blocked_signals_only(kernel: Machine) -> None:
    answer = bytearray(8)

    def main(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, SIGSET.pack(sigmask(SIGUSR1, SIGUSR2)), 0, 8)
        yield sys.kill(sys.task.tid, SIGUSR1)
        yield sys.tkill(sys.task.tid, SIGUSR2)
        yield sys.rt_sigpending(answer, 8)

    kernel.spawn(main)
    kernel.run()

    assert SIGSET.unpack(answer) == (sigmask(SIGUSR1, SIGUSR2),)


def test_sigsuspend_lets_a_pending_signal_through_at_once(kernel: Machine) -> None:
    results: list[object] = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, results.append, SA_RESTART)
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        yield sys.kill(sys.task.tid, SIGUSR1)
        results.append((yield sys.rt_sigsuspend(SIGSET.pack(0), 8)))
        results.append(sys.task.own_signals.mask)

    kernel.spawn(main)
    kernel.run()

    # sigsuspend(2) always gives EINTR, SA_RESTART or not.
    assert results == [SIGUSR1, -EINTR, sigmask(SIGUSR1)]


def test_sigsuspend_sleeps_on_through_an_ignored_signal(kernel: Machine) -> None:
    results = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR2, lambda signo: None)
        yield sys.rt_sigprocmask(SIG_BLOCK, SIGSET.pack(sigmask(SIGCHLD)), 0, 8)
        yield sys.kill(sys.task.tid, SIGCHLD)  # stays pending, since it is blocked
        results.append((yield sys.rt_sigsuspend(SIGSET.pack(0), 8)))

    send_at(kernel, SECOND, kernel.spawn(main), SIGUSR2)
    kernel.run()

    assert results == [-EINTR]
    assert kernel.now_ns == SECOND


def test_sigtimedwait_takes_a_pending_signal_and_tells_of_it(kernel: Machine) -> None:
    results = []
    info = bytearray(SIGINFO_SIZE)

    def main(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        yield sys.kill(sys.task.tid, SIGUSR1)
        results.append((yield sys.rt_sigtimedwait(ONE_SET, info, 0, 8)))
        results.append(pending_mask(sys.task))

    task = kernel.spawn(main)
    kernel.run()

    told = SigInfo.unpack(bytes(info))
    assert results == [SIGUSR1, 0]
    assert (told.signo, told.code, told.pid) == (SIGUSR1, SI_USER, task.tid)


def test_sigtimedwait_waits_for_a_signal(kernel: Machine) -> None:
    results = []

    def main(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        results.append((yield sys.rt_sigtimedwait(ONE_SET, 0, pack_timespec(5 * SECOND), 8)))

    send_at(kernel, 2 * SECOND, kernel.spawn(main), SIGUSR1)
    kernel.run()

    assert results == [SIGUSR1]
    assert kernel.now_ns == 2 * SECOND


def test_sigtimedwait_gives_up_at_its_deadline(kernel: Machine) -> None:
    assert result_of(kernel, lambda sys: sys.rt_sigtimedwait(ONE_SET, 0, pack_timespec(5 * SECOND), 8)) == -EAGAIN
    assert kernel.now_ns == 5 * SECOND


def test_sigtimedwait_is_interrupted_by_a_handler_for_another_signal(kernel: Machine) -> None:
    """sigtimedwait(2): EINTR, also with SA_RESTART (signal(7))."""
    results = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR2, lambda signo: None, SA_RESTART)
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        results.append((yield sys.rt_sigtimedwait(ONE_SET, 0, 0, 8)))

    send_at(kernel, SECOND, kernel.spawn(main), SIGUSR2)
    kernel.run()

    assert results == [-EINTR]


def test_sigtimedwait_never_takes_sigkill(kernel: Machine) -> None:
    def main(sys: Calls) -> Program:
        yield sys.rt_sigtimedwait(SIGSET.pack(sigmask(SIGKILL)), 0, 0, 8)

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task, SIGKILL)
    kernel.run()

    assert task.group.wait_status == SIGKILL


def test_a_signal_whose_siginfo_cannot_be_written_is_lost(kernel: Machine) -> None:
    """Linux, rt_sigtimedwait: the signal is taken before the copy."""
    results = []

    def main(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        yield sys.kill(sys.task.tid, SIGUSR1)
        results.append((yield sys.rt_sigtimedwait(ONE_SET, NOWHERE, 0, 8)))
        results.append(pending_mask(sys.task))

    kernel.spawn(main)
    kernel.run()

    assert results == [-EFAULT, 0]


def test_pause_ends_only_after_a_handler(kernel: Machine) -> None:
    results = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None, SA_RESTART)
        yield sys.sigaction(SIGUSR2, SIG_IGN)
        results.append((yield sys.pause()))

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task, SIGUSR2)
    send_at(kernel, 2 * SECOND, task, SIGUSR1)
    kernel.run()

    assert results == [-EINTR]
    assert kernel.now_ns == 2 * SECOND


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


def test_a_host_ends_a_wait_with_a_temporary_mask(kernel: Machine, host: FakeHost) -> None:
    task = kernel.spawn(idle)
    mask = sigmask(SIGUSR2)

    blocks = call(task, "rt_sigsuspend", SIGSET.pack(mask), 8)
    send_signal(task.group, SigInfo(SIGTERM, SI_USER))
    answer = kernel.resume_call(task)

    assert (blocks, answer) == (None, -ERESTARTNOHAND)
    assert host.masked_calls == [(task, mask, ERESTARTNOHAND)]
    assert task.temporary_mask is None


def test_a_wait_that_is_abandoned_leaves_no_mask(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    call(task, "rt_sigsuspend", SIGSET.pack(0), 8)

    kernel.abandon_call(task)

    assert task.temporary_mask is None
