"""exit(2), credentials(7): who is told when threads and processes end. The contract dispositions."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.recorder import Sent
from tickless.abi.epoll import EPOLLHUP, EPOLLIN
from tickless.abi.errno import ECHILD
from tickless.abi.futex import FUTEX_WAIT
from tickless.abi.siginfo import (
    CLD_CONTINUED,
    CLD_DUMPED,
    CLD_EXITED,
    CLD_KILLED,
    CLD_STOPPED,
    SigInfo,
)
from tickless.abi.signal import (
    KERNEL_SIGACTION,
    SA_NOCLDSTOP,
    SA_NOCLDWAIT,
    SIG_BLOCK,
    SIG_DFL,
    SIG_IGN,
    SIGABRT,
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGSET,
    SIGSTOP,
    SIGTERM,
    SIGUSR1,
    sigmask,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.wait import WNOHANG, exit_status, signal_status
from tickless.kernel.eventfd import COUNT
from tickless.kernel.machine import Machine, OwnTask
from tickless.kernel.process import exit_cause, exit_group, exit_task, find_group, forget_reaped
from tickless.kernel.signals import send_signal
from tickless.kernel.task import DEAD, ThreadGroup


@pytest.fixture
def sent(kernel: Machine) -> Sent:
    sent = Sent()
    kernel.listener = sent  # type: ignore[assignment]
    return sent


CATCH = 0x1000  # the address of a handler that never runs here


def block(task: OwnTask, *signals: int) -> None:
    assert call(task, "rt_sigprocmask", SIG_BLOCK, SIGSET.pack(sigmask(*signals)), 0, 8) == 0


def act(task: OwnTask, signo: int, handler: int, flags: int = 0) -> None:
    assert call(task, "rt_sigaction", signo, KERNEL_SIGACTION.pack(handler, flags, 0, 0), 0, 8) == 0


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        pytest.param(exit_status(0), (CLD_EXITED, 0), id="0"),
        pytest.param(exit_status(255), (CLD_EXITED, 255), id="255"),
        pytest.param(exit_status(256 + 7), (CLD_EXITED, 7), id="modulo 256"),
        pytest.param(signal_status(SIGTERM, core=False), (CLD_KILLED, SIGTERM), id="killed"),
        pytest.param(signal_status(SIGABRT, core=True), (CLD_DUMPED, SIGABRT), id="dumped"),
    ],
)
def test_the_status_word_says_how_a_child_ended(status: int, cause: tuple[int, int]) -> None:
    assert exit_cause(status) == cause


# The parent's signal


def test_a_childs_end_is_a_signal_with_its_pid_and_status(kernel: Machine, sent: Sent) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    exit_group(kernel, child.group, exit_status(3))

    assert sent.signals == [("main", SIGCHLD, CLD_EXITED, child.tid, 3)]


def test_a_clone_child_gives_the_signal_that_clone_asked_for(kernel: Machine, sent: Sent) -> None:
    parent = kernel.spawn(idle)
    loud, silent = kernel.spawn(idle, parent), kernel.spawn(idle, parent)
    loud.group.exit_signal, silent.group.exit_signal = SIGUSR1, 0
    for child in loud, silent:
        exit_group(kernel, child.group, SIGKILL)

    assert sent.signals == [("main", SIGUSR1, CLD_KILLED, loud.tid, SIGKILL)]


@pytest.mark.parametrize(
    ("handler", "flags", "is_pending", "is_zombie"),
    [
        pytest.param(SIG_DFL, 0, True, True, id="default"),
        pytest.param(CATCH, 0, True, True, id="caught"),
        pytest.param(CATCH, SA_NOCLDWAIT, True, False, id="caught, SA_NOCLDWAIT"),
        pytest.param(SIG_DFL, SA_NOCLDWAIT, True, False, id="default, SA_NOCLDWAIT"),
        pytest.param(SIG_IGN, 0, False, False, id="ignored"),
        pytest.param(SIG_IGN, SA_NOCLDSTOP, False, False, id="ignored, SA_NOCLDSTOP"),
    ],
)
def test_what_a_blocked_sigchld_leaves_of_a_child(
    kernel: Machine, handler: int, flags: int, is_pending: bool, is_zombie: bool
) -> None:
    """sigaction(2): SA_NOCLDWAIT and SIG_IGN leave no zombie, and SIG_IGN alone no signal either, blocked or not."""
    parent = kernel.spawn(idle)
    block(parent, SIGCHLD)
    act(parent, SIGCHLD, handler, flags)
    child = kernel.spawn(idle, parent)
    exit_group(kernel, child.group, 0)

    assert bool(parent.group.pending.mask & sigmask(SIGCHLD)) is is_pending
    assert child.group.reaped is not is_zombie
    assert call(parent, "wait4", -1, 0, WNOHANG, 0) == (child.tid if is_zombie else -ECHILD)


@pytest.mark.parametrize(
    ("handler", "flags", "told"),
    [
        pytest.param(CATCH, 0, True, id="caught"),
        pytest.param(CATCH, SA_NOCLDWAIT, True, id="SA_NOCLDWAIT"),
        pytest.param(CATCH, SA_NOCLDSTOP, False, id="SA_NOCLDSTOP"),
        pytest.param(SIG_IGN, 0, False, id="ignored"),
    ],
)
def test_who_is_told_of_a_stop_and_a_continue(
    kernel: Machine, sent: Sent, handler: int, flags: int, told: bool
) -> None:
    parent = kernel.spawn(idle)
    act(parent, SIGCHLD, handler, flags)
    child = kernel.spawn(idle, parent)
    child.group.exit_signal = 0  # it is about the end alone
    send_signal(child.group, SigInfo(SIGSTOP))
    send_signal(child.group, SigInfo(SIGCONT))

    news = [signal for signal in sent.signals if signal[0] == "main"]
    stopped = ("main", SIGCHLD, CLD_STOPPED, child.tid, SIGSTOP)
    continued = ("main", SIGCHLD, CLD_CONTINUED, child.tid, SIGCONT)
    assert news == ([stopped, continued] if told else [])


def test_with_a_host_sigchld_at_the_end_is_the_hosts_and_at_a_stop_ours(
    kernel: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung = []
    parent = kernel.spawn(idle)
    act(parent, SIGCHLD, CATCH)
    monkeypatch.setattr(parent.signals, "ring", lambda info, *, shared: rung.append((info.code, info.uid)))
    child = kernel.spawn(idle, parent)
    host = FakeHost()
    host.uids[child.name] = 1000
    kernel.host = host
    for signo in SIGSTOP, SIGCONT:
        send_signal(child.group, SigInfo(signo))
        parent.group.pending.discard(sigmask(SIGCHLD))
    exit_group(kernel, child.group, 0)
    pending = parent.group.pending.pop(sigmask(SIGCHLD))

    assert rung == [(CLD_STOPPED, 1000), (CLD_CONTINUED, 1000)]
    assert pending is not None
    assert (pending.code, pending.uid) == (CLD_EXITED, 1000)


def test_with_a_host_an_ignored_sigchld_leaves_the_reaping_to_it(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    act(parent, SIGCHLD, SIG_IGN)
    child = kernel.spawn(idle, parent)
    host = FakeHost()
    kernel.host = host
    exit_group(kernel, child.group, 0)
    assert find_group(kernel, child.tid) is child.group
    host.reaped.add(child.group)
    parent.group.may_have_reaped = True

    assert find_group(kernel, child.tid) is None
    assert parent.group.children == []


def test_with_a_host_children_of_one_who_never_waits_do_not_pile_up(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    act(parent, SIGCHLD, SIG_IGN)
    children = [kernel.spawn(idle, parent).group for _ in range(3)]
    host = FakeHost()
    kernel.host = host
    for child in children:
        exit_group(kernel, child, 0)
        host.reaped.add(child)

    assert parent.group.children == children[2:]


def test_with_a_host_another_process_may_have_a_zombies_id(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    old = kernel.spawn(idle, parent).group
    host = FakeHost()
    kernel.host = host
    exit_group(kernel, old, 0)
    host.reaped.add(old)
    parent.group.may_have_reaped = True
    new = ThreadGroup(kernel, old.tgid, parent.group, "new")
    kernel.add_group(new)
    forget_reaped(parent.group)

    assert old.reaped
    assert kernel.groups[old.tgid] is new


# The end


def test_the_last_threads_status_is_the_processs(kernel: Machine) -> None:
    """Since Linux 5.18; before it was the leader's. kernel/exit.c, synchronize_group_exit."""
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    exit_task(kernel, leader, exit_status(3))
    assert leader.group.wait_status is None
    exit_task(kernel, thread, exit_status(4))

    assert leader.group.wait_status == exit_status(4)


