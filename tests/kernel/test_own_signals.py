"""sigaction(2): what handlers do to masks and to interrupted calls, in programs without a host."""

import pytest

from tests.kernel.signalling import block, send_at, unblock
from tickless.abi.siginfo import SI_TKILL, SI_USER, SigInfo
from tickless.abi.signal import (
    SA_NODEFER,
    SA_RESETHAND,
    SA_SIGINFO,
    SIG_DFL,
    SIG_IGN,
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGQUIT,
    SIGRTMIN,
    SIGTERM,
    SIGURG,
    SIGUSR1,
    SIGUSR2,
    SIGWINCH,
    sigmask,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.machine import Calls, Machine, Program
from tickless.kernel.signals import (
    pending_mask,
)

FOREVER = 10**6 * SECOND


# Delivery


def test_a_handler_runs_before_the_program_goes_on(kernel: Machine) -> None:
    order: list[object] = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, order.append)
        result = yield sys.kill(kernel.next_pid - 1, SIGUSR1)
        order.append(("kill returned", result))

    kernel.spawn(main)
    kernel.run()

    assert order == [SIGUSR1, ("kill returned", 0)]


def test_siginfo_tells_who_sent_it(kernel: Machine) -> None:
    told: list[tuple[int, int, int]] = []

    def handler(signo: int, info: SigInfo) -> None:
        told.append((signo, info.code, info.pid))

    def main(sys: Calls) -> Program:
        pid = sys.task.tid
        yield sys.sigaction(SIGUSR1, handler, SA_SIGINFO)
        yield sys.kill(pid, SIGUSR1)
        yield sys.tgkill(pid, pid, SIGUSR1)

    task = kernel.spawn(main)
    kernel.run()

    assert told == [(SIGUSR1, SI_USER, task.tid), (SIGUSR1, SI_TKILL, task.tid)]


def test_a_handler_may_be_a_program_that_makes_calls(kernel: Machine) -> None:
    order = []

    def main(sys: Calls) -> Program:
        def handler(signo: int) -> Program:
            yield sys.sleep_ns(3 * SECOND)
            order.append(kernel.now_ns)

        yield sys.sigaction(SIGUSR1, handler)
        order.append((yield sys.kill(sys.task.tid, SIGUSR1)))
        order.append(kernel.now_ns)

    kernel.spawn(main)
    kernel.run()

    assert order == [3 * SECOND, 0, 3 * SECOND]


def test_a_blocked_signal_waits_until_it_is_unblocked(kernel: Machine) -> None:
    order: list[object] = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, order.append)
        yield block(sys, SIGUSR1)
        yield sys.kill(sys.task.tid, SIGUSR1)
        order.append("blocked")
        yield unblock(sys, SIGUSR1)
        order.append("unblocked")

    kernel.spawn(main)
    kernel.run()

    assert order == ["blocked", SIGUSR1, "unblocked"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param(0, ["enter", "leave", "enter", "leave"], id="deferred until the handler is over"),
        pytest.param(SA_NODEFER, ["enter", "enter", "leave", "leave"], id="SA_NODEFER"),
    ],
)
def test_a_signal_is_blocked_in_its_own_handler(kernel: Machine, flags: int, expected: list[str]) -> None:
    order: list[str] = []

    def main(sys: Calls) -> Program:
        def handler(signo: int) -> Program:
            order.append("enter")
            if order.count("enter") < 2:
                yield sys.kill(sys.task.tid, signo)
            order.append("leave")

        yield sys.sigaction(SIGUSR1, handler, flags)
        yield sys.kill(sys.task.tid, SIGUSR1)

    kernel.spawn(main)
    kernel.run()

    assert order == expected


def test_sa_mask_is_blocked_while_the_handler_runs(kernel: Machine) -> None:
    order: list[object] = []

    def main(sys: Calls) -> Program:
        def handler(signo: int) -> Program:
            order.append("enter")
            yield sys.kill(sys.task.tid, SIGUSR2)
            order.append("leave")

        yield sys.sigaction(SIGUSR2, order.append)
        yield sys.sigaction(SIGUSR1, handler, 0, sigmask(SIGUSR2))
        yield sys.kill(sys.task.tid, SIGUSR1)
        order.append(sys.task.own_signals.mask)

    kernel.spawn(main)
    kernel.run()

    assert order == ["enter", "leave", SIGUSR2, 0]


