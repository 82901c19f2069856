"""clock_gettime(2), time(7): virtual time, and the deadlines that move it.

CLOCK_MONOTONIC is the time line everything runs on. REALTIME and BOOTTIME are offsets to it: a clock step or a suspend
moves an offset, and with it every deadline of that time line, without touching the deadlines themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush

from tickless.abi.errno import EINVAL
from tickless.abi.time import (
    CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM,
    CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE,
    CLOCK_MONOTONIC_RAW,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_REALTIME_COARSE,
    CLOCK_TAI,
)
from tickless.kernel.errors import Errno

# Where a run begins unless it says otherwise: 2026-01-01 00:00:00 UTC, 1,000 s after boot.
START_REALTIME_NS = 1_767_225_600 * 10**9
START_MONOTONIC_NS = 1_000 * 10**9

# Later than any deadline can be: the farthest instant Linux' ktime_t can hold.
KTIME_MAX = (1 << 63) - 1

# Order at one instant: what the scenario does comes before the timers.
CLASS_SCENARIO = 0
CLASS_TIMER = 1

_TIME_LINES = {
    CLOCK_MONOTONIC: CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_RAW: CLOCK_MONOTONIC,
    CLOCK_MONOTONIC_COARSE: CLOCK_MONOTONIC,
    CLOCK_REALTIME: CLOCK_REALTIME,
    CLOCK_REALTIME_COARSE: CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM: CLOCK_REALTIME,
    CLOCK_TAI: CLOCK_REALTIME,
    CLOCK_BOOTTIME: CLOCK_BOOTTIME,
    CLOCK_BOOTTIME_ALARM: CLOCK_BOOTTIME,
}


class Deadline:
    """Something that happens at an instant of a time line, unless it is cancelled before."""

    __slots__ = ("at_ns", "callback", "order", "time_line")

    def __init__(self, at_ns: int, order: tuple[int, int], callback: Callable[[], object], time_line: int) -> None:
        self.at_ns = at_ns
        self.order = order  # (class, sequence)
        self.callback: Callable[[], object] | None = callback  # None: cancelled or over
        self.time_line = time_line

    def __lt__(self, other: Deadline) -> bool:
        return (self.at_ns, self.order) < (other.at_ns, other.order)


class Clock:
    """Virtual time and its deadlines, exact to the nanosecond, or noticed only at the ticks of a `tick_ns` period."""

    def __init__(
        self,
        *,
        monotonic_ns: int = START_MONOTONIC_NS,
        realtime_ns: int = START_REALTIME_NS,
        tick_ns: int | None = None,
    ) -> None:
        self.now_ns = monotonic_ns  # CLOCK_MONOTONIC; only ever grows
        self.start_ns = monotonic_ns
        self.tick_ns = tick_ns  # None: tickless
        # What each time line is ahead of CLOCK_MONOTONIC.
        self.offsets = {CLOCK_MONOTONIC: 0, CLOCK_REALTIME: realtime_ns - monotonic_ns, CLOCK_BOOTTIME: 0}
        # When handle_timer_irq has something to do, in CLOCK_MONOTONIC: one comparison for whoever runs the clock.
        self.next_due_ns = KTIME_MAX
        self.on_step: list[Callable[[], object]] = []  # called after CLOCK_REALTIME was set
        self._heaps: dict[int, list[Deadline]] = {line: [] for line in self.offsets}
        self._cancelled = 0  # entries of the heaps that are over
        self._sequence = 0

    def read(self, clock_id: int) -> int:
        """The clock's value in ns. Raises: Errno(EINVAL) for a clock that is not ours."""
        if clock_id == CLOCK_MONOTONIC:
            return self.now_ns
        return self.now_ns + self.offsets[self.time_line(clock_id)]

    def time_line(self, clock_id: int) -> int:
        """The time line a clock is read from. Raises: Errno(EINVAL)."""
        line = _TIME_LINES.get(clock_id)
        if line is None:
            raise Errno(EINVAL)
        return line

    def arm(
        self,
        at_ns: int,
        callback: Callable[[], object],
        clock_id: int = CLOCK_MONOTONIC,
        order_class: int = CLASS_TIMER,
    ) -> Deadline:
        """Call `callback` once the clock shows `at_ns`; instants past Linux' range never come."""
        self._sequence += 1
        line = self.time_line(clock_id)
        deadline = Deadline(min(at_ns, KTIME_MAX), (order_class, self._sequence), callback, line)
        heappush(self._heaps[line], deadline)
        self.next_due_ns = min(self.next_due_ns, self._noticed_ns(deadline))
        return deadline

    def cancel(self, deadline: Deadline) -> None:
        """Forget a deadline; one that is over already is no error."""
        if deadline.callback is None:
            return
        deadline.callback = None
        self._cancelled += 1
        # Re-arming must not let the heaps grow: half of them stale is the time to prune.
        if self._cancelled > 64 and 2 * self._cancelled > sum(map(len, self._heaps.values())):
            self._prune()

    def next_deadline(self) -> Deadline | None:
        """The deadline that comes first, by (instant, class, sequence)."""
        first = None
        for line, heap in self._heaps.items():
            while heap and heap[0].callback is None:
                heappop(heap)
                self._cancelled -= 1
            if heap and (first is None or self._key(heap[0]) < self._key(first)):
                first = self._heaps[line][0]
        return first

    def handle_timer_irq(self, now_ns: int) -> int:
        """Move to `now_ns` of CLOCK_MONOTONIC and do what is due; return how many deadlines were met."""
        self.now_ns = max(self.now_ns, now_ns)
        met = 0
        while self.next_due_ns <= self.now_ns:
            deadline = self.next_deadline()
            if deadline is not None and self._noticed_ns(deadline) <= self.now_ns:
                heappop(self._heaps[deadline.time_line])
                callback, deadline.callback = deadline.callback, None
                assert callback is not None, "next_deadline gave a deadline that is over"
                callback()
                met += 1
            self._find_next_due()
        return met

    def set_realtime(self, realtime_ns: int) -> None:
        """Set CLOCK_REALTIME: absolute deadlines of that time line come nearer or move away, nothing else does."""
        self.offsets[CLOCK_REALTIME] = realtime_ns - self.now_ns
        self._find_next_due()
        for callback in tuple(self.on_step):
            callback()

    def suspend(self, span_ns: int) -> None:
        """The machine sleeps for `span_ns`: CLOCK_MONOTONIC stands still, the others go on."""
        self.offsets[CLOCK_BOOTTIME] += span_ns
        self.offsets[CLOCK_REALTIME] += span_ns
        self._find_next_due()

    def _key(self, deadline: Deadline) -> tuple[int, tuple[int, int]]:
        return deadline.at_ns - self.offsets[deadline.time_line], deadline.order

    def _noticed_ns(self, deadline: Deadline) -> int:
        """When the deadline is noticed, in CLOCK_MONOTONIC: at once, or at the tick that follows."""
        if deadline.at_ns == KTIME_MAX:
            return KTIME_MAX
        at_ns = deadline.at_ns - self.offsets[deadline.time_line]
        if self.tick_ns is None:
            return at_ns
        ticks = -((self.start_ns - at_ns) // self.tick_ns)
        return self.start_ns + ticks * self.tick_ns

    def _find_next_due(self) -> None:
        deadline = self.next_deadline()
        self.next_due_ns = KTIME_MAX if deadline is None else self._noticed_ns(deadline)

    def _prune(self) -> None:
        for line, heap in self._heaps.items():
            self._heaps[line] = [deadline for deadline in heap if deadline.callback is not None]
            heapify(self._heaps[line])
        self._cancelled = 0
