"""sigpending(2), sigsuspend(2), sigtimedwait(2), pause(2)."""

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.signalling import send_at
from tickless.abi.errno import EAGAIN, EFAULT, EINTR, ERESTARTNOHAND
from tickless.abi.siginfo import SI_USER, SIGINFO_SIZE, SigInfo
from tickless.abi.signal import (
    SA_RESTART,
    SIG_BLOCK,
    SIG_IGN,
    SIGCHLD,
    SIGKILL,
    SIGSET,
    SIGTERM,
    SIGUSR1,
    SIGUSR2,
    sigmask,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.time import pack_timespec
from tickless.kernel.machine import Calls, Machine, Program
from tickless.kernel.signals import pending_mask, send_signal

NOWHERE = 8  # an address that is in no task's memory
ONE_SET = SIGSET.pack(sigmask(SIGUSR1))


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

    send_at(kernel, SECOND, kernel.spawn(main).group, SIGUSR2)
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

    send_at(kernel, 2 * SECOND, kernel.spawn(main).group, SIGUSR1)
    kernel.run()

    assert results == [SIGUSR1]
    assert kernel.now_ns == 2 * SECOND


def test_sigtimedwait_gives_up_at_its_deadline(kernel: Machine) -> None:
    results = []

    def main(sys: Calls) -> Program:
        results.append((yield sys.rt_sigtimedwait(ONE_SET, 0, pack_timespec(5 * SECOND), 8)))

    kernel.spawn(main)
    kernel.run()

    assert results == [-EAGAIN]
    assert kernel.now_ns == 5 * SECOND


def test_sigtimedwait_is_interrupted_by_a_handler_for_another_signal(kernel: Machine) -> None:
    """sigtimedwait(2): EINTR, also with SA_RESTART (signal(7))."""
    results = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR2, lambda signo: None, SA_RESTART)
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        results.append((yield sys.rt_sigtimedwait(ONE_SET, 0, 0, 8)))

    send_at(kernel, SECOND, kernel.spawn(main).group, SIGUSR2)
    kernel.run()

    assert results == [-EINTR]


def test_sigtimedwait_never_takes_sigkill(kernel: Machine) -> None:
    def main(sys: Calls) -> Program:
        yield sys.rt_sigtimedwait(SIGSET.pack(sigmask(SIGKILL)), 0, 0, 8)

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task.group, SIGKILL)
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
    send_at(kernel, SECOND, task.group, SIGUSR2)
    send_at(kernel, 2 * SECOND, task.group, SIGUSR1)
    kernel.run()

    assert results == [-EINTR]
    assert kernel.now_ns == 2 * SECOND


# With a host


@pytest.fixture
def host(kernel: Machine) -> FakeHost:
    kernel.host = host = FakeHost()
    return host


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
