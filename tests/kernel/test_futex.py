"""futex(2): who sleeps, who is woken, how many are counted. tests/linux/futex_errors.c, futex_queue.c."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kernel.fake_host import call, idle
from tests.kernel.words import KERNEL_HALF, NOWHERE, UNALIGNED, A, B, C, load, store
from tickless.abi.errno import (
    EAGAIN,
    EFAULT,
    EINTR,
    EINVAL,
    ENOSYS,
    ETIMEDOUT,
)
from tickless.abi.futex import (
    FUTEX_BITSET_MATCH_ANY,
    FUTEX_CLOCK_REALTIME,
    FUTEX_CMP_REQUEUE,
    FUTEX_CMP_REQUEUE_PI,
    FUTEX_FD,
    FUTEX_OP_ADD,
    FUTEX_OP_ANDN,
    FUTEX_OP_CMP_EQ,
    FUTEX_OP_CMP_GE,
    FUTEX_OP_CMP_GT,
    FUTEX_OP_CMP_LE,
    FUTEX_OP_CMP_LT,
    FUTEX_OP_CMP_NE,
    FUTEX_OP_OPARG_SHIFT,
    FUTEX_OP_OR,
    FUTEX_OP_SET,
    FUTEX_OP_XOR,
    FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE,
    FUTEX_WAIT,
    FUTEX_WAIT_BITSET,
    FUTEX_WAIT_REQUEUE_PI,
    FUTEX_WAKE,
    FUTEX_WAKE_BITSET,
    FUTEX_WAKE_OP,
)
from tickless.abi.signal import SA_RESTART, SIGCONT, SIGKILL, SIGSTOP, SIGUSR1
from tickless.abi.time import CLOCK_REALTIME, TIMESPEC, pack_timespec
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.clock import START_REALTIME_NS
from tickless.kernel.machine import Call, Calls, Machine, Main, OwnTask, Program
from tickless.kernel.memory import OwnMemory
from tickless.kernel.process import exit_group, exit_task

PRIVATE = FUTEX_PRIVATE_FLAG
ANY = FUTEX_BITSET_MATCH_ANY
WRONG = TIMESPEC.pack(0, SECOND)
SOON = pack_timespec(SECOND)


class Wakes:
    """Which waiters went on, in order, and what their calls gave."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.results: dict[str, int] = {}

    def waiter(self, name: str, *args: int | bytes) -> Main:
        """A program that makes one futex call."""

        def program(sys: Calls) -> Program:
            self.results[name] = yield sys.futex(*args)
            self.order.append(name)

        return program

    def take(self) -> str:
        """Who went on since this was asked last."""
        order, self.order = "".join(self.order), []
        return order


def pausing(sys: Calls) -> Program:
    yield sys.pause()


def start(kernel: Machine, wakes: Wakes, names: str, *args: int | bytes) -> OwnTask:
    """Threads that make the same futex call, in this order; the first thread of their process, which pauses."""
    main = kernel.spawn(pausing)
    for name in names:
        kernel.spawn(wakes.waiter(name, *args), main, same_group=True)
    settle(kernel)
    return main


def settle(kernel: Machine) -> None:
    """Let everybody go on who can, without moving the clock."""
    while (task := kernel.pick()) is not None:
        assert isinstance(task, OwnTask)
        kernel.run_step(task)


def call_futex(kernel: Machine, task: OwnTask, *args: int | bytes) -> int:
    """A futex call by another thread of the task's process, and what it wakes goes on."""
    results: list[int] = []

    def program(sys: Calls) -> Program:
        results.append((yield sys.futex(*args)))

    kernel.spawn(program, task, same_group=True)
    settle(kernel)
    return results[0]


def timed(*steps: tuple[int, Call | Callable[[Calls], Call]]) -> Main:
    """A program that makes calls, each so many ns after the one before."""

    def program(sys: Calls) -> Program:
        for span_ns, make in steps:
            yield sys.sleep_ns(span_ns)
            yield make(sys) if callable(make) else make

    return program


# Arguments, in Linux's order of checks


