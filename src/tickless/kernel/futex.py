"""futex(2): sleep while a word has a value, and wake those who sleep."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, cast

from tickless.abi.errno import EAGAIN, EINVAL, ENOSYS, ERESTART_RESTARTBLOCK, ERESTARTSYS, ETIMEDOUT
from tickless.abi.futex import (
    FUTEX_BITSET_MATCH_ANY,
    FUTEX_CLOCK_REALTIME,
    FUTEX_CMD_MASK,
    FUTEX_CMP_REQUEUE,
    FUTEX_CMP_REQUEUE_PI,
    FUTEX_LOCK_PI,
    FUTEX_LOCK_PI2,
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
    FUTEX_TRYLOCK_PI,
    FUTEX_UNLOCK_PI,
    FUTEX_WAIT,
    FUTEX_WAIT_BITSET,
    FUTEX_WAIT_REQUEUE_PI,
    FUTEX_WAKE,
    FUTEX_WAKE_BITSET,
    FUTEX_WAKE_OP,
)
from tickless.abi.time import CLOCK_MONOTONIC, CLOCK_REALTIME
from tickless.abi.types import U32, Address, FutexOp, Hex32, NumberOrPointer
from tickless.kernel.errors import Errno
from tickless.kernel.futex_pi import lock, try_lock, unlock
from tickless.kernel.futex_queue import FutexWaiter, futex_key, read_word, write_word
from tickless.kernel.outcome import Blocked, Result
from tickless.kernel.registry import syscall, unserved
from tickless.kernel.timespec import read_timespec
from tickless.kernel.wait_queue import sleep_until

if TYPE_CHECKING:
    from tickless.kernel.task import Task

WAIT_REQUEUE_PI = unserved("TL401", "futex(FUTEX_WAIT_REQUEUE_PI)", ENOSYS)
CMP_REQUEUE_PI = unserved("TL402", "futex(FUTEX_CMP_REQUEUE_PI)", ENOSYS)

# The commands whose fourth argument is a timeout, and those that take one on CLOCK_REALTIME if asked.
_TIMED = (FUTEX_WAIT, FUTEX_LOCK_PI, FUTEX_LOCK_PI2, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI)
_REALTIME = (FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI2)

_OPERATIONS: dict[int, Callable[[int, int], int]] = {
    FUTEX_OP_SET: lambda old, operand: operand,
    FUTEX_OP_ADD: lambda old, operand: old + operand,
    FUTEX_OP_OR: lambda old, operand: old | operand,
    FUTEX_OP_ANDN: lambda old, operand: old & ~operand,
    FUTEX_OP_XOR: lambda old, operand: old ^ operand,
}
_COMPARISONS: dict[int, Callable[[int, int], bool]] = {
    FUTEX_OP_CMP_EQ: lambda old, operand: old == operand,
    FUTEX_OP_CMP_NE: lambda old, operand: old != operand,
    FUTEX_OP_CMP_LT: lambda old, operand: old < operand,
    FUTEX_OP_CMP_LE: lambda old, operand: old <= operand,
    FUTEX_OP_CMP_GT: lambda old, operand: old > operand,
    FUTEX_OP_CMP_GE: lambda old, operand: old >= operand,
}


def wait(
    task: Task, address: int, value: int, bitset: int, deadline_ns: int | None, clock_id: int, *, private: bool
) -> Result:
    """Sleep until a wake with a bit of `bitset`, if the word still is `value`.

    Raises: Errno(EINVAL), Errno(EFAULT), Errno(EAGAIN) for another value. The sleep ends in ETIMEDOUT at the deadline.
    """
    if not bitset:
        raise Errno(EINVAL)
    waiter = FutexWaiter(task, address, futex_key(task, address, private=private), bitset)
    if read_word(task, address) != value:
        return -EAGAIN
    if deadline_ns is None:
        return cast(Blocked, sleep_on(task, waiter, None, clock_id, ERESTARTSYS))

    def again() -> Result:
        return wait(task, address, value, bitset, deadline_ns, clock_id, private=private)

    return cast(Blocked, _sleep_restartable(task, waiter, deadline_ns, clock_id, again))


def sleep_on(
    task: Task, waiter: FutexWaiter, deadline_ns: int | None, clock_id: int, interrupted_as: int
) -> Generator[None, None, int]:
    """Stand in the word's queue until a wake: 0, or -ETIMEDOUT. Raises: Errno(interrupted_as)."""
    futexes = task.kernel.futexes
    futexes.add(waiter)
    try:
        result = yield from sleep_until(
            task, (waiter.queue,), waiter.zero_if_woken, deadline_ns, clock_id=clock_id, interrupted_as=interrupted_as
        )
    finally:
        # A wake that a dying task no longer sees is lost, as on Linux: whoever woke it has counted it.
        futexes.remove(waiter)
    return -ETIMEDOUT if result is None else result


def _sleep_restartable(
    task: Task, waiter: FutexWaiter, deadline_ns: int, clock_id: int, again: Callable[[], Result]
) -> Generator[None, None, int]:
    """`sleep_on`, but restart_syscall(2) looks at the word `again`, with the deadline kept."""
    try:
        return (yield from sleep_on(task, waiter, deadline_ns, clock_id, ERESTART_RESTARTBLOCK))
    except Errno:
        task.restart_block = again
        raise


