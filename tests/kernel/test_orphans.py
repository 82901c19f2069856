"""credentials(7), setpgid(2): what becomes of the children of the dead. The contract orphans."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.recorder import Sent
from tickless.abi.errno import ECHILD
from tickless.abi.prctl import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG
from tickless.abi.siginfo import (
    CLD_EXITED,
    SI_KERNEL,
    SI_USER,
    SigInfo,
)
from tickless.abi.signal import (
    SIGCHLD,
    SIGCONT,
    SIGHUP,
    SIGSTOP,
    SIGTERM,
    SIGUSR1,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.wait import exit_status
from tickless.kernel.machine import Calls, Machine, Program
from tickless.kernel.process import exit_group, exit_task, is_orphaned
from tickless.kernel.signals import send_signal


@pytest.fixture
def sent(kernel: Machine) -> Sent:
    sent = Sent()
    kernel.listener = sent  # type: ignore[assignment]
    return sent


def test_orphans_go_to_the_nearest_subreaper(kernel: Machine) -> None:
    """PR_SET_CHILD_SUBREAPER(2const): the nearest living ancestor that is one."""
    far = kernel.spawn(idle)
    near = kernel.spawn(idle, far)
    parent = kernel.spawn(idle, near)
    child = kernel.spawn(idle, parent)
    for task in far, near:
        call(task, "prctl", PR_SET_CHILD_SUBREAPER, 1)
    child.group.exit_signal = SIGUSR1
    exit_group(kernel, parent.group, 0)

    assert child.group.parent is near.group
    assert parent.group.children == []
    assert near.group.children == [parent.group, child.group]
    assert call(child, "getppid") == near.tid
    assert child.group.exit_signal == SIGCHLD

    exit_group(kernel, near.group, 0)
    assert child.group.parent is far.group


def test_orphans_without_a_subreaper_go_to_init(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    exit_group(kernel, parent.group, 0)
    assert call(child, "getppid") == 1
    exit_group(kernel, child.group, 0)

    assert child.group.reaped
    assert kernel.groups == {}


def test_a_zombie_is_announced_to_who_adopts_it(kernel: Machine, sent: Sent) -> None:
    grandparent = kernel.spawn(idle)
    call(grandparent, "prctl", PR_SET_CHILD_SUBREAPER, 1)
    parent = kernel.spawn(idle, grandparent)
    zombie = kernel.spawn(idle, parent)
    exit_group(kernel, zombie.group, exit_status(5))
    exit_group(kernel, parent.group, 0)

    assert sent.signals == [
        ("main.1", SIGCHLD, CLD_EXITED, zombie.tid, 5),
        ("main", SIGCHLD, CLD_EXITED, zombie.tid, 5),
        ("main", SIGCHLD, CLD_EXITED, parent.tid, 0),
    ]
    assert call(grandparent, "wait4", -1, 0, 0, 0) == parent.tid
    assert call(grandparent, "wait4", -1, 0, 0, 0) == zombie.tid


def test_a_zombie_that_the_host_has_reaped_is_adopted_by_nobody(kernel: Machine, sent: Sent) -> None:
    grandparent = kernel.spawn(idle)
    call(grandparent, "prctl", PR_SET_CHILD_SUBREAPER, 1)
    parent = kernel.spawn(idle, grandparent)
    zombie = kernel.spawn(idle, parent)
    host = FakeHost()
    kernel.host = host
    exit_group(kernel, zombie.group, 0)
    call(parent, "wait4", -1, 0, 0, 0)
    host.reaped.add(zombie.group)
    exit_group(kernel, parent.group, 0)

    assert [(name, pid) for name, _, _, pid, _ in sent.signals] == [("main.1", zombie.tid), ("main", parent.tid)]
    assert grandparent.group.children == [parent.group]


def test_init_reaps_a_zombie_at_once(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    zombie = kernel.spawn(idle, parent)
    exit_group(kernel, zombie.group, 0)
    exit_group(kernel, parent.group, 0)

    assert zombie.group.reaped
    assert kernel.groups == {}


def test_children_of_a_thread_that_ends_stay_in_the_process(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    children = [kernel.spawn(idle, task) for task in (thread, leader)]
    exit_task(kernel, thread, 0)

    assert [child.group.parent for child in children] == [leader.group, leader.group]
    assert [child.group.parent_thread for child in children] == [leader, leader]


def test_the_death_signal_comes_when_the_thread_that_forked_ends(kernel: Machine, sent: Sent) -> None:
    """PR_SET_PDEATHSIG(2const): "parent" is the thread. The signal says kill(2), from the parent."""
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    child, of_leader = kernel.spawn(idle, thread), kernel.spawn(idle, leader)
    for task in child, of_leader:
        call(task, "prctl", PR_SET_PDEATHSIG, SIGTERM)
    exit_task(kernel, thread, 0)
    expected = [(child.group.name, SIGTERM, SI_USER, leader.tid, 0)]
    assert sent.signals == expected
    exit_task(kernel, leader, 0)

    assert sent.signals == [
        *expected,
        *((task.group.name, SIGTERM, SI_USER, leader.tid, 0) for task in (child, of_leader)),
    ]


def test_with_a_host_death_signals_are_the_hosts(kernel: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    rung = []
    call(child, "prctl", PR_SET_PDEATHSIG, SIGTERM)
    monkeypatch.setattr(child.signals, "ring", lambda info, *, shared: rung.append(info.signo))
    kernel.host = FakeHost()
    exit_group(kernel, parent.group, 0)

    assert rung == []
    assert child.group.pending.pop_signal(SIGTERM) is not None


def test_children_of_no_particular_thread_wait_for_the_last(kernel: Machine, sent: Sent) -> None:
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    child = kernel.spawn(idle, leader)
    child.group.parent_thread = None
    call(child, "prctl", PR_SET_PDEATHSIG, SIGTERM)
    exit_task(kernel, thread, 0)
    assert sent.signals == []
    exit_task(kernel, leader, 0)

    assert [signal[1] for signal in sent.signals] == [SIGTERM]


# Orphaned process groups


class Session:
    """A shell with a session of its own, and a stopped job in a process group of its own."""

    def __init__(self, kernel: Machine) -> None:
        self.outside = kernel.spawn(idle)
        call(self.outside, "prctl", PR_SET_CHILD_SUBREAPER, 1)
        self.shell = kernel.spawn(idle, self.outside)
        call(self.shell, "setsid")
        self.job = kernel.spawn(idle, self.shell)
        call(self.job, "setpgid", 0, 0)
        self.member = kernel.spawn(idle, self.shell)
        call(self.shell, "setpgid", self.member.tid, self.job.tid)


def hangups(sent: Sent) -> list[tuple[str, int, int]]:
    return [(name, signo, code) for name, signo, code, _, _ in sent.signals if signo in (SIGHUP, SIGCONT)]


def test_stopped_jobs_are_hung_up_when_their_shell_ends(kernel: Machine, sent: Sent) -> None:
    """setpgid(2): a process group that becomes orphaned with a stopped member gets SIGHUP, then SIGCONT."""
    session = Session(kernel)
    assert not is_orphaned(kernel, session.job.tid)
    send_signal(session.job.group, SigInfo(SIGSTOP))
    exit_group(kernel, session.shell.group, 0)

    assert is_orphaned(kernel, session.job.tid)
    assert hangups(sent) == [
        (name, signo, SI_KERNEL)
        for signo in (SIGHUP, SIGCONT)
        for name in (session.job.group.name, session.member.group.name)
    ]
    assert session.job.group.stopped_by == 0


def test_jobs_that_run_are_left_alone(kernel: Machine, sent: Sent) -> None:
    session = Session(kernel)
    stopped_elsewhere = kernel.spawn(idle, session.outside)
    send_signal(stopped_elsewhere.group, SigInfo(SIGSTOP))
    exit_group(kernel, session.shell.group, 0)

    assert is_orphaned(kernel, session.job.tid)
    assert hangups(sent) == []


def test_a_tie_that_is_left_keeps_a_process_group_from_being_orphaned(kernel: Machine, sent: Sent) -> None:
    session = Session(kernel)
    sibling = kernel.spawn(idle, session.shell)
    other = kernel.spawn(idle, sibling)
    call(sibling, "setpgid", other.tid, session.job.tid)
    send_signal(session.job.group, SigInfo(SIGSTOP))
    exit_group(kernel, session.shell.group, 0)

    assert not is_orphaned(kernel, session.job.tid)
    assert hangups(sent) == []


def test_the_end_of_the_member_that_was_the_tie_orphans_the_others(kernel: Machine, sent: Sent) -> None:
    session = Session(kernel)
    inner = kernel.spawn(idle, session.job)
    exit_group(kernel, session.member.group, 0)
    send_signal(inner.group, SigInfo(SIGSTOP))
    exit_group(kernel, session.job.group, 0)

    assert hangups(sent) == [(inner.group.name, SIGHUP, SI_KERNEL), (inner.group.name, SIGCONT, SI_KERNEL)]


def test_a_parent_that_was_no_tie_is_not_missed(kernel: Machine, sent: Sent) -> None:
    """It is in another session: the process group was orphaned before, and somebody stopped it all the same."""
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    call(child, "setsid")
    send_signal(child.group, SigInfo(SIGSTOP))
    exit_group(kernel, parent.group, 0)

    assert hangups(sent) == []
    assert child.group.stopped_by == SIGSTOP


def test_the_end_of_a_process_without_a_parent_orphans_nobody(kernel: Machine, sent: Sent) -> None:
    first, other = kernel.spawn(idle), kernel.spawn(idle)
    send_signal(other.group, SigInfo(SIGSTOP))
    exit_group(kernel, first.group, 0)

    assert hangups(sent) == []


def test_a_host_knows_whether_a_parent_outside_is_a_tie(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    assert is_orphaned(kernel, task.tid)
    host = FakeHost()
    kernel.host = host
    assert is_orphaned(kernel, task.tid)
    host.connected_outside.add(task.group)

    assert not is_orphaned(kernel, task.tid)


def test_a_whole_family_in_one_run(kernel: Machine) -> None:
    """A program that forks, whose child forks and leaves: the orphan's end ends the run."""
    ends = []

    def orphan(sys: Calls) -> Program:
        yield sys.sleep_ns(2 * SECOND)
        ends.append((yield sys.getppid()))

    def child(sys: Calls) -> Program:
        yield sys.fork(orphan)

    def parent(sys: Calls) -> Program:
        pid = yield sys.fork(child)
        ends.append((yield sys.wait4(-1, 0, 0, 0)) - pid)
        ends.append((yield sys.wait4(-1, 0, 0, 0)))

    kernel.spawn(parent)
    kernel.run()

    assert ends == [0, -ECHILD, 1]
    assert kernel.now_ns == 2 * SECOND
