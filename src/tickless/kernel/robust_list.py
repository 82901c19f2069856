"""get_robust_list(2), set_tid_address(2): the futex words that a thread's end changes, and whom it wakes.

A host changes the words itself while the thread dies, but knows nothing of who waits here; and then the list may have
gone with its memory. So the words are looked at through the memory of those who wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.futex import (
    FUTEX_OWNER_DIED,
    FUTEX_TID_MASK,
    FUTEX_WAITERS,
    ROBUST_LIST_HEAD,
    ROBUST_LIST_LIMIT,
)
from tickless.kernel.errors import Errno
from tickless.kernel.futex_pi import owner_died
from tickless.kernel.futex_queue import futex_key, is_shared, read_word, write_word

if TYPE_CHECKING:
    from tickless.kernel.futex_queue import FutexTable, Key
    from tickless.kernel.task import Task

POINTER = Struct("<Q")
# The lowest bit of an entry's address says that its lock is a priority-inheriting one.
PI_BIT = 1


def release_robust_list(task: Task) -> None:
    """The thread ends: a waiter of each lock that it still holds goes on, and finds FUTEX_OWNER_DIED in the word."""
    if task.robust_list:
        if task.kernel.host is None:
            _release_words(task)
        else:
            _wake_released_by_host(task.kernel.futexes)
    if task.kernel.futexes.locks:
        owner_died(task)


def _release_words(task: Task) -> None:
    """kernel/futex/core.c, handle_futex_death."""
    for key, address, word in _words_left_by(task):
        if word & FUTEX_TID_MASK:
            write_word(task, address, word & FUTEX_WAITERS | FUTEX_OWNER_DIED)
        if word & FUTEX_WAITERS or not word & FUTEX_TID_MASK:
            task.kernel.futexes.wake(key, 1)


def _wake_released_by_host(futexes: FutexTable) -> None:
    """A word that says that its owner has died, and names no other, is free: whoever waits for it may have it."""
    for key, waiters in tuple(futexes.queues.items()):
        if is_shared(key):
            word = next(iter(waiters)).read_word()
            if word is not None and word & ~FUTEX_WAITERS == FUTEX_OWNER_DIED:
                futexes.wake(key, 1)


def wake_cleared_tid(task: Task) -> None:
    """The thread leaves its memory: clear the word that pthread_join waits on, and wake a waiter.

    The wake is a shared one whatever the mapping. Without other users of the memory nothing happens, as on Linux.
    """
    kernel = task.kernel
    address = task.clear_child_tid
    if not address:
        return
    try:
        if kernel.host is None and _shares_memory(task):
            write_word(task, address, 0)
        if kernel.futexes.queues:
            kernel.futexes.wake(futex_key(task, address, private=False), 1)
    except Errno:
        # A wrong address, or the memory has gone with its last user: nobody waits there.
        return


def _shares_memory(task: Task) -> bool:
    return any(other.memory is task.memory for other in task.kernel.tasks.values() if other is not task)


def _words_left_by(task: Task) -> Iterator[tuple[Key, int, int]]:
    """(key, address, word) of the locks in the robust list that have to be released, as Linux finds them.

    That is what the thread holds, and a lock that it was about to give back when its word was free already.
    """
    for address, is_pi, is_pending in _entries(task):
        try:
            word = read_word(task, address)
            key = futex_key(task, address, private=False)
        except Errno:
            return
        owner = word & FUTEX_TID_MASK
        if owner == task.tid and not is_pi or owner == 0 and is_pending and not is_pi:
            yield key, address, word


def _entries(task: Task) -> Iterator[tuple[int, bool, bool]]:
    """(address of the word, priority-inheriting, pending) of every entry; a list that cannot be read ends there."""
    head = task.robust_list
    try:
        entry, offset, pending = ROBUST_LIST_HEAD.unpack(task.memory.copy_in(head, ROBUST_LIST_HEAD.size))
        for _ in range(ROBUST_LIST_LIMIT):
            here = entry & ~PI_BIT
            if here == head:
                break
            is_pi = bool(entry & PI_BIT)
            # Read before the entry is used: its owner may be woken, and free it.
            (entry,) = POINTER.unpack(task.memory.copy_in(here, POINTER.size))
            if here != pending & ~PI_BIT:
                yield here + offset, is_pi, False
        if pending:
            yield (pending & ~PI_BIT) + offset, bool(pending & PI_BIT), True
    except Errno:
        return