def test_exit_group_decides_the_status(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    kernel.spawn(idle, leader, same_group=True)
    exit_group(kernel, leader.group, SIGKILL)

    assert leader.group.threads == []
    assert leader.group.wait_status == SIGKILL


def test_a_process_killed_while_it_is_stopped_is_stopped_no_more(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    group = kernel.spawn(idle, parent).group
    send_signal(group, SigInfo(SIGSTOP))
    kernel.ready.rotate(-1)
    kernel.pick()
    held = len(group.held)
    exit_group(kernel, group, SIGKILL)

    assert held == 1
    assert group.held == []
    assert group.stopped_by == 0


def test_a_dying_thread_uses_up_no_wake_of_the_word_it_leaves(kernel: Machine) -> None:
    """It waits on the very word that its end clears: whoever joins it is woken, not itself."""
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    word = leader.own_memory.allocate(4)
    call(thread, "set_tid_address", word)
    for waiter in thread, leader:
        assert call(waiter, "futex", word, FUTEX_WAIT, 0, 0, 0, 0) is None
    kernel.ready.clear()
    exit_task(kernel, thread, 0)

    assert list(kernel.ready) == [leader]


def test_a_task_ends_once(kernel: Machine, sent: Sent) -> None:
    task = kernel.spawn(idle)
    exit_task(kernel, task, exit_status(1))
    exit_task(kernel, task, exit_status(2))

    assert task.state is DEAD
    assert sent.ended == [("main", exit_status(1))]


def test_the_calls_end_the_thread_or_the_process(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    call(leader, "exit", 3)
    assert leader.state is DEAD
    assert thread.state is not DEAD
    call(thread, "exit_group", 256 + 4)

    assert leader.group.wait_status == exit_status(4)


def test_the_last_user_of_an_fd_table_closes_its_files(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    call(leader, "eventfd2", 0, 0)
    file = leader.fds.get(0)
    thread = kernel.spawn(idle, leader, same_group=True)
    child = kernel.spawn(idle, leader)
    references = []
    for task in leader, thread, child:
        exit_task(kernel, task, 0)
        references.append(file.references)

    assert references == [2, 1, 0]


def test_a_dead_tasks_call_leaves_its_queue(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    call(task, "eventfd2", 0, 0)
    other = kernel.spawn(idle, task)
    file = task.fds.get(0)
    assert call(task, "read", 0, bytearray(COUNT.size), COUNT.size) is None
    assert file.queue.waiter_count == 1
    exit_group(kernel, task.group, SIGKILL)

    assert file.queue.waiter_count == 0
    assert other.fds.get(0) is file


def test_alarms_end_with_the_process(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    thread = kernel.spawn(idle, task, same_group=True)
    timer = task.group.real_timer
    timer.set(SECOND, SECOND)
    left = []
    for ending in task, thread:
        exit_task(kernel, ending, 0)
        left.append(timer.remaining_ns())

    assert left == [SECOND, 0]
    assert not kernel.jump()


def test_whoever_watches_a_process_hears_of_its_threads_its_end_and_its_reaping(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    thread = kernel.spawn(idle, child, same_group=True)
    heard: list[int] = []

    class Watcher:
        exclusive = False
        in_front = False

        def wake(self, events: int) -> bool:
            heard.append(events)
            return True

    child.group.exit_queue.add(Watcher())
    exit_task(kernel, thread, 0)
    exit_task(kernel, child, 0)
    call(parent, "wait4", -1, 0, 0, 0)

    assert heard == [EPOLLIN, EPOLLIN, EPOLLIN | EPOLLHUP]


def test_another_thread_takes_the_signals_of_one_that_ends(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    act(leader, SIGUSR1, CATCH)
    assert call(thread, "pause") is None
    send_signal(leader.group, SigInfo(SIGUSR1))
    assert not thread.has_pending_signals()
    kernel.ready.clear()
    exit_task(kernel, leader, 0)

    assert thread.has_pending_signals()
    assert list(kernel.ready) == [thread]


def test_find_group_knows_threads_and_zombies(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    child = kernel.spawn(idle, leader)
    exit_group(kernel, child.group, 0)

    assert find_group(kernel, thread.tid) is leader.group
    assert find_group(kernel, child.tid) is child.group
    assert find_group(kernel, 7) is None
