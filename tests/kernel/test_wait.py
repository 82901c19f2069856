"""wait4(2), waitid(2): which child's news a wait gives, what it writes, when it sleeps. tests/linux/wait_rules.c."""

from collections.abc import Callable
from struct import Struct

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tickless.abi.errno import EAGAIN, EBADF, ECHILD, EFAULT, EINTR, EINVAL, ESRCH
from tickless.abi.fcntl import O_NONBLOCK
from tickless.abi.resource import RUSAGE
from tickless.abi.siginfo import CLD_CONTINUED, CLD_EXITED, CLD_KILLED, CLD_STOPPED, SIGINFO_SIZE, SigInfo
from tickless.abi.signal import (
    SA_NOCLDWAIT,
    SA_RESTART,
    SIG_DFL,
    SIG_IGN,
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGSTOP,
    SIGUSR1,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.wait import (
    __WALL,
    __WCLONE,
    __WNOTHREAD,
    P_ALL,
    P_PGID,
    P_PID,
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
from tickless.kernel.kernel import Deadlock
from tickless.kernel.machine import Calls, Machine, Main, OwnTask, Program
from tickless.kernel.outcome import PASS_ON
from tickless.kernel.process import exit_group, exit_task
from tickless.kernel.signals import send_signal

INT = Struct("<i")
INT_MIN = -(1 << 31)
NOWHERE = 16


def ends(code: int, after_s: int = 0) -> Main:
    """A program that exits with `code` after some seconds."""

    def program(sys: Calls) -> Program:
        if after_s:
            yield sys.sleep_ns(after_s * SECOND)
        yield sys.exit(code)

    return program


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


def test_wait_sleeps_until_a_child_ends(kernel: Machine) -> None:
    """wait(2): the caller is suspended until one of its children ends."""
    results = []
    status = bytearray(4)

    def parent(sys: Calls) -> Program:
        pid = yield sys.fork(ends(7, after_s=3))
        results.append((yield sys.wait4(-1, status, 0, 0)) - pid)

    kernel.spawn(parent)
    kernel.run()

    assert results == [0]
    assert number(status) == exit_status(7)
    assert kernel.now_ns == 3 * SECOND


def test_a_wait_for_a_zombie_does_not_sleep_and_reaps_it(kernel: Machine) -> None:
    results = []

    def parent(sys: Calls) -> Program:
        pid = yield sys.fork(ends(1))
        yield sys.sleep_ns(SECOND)
        results.append((yield sys.wait4(pid, 0, 0, 0)) - pid)
        results.append((yield sys.wait4(pid, 0, 0, 0)))
        results.append((yield sys.kill(pid, 0)))

    kernel.spawn(parent)
    kernel.run()

    assert results == [0, -ECHILD, -ESRCH]
    assert kernel.now_ns == SECOND


def test_zombies_are_found_in_order_of_birth(kernel: Machine) -> None:
    codes = []
    status = bytearray(4)

    def parent(sys: Calls) -> Program:
        for code, after_s in (1, 3), (2, 2), (3, 1):
            yield sys.fork(ends(code, after_s))
        yield sys.sleep_ns(5 * SECOND)
        for _ in range(3):
            yield sys.wait4(-1, status, 0, 0)
            codes.append(number(status) >> 8)

    kernel.spawn(parent)
    kernel.run()

    assert codes == [1, 2, 3]


def test_a_child_killed_by_a_signal_says_which(kernel: Machine) -> None:
    status, siginfo = bytearray(4), bytearray(SIGINFO_SIZE)
    pids = []

    def parent(sys: Calls) -> Program:
        pids.append((yield sys.fork(sleeps)))
        yield sys.kill(pids[0], SIGKILL)
        yield sys.waitid(P_ALL, 0, siginfo, WEXITED | WNOWAIT, 0)
        yield sys.wait4(-1, status, 0, 0)

    kernel.spawn(parent)
    kernel.run()

    assert news(siginfo) == (SIGCHLD, CLD_KILLED, pids[0], SIGKILL)
    assert number(status) == SIGKILL


def test_wnowait_leaves_the_zombie_for_another_wait(kernel: Machine) -> None:
    results = []
    pids = []
    siginfo = bytearray(SIGINFO_SIZE)

    def parent(sys: Calls) -> Program:
        pids.append((yield sys.fork(ends(4))))
        for options in WEXITED | WNOWAIT, WEXITED | WNOWAIT, WEXITED, WEXITED:
            answer = yield sys.waitid(P_PID, pids[0], siginfo, options, 0)
            results.append((answer, news(siginfo)))

    kernel.spawn(parent)
    kernel.run()

    ended = (0, (SIGCHLD, CLD_EXITED, pids[0], 4))
    assert results == [ended, ended, ended, (-ECHILD, NO_NEWS)]


def test_wnohang_without_news_gives_0_and_an_empty_siginfo(kernel: Machine) -> None:
    """waitid(2), RETURN VALUE: with WNOHANG and no news, si_pid and si_signo are 0."""
    results = []
    siginfo, status = bytearray(b"\x55" * SIGINFO_SIZE), bytearray(b"\x55" * 4)

    def parent(sys: Calls) -> Program:
        yield sys.fork(ends(0, after_s=1))
        results.append((yield sys.wait4(-1, status, WNOHANG, 0)))
        results.append((yield sys.waitid(P_ALL, 0, siginfo, WEXITED | WNOHANG, 0)))

    kernel.spawn(parent)
    kernel.run()

    assert results == [0, 0]
    assert status == b"\x55" * 4
    # Three numbers, a gap that Linux does not touch, and three numbers more.
    assert siginfo == bytes(12) + b"\x55" * 4 + bytes(12) + b"\x55" * 100


@pytest.mark.parametrize(
    ("pid", "options", "errno"),
    [
        pytest.param(-1, 0x100, EINVAL, id="unknown option"),
        pytest.param(-1, WNOWAIT, EINVAL, id="WNOWAIT is waitid's"),
        pytest.param(-1, WEXITED, EINVAL, id="WEXITED is waitid's"),
        pytest.param(INT_MIN, 0x100, EINVAL, id="options come first"),
        pytest.param(INT_MIN, 0, ESRCH, id="INT_MIN"),
        pytest.param(-1, 0, ECHILD, id="no children"),
        pytest.param(1, __WALL | WNOHANG, ECHILD, id="no such child"),
        pytest.param(-5, WNOHANG, ECHILD, id="no such process group"),
    ],
)
def test_arguments_of_wait4(kernel: Machine, pid: int, options: int, errno: int) -> None:
    task = kernel.spawn(idle)
    status = bytearray(b"\x55" * 4)

    assert call(task, "wait4", pid, status, options, 0) == -errno
    assert status == b"\x55" * 4


@pytest.mark.parametrize(
    ("kind", "number", "options", "errno"),
    [
        pytest.param(P_ALL, 0, WNOHANG, EINVAL, id="no news asked for"),
        pytest.param(P_ALL, 0, WEXITED | 0x100, EINVAL, id="unknown option"),
        pytest.param(9, 1, WEXITED, EINVAL, id="unknown kind"),
        pytest.param(P_PID, 0, WEXITED, EINVAL, id="pid 0"),
        pytest.param(P_PGID, -1, WEXITED, EINVAL, id="process group -1"),
        pytest.param(P_PIDFD, -1, WEXITED, EINVAL, id="fd -1"),
        pytest.param(P_PIDFD, 7, WEXITED, EBADF, id="closed fd"),
        pytest.param(P_PIDFD, 0, WEXITED, EBADF, id="no pidfd"),
        pytest.param(P_ALL, 0, WEXITED, ECHILD, id="no children"),
    ],
)
def test_waitid_writes_an_empty_siginfo_with_every_error(
    kernel: Machine, kind: int, number: int, options: int, errno: int
) -> None:
    task = kernel.spawn(idle)
    call(task, "eventfd2", 0, 0)
    siginfo = bytearray(b"\x55" * SIGINFO_SIZE)

    assert call(task, "waitid", kind, number, siginfo, options, 0) == -errno
    assert news(siginfo) == NO_NEWS
    assert call(task, "waitid", kind, number, NOWHERE, options, 0) == -EFAULT


def test_a_fault_loses_the_child(kernel: Machine) -> None:
    """The zombie is gone before its status is written; Linux does not give it back."""
    parent = kernel.spawn(idle)
    for name, args in (("wait4", (-1, NOWHERE, 0, 0)), ("waitid", (P_ALL, 0, NOWHERE, WEXITED, 0))):
        exit_group(kernel, kernel.spawn(idle, parent).group, 0)

        assert call(parent, name, *args) == -EFAULT
        assert call(parent, "wait4", -1, 0, 0, 0) == -ECHILD


def test_rusage_is_written_with_news_only(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    usage = bytearray(b"\x55" * RUSAGE.size)
    assert call(parent, "wait4", -1, 0, WNOHANG, usage) == 0
    assert call(parent, "waitid", P_ALL, 0, 0, WEXITED | WNOHANG, usage) == 0
    assert usage == b"\x55" * RUSAGE.size
    exit_group(kernel, child.group, 0)

    assert call(parent, "waitid", P_ALL, 0, 0, WEXITED | WNOWAIT, usage) == 0
    assert usage == bytes(RUSAGE.size)
    usage[:] = b"\x55" * RUSAGE.size
    assert call(parent, "wait4", -1, 0, 0, usage) == child.tid
    assert usage == bytes(RUSAGE.size)


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
    assert number(status) == exit_status(5)


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


# SIGCHLD


@pytest.mark.parametrize(
    ("handler", "flags"),
    [pytest.param(SIG_IGN, 0, id="SIG_IGN"), pytest.param(SIG_DFL, SA_NOCLDWAIT, id="SA_NOCLDWAIT")],
)
def test_a_wait_for_children_that_leave_no_zombies_lasts_until_the_last_ends(
    kernel: Machine, handler: int, flags: int
) -> None:
    """wait(2), NOTES: with SIGCHLD ignored, or SA_NOCLDWAIT, it blocks until all have ended and fails with ECHILD."""
    results = []

    def parent(sys: Calls) -> Program:
        yield sys.sigaction(SIGCHLD, handler, flags)
        yield sys.fork(ends(1, after_s=1))
        yield sys.fork(ends(2, after_s=3))
        results.append((yield sys.wait4(-1, 0, 0, 0)))
        results.append(kernel.now_ns)

    kernel.spawn(parent)
    kernel.run()

    assert results == [-ECHILD, 3 * SECOND]


@pytest.mark.parametrize(("flags", "restarts"), [(0, False), (SA_RESTART, True)])
def test_a_handler_interrupts_a_wait(kernel: Machine, flags: int, restarts: bool) -> None:
    results: list[int] = []
    siginfo = bytearray(b"\x55" * SIGINFO_SIZE)

    def parent(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: results.append(signo), flags)
        yield sys.fork(ends(0, after_s=2))
        results.append((yield sys.waitid(P_ALL, 0, siginfo, WEXITED, 0)))

    def outside(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        yield sys.kill(task.tid, SIGUSR1)

    task = kernel.spawn(parent)
    kernel.spawn(outside)
    kernel.run()

    assert results == [SIGUSR1, 0 if restarts else -EINTR]
    assert (news(siginfo) == NO_NEWS) is not restarts


def test_a_wait_for_a_child_that_never_ends_is_a_deadlock(kernel: Machine) -> None:
    def parent(sys: Calls) -> Program:
        yield sys.fork(sleeps)
        yield sys.wait4(-1, 0, 0, 0)

    kernel.spawn(parent)
    with pytest.raises(Deadlock):
        kernel.run()


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