@pytest.mark.parametrize(
    ("args", "errno"),
    [
        pytest.param((A, FUTEX_WAIT, 1), EAGAIN, id="wait, another value"),
        pytest.param((UNALIGNED, FUTEX_WAIT, 1), EINVAL, id="wait, unaligned"),
        pytest.param((NOWHERE, FUTEX_WAIT, 1), EFAULT, id="wait, unmapped"),
        pytest.param((NOWHERE, FUTEX_WAIT | PRIVATE, 1), EFAULT, id="wait private, unmapped"),
        pytest.param((UNALIGNED, FUTEX_WAIT, 1, NOWHERE), EFAULT, id="wait, bad timeout before unaligned"),
        pytest.param((A, FUTEX_WAIT, 1, WRONG), EINVAL, id="wait, wrong timeout before another value"),
        pytest.param((A, FUTEX_WAIT, 0, TIMESPEC.pack(-1, 0)), EINVAL, id="wait, negative timeout"),
        pytest.param((A, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, SOON), ENOSYS, id="wait, realtime"),
        pytest.param((A, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, WRONG), EINVAL, id="wait, wrong timeout first"),
        pytest.param((A, FUTEX_WAIT_BITSET, 1, 0, 0, 0), EINVAL, id="wait_bitset 0 before another value"),
        pytest.param((A, FUTEX_WAIT_BITSET, 1, SOON, 0, ANY), EAGAIN, id="wait_bitset, another value before past"),
        pytest.param((A, FUTEX_WAIT_BITSET, 0, SOON, 0, ANY), ETIMEDOUT, id="wait_bitset, past"),
        pytest.param((A, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1), ENOSYS, id="wake, realtime"),
        pytest.param((UNALIGNED, FUTEX_WAKE, 1), EINVAL, id="wake, unaligned"),
        pytest.param((NOWHERE, FUTEX_WAKE, 1), EFAULT, id="wake, unmapped"),
        pytest.param((KERNEL_HALF, FUTEX_WAKE | PRIVATE, 1), EFAULT, id="wake private, kernel's half"),
        pytest.param((A, FUTEX_WAKE_BITSET, 1, 0, 0, 0), EINVAL, id="wake_bitset 0"),
        pytest.param((A, FUTEX_REQUEUE, -1, 1, B), EINVAL, id="requeue, negative wake"),
        pytest.param((A, FUTEX_REQUEUE, 1, -1, UNALIGNED), EINVAL, id="requeue, negative requeue"),
        pytest.param((A, FUTEX_REQUEUE, 1, 1, UNALIGNED), EINVAL, id="requeue, unaligned"),
        pytest.param((A, FUTEX_CMP_REQUEUE, 1, 1, B, 1), EAGAIN, id="cmp_requeue, another value"),
        pytest.param((NOWHERE, FUTEX_CMP_REQUEUE | PRIVATE, 1, 1, B, 1), EFAULT, id="cmp_requeue, unmapped"),
        pytest.param((A, FUTEX_WAKE_OP | PRIVATE, 1, 1, NOWHERE, 0), EFAULT, id="wake_op, unmapped"),
        pytest.param((A, FUTEX_WAKE_OP | PRIVATE, 1, 1, UNALIGNED, 0), EINVAL, id="wake_op, unaligned"),
        pytest.param((A, 63, 0), ENOSYS, id="unknown command"),
        pytest.param((A, FUTEX_WAKE | 0x200, 0), ENOSYS, id="unknown flag"),
        pytest.param((A, FUTEX_FD, 0), ENOSYS, id="FUTEX_FD"),
    ],
)
def test_wrong_calls(kernel: Machine, args: tuple[int | bytes, ...], errno: int) -> None:
    wakes = Wakes()
    kernel.spawn(wakes.waiter("a", *args))
    kernel.run()

    assert wakes.results == {"a": -errno}
    assert kernel.now_ns == 0


@pytest.mark.parametrize(
    "args",
    [
        pytest.param((A, FUTEX_WAKE, 1), id="wake"),
        pytest.param((NOWHERE, FUTEX_WAKE | PRIVATE, 1), id="wake private, unmapped"),
        pytest.param((A, FUTEX_REQUEUE, 1, 1, B), id="requeue"),
        pytest.param((A, FUTEX_CMP_REQUEUE | PRIVATE, 1, 1, NOWHERE), id="cmp_requeue private, unmapped second"),
    ],
)
def test_calls_without_a_waiter_find_nobody(kernel: Machine, args: tuple[int, ...]) -> None:
    wakes = Wakes()
    kernel.spawn(wakes.waiter("a", *args))
    kernel.run()

    assert wakes.results == {"a": 0}


