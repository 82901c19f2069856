"""signal(7): what is pending, and which thread takes it."""

from typing import cast

from tests.kernel.fake_host import idle
from tests.kernel.signalling import block, send_at, unblock
from tickless.abi.errno import EINTR
from tickless.abi.siginfo import SI_USER, SigInfo
from tickless.abi.signal import (
    SIG_IGN,
    SIGKILL,
    SIGRTMIN,
    SIGSEGV,
    SIGTERM,
    SIGTSTP,
    SIGURG,
    SIGUSR1,
    SIGUSR2,
    sigmask,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.kernel import Listener
from tickless.kernel.machine import Calls, Machine, Program
from tickless.kernel.process import exit_task
from tickless.kernel.signals import (
    ALL_SIGNALS,
    PendingSet,
    has_pending_signals,
    send_signal,
)
from tickless.kernel.task import Task, ThreadGroup

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

    send_at(kernel, SECOND, kernel.spawn(main).group, SIGUSR1)
    kernel.run()

    assert results == {"main": -EINTR}


def test_a_signal_counts_as_pending_only_for_the_thread_that_takes_it(kernel: Machine) -> None:
    """Another thread that wakes for a reason of its own sleeps on."""
    task = kernel.spawn(idle)
    thread = kernel.spawn(idle, task, same_group=True)

    send_signal(task.group, SigInfo(SIGUSR1, SI_USER))
    before = [has_pending_signals(task), has_pending_signals(thread)]
    task.own_signals.set_mask(sigmask(SIGUSR1))

    assert before == [True, False]
    assert [has_pending_signals(task), has_pending_signals(thread)] == [False, True]


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

    send_at(kernel, SECOND, kernel.spawn(main).group, SIGUSR1)
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
    send_at(kernel, SECOND, task.group, SIGUSR1)
    send_at(kernel, SECOND, task.group, SIGUSR2)
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


def test_an_ignored_stop_signal_that_the_main_thread_blocks_stops_nobody(kernel: Machine) -> None:
    """It is queued, since the main thread blocks it, and dropped by the thread that takes it."""
    results = []

    def thread(sys: Calls) -> Program:
        yield unblock(sys, SIGTSTP)
        results.append((yield sys.sleep_ns(2 * SECOND)))

    def main(sys: Calls) -> Program:
        yield block(sys, SIGTSTP)
        yield sys.sigaction(SIGTSTP, SIG_IGN)
        yield sys.thread(thread)
        yield sys.sleep_ns(2 * SECOND)

    shell = kernel.spawn(main)
    task = kernel.spawn(main, shell)
    task.group.process_group = task.tid
    send_at(kernel, SECOND, task.group, SIGTSTP)
    kernel.run()

    assert results == [0, 0]
    assert kernel.now_ns == 2 * SECOND


def test_sigkill_that_the_host_has_sent_is_left_to_it(kernel: Machine) -> None:
    task = kernel.spawn(lambda sys: iter(()))  # type: ignore[arg-type, return-value]

    send_signal(task.group, SigInfo(SIGKILL, SI_USER), ring=False)

    assert kernel.tasks == {task.tid: task}
    assert task.group.pending.mask == 0


def test_a_listener_hears_of_every_signal_sent_and_delivered(kernel: Machine) -> None:
    events: list[tuple[object, ...]] = []

    class SignalsHeard:
        def signal_generated(self, group: ThreadGroup, thread: Task | None, info: SigInfo) -> None:
            events.append(("generated", group, thread, info.signo))

        def signal_delivered(self, task: Task, info: SigInfo) -> None:
            events.append(("delivered", task, info.signo))

        def __getattr__(self, name: str) -> object:
            return lambda *args: None

    def main(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        yield sys.kill(sys.task.tid, SIGUSR1)
        yield sys.tkill(sys.task.tid, SIGURG)

    kernel.listener = cast(Listener, SignalsHeard())
    task = kernel.spawn(main)
    kernel.run()

    assert events == [
        ("generated", task.group, None, SIGUSR1),
        ("delivered", task, SIGUSR1),
        ("generated", task.group, task, SIGURG),
    ]


def test_a_zombie_takes_no_signal(kernel: Machine) -> None:
    def main(sys: Calls) -> Program:
        yield sys.exit(0)

    group = kernel.spawn(main).group
    kernel.run()

    send_signal(group, SigInfo(SIGTERM, SI_USER))

    assert group.pending.mask == 0
