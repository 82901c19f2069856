"""pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2). tests/linux/pidfd_rules.c."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.recorder import Sent
from tickless.abi.epoll import EPOLLHUP, EPOLLIN, EPOLLRDNORM
from tickless.abi.errno import EBADF, EFAULT, EINVAL, ENOENT, EPERM, ESRCH
from tickless.abi.siginfo import SI_QUEUE, SI_TKILL, SI_USER, SigInfo
from tickless.abi.signal import KERNEL_SIGACTION, SIGCONT, SIGRTMAX, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2
from tickless.abi.wait import (
    P_PIDFD,
    PIDFD_NONBLOCK,
    PIDFD_SIGNAL_PROCESS_GROUP,
    PIDFD_SIGNAL_THREAD,
    PIDFD_SIGNAL_THREAD_GROUP,
    PIDFD_THREAD,
    WEXITED,
)
from tickless.kernel.machine import Machine, OwnTask
from tickless.kernel.outcome import PASS_ON
from tickless.kernel.pidfd import PIDFD_SELF_THREAD, PIDFD_SELF_THREAD_GROUP
from tickless.kernel.process import exit_group, exit_task
from tickless.kernel.signals import send_signal
from tickless.kernel.task import Task

READABLE = EPOLLIN | EPOLLRDNORM
NOWHERE = 16
CATCH = 0x1000  # the address of a handler that never runs here


@pytest.fixture
def sent(kernel: Machine) -> Sent:
    sent = Sent()
    kernel.listener = sent  # type: ignore[assignment]
    return sent


@pytest.fixture
def host(kernel: Machine) -> FakeHost:
    host = FakeHost()
    kernel.host = host
    return host


def open_pidfd(task: OwnTask, pid: int, flags: int = 0) -> int:
    fd = call(task, "pidfd_open", pid, flags)
    assert isinstance(fd, int)
    assert fd >= 0
    return fd


def catch(task: OwnTask, signo: int) -> None:
    assert call(task, "rt_sigaction", signo, KERNEL_SIGACTION.pack(CATCH, 0, 0, 0), 0, 8) == 0


def readiness(task: Task, fd: int) -> int:
    return task.fds.get(fd).poll(task)


# pidfd_open


@pytest.mark.parametrize(
    ("pid", "flags", "errno"),
    [
        pytest.param(1000, 1, EINVAL, id="unknown flag"),
        pytest.param(0, 0, EINVAL, id="pid 0"),
        pytest.param(-1, 0, EINVAL, id="pid -1"),
        pytest.param(1000, 0, ESRCH, id="nobody"),
        pytest.param(1000, PIDFD_THREAD, ESRCH, id="no thread"),
        pytest.param(101, 0, ENOENT, id="a thread that is no leader"),
    ],
)
def test_arguments_of_pidfd_open(kernel: Machine, pid: int, flags: int, errno: int) -> None:
    leader = kernel.spawn(idle)
    kernel.spawn(idle, leader, same_group=True)

    assert call(leader, "pidfd_open", pid, flags) == -errno


def test_a_pidfd_is_close_on_exec(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    fd = open_pidfd(task, task.tid, PIDFD_NONBLOCK)

    assert fd in task.own_fds.cloexec
    assert task.fds.get(fd).nonblock


def test_a_pidfd_is_readable_from_the_end_of_the_process_on(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    thread = kernel.spawn(idle, child, same_group=True)
    fd = open_pidfd(parent, child.tid)
    seen = [readiness(parent, fd)]
    for task in child, thread:
        exit_task(kernel, task, 0)
        seen.append(readiness(parent, fd))
    call(parent, "wait4", -1, 0, 0, 0)
    seen.append(readiness(parent, fd))

    assert seen == [0, 0, READABLE, READABLE | EPOLLHUP]
    assert parent.fds.get(fd).queue_for(parent) is child.group.exit_queue


def test_a_pidfd_of_a_thread_is_readable_when_that_has_ended(kernel: Machine) -> None:
    """PIDFD_THREAD: a leader becomes a zombie, any other thread is gone at once."""
    parent = kernel.spawn(idle)
    leader = kernel.spawn(idle, parent)
    thread = kernel.spawn(idle, leader, same_group=True)
    fds = [open_pidfd(parent, task.tid, PIDFD_THREAD) for task in (leader, thread)]
    seen = [[readiness(parent, fd) for fd in fds]]
    for task in thread, leader:
        exit_task(kernel, task, 0)
        seen.append([readiness(parent, fd) for fd in fds])

    assert seen == [[0, 0], [0, READABLE | EPOLLHUP], [READABLE, READABLE | EPOLLHUP]]


def test_fdinfo_names_the_process_until_it_is_reaped(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    thread = kernel.spawn(idle, child, same_group=True)
    of_process, of_thread = open_pidfd(parent, child.tid), open_pidfd(parent, thread.tid, PIDFD_THREAD)
    described = [parent.fds.get(fd).describe(parent) for fd in (of_process, of_thread)]
    exit_group(kernel, child.group, 0)
    call(parent, "wait4", -1, 0, 0, 0)
    described.append(parent.fds.get(of_process).describe(parent))

    pids = [child.tid, thread.tid, -1]
    assert described == [f"Pid:\t{pid}\nNSpid:\t{pid}\n" for pid in pids]


def test_a_zombie_can_be_opened(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    exit_group(kernel, child.group, 0)

    for flags in 0, PIDFD_THREAD:
        assert readiness(parent, open_pidfd(parent, child.tid, flags)) == READABLE


# pidfd_send_signal


def signal(task: Task, fd: int, signo: int, info: bytes | int = 0, flags: int = 0) -> object:
    return call(task, "pidfd_send_signal", fd, signo, info, flags)


@pytest.mark.parametrize(
    ("fd", "signo", "flags", "errno"),
    [
        pytest.param(9, SIGTERM, 8, EINVAL, id="unknown flag"),
        pytest.param(9, SIGTERM, PIDFD_SIGNAL_THREAD | PIDFD_SIGNAL_THREAD_GROUP, EINVAL, id="two scopes"),
        pytest.param(9, 65, 0, EBADF, id="closed fd"),
        pytest.param(-1, SIGTERM, 0, EBADF, id="fd -1"),
        pytest.param(1, SIGTERM, 0, EBADF, id="no pidfd"),
        pytest.param(0, SIGRTMAX + 1, 0, EINVAL, id="signal 65"),
        pytest.param(0, -1, 0, EINVAL, id="signal -1"),
        pytest.param(0, 0, PIDFD_SIGNAL_PROCESS_GROUP, ESRCH, id="leads no process group"),
    ],
)
def test_arguments_of_pidfd_send_signal(kernel: Machine, fd: int, signo: int, flags: int, errno: int) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    assert open_pidfd(parent, child.tid) == 0
    assert call(parent, "eventfd2", 0, 0) == 1

    assert signal(parent, fd, signo, flags=flags) == -errno


@pytest.mark.parametrize(
    ("flags", "code", "to_thread"),
    [
        pytest.param(0, SI_USER, False, id="process"),
        pytest.param(PIDFD_SIGNAL_THREAD, SI_TKILL, True, id="thread"),
        pytest.param(PIDFD_SIGNAL_THREAD_GROUP, SI_USER, False, id="thread group"),
    ],
)
def test_a_signal_goes_to_the_scope_asked_for(kernel: Machine, flags: int, code: int, to_thread: bool) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    catch(child, SIGUSR1)
    fd = open_pidfd(parent, child.tid)

    assert signal(parent, fd, SIGUSR1, flags=flags) == 0
    info = (child.pending if to_thread else child.group.pending).pop_signal(SIGUSR1)
    assert info is not None
    assert (info.code, info.pid) == (code, parent.tid)


def test_a_pidfd_of_a_thread_signals_that_thread(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    catch(leader, SIGUSR1)
    fd = open_pidfd(leader, thread.tid, PIDFD_THREAD)

    assert signal(leader, fd, SIGUSR1) == 0
    assert thread.pending.pop_signal(SIGUSR1) is not None
    exit_task(kernel, thread, 0)
    assert signal(leader, fd, SIGUSR1) == -ESRCH


def test_a_process_group_by_its_leaders_pidfd(kernel: Machine, sent: Sent) -> None:
    parent = kernel.spawn(idle)
    members = [kernel.spawn(idle, parent) for _ in range(2)]
    for member in members:
        call(parent, "setpgid", member.tid, members[0].tid)
    fd = open_pidfd(parent, members[0].tid)

    assert signal(parent, fd, SIGTERM, flags=PIDFD_SIGNAL_PROCESS_GROUP) == 0
    assert {name for name, *_ in sent.signals} == {member.group.name for member in members}


@pytest.mark.parametrize(
    ("fd", "to_thread"), [(PIDFD_SELF_THREAD, True), (PIDFD_SELF_THREAD_GROUP, False)], ids=["thread", "process"]
)
def test_a_caller_names_itself_without_a_pidfd(kernel: Machine, fd: int, to_thread: bool) -> None:
    task = kernel.spawn(idle)
    catch(task, SIGUSR1)

    assert signal(task, fd, SIGUSR1) == 0
    assert (task.pending if to_thread else task.group.pending).pop_signal(SIGUSR1) is not None


def test_a_zombie_takes_signals_until_it_is_reaped(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    fd = open_pidfd(parent, child.tid)
    exit_group(kernel, child.group, 0)
    assert signal(parent, fd, SIGTERM) == 0
    assert signal(parent, fd, 65) == -EINVAL
    call(parent, "wait4", -1, 0, 0, 0)

    assert signal(parent, fd, SIGTERM) == -ESRCH
    assert signal(parent, fd, 65) == -ESRCH


@pytest.mark.parametrize(
    ("code", "signo", "errno"),
    [
        pytest.param(SI_QUEUE, SIGUSR1, 0, id="sigqueue"),
        pytest.param(SI_QUEUE, SIGUSR2, EINVAL, id="another signal"),
        pytest.param(SI_USER, SIGUSR1, EPERM, id="as if from kill"),
        pytest.param(SI_TKILL, SIGUSR1, EPERM, id="as if from tgkill"),
    ],
)
def test_a_siginfo_of_ones_own(kernel: Machine, code: int, signo: int, errno: int) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    catch(child, SIGUSR1)
    fd = open_pidfd(parent, child.tid)

    assert signal(parent, fd, signo, SigInfo(SIGUSR1, code, value=7).pack()) == -errno
    assert signal(parent, fd, signo, NOWHERE) == -EFAULT


def test_only_the_caller_itself_takes_a_siginfo_that_looks_like_kills(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    catch(task, SIGUSR1)
    info = SigInfo(SIGUSR1, SI_USER).pack()

    assert signal(task, PIDFD_SELF_THREAD_GROUP, SIGUSR1, info) == 0
    assert signal(task, PIDFD_SELF_THREAD_GROUP, SIGUSR1, info, PIDFD_SIGNAL_PROCESS_GROUP) == -EPERM


def test_a_process_that_stops_itself_has_its_answer_when_it_goes_on(kernel: Machine) -> None:
    task = kernel.spawn(idle)

    assert signal(task, PIDFD_SELF_THREAD_GROUP, SIGSTOP) is None
    send_signal(task.group, SigInfo(SIGCONT))
    assert kernel.resume_call(task) == 0


# pidfd_getfd


def test_getfd_copies_a_number_of_another_process(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    call(child, "eventfd2", 0, 0)
    pidfd = open_pidfd(parent, child.tid)
    fd = call(parent, "pidfd_getfd", pidfd, 0, 0)

    assert isinstance(fd, int)
    assert parent.fds.get(fd) is child.fds.get(0)
    assert fd in parent.own_fds.cloexec


@pytest.mark.parametrize(
    ("pidfd", "target", "flags", "errno"),
    [
        pytest.param(0, 0, 1, EINVAL, id="flags"),
        pytest.param(5, 0, 0, EBADF, id="closed pidfd"),
        pytest.param(0, 3, 0, EBADF, id="closed there"),
        pytest.param(1, 0, 0, ESRCH, id="a zombie"),
    ],
)
def test_arguments_of_pidfd_getfd(kernel: Machine, pidfd: int, target: int, flags: int, errno: int) -> None:
    parent = kernel.spawn(idle)
    child, zombie = kernel.spawn(idle, parent), kernel.spawn(idle, parent)
    for task in child, zombie:
        open_pidfd(parent, task.tid)
    exit_group(kernel, zombie.group, 0)

    assert call(parent, "pidfd_getfd", pidfd, target, flags) == -errno


# With a host


def test_signals_through_a_hosts_pidfd_are_the_kernels(kernel: Machine, host: FakeHost) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    thread = kernel.spawn(idle, child, same_group=True)
    kernel.host = None
    catch(child, SIGUSR1)
    kernel.host = host
    host.pidfds = {3: child.tid, 4: thread.tid, 5: -1, 6: 4000}
    host.status_of = {4: PIDFD_THREAD}
    host.uids["main"] = 1000

    assert signal(parent, 3, SIGUSR1) == 0
    info = child.group.pending.pop_signal(SIGUSR1)
    assert info is not None
    assert (info.code, info.pid, info.uid) == (SI_USER, parent.tid, 1000)
    assert signal(parent, 4, SIGUSR1) == 0
    assert thread.pending.pop_signal(SIGUSR1) is not None
    assert signal(parent, 5, SIGUSR1) == -ESRCH
    assert signal(parent, 6, SIGUSR1) is PASS_ON
    assert signal(parent, 7, SIGUSR1) == -EBADF


def test_a_directory_of_the_hosts_proc_is_a_pidfd_for_signals(kernel: Machine, host: FakeHost) -> None:
    """tests/linux/pidfd_rules.c: and for nothing else."""
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    host.directories = {3: child.tid, 4: -1}

    assert signal(parent, 3, 0) == 0
    assert signal(parent, 4, 0) == -ESRCH
    assert signal(parent, 5, 0) == -EBADF
    assert call(parent, "waitid", P_PIDFD, 3, 0, WEXITED, 0) == -EBADF


def test_the_host_says_who_may_signal(kernel: Machine, host: FakeHost) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    host.pidfds = {3: child.tid}
    host.protected.add(child.group)

    assert signal(parent, 3, 0) == -EPERM


def test_a_zombie_that_the_host_has_reaped_takes_no_signal(kernel: Machine, host: FakeHost) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    host.pidfds = {3: child.tid}
    exit_group(kernel, child.group, 0)
    assert call(parent, "wait4", -1, 0, 0, 0) is PASS_ON
    assert signal(parent, 3, 0) == 0
    call(parent, "wait4", -1, 0, 0, 0)
    host.reaped.add(child.group)

    assert signal(parent, 3, 0) is PASS_ON  # for the host to say ESRCH