@pytest.mark.parametrize("command", [FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI])
def test_requeueing_to_a_lock_is_named_as_unserved(kernel: Machine, command: int) -> None:
    named: list[str] = []
    kernel.on_refused = lambda task, unserved: named.append(unserved.id)
    wakes = Wakes()
    kernel.spawn(wakes.waiter("a", A, command, 0, 0, B, 0))
    kernel.run()

    assert wakes.results == {"a": -ENOSYS}
    assert named == ["TL401" if command == FUTEX_WAIT_REQUEUE_PI else "TL402"]


# Wakes


def test_waiters_are_woken_in_the_order_of_arrival(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "abcd", A, FUTEX_WAIT | PRIVATE, 0)

    assert (call_futex(kernel, main, A, FUTEX_WAKE | PRIVATE, 2), wakes.take()) == (2, "ab")
    assert (call_futex(kernel, main, A, FUTEX_WAKE | PRIVATE, 9), wakes.take()) == (2, "cd")
    assert (call_futex(kernel, main, A, FUTEX_WAKE | PRIVATE, 9), wakes.take()) == (0, "")
    assert wakes.results == dict.fromkeys("abcd", 0)


@pytest.mark.parametrize("count", [0, -1])
def test_a_wake_of_none_wakes_one(kernel: Machine, count: int) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "ab", A, FUTEX_WAIT | PRIVATE, 0)

    assert (call_futex(kernel, main, A, FUTEX_WAKE | PRIVATE, count), wakes.take()) == (1, "a")


def test_two_wakes_before_the_waiters_run_count_two(kernel: Machine) -> None:
    """A woken waiter is out of the queue at once: the second wake finds the next."""
    wakes = Wakes()
    main = start(kernel, wakes, "abc", A, FUTEX_WAIT | PRIVATE, 0)
    waker = kernel.spawn(idle, main, same_group=True)
    counts = [call(waker, "futex", A, FUTEX_WAKE | PRIVATE, count) for count in (1, 9)]
    settle(kernel)

    assert counts == [1, 2]
    assert wakes.take() == "abc"


def test_a_private_and_a_shared_futex_on_one_word_never_meet(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "a", A, FUTEX_WAIT | PRIVATE, 0)

    assert call_futex(kernel, main, A, FUTEX_WAKE, 9) == 0
    assert call_futex(kernel, main, A, FUTEX_WAKE | PRIVATE, 9) == 1


def test_another_process_has_words_of_its_own_at_the_same_address(kernel: Machine) -> None:
    wakes = Wakes()
    start(kernel, wakes, "a", A, FUTEX_WAIT | PRIVATE, 0)
    other = start(kernel, wakes, "b", A, FUTEX_WAIT, 0)

    assert call_futex(kernel, other, A, FUTEX_WAKE | PRIVATE, 9) == 0
    assert (call_futex(kernel, other, A, FUTEX_WAKE, 9), wakes.take()) == (1, "b")


