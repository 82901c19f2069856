"""wait4(2), waitid(2) where something else decides: whom the wait is for, stops, a host. tests/linux/wait_rules.c."""

from collections.abc import Callable
from struct import Struct

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tickless.abi.errno import EAGAIN, EBADF, ECHILD
from tickless.abi.fcntl import O_NONBLOCK
from tickless.abi.siginfo import CLD_CONTINUED, CLD_STOPPED, SIGINFO_SIZE, SigInfo
from tickless.abi.signal import (
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGSTOP,
    SIGUSR1,
)
from tickless.abi.wait import (
    __WALL,
    __WCLONE,
    __WNOTHREAD,
    P_ALL,
    P_PGID,
    P_PIDFD,
    PIDFD_NONBLOCK,
    W_CONTINUED,
    WCONTINUED,
    WEXITED,
    WNOHANG,
    WNOWAIT,
    WSTOPPED,
    WUNTRACED,
    exit_status,
    stop_status,
)
from tickless.kernel.machine import Calls, Machine, OwnTask, Program
from tickless.kernel.outcome import PASS_ON
from tickless.kernel.process import exit_group, exit_task, find_group
from tickless.kernel.signals import send_signal

INT = Struct("<i")
INT_MIN = -(1 << 31)
NOWHERE = 16


def sleeps(sys: Calls) -> Program:
    while True:
        yield sys.pause()


def number(buffer: bytearray) -> int:
    return int(INT.unpack(buffer)[0])


def news(buffer: bytearray) -> tuple[int, int, int, int]:
    """(signo, code, pid, status) of a siginfo."""
    info = SigInfo.unpack(bytes(buffer))
    return info.signo, info.code, info.pid, info.status


NO_NEWS = (0, 0, 0, 0)


# Stops


def test_a_stop_and_a_continue_are_told_once_to_whom_they_are_asked_by(kernel: Machine) -> None:
    results = []
    status = bytearray(4)

    def parent(sys: Calls) -> Program:
        pid = yield sys.fork(sleeps)
        for signo in SIGSTOP, SIGCONT:
            yield sys.kill(pid, signo)
            for options in WNOHANG, WNOHANG | WUNTRACED, WNOHANG | WCONTINUED, WNOHANG | WUNTRACED | WCONTINUED:
                answer = yield sys.wait4(-1, status, options, 0)
                results.append(number(status) if answer else 0)
        yield sys.kill(pid, SIGKILL)

    kernel.spawn(parent)
    kernel.run()

    assert results == [0, stop_status(SIGSTOP), 0, 0, 0, 0, W_CONTINUED, 0]


def test_wnowait_leaves_a_stop_untold(kernel: Machine) -> None:
    found = []
    siginfo = bytearray(SIGINFO_SIZE)
    pids = []

    def parent(sys: Calls) -> Program:
        pids.append((yield sys.fork(sleeps)))
        for signo, options in (SIGSTOP, WSTOPPED), (SIGCONT, WCONTINUED):
            yield sys.kill(pids[0], signo)
            for more in WNOWAIT, 0, WNOHANG:
                yield sys.waitid(P_ALL, 0, siginfo, options | more, 0)
                found.append(news(siginfo))
        yield sys.kill(pids[0], SIGKILL)

    kernel.spawn(parent)
    kernel.run()

    stopped = (SIGCHLD, CLD_STOPPED, pids[0], SIGSTOP)
    continued = (SIGCHLD, CLD_CONTINUED, pids[0], SIGCONT)
    assert found == [stopped, stopped, NO_NEWS, continued, continued, NO_NEWS]


