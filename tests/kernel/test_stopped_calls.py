"""signal(7), interruption of system calls by stop signals."""

from typing import cast

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.signalling import send_at
from tickless.abi.errno import EINTR, ERESTARTNOHAND
from tickless.abi.siginfo import SI_USER, SigInfo
from tickless.abi.signal import (
    SA_RESTART,
    SIG_BLOCK,
    SIGCONT,
    SIGSET,
    SIGSTOP,
    SIGTERM,
    SIGUSR1,
    sigmask,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.time import pack_timespec
from tickless.abi.wait import exit_status
from tickless.kernel.machine import Calls, Machine, Main, Program
from tickless.kernel.outcome import PASS_ON, Blocked
from tickless.kernel.signals import effective_mask, send_signal
from tickless.kernel.wait_queue import WaitQueue, sleep_until


def test_a_sleep_keeps_its_deadline_through_a_stop(kernel: Machine) -> None:
    """It is restarted with restart_syscall: the time that the process was stopped counts."""
    results = []
    remaining = bytearray(16)

    def main(sys: Calls) -> Program:
        results.append((yield sys.nanosleep(pack_timespec(10 * SECOND), remaining)))
        results.append(kernel.now_ns)

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task.group, SIGSTOP)
    send_at(kernel, 4 * SECOND, task.group, SIGCONT)
    kernel.run()

    assert results == [0, 10 * SECOND]


def test_a_sleep_that_is_continued_late_is_over_at_once(kernel: Machine) -> None:
    results = []

    def main(sys: Calls) -> Program:
        results.append((yield sys.sleep_ns(2 * SECOND)))
        results.append(kernel.now_ns)

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task.group, SIGSTOP)
    send_at(kernel, 40 * SECOND, task.group, SIGCONT)
    kernel.run()

    assert results == [0, 40 * SECOND]


def test_a_call_that_no_handler_restarts_gives_eintr_after_a_stop(kernel: Machine) -> None:
    """signal(7), interruption by stop signals: sigtimedwait and others fail with EINTR, without any handler."""
    results = []

    def main(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, SIGSET.pack(sigmask(SIGUSR1)), 0, 8)
        results.append((yield sys.rt_sigtimedwait(SIGSET.pack(sigmask(SIGUSR1)), 0, 0, 8)))
        results.append(kernel.now_ns)

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task.group, SIGSTOP)
    send_at(kernel, 2 * SECOND, task.group, SIGUSR1)  # comes too late for the call
    send_at(kernel, 3 * SECOND, task.group, SIGCONT)
    kernel.run()

    assert results == [-EINTR, 3 * SECOND]


def test_a_restartable_call_is_made_again_after_a_stop(kernel: Machine) -> None:
    results = []

    def child(sys: Calls) -> Program:
        results.append((yield sys.read(0, bytearray(8), 8)))
        results.append(kernel.now_ns)

    def main(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        pid = yield sys.fork(child)
        send_at(kernel, SECOND, kernel.groups[pid], SIGSTOP)
        send_at(kernel, 3 * SECOND, kernel.groups[pid], SIGCONT)
        yield sys.sleep_ns(2 * SECOND)
        yield sys.write(0, (1).to_bytes(8, "little"), 8)

    kernel.spawn(main)
    kernel.run()

    assert results == [8, 3 * SECOND]


def test_a_stopped_sleeper_leaves_the_queue_to_others(kernel: Machine) -> None:
    """Its call has ended: what comes while it is stopped is for those that still wait."""
    order = []

    def reader(name: str) -> Main:
        def main(sys: Calls) -> Program:
            yield sys.read(0, bytearray(8), 8)
            order.append(name)

        return main

    def main(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        first = yield sys.fork(reader("first"))
        yield sys.fork(reader("second"))
        yield sys.sleep_ns(SECOND)
        yield sys.kill(first, SIGSTOP)
        yield sys.write(0, (1).to_bytes(8, "little"), 8)
        yield sys.sleep_ns(SECOND)
        yield sys.kill(first, SIGCONT)
        yield sys.write(0, (1).to_bytes(8, "little"), 8)

    kernel.spawn(main)
    kernel.run()

    assert order == ["second", "first"]


def test_a_restarted_call_can_block_once_more(kernel: Machine) -> None:
    results = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        results.append((yield sys.pause()))

    task = kernel.spawn(main)
    for at in (1, 3):
        send_at(kernel, at * SECOND, task.group, SIGSTOP)
        send_at(kernel, (at + 1) * SECOND, task.group, SIGCONT)
    send_at(kernel, 9 * SECOND, task.group, SIGUSR1)
    kernel.run()

    assert results == [-EINTR]
    assert kernel.now_ns == 9 * SECOND


@pytest.mark.parametrize(
    ("flags", "expected"),
    [pytest.param(0, -EINTR, id="no SA_RESTART"), pytest.param(SA_RESTART, 8, id="SA_RESTART")],
)
def test_a_handler_for_sigcont_decides_what_becomes_of_the_call(kernel: Machine, flags: int, expected: int) -> None:
    results: list[int] = []

    def main(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        yield sys.sigaction(SIGCONT, results.append, flags)
        yield sys.thread(writer)
        results.append((yield sys.read(0, bytearray(8), 8)))

    def writer(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, SIGSET.pack(sigmask(SIGCONT)), 0, 8)
        yield sys.sleep_ns(5 * SECOND)
        yield sys.write(0, (1).to_bytes(8, "little"), 8)

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task.group, SIGSTOP)
    send_at(kernel, 2 * SECOND, task.group, SIGCONT)
    kernel.run()

    assert results == [SIGCONT, expected]


def test_a_wait_with_a_temporary_mask_goes_on_after_a_stop(kernel: Machine) -> None:
    results = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        yield sys.rt_sigprocmask(SIG_BLOCK, SIGSET.pack(sigmask(SIGUSR1)), 0, 8)
        results.append((yield sys.rt_sigsuspend(SIGSET.pack(0), 8)))

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task.group, SIGSTOP)
    send_at(kernel, 2 * SECOND, task.group, SIGCONT)
    send_at(kernel, 3 * SECOND, task.group, SIGUSR1)
    kernel.run()

    assert results == [-EINTR]
    assert kernel.now_ns == 3 * SECOND


def test_a_masked_wait_that_a_stop_ends_leaves_no_mask(kernel: Machine) -> None:
    results = []
    empty = SIGSET.pack(0)

    def main(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, SIGSET.pack(sigmask(SIGUSR1)), 0, 8)
        epoll = yield sys.epoll_create1(0)
        results.append((yield sys.epoll_pwait(epoll, bytearray(16), 1, -1, empty, 8)))
        results.append(effective_mask(sys.task))

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task.group, SIGSTOP)
    send_at(kernel, 2 * SECOND, task.group, SIGCONT)
    kernel.run()

    assert results == [-EINTR, sigmask(SIGUSR1)]


