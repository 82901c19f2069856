"""signal(7), interruption of system calls by signal handlers."""

import pytest

from tests.kernel.signalling import block, send_at
from tickless.abi.errno import EINTR
from tickless.abi.siginfo import SI_USER, SigInfo
from tickless.abi.signal import (
    SA_RESTART,
    SIG_SETMASK,
    SIGCONT,
    SIGKILL,
    SIGSET,
    SIGTSTP,
    SIGUSR1,
    SIGUSR2,
    sigmask,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.time import pack_timespec
from tickless.kernel.machine import Calls, Machine, Program
from tickless.kernel.signals import (
    ALL_SIGNALS,
    effective_mask,
    has_pending_signals,
    pending_mask,
    send_signal,
)

FOREVER = 10**6 * SECOND


def test_without_sa_restart_a_slow_call_gives_eintr(kernel: Machine) -> None:
    results = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        fd = yield sys.eventfd2(0, 0)
        results.append((yield sys.read(fd, bytearray(8), 8)))

    send_at(kernel, SECOND, kernel.spawn(main).group, SIGUSR1)
    kernel.run()

    assert results == [-EINTR]


def test_sa_restart_makes_the_call_again_after_the_handler(kernel: Machine) -> None:
    order: list[object] = []
    count = bytearray(8)

    def main(sys: Calls) -> Program:
        fd = yield sys.eventfd2(0, 0)

        def handler(signo: int) -> Program:
            order.append("handler")
            yield sys.sleep_ns(SECOND)
            yield sys.write(fd, (5).to_bytes(8, "little"), 8)

        yield sys.sigaction(SIGUSR1, handler, SA_RESTART)
        order.append((yield sys.read(fd, count, 8)))

    send_at(kernel, SECOND, kernel.spawn(main).group, SIGUSR1)
    kernel.run()

    assert order == ["handler", 8]
    assert count[0] == 5
    assert kernel.now_ns == 2 * SECOND


def test_a_call_that_is_to_be_restarted_is_so_whatever_comes_next(kernel: Machine) -> None:
    """The second handler, without SA_RESTART, interrupts the program before the call is made again, not the call."""
    order: list[object] = []

    def main(sys: Calls) -> Program:
        fd = yield sys.eventfd2(0, 0)

        def handler(signo: int) -> Program:
            order.append(signo)
            yield sys.kill(sys.task.tid, SIGUSR2)
            yield sys.write(fd, (5).to_bytes(8, "little"), 8)

        yield sys.sigaction(SIGUSR2, order.append)
        yield sys.sigaction(SIGUSR1, handler, SA_RESTART, sigmask(SIGUSR2))
        order.append((yield sys.read(fd, bytearray(8), 8)))

    send_at(kernel, SECOND, kernel.spawn(main).group, SIGUSR1)
    kernel.run()

    assert order == [SIGUSR1, SIGUSR2, 8]


def test_a_restarted_call_can_fail(kernel: Machine) -> None:
    """It is made from the start, with what its arguments mean by then."""
    results = []

    def main(sys: Calls) -> Program:
        fd = yield sys.eventfd2(0, 0)

        def handler(signo: int) -> Program:
            sys.task.own_fds.close(fd)
            yield sys.sleep_ns(0)

        yield sys.sigaction(SIGUSR1, handler, SA_RESTART)
        results.append((yield sys.read(fd, bytearray(8), 8)))

    send_at(kernel, SECOND, kernel.spawn(main).group, SIGUSR1)
    kernel.run()

    assert results == [-9]


@pytest.mark.parametrize("flags", [0, SA_RESTART])
def test_a_handler_ends_a_sleep_for_good(kernel: Machine, flags: int) -> None:
    """signal(7): nanosleep is never restarted after a handler; nanosleep(2): it tells what was left."""
    results = []
    remaining = bytearray(16)

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None, flags)
        results.append((yield sys.nanosleep(pack_timespec(5 * SECOND), remaining)))

    send_at(kernel, 2 * SECOND, kernel.spawn(main).group, SIGUSR1)
    kernel.run()

    assert results == [-EINTR]
    assert remaining == pack_timespec(3 * SECOND)


def test_a_signal_taken_meanwhile_lets_the_call_go_on(kernel: Machine) -> None:
    """The call was woken, but another thread has read the signal before it looked."""
    results = []

    def main(sys: Calls) -> Program:
        fd = yield sys.eventfd2(0, 0)
        results.append((yield sys.read(fd, bytearray(8), 8)))

    task = kernel.spawn(main)
    task.own_signals.set_action(SIGUSR1, task.own_signals.action(SIGUSR1)._replace(handler=0x1000))
    kernel.handlers.append(lambda signo: results.append(signo))

    def send_and_take() -> None:
        send_signal(task.group, SigInfo(SIGUSR1, SI_USER))
        task.group.pending.pop(ALL_SIGNALS)

    kernel.clock.arm(kernel.clock.start_ns + SECOND, send_and_take)
    send_at(kernel, 2 * SECOND, task.group, SIGUSR1)
    kernel.run()

    assert results == [SIGUSR1, -EINTR]
    assert kernel.now_ns == 2 * SECOND


def test_a_wait_with_a_temporary_mask_is_interrupted_by_what_that_mask_lets_through(kernel: Machine) -> None:
    order: list[object] = []

    def main(sys: Calls) -> Program:
        def handler(signo: int) -> Program:
            order.append(effective_mask(sys.task))
            yield sys.sleep_ns(0)

        yield sys.sigaction(SIGUSR1, handler)
        yield block(sys, SIGUSR1)
        order.append((yield sys.rt_sigsuspend(SIGSET.pack(sigmask(SIGUSR2)), 8)))
        order.append(effective_mask(sys.task))

    send_at(kernel, SECOND, kernel.spawn(main).group, SIGUSR1)
    kernel.run()

    # The handler runs under the temporary mask, and its end brings back the one from before the call.
    assert order == [sigmask(SIGUSR1, SIGUSR2), -EINTR, sigmask(SIGUSR1)]


def test_sigcont_and_stop_signals_take_each_other_away(kernel: Machine) -> None:
    masks = []

    def main(sys: Calls) -> Program:
        yield block(sys, SIGCONT, SIGTSTP)
        for signo in (SIGCONT, SIGTSTP, SIGCONT):
            yield sys.kill(sys.task.tid, signo)
            masks.append(pending_mask(sys.task))
        yield sys.rt_sigprocmask(SIG_SETMASK, SIGSET.pack(0), 0, 8)

    kernel.spawn(main)
    kernel.run()

    assert masks == [sigmask(SIGCONT), sigmask(SIGTSTP), sigmask(SIGCONT)]


def test_only_unblocked_signals_count_as_pending_for_a_sleep(kernel: Machine) -> None:
    def main(sys: Calls) -> Program:
        yield block(sys, SIGUSR1)
        yield sys.pause()

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task.group, SIGUSR1)
    seen = []
    kernel.clock.arm(kernel.clock.start_ns + 2 * SECOND, lambda: seen.append(has_pending_signals(task)))
    send_at(kernel, 3 * SECOND, task.group, SIGKILL)
    kernel.run()

    assert seen == [False]