def wake_op(task: Task, addresses: tuple[int, int], counts: tuple[int, int], encoded: int, *, private: bool) -> int:
    """Change the second word, wake waiters of the first, and of the second if its old value compares true."""
    futexes = task.kernel.futexes
    first, second = (futex_key(task, address, private=private) for address in addresses)
    is_true = _change_and_compare(task, addresses[1], encoded)
    woken = futexes.wake(first, counts[0])
    return woken + futexes.wake(second, counts[1]) if is_true else woken


def _change_and_compare(task: Task, address: int, encoded: int) -> bool:
    """FUTEX_WAKE_OP's operation and comparison. Raises: Errno(ENOSYS), Errno(EFAULT)."""
    operand = _sign_extend(encoded >> 12 & 0xFFF, 12)
    if encoded >> 28 & FUTEX_OP_OPARG_SHIFT:
        operand = 1 << (operand & 31)
    operation = _OPERATIONS.get(encoded >> 28 & 7)
    if operation is None:
        raise Errno(ENOSYS)
    old = read_word(task, address)
    write_word(task, address, operation(old, operand) & 0xFFFFFFFF)
    # Linux finds out only now, with the word changed.
    comparison = _COMPARISONS.get(encoded >> 24 & 0xF)
    if comparison is None:
        raise Errno(ENOSYS)
    return comparison(_sign_extend(old, 32), _sign_extend(encoded & 0xFFF, 12))


def _sign_extend(value: int, bits: int) -> int:
    sign = 1 << (bits - 1)
    return (value ^ sign) - sign


def requeue(
    task: Task, addresses: tuple[int, int], counts: tuple[int, int], expected: int | None, *, private: bool
) -> int:
    """Wake waiters of the first word and move others to the second: how many in all.

    Raises: Errno(EINVAL), Errno(EFAULT), Errno(EAGAIN) if `expected` is given and the first word is something else.
    """
    if counts[0] < 0 or counts[1] < 0:
        raise Errno(EINVAL)
    key, target = (futex_key(task, address, private=private) for address in addresses)
    if expected is not None and read_word(task, addresses[0]) != expected:
        return -EAGAIN
    return task.kernel.futexes.requeue(key, target, *counts)


def wake(task: Task, address: int, count: int, bitset: int, *, private: bool) -> int:
    """Wake up to `count` waiters that share a bit with `bitset`, at least one: how many. Raises: Errno(EINVAL)."""
    if not bitset:
        raise Errno(EINVAL)
    return task.kernel.futexes.wake(futex_key(task, address, private=private), count, bitset)


def _read_deadline(task: Task, command: int, timeout: int) -> int:
    """The timeout argument as an instant: a plain FUTEX_WAIT gives a span, all others an instant."""
    given_ns = read_timespec(task, timeout)
    return task.kernel.clock.now_ns + given_ns if command == FUTEX_WAIT else given_ns


@syscall
def futex(
    task: Task, uaddr: Address, op: FutexOp, val: U32, timeout: NumberOrPointer, uaddr2: Address, val3: Hex32
) -> Result:
    """Wait, wake or move waiters; `timeout` is a second count where a command has no time-out."""
    command = op & FUTEX_CMD_MASK
    private = bool(op & FUTEX_PRIVATE_FLAG)
    if command == FUTEX_WAKE and not op & FUTEX_CLOCK_REALTIME:  # by far the commonest
        return wake(task, uaddr, _sign_extend(val, 32), FUTEX_BITSET_MATCH_ANY, private=private)
    deadline_ns = _read_deadline(task, command, timeout) if timeout and command in _TIMED else None
    if op & FUTEX_CLOCK_REALTIME and command not in _REALTIME:
        raise Errno(ENOSYS)
    clock_id = CLOCK_REALTIME if op & FUTEX_CLOCK_REALTIME or command == FUTEX_LOCK_PI else CLOCK_MONOTONIC
    counts = _sign_extend(val, 32), _sign_extend(timeout & 0xFFFFFFFF, 32)
    if command == FUTEX_WAIT:
        return wait(task, uaddr, val, FUTEX_BITSET_MATCH_ANY, deadline_ns, clock_id, private=private)
    if command == FUTEX_WAIT_BITSET:
        return wait(task, uaddr, val, val3, deadline_ns, clock_id, private=private)
    if command == FUTEX_WAKE_BITSET:
        return wake(task, uaddr, counts[0], val3, private=private)
    if command == FUTEX_REQUEUE:
        return requeue(task, (uaddr, uaddr2), counts, None, private=private)
    if command == FUTEX_CMP_REQUEUE:
        return requeue(task, (uaddr, uaddr2), counts, val3, private=private)
    if command == FUTEX_WAKE_OP:
        return wake_op(task, (uaddr, uaddr2), counts, val3, private=private)
    if command in (FUTEX_LOCK_PI, FUTEX_LOCK_PI2):
        return lock(task, uaddr, deadline_ns, clock_id, private=private)
    if command == FUTEX_TRYLOCK_PI:
        return try_lock(task, uaddr, private=private)
    if command == FUTEX_UNLOCK_PI:
        return unlock(task, uaddr, private=private)
    if command == FUTEX_WAIT_REQUEUE_PI:
        task.kernel.refuse(task, WAIT_REQUEUE_PI)
    if command == FUTEX_CMP_REQUEUE_PI:
        task.kernel.refuse(task, CMP_REQUEUE_PI)
    raise Errno(ENOSYS)
