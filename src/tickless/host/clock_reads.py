"""What a read of the clock costs, and how many a task may make without a call.

Who does nothing but read the clock waits for an instant, and would need 50 million reads for a second of it. So reads
in a row, of all tasks together, grow dearer: waiting for an instant takes the square root of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.time import CLOCK_BOOTTIME, CLOCK_REALTIME

if TYPE_CHECKING:
    from tickless.host.idle import Idle
    from tickless.host.tracee import Tracee
    from tickless.host.vdso import TaskClock
    from tickless.kernel.clock import Clock

# Virtual time that a read takes, trapped or not.
CLOCK_READ_COST_NS = 20
# After so many in a row one takes another 20 ns. As many may be made without a call.
READS = 1_000


class ClockReads:
    """Gives tasks the clock, takes it back, and counts the reads between two other calls."""

    __slots__ = ("_clock", "_end_ns", "_idle", "_in_a_row")

    def __init__(self, clock: Clock, idle: Idle) -> None:
        self._clock = clock
        self._idle = idle
        self._in_a_row = 0
        self._end_ns = 0  # when the last of them was over

    def give(self, task: Tracee) -> None:
        """Let a task that reads the clock do so without us, up to where something may happen.

        A clock that keeps a pace goes on by itself: it is given to nobody, and its reads do not grow dearer.
        """
        if not task.clock.wanted or self._idle.pace is not None:
            return
        clock = self._clock
        step_ns = self._step_ns(clock.now_ns)
        reads = READS - self._in_a_row % READS
        task.clock.give(
            clock.now_ns,
            clock.offsets[CLOCK_REALTIME],
            step_ns,
            # No dear read goes beyond a deadline.
            min(clock.next_due_ns - (step_ns - CLOCK_READ_COST_NS), clock.now_ns + reads * step_ns),
            clock.offsets[CLOCK_BOOTTIME],
        )

    def take(self, task_clock: TaskClock, instruction_pointer: int = 0) -> int:
        """The time after the reads that were made without us."""
        now_ns = task_clock.take(self._clock.now_ns, instruction_pointer)
        if task_clock.reads_taken:
            self._in_a_row += task_clock.reads_taken
            self._end_ns = now_ns
        return now_ns

    def charge(self) -> None:
        """A read has trapped, and CLOCK_READ_COST_NS was counted: count what it takes beyond that."""
        if self._idle.pace is not None:
            return
        clock = self._clock
        more_ns = self._step_ns(clock.now_ns - CLOCK_READ_COST_NS) - CLOCK_READ_COST_NS
        clock.now_ns += min(more_ns, max(clock.next_due_ns - clock.now_ns, 0))
        self._in_a_row += 1
        self._end_ns = clock.now_ns

    def read(self, task: Tracee) -> int:
        """Let the task that runs read CLOCK_MONOTONIC by other means than a call; ns."""
        clock = self._clock
        clock.now_ns = self.take(task.clock) + CLOCK_READ_COST_NS
        self.charge()
        return clock.now_ns

    def is_all(self) -> bool:
        """Whether a task that makes a read by a call does nothing but read the clock, and can let others go first."""
        return self._in_a_row >= READS and self._clock.now_ns - self._end_ns <= CLOCK_READ_COST_NS

    def _step_ns(self, now_ns: int) -> int:
        """What the read that begins now takes. Where time went otherwise, a new row begins."""
        # A read that waits for its task's turn has been counted already.
        if now_ns - self._end_ns > CLOCK_READ_COST_NS:
            self._in_a_row = 0
        return CLOCK_READ_COST_NS * (1 + self._in_a_row // READS)
