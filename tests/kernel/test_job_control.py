"""signal(7), stop signals: processes that are stopped and continued, and what a stop does to a call that sleeps."""

from collections.abc import Callable

import pytest

from tests.kernel.fake_host import call, idle
from tests.kernel.signalling import send_at
from tickless.abi.errno import EINTR
from tickless.abi.siginfo import CLD_CONTINUED, CLD_STOPPED, SI_USER, SIGINFO_SIZE, SigInfo
from tickless.abi.signal import (
    SIG_BLOCK,
    SIG_IGN,
    SIG_UNBLOCK,
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGSET,
    SIGSTOP,
    SIGTERM,
    SIGTSTP,
    SIGTTIN,
    SIGTTOU,
    sigmask,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.kernel import Deadlock
from tickless.kernel.machine import Call, Calls, Machine, Main, OwnTask, Program
from tickless.kernel.signals import pending_mask, send_signal


def job(kernel: Machine, main: Main, parent: Main = idle) -> OwnTask:
    """A process in a process group of its own, whose parent, in the same session, runs `parent`."""
    shell = kernel.spawn(parent)
    task = kernel.spawn(main, shell)
    task.group.process_group = task.tid
    return task


def lives_long(sys: Calls) -> Program:
    yield sys.sleep_ns(100 * SECOND)


@pytest.mark.parametrize("signo", [SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU])
def test_a_stopped_process_does_nothing_until_sigcont(kernel: Machine, signo: int) -> None:
    instants = []

    def main(sys: Calls) -> Program:
        for _ in range(3):
            yield sys.sleep_ns(SECOND)
            instants.append(kernel.now_ns)

    task = job(kernel, main, lives_long)
    send_at(kernel, SECOND // 2, task.group, signo)
    send_at(kernel, 10 * SECOND, task.group, SIGCONT)
    kernel.run()

    assert instants == [10 * SECOND, 11 * SECOND, 12 * SECOND]


def test_all_threads_stop(kernel: Machine) -> None:
    instants = []

    def thread(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        instants.append(kernel.now_ns)

    def main(sys: Calls) -> Program:
        yield sys.thread(thread)
        yield from thread(sys)

    task = kernel.spawn(main)
    send_at(kernel, SECOND // 2, task.group, SIGSTOP)
    send_at(kernel, 5 * SECOND, task.group, SIGCONT)
    kernel.run()

    assert instants == [5 * SECOND, 5 * SECOND]


def test_a_process_that_stops_itself_does_not_return_from_kill(kernel: Machine) -> None:
    instants = []

    def main(sys: Calls) -> Program:
        yield sys.kill(sys.task.tid, SIGSTOP)
        instants.append(kernel.now_ns)

    send_at(kernel, 5 * SECOND, kernel.spawn(main).group, SIGCONT)
    kernel.run()

    assert instants == [5 * SECOND]


@pytest.mark.parametrize("pid", ["itself", "its process group"])
def test_the_answer_of_a_call_that_stops_its_own_process_waits_for_sigcont(kernel: Machine, pid: str) -> None:
    """A host answers at once what a call returns: the call has to block."""
    task = kernel.spawn(idle)

    stopped = [call(task, "kill", task.tid if pid == "itself" else 0, SIGSTOP), kernel.pick()]
    send_signal(task.group, SigInfo(SIGCONT, SI_USER))

    assert stopped == [None, None]
    assert kernel.pick() is task
    assert kernel.resume_call(task) == 0


def test_a_stopped_process_that_nobody_continues_is_a_deadlock(kernel: Machine) -> None:
    def main(sys: Calls) -> Program:
        yield sys.kill(sys.task.tid, SIGSTOP)

    kernel.spawn(main)

    with pytest.raises(Deadlock):
        kernel.run()


def test_a_task_that_was_ready_is_held(kernel: Machine) -> None:
    """It was woken just before the stop: it looks at its condition when it goes on."""
    instants = []

    def main(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        instants.append(kernel.now_ns)

    task = kernel.spawn(main)
    kernel.spawn(lives_long)
    # Set first, so it comes after the sleep's deadline of the same instant.
    kernel.clock.arm(
        kernel.clock.start_ns + SECOND, lambda: send_signal(task.group, SigInfo(SIGSTOP, SI_USER)), order_class=2
    )
    send_at(kernel, 5 * SECOND, task.group, SIGCONT)
    kernel.run()

    assert instants == [5 * SECOND]


def test_nobody_stays_held_after_sigcont(kernel: Machine) -> None:
    task = kernel.spawn(idle)

    send_signal(task.group, SigInfo(SIGSTOP, SI_USER))
    picked = kernel.pick()
    held = list(task.group.held)
    send_signal(task.group, SigInfo(SIGCONT, SI_USER))

    assert (picked, held) == (None, [task])
    assert task.group.held == []
    assert list(kernel.ready) == [task]


@pytest.mark.parametrize("signo", [SIGTSTP, SIGTTIN, SIGTTOU])
def test_an_orphaned_process_group_is_stopped_by_sigstop_alone(kernel: Machine, signo: int) -> None:
    """setpgid(2): nobody would continue it."""
    task = kernel.spawn(lives_long)
    send_at(kernel, SECOND, task.group, signo)
    kernel.run()

    assert kernel.now_ns == 100 * SECOND


def test_a_caught_stop_signal_runs_its_handler(kernel: Machine) -> None:
    results: list[int] = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGTSTP, results.append)
        results.append((yield sys.sleep_ns(5 * SECOND)))

    task = job(kernel, main, lives_long)
    send_at(kernel, SECOND, task.group, SIGTSTP)
    kernel.run()

    assert results == [SIGTSTP, -EINTR]


def test_an_ignored_stop_signal_does_nothing(kernel: Machine) -> None:
    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGTSTP, SIG_IGN)
        yield sys.sleep_ns(5 * SECOND)

    task = job(kernel, main)
    send_at(kernel, SECOND, task.group, SIGTSTP)
    kernel.run()

    assert kernel.now_ns == 5 * SECOND


def test_a_blocked_stop_signal_stops_when_it_is_unblocked(kernel: Machine) -> None:
    instants = []
    stop_set = SIGSET.pack(sigmask(SIGTSTP))

    def main(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, stop_set, 0, 8)
        yield sys.kill(sys.task.tid, SIGTSTP)
        instants.append(kernel.now_ns)
        yield sys.rt_sigprocmask(SIG_UNBLOCK, stop_set, 0, 8)
        instants.append(kernel.now_ns)

    task = job(kernel, main, lives_long)
    send_at(kernel, 5 * SECOND, task.group, SIGCONT)
    kernel.run()

    assert instants == [0, 5 * SECOND]


def test_sigkill_ends_a_stopped_process(kernel: Machine) -> None:
    task = kernel.spawn(lives_long)
    send_at(kernel, SECOND, task.group, SIGSTOP)
    send_at(kernel, 2 * SECOND, task.group, SIGKILL)
    kernel.run()

    assert kernel.now_ns == 2 * SECOND
    assert task.group.wait_status == SIGKILL


def test_a_stopped_process_keeps_other_signals_until_it_goes_on(kernel: Machine) -> None:
    task = kernel.spawn(lives_long)
    send_at(kernel, SECOND, task.group, SIGSTOP)
    send_at(kernel, 2 * SECOND, task.group, SIGTERM)
    send_at(kernel, 3 * SECOND, task.group, SIGCONT)
    kernel.run()

    assert kernel.now_ns == 3 * SECOND
    assert task.group.wait_status == SIGTERM


def test_another_stop_signal_does_nothing_to_a_stopped_process(kernel: Machine) -> None:
    """It stays pending on Linux until SIGCONT takes it away, which is the same."""
    task = job(kernel, lives_long, lives_long)
    send_at(kernel, SECOND, task.group, SIGSTOP)
    send_at(kernel, 2 * SECOND, task.group, SIGTSTP, SIGSTOP)
    looked_at = []

    def look() -> None:
        looked_at.append((task.group.stopped_by, pending_mask(task)))

    kernel.clock.arm(kernel.clock.start_ns + 3 * SECOND, look)
    send_at(kernel, 4 * SECOND, task.group, SIGCONT)
    kernel.run()

    assert looked_at == [(SIGSTOP, 0)]


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(lambda sys: sys.sigaction(SIGCONT, SIG_IGN), id="ignored"),
        pytest.param(lambda sys: sys.rt_sigprocmask(SIG_BLOCK, SIGSET.pack(sigmask(SIGCONT)), 0, 8), id="blocked"),
    ],
)
def test_sigcont_continues_whatever_becomes_of_it(kernel: Machine, prepare: Callable[[Calls], Call]) -> None:
    """signal(7): a process continues even if SIGCONT is blocked or ignored."""
    instants = []

    def main(sys: Calls) -> Program:
        yield prepare(sys)
        yield sys.kill(sys.task.tid, SIGSTOP)
        instants.append(kernel.now_ns)

    send_at(kernel, 5 * SECOND, kernel.spawn(main).group, SIGCONT)
    kernel.run()

    assert instants == [5 * SECOND]


# What the parent hears


def test_the_parent_is_told_of_a_stop_and_a_continue(kernel: Machine) -> None:
    told = []
    child_set = SIGSET.pack(sigmask(SIGCHLD))

    def parent(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, child_set, 0, 8)
        for _ in range(2):
            info = bytearray(SIGINFO_SIZE)
            yield sys.rt_sigtimedwait(child_set, info, 0, 8)
            seen = SigInfo.unpack(bytes(info))
            told.append((kernel.now_ns, seen.code, seen.pid, seen.status))

    task = job(kernel, lives_long, parent)
    send_at(kernel, SECOND, task.group, SIGTSTP)
    send_at(kernel, 2 * SECOND, task.group, SIGCONT)
    kernel.run()

    assert told == [
        (SECOND, CLD_STOPPED, task.tid, SIGTSTP),
        (2 * SECOND, CLD_CONTINUED, task.tid, SIGCONT),
    ]


def test_what_wakes_the_parent_is_the_call_that_stops_the_child(kernel: Machine) -> None:
    """The stop ends the child's own call, which is not why anybody is woken."""
    child_set = SIGSET.pack(sigmask(SIGCHLD))

    def parent(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, child_set, 0, 8)
        yield sys.rt_sigtimedwait(child_set, 0, 0, 8)

    def operator(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        yield sys.kill(task.tid, SIGSTOP)
        yield sys.kill(task.tid, SIGKILL)

    shell = kernel.spawn(parent)
    task = kernel.spawn(lives_long, shell)
    kernel.spawn(operator)
    kernel.run()

    assert shell.woken_by == "kill"


def test_waits_find_a_stop_until_the_process_continues(kernel: Machine) -> None:
    group = kernel.spawn(idle).group
    states = []

    for signo in (SIGSTOP, SIGCONT, SIGSTOP):
        send_signal(group, SigInfo(signo, SI_USER))
        states.append((group.stop_unreported, group.continue_unreported))

    assert states == [(True, False), (False, True), (True, False)]


def test_sigcont_tells_nobody_of_a_process_that_was_not_stopped(kernel: Machine) -> None:
    task = job(kernel, lives_long, lives_long)
    assert task.group.parent is not None

    send_signal(task.group, SigInfo(SIGCONT, SI_USER))

    assert not task.group.continue_unreported
    assert task.group.parent.pending.mask == 0
