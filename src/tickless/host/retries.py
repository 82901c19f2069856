"""Calls that wait for what the host has but tells nobody of: a lock, a FIFO's other end, a semaphore.

Each is attempted again when something may have changed: a number was closed, a task has ended, a lock was let go; and
whenever nobody has anything to do, because somebody outside may have changed it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from tickless.abi.errno import ERESTARTSYS
from tickless.abi.time import CLOCK_MONOTONIC
from tickless.host.ipc_users import QueueUsers, SemaphoreWaits
from tickless.host.reach import Reach
from tickless.kernel.task import Task
from tickless.kernel.wait_queue import WaitQueue, sleep_until

Attempt = Callable[[], int | None]
"""Gives what the call can return, a negative errno among it, or None if it has to wait. It never blocks or raises, and
may be made again after it has given something."""


EndsInside = Callable[[Reach], bool]
"""Whether nobody outside the run can let a call go on."""


def _can_end_outside(_: Reach) -> bool:
    return False


class Taking:
    """An attempt that takes something: it is not made again once it has it."""

    def __init__(self, take: Attempt) -> None:
        self._take = take
        self._result: int | None = None

    def __call__(self) -> int | None:
        if self._result is None:
            self._result = self._take()
        return self._result


class Retries:
    """The calls that wait so."""

    def __init__(self) -> None:
        # A queue for each, in order of arrival.
        self.waiting: dict[WaitQueue, Attempt] = {}
        self.ends_inside: dict[WaitQueue, EndsInside] = {}
        self.semaphores = SemaphoreWaits()
        self.queue_users = QueueUsers()

    def __len__(self) -> int:
        return len(self.waiting)

    def look(self) -> bool:
        """Wake those who need not wait any longer; whether there are any."""
        woken = 0
        for queue, attempt in tuple(self.waiting.items()):
            if attempt() is not None:
                woken += queue.wake_all()
        return woken > 0

    @contextmanager
    def asked(self, queue: WaitQueue, attempt: Attempt, ends_inside: EndsInside) -> Iterator[None]:
        """Let `attempt` be made again for a sleeper in `queue`, who may be woken by other means as well."""
        self.waiting[queue], self.ends_inside[queue] = attempt, ends_inside
        try:
            yield
        finally:
            del self.waiting[queue], self.ends_inside[queue]

    def sleep_until(
        self,
        task: Task,
        attempt: Attempt,
        deadline_ns: int | None = None,
        *,
        clock_id: int = CLOCK_MONOTONIC,
        interrupted_as: int = ERESTARTSYS,
        ends_inside: EndsInside = _can_end_outside,
    ) -> Generator[None, None, int | None]:
        """Sleep until `attempt` gives something; None when the deadline has passed. Raises: Errno(interrupted_as)."""
        queue = WaitQueue()
        with self.asked(queue, attempt, ends_inside):
            return (
                yield from sleep_until(
                    task, (queue,), attempt, deadline_ns, clock_id=clock_id, interrupted_as=interrupted_as
                )
            )
