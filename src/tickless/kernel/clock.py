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
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME,
    CLOCK_REALTIME_ALARM,
    CLOCK_REALTIME_COARSE,
    CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID,
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

# The clocks that are ours, and what each is read from.
TIME_LINES = {
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

# Clocks whose timers would wake a sleeping machine; arming one needs CAP_WAKE_ALARM.
ALARM_CLOCKS = (CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM)
# Clocks that can be read, but neither slept on nor armed.
READ_ONLY_CLOCKS = (CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_REALTIME_COARSE)

# Pruning a handful of stale deadlines is not worth its cost.
_FEW = 64


def is_cpu_clock(clock_id: int) -> bool:
    """Whether it is the CPU time of a process or thread: below 0 any one's. kernel/time/posix-cpu-timers.c."""
    if clock_id < 0:
        return clock_id & 3 != 3  # there are three kinds
    return clock_id in (CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID)


def is_device_clock(clock_id: int) -> bool:
    """Whether the number stands for an open device (/dev/ptp0). clock_getres(2), Dynamic clocks."""
    return clock_id < 0 and clock_id & 7 == 3


def is_host_clock(clock_id: int) -> bool:
    """Whether only a host can know the clock."""
    return is_cpu_clock(clock_id) or is_device_clock(clock_id)


def clock_of_span(clock_id: int) -> int:
    """The clock that a timer for a span runs on: POSIX wants no clock step to change a span of CLOCK_REALTIME."""
    return CLOCK_MONOTONIC if clock_id == CLOCK_REALTIME else clock_id


class Deadline:
    """Something that happens at an instant of a time line, unless it is cancelled before."""

    __slots__ = ("at_ns", "callback", "time_line")

    def __init__(self, at_ns: int, callback: Callable[[], object], time_line: int) -> None:
        self.at_ns = at_ns
        self.callback: Callable[[], object] | None = callback  # None: cancelled or over
        self.time_line = time_line


# (instant in CLOCK_MONOTONIC, class, sequence, deadline): the order in which they are met. Sequences differ, so that
# deadlines never compare.
Entry = tuple[int, int, int, Deadline]


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
        # When the first deadline is noticed, in CLOCK_MONOTONIC: one comparison for whoever runs the clock.
        self.next_due_ns = KTIME_MAX
        self.met: Callable[[], object] | None = None  # of the deadline that was met last
        self.on_step: list[Callable[[], object]] = []  # called after CLOCK_REALTIME has jumped
        self._heap: list[Entry] = []  # deadlines that may come; the first one is never over
        self._stale = 0  # entries of the heap that are over
        self._sequence = 0

    def read(self, clock_id: int) -> int:
        """The clock's value in ns. Raises: Errno(EINVAL) for a clock that is not ours."""
        if clock_id == CLOCK_MONOTONIC:
            return self.now_ns
        return self.now_ns + self.offsets[self.time_line(clock_id)]

    def deadline_after(self, span_ns: int | None) -> int | None:
        """The instant of CLOCK_MONOTONIC at the end of a span from now; None for a span that never ends."""
        return None if span_ns is None else self.now_ns + span_ns

    def time_line(self, clock_id: int) -> int:
        """The time line a clock is read from. Raises: Errno(EINVAL)."""
        line = TIME_LINES.get(clock_id)
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
        """Call `callback` once the clock shows `at_ns`; KTIME_MAX and later never come. Raises: Errno(EINVAL)."""
        line = TIME_LINES.get(clock_id)
        if line is None:
            raise Errno(EINVAL)
        deadline = Deadline(at_ns, callback, line)
        if at_ns >= KTIME_MAX:
            return deadline
        self._sequence += 1
        instant_ns = at_ns - self.offsets[line]
        heappush(self._heap, (instant_ns, order_class, self._sequence, deadline))
        if self.tick_ns is not None:
            instant_ns = self._tick_after(instant_ns)
        if instant_ns < self.next_due_ns:
            self.next_due_ns = instant_ns
        return deadline

    def cancel(self, deadline: Deadline) -> None:
        """Forget a deadline; one that is over already is no error."""
        if deadline.callback is None:
            return
        deadline.callback = None
        if deadline.at_ns >= KTIME_MAX:
            return
        if self._heap[0][3] is deadline:
            heappop(self._heap)
            self._find_first()
            return
        self._stale += 1
        # Re-arming must not let the heap grow: half of it stale is the time to prune.
        if self._stale > _FEW and 2 * self._stale > len(self._heap):
            self._rebuild()

    def next_deadline(self) -> Deadline | None:
        """The deadline that comes first, by (instant, class, sequence); None if none ever comes."""
        return self._heap[0][3] if self.next_due_ns < KTIME_MAX else None

    def handle_timer_irq(self, now_ns: int) -> int:
        """Move to `now_ns` of CLOCK_MONOTONIC and do what is due; return how many deadlines were met."""
        if now_ns > self.now_ns:
            self.now_ns = now_ns
        met = 0
        while self.next_due_ns <= self.now_ns:
            deadline = heappop(self._heap)[3]
            callback, deadline.callback = deadline.callback, None
            assert callback is not None, "the first deadline is over"
            if self._heap:
                self._find_first()
            else:
                self.next_due_ns = KTIME_MAX
            self.met = callback
            callback()
            met += 1
        return met

    def set_realtime(self, realtime_ns: int) -> None:
        """Set CLOCK_REALTIME: absolute deadlines of that time line come nearer or move away, nothing else does."""
        self.offsets[CLOCK_REALTIME] = realtime_ns - self.now_ns
        self._realtime_has_jumped()

    def suspend(self, span_ns: int) -> None:
        """The machine sleeps for `span_ns`: CLOCK_MONOTONIC stands still, the others go on."""
        self.offsets[CLOCK_BOOTTIME] += span_ns
        self.offsets[CLOCK_REALTIME] += span_ns
        # Waking up counts as a step, as on Linux: it has moved against CLOCK_MONOTONIC.
        self._realtime_has_jumped()

    def _realtime_has_jumped(self) -> None:
        self._rebuild()
        self._find_first()
        for callback in tuple(self.on_step):
            callback()

    def _find_first(self) -> None:
        """Another deadline has become the first one; stale ones on the way to it are dropped."""
        heap = self._heap
        while heap and heap[0][3].callback is None:
            heappop(heap)
            self._stale -= 1
        instant_ns = heap[0][0] if heap else KTIME_MAX
        if self.tick_ns is not None:
            instant_ns = self._tick_after(instant_ns)
        self.next_due_ns = instant_ns if instant_ns < KTIME_MAX else KTIME_MAX

    def _tick_after(self, instant_ns: int) -> int:
        """The tick at which the instant is noticed: the first one that is not before it."""
        assert self.tick_ns is not None, "a clock without ticks"
        ticks = -((self.start_ns - instant_ns) // self.tick_ns)
        return self.start_ns + ticks * self.tick_ns

    def _rebuild(self) -> None:
        """Work the instants out anew and drop what is stale."""
        offsets = self.offsets
        self._heap = [
            (deadline.at_ns - offsets[deadline.time_line], order_class, sequence, deadline)
            for _, order_class, sequence, deadline in self._heap
            if deadline.callback is not None
        ]
        heapify(self._heap)
        self._stale = 0
