"""Virtual time: the order of deadlines, ticks, steps and suspends. time(7)."""

from __future__ import annotations

import pytest

from tickless.abi.errno import EINVAL
from tickless.abi.time import (
    CLOCK_BOOTTIME,
    CLOCK_MONOTONIC,
    CLOCK_PROCESS_CPUTIME_ID,
    CLOCK_REALTIME,
    CLOCK_TAI,
    CLOCK_THREAD_CPUTIME_ID,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.clock import (
    CLASS_SCENARIO,
    KTIME_MAX,
    START_MONOTONIC_NS,
    START_REALTIME_NS,
    Clock,
    clock_of_span,
    is_cpu_clock,
    is_device_clock,
    is_host_clock,
)
from tickless.kernel.errors import Errno

TICK = SECOND // 100


class Fired:
    """Which deadlines were met, and when, in ns since the start."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.names: list[str] = []
        self.at_ns: dict[str, int] = {}

    def arm(self, name: str, after_ns: int, clock_id: int = CLOCK_MONOTONIC) -> None:
        self.clock.arm(self.clock.read(clock_id) + after_ns, lambda: self.note(name), clock_id)

    def note(self, name: str) -> None:
        self.names.append(name)
        self.at_ns[name] = self.clock.now_ns - self.clock.start_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fired(clock: Clock) -> Fired:
    return Fired(clock)


def run(clock: Clock) -> None:
    """Jump from deadline to deadline until there is none."""
    while clock.next_due_ns < KTIME_MAX:
        assert clock.handle_timer_irq(clock.next_due_ns) > 0


def kept(clock: Clock) -> int:
    """How many deadlines the clock keeps, stale ones included."""
    return len(clock._heap)


# Order


def test_deadlines_are_met_at_their_instants_in_their_order(clock: Clock, fired: Fired) -> None:
    for name, seconds in (("c", 30), ("a", 10), ("b", 20)):
        fired.arm(name, seconds * SECOND)
    run(clock)

    assert fired.at_ns == {"a": 10 * SECOND, "b": 20 * SECOND, "c": 30 * SECOND}
    assert fired.names == ["a", "b", "c"]


def test_at_one_instant_the_scenario_comes_first_then_the_order_of_arming(clock: Clock, fired: Fired) -> None:
    """Whatever the time line: all three show the same instant."""
    fired.arm("first", SECOND)
    fired.arm("second", SECOND, CLOCK_REALTIME)
    fired.arm("third", SECOND, CLOCK_BOOTTIME)
    fired.arm("fourth", SECOND)
    clock.arm(clock.now_ns + SECOND, lambda: fired.note("scenario"), order_class=CLASS_SCENARIO)
    run(clock)

    assert fired.names == ["scenario", "first", "second", "third", "fourth"]


def test_a_late_irq_meets_all_that_was_due_in_order_and_counts_it(clock: Clock, fired: Fired) -> None:
    for name, seconds in (("b", 2), ("d", 4), ("a", 1), ("c", 3)):
        fired.arm(name, seconds * SECOND)

    assert clock.handle_timer_irq(clock.now_ns + 3 * SECOND) == 3
    assert fired.names == ["a", "b", "c"]
    assert clock.handle_timer_irq(clock.now_ns) == 0


def test_time_does_not_go_back(clock: Clock) -> None:
    clock.handle_timer_irq(START_MONOTONIC_NS + SECOND)
    clock.handle_timer_irq(START_MONOTONIC_NS)

    assert clock.now_ns == START_MONOTONIC_NS + SECOND


def test_what_is_armed_for_now_by_a_deadline_is_met_in_the_same_irq(clock: Clock, fired: Fired) -> None:
    clock.arm(clock.now_ns + SECOND, lambda: fired.arm("follows", 0))
    fired.arm("beside", SECOND)
    met = clock.handle_timer_irq(clock.now_ns + SECOND)

    assert met == 3
    assert fired.names == ["beside", "follows"]


def test_a_deadline_may_cancel_another_of_its_instant(clock: Clock, fired: Fired) -> None:
    clock.arm(clock.now_ns + SECOND, lambda: clock.cancel(victim))
    victim = clock.arm(clock.now_ns + SECOND, lambda: fired.note("victim"))
    run(clock)

    assert fired.names == []


def test_instants_that_have_passed_are_due_now(clock: Clock, fired: Fired) -> None:
    fired.arm("past", -5 * SECOND)
    run(clock)

    assert fired.at_ns == {"past": 0}


@pytest.mark.parametrize("at_ns", [KTIME_MAX, KTIME_MAX + 1, 1 << 80])
@pytest.mark.parametrize("line", [CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME])
def test_past_the_range_of_ktime_a_deadline_never_comes(clock: Clock, fired: Fired, line: int, at_ns: int) -> None:
    never = clock.arm(at_ns, lambda: fired.note("never"), line)
    # In 200 years: before "never" on its own time line, after it if REALTIME's offset counted for it.
    fired.arm("late", 200 * 365 * 86_400 * SECOND)

    assert clock.next_due_ns < KTIME_MAX
    run(clock)
    assert fired.names == ["late"]
    clock.cancel(never)
    assert clock.next_due_ns == KTIME_MAX


# Cancelling


def test_a_cancelled_deadline_is_never_met(clock: Clock, fired: Fired) -> None:
    first = clock.arm(clock.now_ns + SECOND, lambda: fired.note("first"))
    fired.arm("second", 2 * SECOND)
    assert clock.next_deadline() is first
    clock.cancel(first)
    clock.cancel(first)

    assert clock.next_due_ns == clock.now_ns + 2 * SECOND
    run(clock)
    assert fired.names == ["second"]


def test_without_a_deadline_nothing_is_due(clock: Clock) -> None:
    only = clock.arm(clock.now_ns + SECOND, int)
    clock.cancel(only)

    assert clock.next_due_ns == KTIME_MAX
    assert clock.handle_timer_irq(clock.now_ns + 10 * SECOND) == 0


def test_cancelling_a_deadline_that_is_over_changes_nothing(clock: Clock, fired: Fired) -> None:
    over = clock.arm(clock.now_ns + SECOND, lambda: fired.note("over"))
    fired.arm("next", 2 * SECOND)
    clock.handle_timer_irq(clock.now_ns + SECOND)
    clock.cancel(over)
    run(clock)

    assert fired.names == ["over", "next"]


def test_rearming_does_not_let_the_clock_grow(clock: Clock) -> None:
    """A watchdog is re-armed long before its deadline, again and again."""
    others = [clock.arm(clock.now_ns + n * SECOND, int) for n in range(1, 101)]
    watchdog = clock.arm(START_REALTIME_NS + 500 * SECOND, int, CLOCK_REALTIME)
    sizes = []
    for n in range(10_000):
        clock.cancel(watchdog)
        watchdog = clock.arm(START_REALTIME_NS + 1000 * SECOND + n, int, CLOCK_REALTIME)
        sizes.append(kept(clock))

    assert max(sizes) <= 2 * (len(others) + 1) + 1
    run(clock)
    assert kept(clock) == 0


# Ticks


def test_with_ticks_a_deadline_is_noticed_at_the_next_one() -> None:
    clock = Clock(tick_ns=TICK)
    fired = Fired(clock)
    for name, after_ns in (("past", -1), ("now", 0), ("soon", 1), ("on a tick", TICK), ("after it", TICK + 1)):
        fired.arm(name, after_ns)
    run(clock)

    assert fired.at_ns == {"past": 0, "now": 0, "soon": TICK, "on a tick": TICK, "after it": 2 * TICK}


def test_at_one_tick_the_earlier_instant_comes_first() -> None:
    clock = Clock(tick_ns=TICK)
    fired = Fired(clock)
    for name, after_ns in (("later", 3), ("earlier", 2), ("realtime", 1)):
        fired.arm(name, after_ns, CLOCK_REALTIME if name == "realtime" else CLOCK_MONOTONIC)
    run(clock)

    assert fired.names == ["realtime", "earlier", "later"]


def test_ticks_count_from_the_start_also_for_stepped_clocks() -> None:
    clock = Clock(tick_ns=TICK)
    fired = Fired(clock)
    fired.arm("stepped", SECOND, CLOCK_REALTIME)
    clock.set_realtime(clock.read(CLOCK_REALTIME) + SECOND // 2 + 1)
    run(clock)

    assert fired.at_ns == {"stepped": SECOND // 2}


# Steps and suspends


def test_a_step_moves_instants_of_realtime_alone(clock: Clock, fired: Fired) -> None:
    for line, name in ((CLOCK_REALTIME, "realtime"), (CLOCK_MONOTONIC, "monotonic"), (CLOCK_BOOTTIME, "boottime")):
        fired.arm(name, 10 * SECOND, line)
    clock.set_realtime(START_REALTIME_NS + 4 * SECOND)

    assert clock.next_due_ns == clock.now_ns + 6 * SECOND
    run(clock)
    assert fired.at_ns == {"realtime": 6 * SECOND, "monotonic": 10 * SECOND, "boottime": 10 * SECOND}


def test_a_step_back_moves_them_away(clock: Clock, fired: Fired) -> None:
    fired.arm("realtime", 10 * SECOND, CLOCK_TAI)
    clock.set_realtime(START_REALTIME_NS - 3600 * SECOND)
    run(clock)

    assert fired.at_ns == {"realtime": 3610 * SECOND}


def test_what_a_step_makes_due_is_met_by_the_next_irq(clock: Clock, fired: Fired) -> None:
    fired.arm("realtime", 10 * SECOND, CLOCK_REALTIME)
    clock.set_realtime(START_REALTIME_NS + 3600 * SECOND)

    assert clock.next_due_ns <= clock.now_ns
    assert clock.handle_timer_irq(clock.now_ns) == 1
    assert fired.at_ns == {"realtime": 0}


def test_a_suspend_moves_boottime_and_realtime(clock: Clock, fired: Fired) -> None:
    for line, name in ((CLOCK_REALTIME, "realtime"), (CLOCK_MONOTONIC, "monotonic"), (CLOCK_BOOTTIME, "boottime")):
        fired.arm(name, 10 * SECOND, line)
    clock.suspend(7 * SECOND)
    run(clock)

    assert fired.at_ns == {"realtime": 3 * SECOND, "monotonic": 10 * SECOND, "boottime": 3 * SECOND}


def test_steps_and_suspends_are_told(clock: Clock) -> None:
    """timerfd_create(2), TFD_TIMER_CANCEL_ON_SET: Linux counts a suspend, too."""
    told: list[int] = []
    clock.on_step.append(lambda: told.append(clock.read(CLOCK_REALTIME) - START_REALTIME_NS))
    clock.set_realtime(START_REALTIME_NS + 5)
    clock.suspend(6)

    assert told == [5, 11]


# Which clock


@pytest.mark.parametrize("clock_id", [10, 12, 99, CLOCK_PROCESS_CPUTIME_ID, -1, -2])
def test_other_clocks_cannot_be_read_or_armed(clock: Clock, clock_id: int) -> None:
    with pytest.raises(Errno) as read:
        clock.read(clock_id)
    with pytest.raises(Errno) as armed:
        clock.arm(0, int, clock_id)

    assert (read.value.number, armed.value.number) == (EINVAL, EINVAL)
    assert clock.next_due_ns == KTIME_MAX


@pytest.mark.parametrize(
    ("clock_id", "cpu", "device"),
    [
        (CLOCK_REALTIME, False, False),
        (CLOCK_MONOTONIC, False, False),
        (CLOCK_PROCESS_CPUTIME_ID, True, False),
        (CLOCK_THREAD_CPUTIME_ID, True, False),
        (-1, False, False),  # CPU time of no kind
        (-2, True, False),
        (-3, True, False),
        (-5, False, True),  # fd 0
        (-13, False, True),  # fd 1
    ],
)
def test_whose_clock_a_number_means(clock_id: int, cpu: bool, device: bool) -> None:
    """clock_getres(2), Dynamic clocks; kernel/time/posix-timers.h."""
    assert (is_cpu_clock(clock_id), is_device_clock(clock_id)) == (cpu, device)
    assert is_host_clock(clock_id) is (cpu or device)


def test_a_span_of_realtime_runs_on_monotonic() -> None:
    spans = {clock_id: clock_of_span(clock_id) for clock_id in (CLOCK_REALTIME, CLOCK_TAI, CLOCK_BOOTTIME)}

    assert spans == {CLOCK_REALTIME: CLOCK_MONOTONIC, CLOCK_TAI: CLOCK_TAI, CLOCK_BOOTTIME: CLOCK_BOOTTIME}