def test_of_two_pending_signals_the_later_frame_runs_first(kernel: Machine) -> None:
    """Linux builds a frame for each on the way to user mode; the last one built is on top."""
    order: list[object] = []

    def main(sys: Calls) -> Program:
        for signo in (SIGUSR1, SIGUSR2):
            yield sys.sigaction(signo, order.append)
        yield block(sys, SIGUSR1, SIGUSR2)
        yield sys.kill(sys.task.tid, SIGUSR1)
        yield sys.kill(sys.task.tid, SIGUSR2)
        yield unblock(sys, SIGUSR1, SIGUSR2)

    kernel.spawn(main)
    kernel.run()

    assert order == [SIGUSR2, SIGUSR1]


def test_sa_resethand_runs_once(kernel: Machine) -> None:
    order: list[object] = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGURG, order.append, SA_RESETHAND)
        yield sys.kill(sys.task.tid, SIGURG)
        yield sys.kill(sys.task.tid, SIGURG)  # by default it is ignored

    kernel.spawn(main)
    kernel.run()

    assert order == [SIGURG]


@pytest.mark.parametrize(
    ("signo", "status"),
    [
        pytest.param(SIGTERM, SIGTERM, id="terminate"),
        pytest.param(SIGQUIT, SIGQUIT, id="dump core, without a core file"),
        pytest.param(SIGKILL, SIGKILL, id="SIGKILL"),
        pytest.param(SIGRTMIN, SIGRTMIN, id="a real-time signal"),
    ],
)
def test_the_default_action_ends_every_thread(kernel: Machine, signo: int, status: int) -> None:
    def thread(sys: Calls) -> Program:
        yield sys.sleep_ns(FOREVER)

    def main(sys: Calls) -> Program:
        yield sys.thread(thread)
        yield sys.sleep_ns(FOREVER)

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task.group, signo)
    kernel.run()

    assert kernel.now_ns == SECOND
    assert task.group.wait_status == status


@pytest.mark.parametrize("signo", [SIGCHLD, SIGCONT, SIGURG, SIGWINCH])
def test_signals_ignored_by_default_interrupt_nothing(kernel: Machine, signo: int) -> None:
    results = []

    def main(sys: Calls) -> Program:
        results.append((yield sys.sleep_ns(5 * SECOND)))

    send_at(kernel, SECOND, kernel.spawn(main).group, signo)
    kernel.run()

    assert results == [0]


def test_an_ignored_signal_is_kept_if_it_is_blocked(kernel: Machine) -> None:
    """Linux, sig_ignored: the disposition may change before it is unblocked, and a signalfd reads it meanwhile."""
    masks = []

    def main(sys: Calls) -> Program:
        yield block(sys, SIGCHLD)
        yield sys.kill(sys.task.tid, SIGCHLD)
        masks.append(pending_mask(sys.task))
        yield sys.sigaction(SIGCHLD, SIG_DFL)
        masks.append(pending_mask(sys.task))

    kernel.spawn(main)
    kernel.run()

    assert masks == [sigmask(SIGCHLD), 0]


@pytest.mark.parametrize("handler", [SIG_IGN, SIG_DFL])
def test_ignoring_a_signal_drops_it_from_every_thread(kernel: Machine, handler: int) -> None:
    """POSIX, sigaction: setting SIG_IGN, or SIG_DFL where that is to ignore, discards what is pending."""
    masks = []

    def main(sys: Calls) -> Program:
        yield block(sys, SIGCHLD)
        yield sys.tgkill(sys.task.tid, sys.task.tid, SIGCHLD)
        yield sys.kill(sys.task.tid, SIGCHLD)
        yield sys.sigaction(SIGCHLD, handler)
        masks.append(pending_mask(sys.task))

    kernel.spawn(main)
    kernel.run()

    assert masks == [0]


def test_an_ignored_signal_does_nothing_when_it_is_unblocked(kernel: Machine) -> None:
    results = []

    def main(sys: Calls) -> Program:
        yield block(sys, SIGUSR1)
        yield sys.sigaction(SIGUSR1, SIG_IGN)
        yield sys.kill(sys.task.tid, SIGUSR1)  # pending, since it is blocked
        results.append((yield unblock(sys, SIGUSR1)))

    kernel.spawn(main)
    kernel.run()

    assert results == [0]