def test_a_stop_of_a_masked_wait_is_not_the_hosts_to_end(kernel: Machine) -> None:
    kernel.host = host = FakeHost()
    task = kernel.spawn(idle)
    blocks = call(task, "rt_sigsuspend", SIGSET.pack(0), 8)

    send_signal(task.group, SigInfo(SIGSTOP, SI_USER))
    assert kernel.pick() is None
    send_signal(task.group, SigInfo(SIGCONT, SI_USER))
    again = kernel.pick()

    assert blocks is None
    assert host.masked_calls == []
    assert again is task
    assert kernel.resume_call(task) is None  # it sleeps again


def test_a_call_that_turns_out_to_be_the_hosts_is_passed_on_after_a_stop(kernel: Machine) -> None:
    """A wait with a mask that is continued with a signal pending for that mask."""
    host = FakeHost()
    host.end_masked_call = lambda task, mask, error: PASS_ON  # type: ignore[method-assign]
    kernel.host = host
    task = kernel.spawn(idle)
    task.own_signals.set_mask(sigmask(SIGUSR1))
    call(task, "rt_sigsuspend", SIGSET.pack(0), 8)

    for signo in (SIGSTOP, SIGUSR1, SIGCONT):
        send_signal(task.group, SigInfo(signo, SI_USER))

    assert kernel.pick() is task
    assert kernel.resume_call(task) is PASS_ON


def test_what_comes_during_the_stop_does_not_undo_the_interruption(kernel: Machine) -> None:
    """The call has failed when the process was stopped; continued, a handler runs first and decides about EINTR."""
    results: list[int] = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, results.append)
        fd = yield sys.eventfd2(0, 0)
        yield sys.fork(writer)
        results.append((yield sys.read(fd, bytearray(8), 8)))

    def writer(sys: Calls) -> Program:
        yield sys.sleep_ns(2 * SECOND)
        yield sys.write(0, (1).to_bytes(8, "little"), 8)

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task.group, SIGSTOP)
    send_at(kernel, 3 * SECOND, task.group, SIGUSR1, SIGCONT)
    kernel.run()

    assert results == [SIGUSR1, -EINTR]


def test_a_stop_leaves_a_sleep_alone_that_no_signal_ends(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    queue = WaitQueue()
    done: list[int] = []
    sleep = sleep_until(task, (queue,), lambda: done[0] if done else None, signalable=False)

    blocks = kernel.take_result(task, cast(Blocked, sleep))
    send_signal(task.group, SigInfo(SIGSTOP, SI_USER))
    done.append(7)
    queue.wake_all()
    held = kernel.pick()
    send_signal(task.group, SigInfo(SIGCONT, SI_USER))

    assert (blocks, held) == (None, None)
    assert kernel.pick() is task
    assert kernel.resume_call(task) == 7


def test_a_sleep_that_no_signal_ends_goes_on_through_a_stop(kernel: Machine) -> None:
    """sched_yield cannot be interrupted: it is only held back."""
    order = []

    def main(sys: Calls) -> Program:
        order.append((yield sys.sched_yield()))
        order.append(kernel.now_ns)

    def stopper(sys: Calls) -> Program:
        yield sys.kill(task.tid, SIGSTOP)
        yield sys.sleep_ns(SECOND)
        yield sys.kill(task.tid, SIGCONT)

    task = kernel.spawn(main)
    kernel.spawn(stopper)
    kernel.run()

    assert order == [0, SECOND]


def test_an_exit_status_of_a_continued_process_is_its_own(kernel: Machine) -> None:
    def main(sys: Calls) -> Program:
        yield sys.kill(sys.task.tid, SIGSTOP)
        yield sys.exit(5)

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task.group, SIGCONT)
    kernel.run()

    assert task.group.wait_status == exit_status(5)


def test_the_restart_code_reaches_a_host_with_the_signal_that_allows_it(kernel: Machine) -> None:
    """Continued with a signal pending: the host decides by the handler whether the call is made again."""
    kernel.host = FakeHost()
    task = kernel.spawn(idle)
    call(task, "pause")

    for signo in (SIGSTOP, SIGTERM, SIGCONT):
        send_signal(task.group, SigInfo(signo, SI_USER))

    assert kernel.pick() is task
    assert kernel.resume_call(task) == -ERESTARTNOHAND
