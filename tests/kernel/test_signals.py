"""signal(7): what is pending, who takes it, what handlers do to masks and to interrupted calls."""

import pytest

from tickless.abi.errno import EINTR
from tickless.abi.siginfo import SI_TKILL, SI_USER, SigInfo
from tickless.abi.signal import (
    SA_NODEFER,
    SA_RESETHAND,
    SA_RESTART,
    SA_SIGINFO,
    SIG_BLOCK,
    SIG_DFL,
    SIG_IGN,
    SIG_SETMASK,
    SIG_UNBLOCK,
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGQUIT,
    SIGRTMIN,
    SIGSEGV,
    SIGSET,
    SIGTERM,
    SIGTSTP,
    SIGURG,
    SIGUSR1,
    SIGUSR2,
    SIGWINCH,
    sigmask,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.time import pack_timespec
from tickless.kernel.machine import Call, Calls, Machine, Program
from tickless.kernel.process import exit_task
from tickless.kernel.signals import (
    ALL_SIGNALS,
    PendingSet,
    effective_mask,
    has_pending_signals,
    pending_mask,
    send_signal,
)
from tickless.kernel.task import Task

FOREVER = 10**6 * SECOND


def block(sys: Calls, *signals: int) -> Call:
    return sys.rt_sigprocmask(SIG_BLOCK, SIGSET.pack(sigmask(*signals)), 0, 8)


def unblock(sys: Calls, *signals: int) -> Call:
    return sys.rt_sigprocmask(SIG_UNBLOCK, SIGSET.pack(sigmask(*signals)), 0, 8)


def send_at(kernel: Machine, at_ns: int, task: Task, signo: int) -> None:
    """Somebody outside sends a signal to the task's process, `at_ns` after the start."""
    info = SigInfo(signo, SI_USER)
    kernel.clock.arm(kernel.clock.start_ns + at_ns, lambda: send_signal(task.group, info))


# Pending sets


def test_a_standard_signal_is_pending_once() -> None:
    pending = PendingSet()

    added = [pending.add(SigInfo(SIGUSR1, SI_USER, pid=pid)) for pid in (1, 2)]

    assert added == [True, False]
    assert [info and info.pid for info in (pending.pop(ALL_SIGNALS), pending.pop(ALL_SIGNALS))] == [1, None]


def test_real_time_signals_queue_in_order() -> None:
    """signal(7): multiple instances queue; the lowest number comes first, then the oldest."""
    pending = PendingSet()

    for signo, pid in ((SIGRTMIN + 1, 1), (SIGRTMIN, 2), (SIGRTMIN, 3)):
        assert pending.add(SigInfo(signo, SI_USER, pid=pid))

    taken = [pending.pop(ALL_SIGNALS) for _ in range(3)]
    assert [(info.signo, info.pid) for info in taken if info] == [(SIGRTMIN, 2), (SIGRTMIN, 3), (SIGRTMIN + 1, 1)]
    assert pending.mask == 0


def test_faults_come_before_lower_numbers() -> None:
    pending = PendingSet()
    pending.add(SigInfo(SIGUSR1, SI_USER))
    pending.add(SigInfo(SIGSEGV, 1))

    first = pending.pop(ALL_SIGNALS)

    assert first is not None
    assert first.signo == SIGSEGV


def test_a_signal_is_taken_by_number_or_not_at_all() -> None:
    pending = PendingSet()
    pending.add(SigInfo(SIGUSR1, SI_USER))

    assert pending.pop_signal(SIGUSR2) is None
    assert pending.pop(sigmask(SIGUSR2)) is None
    assert pending.pop_signal(SIGUSR1) is not None
    assert pending.mask == 0


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
    send_at(kernel, SECOND, task, signo)
    kernel.run()

    assert kernel.now_ns == SECOND
    assert task.group.wait_status == status


@pytest.mark.parametrize("signo", [SIGCHLD, SIGCONT, SIGURG, SIGWINCH])
def test_signals_ignored_by_default_interrupt_nothing(kernel: Machine, signo: int) -> None:
    results = []

    def main(sys: Calls) -> Program:
        results.append((yield sys.sleep_ns(5 * SECOND)))

    send_at(kernel, SECOND, kernel.spawn(main), signo)
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


# Who is interrupted


def test_a_signal_of_the_process_interrupts_one_thread_alone(kernel: Machine) -> None:
    """signal(7): a process-directed signal is delivered to any one of the threads that do not block it."""
    results: dict[str, int] = {}

    def thread(sys: Calls) -> Program:
        results["thread"] = yield sys.pause()

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        yield sys.thread(thread)
        results["main"] = yield sys.pause()
        yield sys.exit(0)

    send_at(kernel, SECOND, kernel.spawn(main), SIGUSR1)
    kernel.run()

    assert results == {"main": -EINTR}


def test_a_thread_that_does_not_block_it_takes_it(kernel: Machine) -> None:
    results: dict[str, int] = {}

    def thread(sys: Calls) -> Program:
        yield unblock(sys, SIGUSR1)
        results["thread"] = yield sys.pause()
        yield sys.exit(0)

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        yield block(sys, SIGUSR1)
        yield sys.thread(thread)
        results["main"] = yield sys.pause()

    send_at(kernel, SECOND, kernel.spawn(main), SIGUSR1)
    kernel.run()

    assert results == {"thread": -EINTR}


def test_a_signal_that_its_taker_blocks_goes_to_another_thread(kernel: Machine) -> None:
    """Linux, retarget_shared_pending: here the mask of another handler gets in the way."""
    results = []

    def thread(sys: Calls) -> Program:
        results.append((yield sys.pause()))

    def main(sys: Calls) -> Program:
        def handler(signo: int) -> Program:
            yield sys.sleep_ns(SECOND)

        yield sys.sigaction(SIGUSR2, lambda signo: None)
        yield sys.sigaction(SIGUSR1, handler, 0, sigmask(SIGUSR2))
        yield sys.thread(thread)
        yield sys.pause()

    task = kernel.spawn(main)
    send_at(kernel, SECOND, task, SIGUSR1)
    send_at(kernel, SECOND, task, SIGUSR2)
    kernel.run()

    assert results == [-EINTR]


def test_the_death_of_its_taker_leaves_a_signal_to_another_thread(kernel: Machine) -> None:
    results = []

    def thread(sys: Calls) -> Program:
        results.append((yield sys.pause()))

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        yield sys.thread(thread)
        yield sys.sleep_ns(SECOND)

    task = kernel.spawn(main)

    def send_and_end() -> None:
        send_signal(task.group, SigInfo(SIGUSR1, SI_USER))
        exit_task(kernel, task, 0)

    kernel.clock.arm(kernel.clock.start_ns + SECOND // 2, send_and_end)
    kernel.run()

    assert results == [-EINTR]


def test_a_signal_of_a_thread_interrupts_that_thread(kernel: Machine) -> None:
    results: dict[str, int] = {}

    def thread(sys: Calls) -> Program:
        results["thread"] = yield sys.pause()
        yield sys.exit(0)

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        tid = yield sys.thread(thread)
        yield sys.sleep_ns(SECOND)
        yield sys.tgkill(sys.task.tid, tid, SIGUSR1)
        results["main"] = yield sys.pause()

    kernel.spawn(main)
    kernel.run()

    assert results == {"thread": -EINTR}


def test_a_zombie_takes_no_signal(kernel: Machine) -> None:
    def main(sys: Calls) -> Program:
        yield sys.exit(0)

    group = kernel.spawn(main).group
    kernel.run()

    send_signal(group, SigInfo(SIGTERM, SI_USER))

    assert group.pending.mask == 0


# Interrupted calls


def test_without_sa_restart_a_slow_call_gives_eintr(kernel: Machine) -> None:
    results = []

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        fd = yield sys.eventfd2(0, 0)
        results.append((yield sys.read(fd, bytearray(8), 8)))

    send_at(kernel, SECOND, kernel.spawn(main), SIGUSR1)
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

    send_at(kernel, SECOND, kernel.spawn(main), SIGUSR1)
    kernel.run()

    assert order == ["handler", 8]
    assert count[0] == 5
    assert kernel.now_ns == 2 * SECOND


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

    send_at(kernel, SECOND, kernel.spawn(main), SIGUSR1)
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

    send_at(kernel, 2 * SECOND, kernel.spawn(main), SIGUSR1)
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
    send_at(kernel, 2 * SECOND, task, SIGUSR1)
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

    send_at(kernel, SECOND, kernel.spawn(main), SIGUSR1)
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
    send_at(kernel, SECOND, task, SIGUSR1)
    seen = []
    kernel.clock.arm(kernel.clock.start_ns + 2 * SECOND, lambda: seen.append(has_pending_signals(task)))
    send_at(kernel, 3 * SECOND, task, SIGKILL)
    kernel.run()

    assert seen == [False]
