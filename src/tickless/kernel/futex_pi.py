"""FUTEX_LOCK_PI(2const): locks whose word holds the owner's tid, so that the kernel can hand them on. futex(2).

There are no priorities here, so nothing is inherited: what is left is the hand-over, in the order of arrival.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, cast

from tickless.abi.errno import EAGAIN, EDEADLK, EINVAL, EPERM, ERESTARTNOINTR, ESRCH, ETIMEDOUT
from tickless.abi.futex import FUTEX_OWNER_DIED, FUTEX_TID_MASK, FUTEX_WAITERS
from tickless.kernel.errors import Errno
from tickless.kernel.futex_queue import FutexWaiter, futex_key, read_word, write_word
from tickless.kernel.outcome import Blocked, Result
from tickless.kernel.wait_queue import sleep_until

if TYPE_CHECKING:
    from tickless.kernel.futex_queue import FutexTable, Key
    from tickless.kernel.task import Task


def lock(task: Task, address: int, deadline_ns: int | None, clock_id: int, *, private: bool) -> Result:
    """Take the lock, or wait for it until the deadline: 0.

    Raises: Errno(EINVAL), Errno(EFAULT), Errno(EDEADLK) if it is the caller's, Errno(ESRCH) if its owner is nobody.
    """
    key = futex_key(task, address, private=private)
    if _take_if_free(task, key, address):
        return 0
    return cast(Blocked, _sleep_until_handed_over(task, FutexWaiter(task, address, key), deadline_ns, clock_id))


def try_lock(task: Task, address: int, *, private: bool) -> int:
    """Take the lock if that needs no wait: 0, else -EAGAIN. Raises as `lock`."""
    return 0 if _take_if_free(task, futex_key(task, address, private=private), address) else -EAGAIN


def unlock(task: Task, address: int, *, private: bool) -> int:
    """Give the lock to who waits longest: 0. Raises: Errno(EFAULT), Errno(EPERM) if it is not the caller's."""
    if read_word(task, address) & FUTEX_TID_MASK != task.tid:
        raise Errno(EPERM)
    futexes = task.kernel.futexes
    key = futex_key(task, address, private=private)
    if key in futexes.queues:
        raise Errno(EINVAL)
    if key in futexes.locks:
        _hand_over(futexes, key, FUTEX_WAITERS)
    else:
        write_word(task, address, 0)
    return 0


def owner_died(task: Task) -> None:
    """A thread has ended, and its robust list is done: locks that it held and others wait for go to them."""
    futexes = task.kernel.futexes
    for key, waiters in tuple(futexes.locks.items()):
        word = next(iter(waiters)).read_word()
        # A word in the robust list names nobody any more.
        if word is not None and word & FUTEX_TID_MASK in (0, task.tid):
            _hand_over(futexes, key, FUTEX_WAITERS | FUTEX_OWNER_DIED)


def _take_if_free(task: Task, key: Key, address: int) -> bool:
    """Whether the caller has the lock now; if not, the word says that somebody waits."""
    futexes = task.kernel.futexes
    word = read_word(task, address)
    owner = word & FUTEX_TID_MASK
    if owner == task.tid:
        raise Errno(EDEADLK)
    if key in futexes.queues:
        raise Errno(EINVAL)
    if key in futexes.locks:
        return False
    if owner == 0:
        write_word(task, address, word & FUTEX_OWNER_DIED | task.tid)
        return True
    write_word(task, address, word | FUTEX_WAITERS)
    if owner not in task.kernel.tasks:
        raise Errno(ESRCH)
    return False


def _sleep_until_handed_over(
    task: Task, waiter: FutexWaiter, deadline_ns: int | None, clock_id: int
) -> Generator[None, None, int]:
    futexes = task.kernel.futexes
    futexes.add_lock(waiter)
    try:
        result = yield from sleep_until(
            task,
            (waiter.queue,),
            waiter.zero_if_woken,
            deadline_ns,
            clock_id=clock_id,
            interrupted_as=ERESTARTNOINTR,
        )
    finally:
        futexes.remove_lock(waiter)
    return -ETIMEDOUT if result is None else result


def _hand_over(futexes: FutexTable, key: Key, bits: int) -> None:
    """Make the oldest waiter the owner, with `bits` in the word beside its tid."""
    waiter = next(iter(futexes.locks[key]))
    write_word(waiter.task, waiter.address, bits | waiter.task.tid)
    futexes.remove_lock(waiter)
    waiter.wake()
