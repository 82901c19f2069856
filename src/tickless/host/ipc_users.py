"""Who waits for System V semaphores and messages here, in the host's place, and so is unknown to the host."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tickless.abi.ipc import GETVAL

if TYPE_CHECKING:
    from tickless.kernel.task import Task

Operation = tuple[int, int, int]
"""The number of the semaphore, what is added to it or 0, flags."""
Operations = list[Operation]

_libc = ctypes.PyDLL(None, use_errno=True)


class SemaphoreWaits:
    """What the host does not know of who waits here in its place."""

    def __init__(self) -> None:
        self._waiting: dict[Task, tuple[int, Operations]] = {}  # the set, and what is to be done to it
        self.takers: dict[tuple[int, int], int] = {}  # by set and number: the last process for which we changed it

    def count(self, semid: int, number: int, *, for_zero: bool) -> int:
        """How many wait because of this semaphore: of several obstacles the first counts. semctl(2)."""
        obstacles = (obstacle_of(semid, operations) for where, operations in self._waiting.values() if where == semid)
        return sum(it is not None and it[0] == number and (it[1] == 0) == for_zero for it in obstacles)

    def taken(self, task: Task, semid: int, operations: Operations) -> None:
        """The task has what it waited for."""
        self.takers.update({(semid, number): task.group.tgid for number, _, _ in operations})

    def forget(self, semid: int) -> None:
        """The set is about to be removed."""
        self.takers = {key: pid for key, pid in self.takers.items() if key[0] != semid}

    @contextmanager
    def waiting(self, task: Task, semid: int, operations: Operations) -> Iterator[None]:
        self._waiting[task] = semid, operations
        try:
            yield
        finally:
            del self._waiting[task]


class QueueUsers:
    """For whom messages were sent and received here, by queue: the last one of each. msgctl(2)."""

    def __init__(self) -> None:
        self.senders: dict[int, int] = {}
        self.receivers: dict[int, int] = {}

    def forget(self, msqid: int) -> None:
        """The queue is about to be removed."""
        self.senders.pop(msqid, None)
        self.receivers.pop(msqid, None)


def obstacle_of(semid: int, operations: Operations) -> Operation | None:
    """The first operation that has to wait; None if all can be done now. OSError: EINVAL, EIDRM, EACCES."""
    values: dict[int, int] = {}
    for operation in operations:
        number, change, _ = operation
        value = values.get(number)
        if value is None:
            value = _libc.semctl(semid, number, GETVAL, 0)
            if value < 0:
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error))
        if value if change == 0 else value + change < 0:
            return operation
        values[number] = value + change
    return None
