"""futex(2): who sleeps, who is woken, how many are counted. tests/linux/futex_queue.c, contracts/futex.c."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import call, idle
from tests.kernel.futexes import KERNEL_HALF, NOWHERE, UNALIGNED, A, B, C, Wakes, call_futex, load, settle, start, store
from tickless.abi.errno import (
    EAGAIN,
    EFAULT,
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
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.time import TIMESPEC, pack_timespec
from tickless.kernel.machine import Machine
from tickless.kernel.memory import OwnMemory

PRIVATE = FUTEX_PRIVATE_FLAG
ANY = FUTEX_BITSET_MATCH_ANY
WRONG = TIMESPEC.pack(0, SECOND)
SOON = pack_timespec(SECOND)


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