def test_processes_meet_in_a_shared_mapping(kernel: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """futex(7): a shared futex is known by its file and offset, wherever each process has mapped it."""
    mapped = {A: ("inode", 0), B: ("inode", 0), C: ("inode", 8)}
    monkeypatch.setattr(OwnMemory, "shared_key", lambda self, address: mapped[address])
    wakes = Wakes()
    start(kernel, wakes, "a", A, FUTEX_WAIT, 0)
    other = start(kernel, wakes, "")

    assert call_futex(kernel, other, C, FUTEX_WAKE, 9) == 0
    assert (call_futex(kernel, other, B, FUTEX_WAKE, 9), wakes.take()) == (1, "a")


def test_a_bitset_wakes_only_who_shares_a_bit_with_it(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "")
    for number, name in enumerate("abc"):
        kernel.spawn(wakes.waiter(name, A, FUTEX_WAIT_BITSET, 0, 0, 0, 1 << number), main, same_group=True)
    settle(kernel)

    assert (call_futex(kernel, main, A, FUTEX_WAKE_BITSET, 9, 0, 0, 4), wakes.take()) == (1, "c")
    assert (call_futex(kernel, main, A, FUTEX_WAKE_BITSET, 1, 0, 0, 3), wakes.take()) == (1, "a")
    assert (call_futex(kernel, main, A, FUTEX_WAKE_BITSET, 9, 0, 0, 8), wakes.take()) == (0, "")
    assert (call_futex(kernel, main, A, FUTEX_WAKE, 9), wakes.take()) == (1, "b")


# Requeue


@pytest.mark.parametrize("command", [FUTEX_REQUEUE, FUTEX_CMP_REQUEUE])
def test_requeue_wakes_some_and_moves_some(kernel: Machine, command: int) -> None:
    """futex(2) says that FUTEX_REQUEUE returns the woken alone; it counts the moved too, as FUTEX_CMP_REQUEUE does."""
    wakes = Wakes()
    main = start(kernel, wakes, "abcd", A, FUTEX_WAIT, 0)

    assert (call_futex(kernel, main, A, command, 1, 2, B), wakes.take()) == (3, "a")
    assert (call_futex(kernel, main, B, FUTEX_WAKE, 9), wakes.take()) == (2, "bc")
    assert (call_futex(kernel, main, A, FUTEX_WAKE, 9), wakes.take()) == (1, "d")


def test_moved_waiters_stand_behind_those_who_were_there(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "ab", A, FUTEX_WAIT, 0)
    kernel.spawn(wakes.waiter("c", B, FUTEX_WAIT, 0), main, same_group=True)
    settle(kernel)
    call_futex(kernel, main, A, FUTEX_REQUEUE, 0, 9, B)

    assert (call_futex(kernel, main, B, FUTEX_WAKE, 9), wakes.take()) == (3, "cab")


def test_moved_onto_their_own_word_waiters_keep_their_places(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "ab", A, FUTEX_WAIT, 0)

    assert call_futex(kernel, main, A, FUTEX_REQUEUE, 0, 1, A) == 1
    assert (call_futex(kernel, main, A, FUTEX_WAKE, 1), wakes.take()) == (1, "a")


def test_a_moved_waiter_keeps_its_deadline_and_leaves_the_new_word(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "a", A, FUTEX_WAIT, 0, SOON)
    call_futex(kernel, main, A, FUTEX_REQUEUE, 0, 1, B)
    kernel.jump()
    settle(kernel)

    assert wakes.results == {"a": -ETIMEDOUT}
    assert kernel.futexes.queues == {}


# Wake and change


def encode(operation: int, operand: int, comparison: int, compared: int) -> int:
    return operation << 28 | comparison << 24 | (operand & 0xFFF) << 12 | compared & 0xFFF


SHIFTED = FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT


@pytest.mark.parametrize(
    ("before", "operation", "operand", "after"),
    [
        pytest.param(7, FUTEX_OP_SET, 5, 5, id="set"),
        pytest.param(7, FUTEX_OP_SET, -1, 0xFFFFFFFF, id="set, sign-extended"),
        pytest.param(7, FUTEX_OP_ADD, 5, 12, id="add"),
        pytest.param(0xFFFFFFFF, FUTEX_OP_ADD, 5, 4, id="add, around"),
        pytest.param(7, FUTEX_OP_OR, 0x100, 0x107, id="or"),
        pytest.param(7, FUTEX_OP_ANDN, 2, 5, id="andn"),
        pytest.param(7, FUTEX_OP_XOR, 0xF, 8, id="xor"),
        pytest.param(7, SHIFTED, 31, 0x80000007, id="shifted"),
        pytest.param(0, SHIFTED, 33, 2, id="shifted, modulo 32"),
        pytest.param(0, SHIFTED, -1, 0x80000000, id="shifted by -1"),
    ],
)
def test_wake_op_changes_the_second_word(
    kernel: Machine, before: int, operation: int, operand: int, after: int
) -> None:
    main = start(kernel, Wakes(), "")
    store(main, B, before)
    encoded = encode(operation, operand, FUTEX_OP_CMP_EQ, 0)

    assert call_futex(kernel, main, A, FUTEX_WAKE_OP | PRIVATE, 1, 1, B, encoded) == 0
    assert load(main, B) == after


@pytest.mark.parametrize(
    ("comparison", "true_for"),
    [
        pytest.param(FUTEX_OP_CMP_EQ, (0,), id="eq"),
        pytest.param(FUTEX_OP_CMP_NE, (-1, 1), id="ne"),
        pytest.param(FUTEX_OP_CMP_LT, (-1,), id="lt"),
        pytest.param(FUTEX_OP_CMP_LE, (-1, 0), id="le"),
        pytest.param(FUTEX_OP_CMP_GT, (1,), id="gt"),
        pytest.param(FUTEX_OP_CMP_GE, (0, 1), id="ge"),
    ],
)
def test_wake_op_compares_the_old_value_signed(kernel: Machine, comparison: int, true_for: tuple[int, ...]) -> None:
    woken = []
    for old in (-1, 0, 1):
        wakes = Wakes()
        main = start(kernel, wakes, "a", A, FUTEX_WAIT | PRIVATE, 0)
        kernel.spawn(wakes.waiter("b", B, FUTEX_WAIT | PRIVATE, 0), main, same_group=True)
        settle(kernel)
        store(main, B, old & 0xFFFFFFFF)
        encoded = encode(FUTEX_OP_ADD, 0, comparison, 0)
        if (call_futex(kernel, main, A, FUTEX_WAKE_OP | PRIVATE, 1, 1, B, encoded), wakes.take()) == (2, "ab"):
            woken.append(old)

    assert tuple(woken) == true_for


def test_wake_op_wakes_so_many_of_each_word(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "abc", A, FUTEX_WAIT | PRIVATE, 0)
    for name in "def":
        kernel.spawn(wakes.waiter(name, B, FUTEX_WAIT | PRIVATE, 0), main, same_group=True)
    settle(kernel)
    encoded = encode(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0)

    assert (call_futex(kernel, main, A, FUTEX_WAKE_OP | PRIVATE, 1, 2, B, encoded), wakes.take()) == (3, "ade")
    assert (call_futex(kernel, main, A, FUTEX_WAKE_OP | PRIVATE, 9, 9, B, encoded), wakes.take()) == (2, "bc")


def test_wake_op_with_an_unknown_operation_changes_nothing(kernel: Machine) -> None:
    main = start(kernel, Wakes(), "")
    store(main, B, 7)

    assert call_futex(kernel, main, A, FUTEX_WAKE_OP, 1, 1, B, encode(5, 1, FUTEX_OP_CMP_EQ, 0)) == -ENOSYS
    assert load(main, B) == 7


def test_wake_op_with_an_unknown_comparison_has_changed_the_word_and_wakes_nobody(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "a", A, FUTEX_WAIT, 0)
    store(main, B, 7)

    assert call_futex(kernel, main, A, FUTEX_WAKE_OP, 1, 1, B, encode(FUTEX_OP_ADD, 1, 6, 0)) == -ENOSYS
    assert load(main, B) == 8
    assert wakes.take() == ""


# Time


def test_a_plain_wait_gives_a_span(kernel: Machine) -> None:
    wakes = Wakes()
    kernel.spawn(timed((3 * SECOND, lambda sys: sys.futex(A, FUTEX_WAIT, 0, SOON))))
    kernel.run()

    assert kernel.now_ns == 4 * SECOND
    assert wakes.results == {}


@pytest.mark.parametrize(
    ("flag", "start_ns"),
    [
        pytest.param(0, None, id="CLOCK_MONOTONIC"),
        pytest.param(FUTEX_CLOCK_REALTIME, START_REALTIME_NS, id="CLOCK_REALTIME"),
    ],
)
def test_a_bitset_wait_gives_an_instant(kernel: Machine, flag: int, start_ns: int | None) -> None:
    wakes = Wakes()
    until = (kernel.clock.start_ns if start_ns is None else start_ns) + 7 * SECOND
    kernel.spawn(wakes.waiter("a", A, FUTEX_WAIT_BITSET | flag, 0, pack_timespec(until), 0, ANY))
    kernel.run()

    assert wakes.results == {"a": -ETIMEDOUT}
    assert kernel.now_ns == 7 * SECOND


def test_a_clock_step_moves_only_waits_on_realtime(kernel: Machine) -> None:
    ends: dict[str, int] = {}

    def waiter(name: str, op: int, until_ns: int) -> Main:
        def program(sys: Calls) -> Program:
            yield sys.futex(A, op, 0, pack_timespec(until_ns), 0, ANY)
            ends[name] = kernel.now_ns

        return program

    kernel.spawn(waiter("span", FUTEX_WAIT, 10 * SECOND))
    kernel.spawn(waiter("monotonic", FUTEX_WAIT_BITSET, kernel.clock.start_ns + 10 * SECOND))
    kernel.spawn(waiter("realtime", FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, START_REALTIME_NS + 10 * SECOND))
    earlier = pack_timespec(START_REALTIME_NS - 3600 * SECOND)
    kernel.spawn(timed((SECOND, lambda sys: sys.clock_settime(CLOCK_REALTIME, earlier))))
    kernel.run()

    assert ends == {"span": 10 * SECOND, "monotonic": 10 * SECOND, "realtime": 3611 * SECOND}


def test_a_wake_at_the_deadline_wins(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "a", A, FUTEX_WAIT, 0, SOON)
    waker = kernel.spawn(idle, main, same_group=True)
    kernel.jump()
    count = call(waker, "futex", A, FUTEX_WAKE, 1)
    settle(kernel)

    assert count == 1
    assert wakes.results == {"a": 0}


# Signals


def interrupted(kernel: Machine, flags: int, *args: int | bytes) -> tuple[int, int, int]:
    """A futex call that SIGUSR1 interrupts after 1 s and a wake ends after 5 s: its result, when, and handlers run."""
    handled: list[int] = []
    ended: list[int] = []

    def program(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, handled.append, flags)
        ended.append((yield sys.futex(*args)))
        ended.append(kernel.now_ns)

    main = kernel.spawn(program)
    kernel.spawn(timed((SECOND, lambda sys: sys.kill(main.tid, SIGUSR1))))
    waker = timed((5 * SECOND, lambda sys: sys.futex(A, FUTEX_WAKE, 1)))
    kernel.spawn(waker, main, same_group=True)
    kernel.run()
    return ended[0], ended[1] // SECOND, len(handled)


def test_a_handler_ends_a_wait_with_eintr(kernel: Machine) -> None:
    assert interrupted(kernel, 0, A, FUTEX_WAIT, 0) == (-EINTR, 1, 1)


def test_a_handler_with_sa_restart_lets_a_wait_without_timeout_go_on(kernel: Machine) -> None:
    assert interrupted(kernel, SA_RESTART, A, FUTEX_WAIT, 0) == (0, 5, 1)


@pytest.mark.parametrize("flags", [0, SA_RESTART])
def test_a_handler_ends_a_wait_with_a_timeout_whatever_its_flags(kernel: Machine, flags: int) -> None:
    """signal(7) says that SA_RESTART restarts FUTEX_WAIT; with a time-out Linux gives ERESTART_RESTARTBLOCK."""
    assert interrupted(kernel, flags, A, FUTEX_WAIT, 0, pack_timespec(60 * SECOND)) == (-EINTR, 1, 1)


@pytest.mark.parametrize("changed", [False, True])
def test_a_stop_keeps_the_deadline_and_looks_at_the_word_again(kernel: Machine, changed: bool) -> None:
    ended: list[int] = []

    def program(sys: Calls) -> Program:
        ended.append((yield sys.futex(A, FUTEX_WAIT, 0, pack_timespec(10 * SECOND))))
        ended.append(kernel.now_ns // SECOND)

    def outside(sys: Calls) -> Program:
        yield sys.sleep_ns(2 * SECOND)
        yield sys.kill(main.tid, SIGSTOP)
        if changed:
            store(main, A, 1)
        yield sys.sleep_ns(SECOND)
        yield sys.kill(main.tid, SIGCONT)

    main = kernel.spawn(program)
    kernel.spawn(outside)
    kernel.run()

    assert ended == ([-EAGAIN, 3] if changed else [-ETIMEDOUT, 10])


# Ends


def test_a_waiter_that_dies_leaves_the_queue(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "abc", A, FUTEX_WAIT, 0)
    exit_task(kernel, main.group.threads[1], 0)

    assert (call_futex(kernel, main, A, FUTEX_WAKE, 1), wakes.take()) == (1, "b")


def test_a_wake_is_lost_with_a_waiter_that_dies_before_it_runs(kernel: Machine) -> None:
    """As on Linux: the waker has counted it, and nobody else is woken in its place."""
    wakes = Wakes()
    main = start(kernel, wakes, "ab", A, FUTEX_WAIT, 0)
    waker = kernel.spawn(idle, main, same_group=True)
    count = call(waker, "futex", A, FUTEX_WAKE, 1)
    exit_task(kernel, main.group.threads[1], 0)
    settle(kernel)

    assert count == 1
    assert wakes.take() == ""
    assert (call_futex(kernel, main, A, FUTEX_WAKE, 1), wakes.take()) == (1, "b")


def test_no_empty_queue_is_kept(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "ab", A, FUTEX_WAIT, 0)
    call_futex(kernel, main, A, FUTEX_WAKE, 1)
    exit_group(kernel, main.group, SIGKILL)

    assert kernel.futexes.queues == {}
