"""futex_wait, futex_wake, futex_requeue, futex_waitv: a call for each purpose of futex(2). The kernel's futex2.rst."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, cast

from tickless.abi.errno import EAGAIN, EINVAL, ERESTARTSYS, ETIMEDOUT
from tickless.abi.futex import (
    FUTEX2_MPOL,
    FUTEX2_NUMA,
    FUTEX2_PRIVATE,
    FUTEX2_SIZE_MASK,
    FUTEX2_SIZE_U32,
    FUTEX_BITSET_MATCH_ANY,
    FUTEX_WAITV,
    FUTEX_WAITV_MAX,
)
from tickless.abi.time import CLOCK_MONOTONIC, CLOCK_REALTIME
from tickless.abi.types import S32, U32, U64, Address, ClockId, Futex2Flags, FutexWaitersPtr, Hex64, TimespecPtr
from tickless.kernel.errors import Errno
from tickless.kernel.futex import sleep_on
from tickless.kernel.futex_queue import FutexWaiter, futex_key, read_word
from tickless.kernel.outcome import Blocked, Result
from tickless.kernel.registry import syscall, unserved
from tickless.kernel.timespec import read_timespec
from tickless.kernel.wait_queue import WaitQueue, sleep_until

if TYPE_CHECKING:
    from tickless.kernel.task import Task

NUMA = unserved("TL403", "futex with FUTEX2_NUMA or FUTEX2_MPOL", EINVAL)

_FLAGS = FUTEX2_SIZE_MASK | FUTEX2_NUMA | FUTEX2_MPOL | FUTEX2_PRIVATE


def _is_private(task: Task, flags: int) -> bool:
    """Check the flags of one word: Linux has words of 32 bits alone, so far. Raises: Errno(EINVAL)."""
    if flags & ~_FLAGS or flags & FUTEX2_SIZE_MASK != FUTEX2_SIZE_U32:
        raise Errno(EINVAL)
    if flags & (FUTEX2_NUMA | FUTEX2_MPOL):
        task.kernel.refuse(task, NUMA)
    return bool(flags & FUTEX2_PRIVATE)


def _demand_32_bits(number: int) -> None:
    if number >> 32:
        raise Errno(EINVAL)


def _read_deadline(task: Task, timeout: int, clock_id: int) -> int | None:
    """An instant of one of the two clocks, None for a null pointer. Raises: Errno(EINVAL), Errno(EFAULT)."""
    if not timeout:
        return None
    if clock_id not in (CLOCK_MONOTONIC, CLOCK_REALTIME):
        raise Errno(EINVAL)
    return read_timespec(task, timeout)


@syscall
def futex_wake(task: Task, uaddr: Address, mask: Hex64, nr: S32, flags: Futex2Flags) -> Result:
    """Wake up to `nr` waiters that share a bit with `mask`; here 0 wakes none."""
    private = _is_private(task, flags)
    _demand_32_bits(mask)
    if not mask:
        raise Errno(EINVAL)
    key = futex_key(task, uaddr, private=private)
    return task.kernel.futexes.wake(key, nr, mask) if nr else 0


@syscall
def futex_wait(
    task: Task, uaddr: Address, val: U64, mask: Hex64, flags: Futex2Flags, timeout: TimespecPtr, clockid: ClockId
) -> Result:
    """Sleep until a wake with a bit of `mask`, if the word still is `val`."""
    private = _is_private(task, flags)
    _demand_32_bits(val)
    _demand_32_bits(mask)
    deadline_ns = _read_deadline(task, timeout, clockid)
    if not mask:
        raise Errno(EINVAL)
    waiter = FutexWaiter(task, uaddr, futex_key(task, uaddr, private=private), mask)
    if read_word(task, uaddr) != val:
        return -EAGAIN
    return cast(Blocked, sleep_on(task, waiter, deadline_ns, clockid if timeout else CLOCK_MONOTONIC, ERESTARTSYS))


def _read_words(task: Task, waiters: int, count: int) -> list[tuple[int, int, bool]]:
    """(address, value, private) of each. Raises: Errno(EFAULT), Errno(EINVAL)."""
    words = []
    for n in range(count):
        value, address, flags, reserved = FUTEX_WAITV.unpack(
            task.memory.copy_in(waiters + n * FUTEX_WAITV.size, FUTEX_WAITV.size)
        )
        if reserved:
            raise Errno(EINVAL)
        private = _is_private(task, flags)
        _demand_32_bits(value)
        words.append((address, value, private))
    return words


@syscall
def futex_requeue(task: Task, waiters: FutexWaitersPtr, flags: U32, nr_wake: S32, nr_requeue: S32) -> Result:
    """Wake waiters of the first word and move others to the second, if the first still has its value."""
    if flags or not waiters:
        raise Errno(EINVAL)
    (first, expected, first_private), (second, _, second_private) = _read_words(task, waiters, 2)
    if nr_wake < 0 or nr_requeue < 0:
        raise Errno(EINVAL)
    key = futex_key(task, first, private=first_private)
    target = futex_key(task, second, private=second_private)
    if read_word(task, first) != expected:
        return -EAGAIN
    return task.kernel.futexes.requeue(key, target, nr_wake, nr_requeue)


@syscall
def futex_waitv(
    task: Task,
    waiters: FutexWaitersPtr,
    nr_futexes: U32,
    flags: U32,
    timeout: TimespecPtr,
    clockid: ClockId,
) -> Result:
    """Sleep until one of several words is woken, if all still have their values: the index of a woken one."""
    if flags or not 1 <= nr_futexes <= FUTEX_WAITV_MAX or not waiters:
        raise Errno(EINVAL)
    deadline_ns = _read_deadline(task, timeout, clockid)
    words = _read_words(task, waiters, nr_futexes)
    queue = WaitQueue()
    all_ones = FUTEX_BITSET_MATCH_ANY
    waited = [
        FutexWaiter(task, address, futex_key(task, address, private=private), all_ones, queue)
        for address, _, private in words
    ]
    if any(read_word(task, address) != value for address, value, _ in words):
        return -EAGAIN
    return cast(Blocked, _wait_for_any(task, queue, waited, deadline_ns, clockid if timeout else CLOCK_MONOTONIC))


def _wait_for_any(
    task: Task, queue: WaitQueue, waiters: list[FutexWaiter], deadline_ns: int | None, clock_id: int
) -> Generator[None, None, int]:
    futexes = task.kernel.futexes

    def last_woken() -> int | None:
        """Of several the last, as on Linux."""
        return max((index for index, waiter in enumerate(waiters) if waiter.woken), default=None)

    for waiter in waiters:
        futexes.add(waiter)
    try:
        result = yield from sleep_until(task, (queue,), last_woken, deadline_ns, clock_id=clock_id)
    finally:
        for waiter in waiters:
            futexes.remove(waiter)
    return -ETIMEDOUT if result is None else result
