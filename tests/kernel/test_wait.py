"""wait4(2), waitid(2): which child's news a wait gives, what it writes, when it sleeps. tests/linux/wait_rules.c."""

from struct import Struct

import pytest

from tests.kernel.fake_host import call, idle
from tickless.abi.errno import EBADF, ECHILD, EFAULT, EINTR, EINVAL, ESRCH
from tickless.abi.resource import RUSAGE
from tickless.abi.siginfo import CLD_EXITED, CLD_KILLED, SIGINFO_SIZE, SigInfo
from tickless.abi.signal import (
    SA_NOCLDWAIT,
    SA_RESTART,
    SIG_DFL,
    SIG_IGN,
    SIGCHLD,
    SIGKILL,
    SIGUSR1,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.wait import (
    __WALL,
    P_ALL,
    P_PGID,
    P_PID,
    P_PIDFD,
    WEXITED,
    WNOHANG,
    WNOWAIT,
    exit_status,
)
from tickless.kernel.kernel import Deadlock
from tickless.kernel.machine import Calls, Machine, Main, Program
from tickless.kernel.process import exit_group

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
