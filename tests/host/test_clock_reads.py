"""What reads of the clock cost: a row of them grows dearer, and stops at deadlines."""

from dataclasses import dataclass, field

import pytest

from tickless.host.clock_reads import CLOCK_READ_COST_NS, READS, ClockReads
from tickless.kernel.clock import START_MONOTONIC_NS, Clock

SECOND = 10**9


@dataclass
class NoPace:
    pace: object = None


@dataclass
class Given:
    """A task's clock: what it was given, and what the task then read of it."""

    wanted: bool = True
    given: tuple[int, int, int] = (0, 0, 0)  # now, step, limit
    reads_taken: int = 0

    def give(self, now_ns: int, realtime: int, step_ns: int, limit_ns: int, boottime: int) -> None:
        self.given = (now_ns, step_ns, limit_ns)

    def take(self, now_ns: int, instruction_pointer: int = 0) -> int:
        """All that it may: the read at the limit is the call that traps."""
        now_ns, step_ns, limit_ns = self.given
        self.reads_taken = -((now_ns - limit_ns) // step_ns)
        return now_ns + self.reads_taken * step_ns


@dataclass
class Reader:
    clock: Given = field(default_factory=Given)


@dataclass
class Reading:
    """A task that does nothing but read the clock."""

    clock: Clock = field(default_factory=Clock)
    idle: NoPace = field(default_factory=NoPace)
    task: Reader = field(default_factory=Reader)

    def __post_init__(self) -> None:
        self.reads = ClockReads(self.clock, self.idle)  # type: ignore[arg-type]

    def by_call(self) -> int:
        """Make one read by a call: the time that it tells."""
        self.clock.now_ns += CLOCK_READ_COST_NS
        self.reads.charge()
        return self.clock.now_ns

    def by_vdso(self) -> int:
        """Make the reads that need no call, and the one that does."""
        self.reads.give(self.task)  # type: ignore[arg-type]
        self.clock.now_ns = self.reads.take(self.task.clock)  # type: ignore[arg-type]
        return self.by_call()


@pytest.fixture
def reading() -> Reading:
    return Reading()


def test_reads_in_a_row_grow_dearer(reading: Reading) -> None:
    told = [reading.by_call() for _ in range(3 * READS)]

    steps = [after - before for before, after in zip([START_MONOTONIC_NS, *told], told, strict=False)]
    assert steps == [20] * READS + [40] * READS + [60] * READS


def test_reads_without_a_call_cost_the_same(reading: Reading) -> None:
    other = Reading()
    while reading.clock.now_ns < START_MONOTONIC_NS + SECOND // 100:
        reading.by_vdso()
    while other.by_call() < reading.clock.now_ns:
        continue

    assert other.clock.now_ns == reading.clock.now_ns


def test_another_call_begins_a_new_row(reading: Reading) -> None:
    for _ in range(3 * READS):
        reading.by_call()
    reading.clock.now_ns += 1_000
    before_ns = reading.clock.now_ns

    assert reading.by_call() == before_ns + CLOCK_READ_COST_NS


def test_dear_reads_stop_at_a_deadline(reading: Reading) -> None:
    for _ in range(50 * READS):
        reading.by_call()
    deadline_ns = reading.clock.now_ns + 1_500  # one and a half dear reads
    reading.clock.arm(deadline_ns, lambda: None)

    reading.by_vdso()

    assert reading.clock.now_ns == deadline_ns


def test_who_only_reads_the_clock_is_known(reading: Reading) -> None:
    for _ in range(READS):
        assert not reading.reads.is_all()
        reading.by_call()

    assert reading.reads.is_all()
    reading.clock.now_ns += 1_000
    assert not reading.reads.is_all()


def test_at_a_pace_nothing_is_given_and_nothing_dearer(reading: Reading) -> None:
    reading.idle.pace = object()
    told = [reading.by_call() for _ in range(2 * READS)]
    reading.reads.give(reading.task)  # type: ignore[arg-type]

    assert told[-1] == START_MONOTONIC_NS + 2 * READS * CLOCK_READ_COST_NS
    assert reading.task.clock.given == (0, 0, 0)
