"""futex(7): who waits on which word. The waits and wakes of all futex calls meet here."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.errno import EFAULT, EINVAL
from tickless.abi.futex import FUTEX_BITSET_MATCH_ANY
from tickless.kernel.errors import Errno
from tickless.kernel.wait_queue import WaitQueue, place_by_chance

if TYPE_CHECKING:
    from tickless.kernel.task import Task

    # What two calls must agree on to meet: a word of one address space (private), or one behind a mapping (shared).
    Key = tuple[object, object]

WORD = Struct("<I")

_SHARED = "shared"
# Addresses from here on are the kernel's, on every 64-bit architecture.
_USER_END = 1 << 55


class FutexWaiter:
    """A call's wait on one word. Who wakes it takes it out of the queue, so that it is counted once."""

    __slots__ = ("address", "bitset", "key", "queue", "task", "woken")

    def __init__(
        self,
        task: Task,
        address: int,
        key: Key,
        bitset: int = FUTEX_BITSET_MATCH_ANY,
        queue: WaitQueue | None = None,
    ) -> None:
        self.task = task
        self.address = address  # of the word that it began with, in the task's memory
        self.key = key  # a requeue moves it to another word
        self.bitset = bitset
        self.queue = queue or WaitQueue()  # where the call sleeps; the words of one futex_waitv share it
        self.woken = False

    def wake(self) -> None:
        """Let the call end; it is in no queue any more."""
        self.woken = True
        self.queue.wake_all()

    def zero_if_woken(self) -> int | None:
        """What a wait returns."""
        return 0 if self.woken else None

    def read_word(self) -> int | None:
        """The word as its task sees it; None if it has been unmapped."""
        try:
            return read_word(self.task, self.address)
        except Errno:
            return None


class FutexTable:
    """All words that somebody waits on, each with its waiters in the order of arrival."""

    def __init__(self) -> None:
        self.queues: dict[Key, dict[FutexWaiter, None]] = {}  # no empty ones
        self.locks: dict[Key, dict[FutexWaiter, None]] = {}  # the same for FUTEX_LOCK_PI: they are handed the word

    def add(self, waiter: FutexWaiter) -> None:
        queue = self.queues.setdefault(waiter.key, {})
        queue[waiter] = None
        if waiter.task.kernel.choose is not None:
            place_by_chance(queue, waiter, waiter.task.kernel.choose)

    def remove(self, waiter: FutexWaiter) -> None:
        """Take a waiter out, if nobody has yet."""
        _remove(self.queues, waiter)

    def add_lock(self, waiter: FutexWaiter) -> None:
        self.locks.setdefault(waiter.key, {})[waiter] = None

    def remove_lock(self, waiter: FutexWaiter) -> None:
        """Take a waiter for a lock out, if nobody has yet."""
        _remove(self.locks, waiter)

    def wake(self, key: Key, count: int, bitset: int = FUTEX_BITSET_MATCH_ANY) -> int:
        """Wake up to `count` waiters that have a bit of `bitset`, the oldest first; return how many.

        A count of 0 or less wakes one, as on Linux. Raises: Errno(EINVAL) if the word is a lock's.
        """
        if key in self.locks:
            raise Errno(EINVAL)
        waiters = self.queues.get(key)
        if waiters is None:
            return 0
        woken: list[FutexWaiter] = []
        for waiter in waiters:
            if waiter.bitset & bitset:
                woken.append(waiter)
                if len(woken) >= count:
                    break
        for waiter in woken:
            self.remove(waiter)
            waiter.wake()
        return len(woken)

    def requeue(self, key: Key, target: Key, wake_count: int, move_count: int) -> int:
        """Wake the `wake_count` oldest waiters of `key` and move the next `move_count` to `target`.

        Returns how many were woken or moved. Raises: Errno(EINVAL) if a word is a lock's.
        """
        if key in self.locks or target in self.locks:
            raise Errno(EINVAL)
        first = list(self.queues.get(key, ()))[: wake_count + move_count]
        for waiter in first[:wake_count]:
            self.remove(waiter)
            waiter.wake()
        # Moved onto the word they wait for, they keep their places.
        for waiter in first[wake_count:] if target != key else ():
            self.remove(waiter)
            waiter.key = target
            self.add(waiter)
        return len(first)


def is_shared(key: Key) -> bool:
    """Whether other processes may know the word by this key, too."""
    return key[0] is _SHARED


def _remove(queues: dict[Key, dict[FutexWaiter, None]], waiter: FutexWaiter) -> None:
    queue = queues.get(waiter.key)
    if queue is not None and waiter in queue:
        del queue[waiter]
        if not queue:
            del queues[waiter.key]


def futex_key(task: Task, address: int, *, private: bool) -> Key:
    """What a word at `address` is known by. Raises: Errno(EINVAL) unaligned, Errno(EFAULT) for a shared word nowhere.

    A private and a shared futex on one word never meet, as on Linux. A private one is not looked at.
    """
    if address % WORD.size:
        raise Errno(EINVAL)
    if address >= _USER_END:
        raise Errno(EFAULT)
    if private:
        return task.memory, address
    return _SHARED, task.memory.shared_key(address)


def read_word(task: Task, address: int) -> int:
    """The futex word. Raises: Errno(EFAULT)."""
    word: int = WORD.unpack(task.memory.copy_in(address, WORD.size))[0]
    return word


def write_word(task: Task, address: int, word: int) -> None:
    """Set the futex word. Raises: Errno(EFAULT)."""
    task.memory.copy_out(address, WORD.pack(word))