def test_the_older_childs_news_comes_first_whatever_it_is(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    older, younger = kernel.spawn(idle, parent), kernel.spawn(idle, parent)
    exit_group(kernel, younger.group, exit_status(9))
    send_signal(older.group, SigInfo(SIGSTOP))

    assert call(parent, "wait4", -1, 0, WUNTRACED, 0) == older.tid
    assert call(parent, "wait4", -1, 0, WUNTRACED, 0) == younger.tid


def test_a_zombie_is_no_reason_to_wait_for_a_stop(kernel: Machine) -> None:
    """Only zombies left, and no WEXITED: ECHILD rather than a sleep that nothing ends."""
    parent = kernel.spawn(idle)
    exit_group(kernel, kernel.spawn(idle, parent).group, 0)

    assert call(parent, "waitid", P_ALL, 0, 0, WSTOPPED, 0) == -ECHILD


# Whom a wait is for


def test_process_groups(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    member, other = kernel.spawn(idle, parent), kernel.spawn(idle, parent)
    assert call(parent, "setpgid", other.tid, 0) == 0
    for child in member, other:
        exit_group(kernel, child.group, 0)

    assert call(parent, "wait4", -other.tid, 0, 0, 0) == other.tid
    assert call(parent, "waitid", P_PGID, other.tid, 0, WEXITED, 0) == -ECHILD
    assert call(parent, "waitid", P_PGID, 0, 0, WEXITED | WNOWAIT, 0) == 0
    assert call(parent, "wait4", 0, 0, 0, 0) == member.tid


@pytest.mark.parametrize("exit_signal", [0, SIGUSR1])
def test_clone_children_are_waited_for_on_request(kernel: Machine, exit_signal: int) -> None:
    """wait(2), __WCLONE: children that give no signal, or another than SIGCHLD."""
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    child.group.exit_signal = exit_signal
    exit_group(kernel, child.group, 0)

    assert call(parent, "wait4", -1, 0, 0, 0) == -ECHILD
    assert call(parent, "waitid", P_ALL, 0, 0, WEXITED | __WCLONE | WNOWAIT, 0) == 0
    assert call(parent, "wait4", -1, 0, __WALL, 0) == child.tid


def test_wclone_excludes_the_others(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    exit_group(kernel, kernel.spawn(idle, parent).group, 0)

    assert call(parent, "wait4", -1, 0, __WCLONE, 0) == -ECHILD


def test_a_thread_looks_at_its_own_children_first_and_wnothread_at_no_others(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    of_leader, of_thread = kernel.spawn(idle, leader), kernel.spawn(idle, thread)
    for child in of_leader, of_thread:
        exit_group(kernel, child.group, 0)

    assert call(leader, "wait4", of_thread.tid, 0, __WNOTHREAD, 0) == -ECHILD
    assert call(thread, "wait4", -1, 0, 0, 0) == of_thread.tid
    assert call(thread, "wait4", -1, 0, __WNOTHREAD, 0) == -ECHILD
    assert call(thread, "wait4", -1, 0, 0, 0) == of_leader.tid


def test_the_last_thread_decides_when_a_child_has_ended(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    thread = kernel.spawn(idle, child, same_group=True)
    status = bytearray(4)
    exit_task(kernel, child, exit_status(5))
    assert call(parent, "wait4", -1, 0, WNOHANG, 0) == 0
    exit_task(kernel, thread, exit_status(6))

    assert call(parent, "wait4", -1, status, 0, 0) == child.tid
    assert number(status) == exit_status(6)


def test_a_pidfd_names_the_child(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    first, second = kernel.spawn(idle, parent), kernel.spawn(idle, parent)
    fd = call(parent, "pidfd_open", second.tid, 0)
    assert isinstance(fd, int)
    for child in first, second:
        exit_group(kernel, child.group, 0)
    siginfo = bytearray(SIGINFO_SIZE)

    assert call(parent, "waitid", P_PIDFD, fd, siginfo, WEXITED, 0) == 0
    assert news(siginfo)[2] == second.tid
    assert call(parent, "waitid", P_PIDFD, fd, siginfo, WEXITED, 0) == -ECHILD


def test_a_nonblocking_pidfd_gives_eagain_instead_of_a_sleep(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    fd = call(parent, "pidfd_open", child.tid, PIDFD_NONBLOCK)
    assert isinstance(fd, int)

    assert call(parent, "waitid", P_PIDFD, fd, 0, WEXITED, 0) == -EAGAIN
    assert call(parent, "waitid", P_PIDFD, fd, 0, WEXITED | WNOHANG, 0) == 0


# With a host


@pytest.fixture
def host(kernel: Machine) -> FakeHost:
    host = FakeHost()
    kernel.host = host
    return host


Waits = Callable[[OwnTask], object]


def wait4(parent: OwnTask, options: int = 0) -> object:
    return call(parent, "wait4", -1, 0, options, 0)


def waitid(parent: OwnTask, options: int = 0) -> object:
    return call(parent, "waitid", P_ALL, 0, 0, WEXITED | options, 0)


@pytest.mark.parametrize("wait", [wait4, waitid])
def test_the_host_reaps(kernel: Machine, host: FakeHost, wait: Waits) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    exit_group(kernel, child.group, 0)

    assert wait(parent) is PASS_ON
    # As long as the host has the zombie, the next wait is its business, too.
    assert wait(parent) is PASS_ON
    host.reaped.add(child.group)
    assert wait(parent) == -ECHILD
    assert child.group.reaped
    assert not parent.group.may_have_reaped


def test_a_wait_that_is_on_its_way_in_the_host_is_not_forgotten(kernel: Machine, host: FakeHost) -> None:
    """Somebody asks for the process before the host has reaped it."""
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    exit_group(kernel, child.group, 0)
    wait4(parent)

    assert find_group(kernel, child.tid) is child.group
    host.reaped.add(child.group)
    assert find_group(kernel, child.tid) is None


def test_the_host_is_not_asked_after_wnowait(kernel: Machine, host: FakeHost) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    exit_group(kernel, child.group, 0)

    assert waitid(parent, WNOWAIT) is PASS_ON
    assert not parent.group.may_have_reaped


def test_a_sleeping_wait_is_passed_on_when_a_child_has_ended(kernel: Machine, host: FakeHost) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    assert wait4(parent) is None
    exit_group(kernel, child.group, 0)

    assert kernel.resume_call(parent) is PASS_ON


def test_stops_are_served_here(kernel: Machine, host: FakeHost) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    host.uids[child.name] = 1000
    send_signal(child.group, SigInfo(SIGSTOP))
    status, siginfo = bytearray(4), bytearray(SIGINFO_SIZE)

    assert call(parent, "waitid", P_ALL, 0, siginfo, WSTOPPED | WNOWAIT, 0) == 0
    assert SigInfo.unpack(bytes(siginfo)).uid == 1000
    assert call(parent, "wait4", -1, status, WUNTRACED, 0) == child.tid
    assert number(status) == stop_status(SIGSTOP)


def test_a_pidfd_is_the_hosts(kernel: Machine, host: FakeHost) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    host.pidfds = {5: child.tid, 6: child.tid, 7: -1}
    host.status_of = {6: O_NONBLOCK}

    assert call(parent, "waitid", P_PIDFD, 4, 0, WEXITED, 0) == -EBADF
    assert call(parent, "waitid", P_PIDFD, 6, 0, WEXITED, 0) == -EAGAIN
    assert call(parent, "waitid", P_PIDFD, 7, 0, WEXITED, 0) == -ECHILD
    exit_group(kernel, child.group, 0)
    assert call(parent, "waitid", P_PIDFD, 5, 0, WEXITED, 0) is PASS_ON
