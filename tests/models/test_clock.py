"""Whatever is armed, cancelled, stepped and suspended: no deadline fires early, and no expiration is lost."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.kernel.fake_host import idle
from tests.kernel.posix_timers import arm, create, event, setting, take
from tickless.abi.signal import SIGALRM, SIGUSR1, sigmask
from tickless.abi.time import CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, TIMER_ABSTIME
from tickless.kernel.clock import CLASS_SCENARIO, CLASS_TIMER, KTIME_MAX, START_REALTIME_NS, Clock
from tickless.kernel.machine import Machine

LINES = (CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME)
TICK = 7
spans = st.integers(0, 50)


class Armed:
    """A deadline of the model."""

    def __init__(self, number: int, line: int, at_ns: int, order_class: int) -> None:
        self.number = number
        self.line = line
        self.at_ns = at_ns  # as its clock shows it
        self.order_class = order_class


class ModelOfTheClock(RuleBasedStateMachine):
    """Deadlines on three time lines; the model is a list of them that is sorted whenever time moves."""

    @initialize(ticks=st.booleans())
    def start(self, ticks: bool) -> None:
        self.clock = Clock(monotonic_ns=1000, realtime_ns=5000, tick_ns=TICK if ticks else None)
        self.offsets = {CLOCK_MONOTONIC: 0, CLOCK_REALTIME: 4000, CLOCK_BOOTTIME: 0}
        self.armed: list[Armed] = []
        self.deadlines = {}  # type: ignore[var-annotated]
        self.fired: list[int] = []
        self.number = 0

    def now_ns(self, line: int) -> int:
        return self.clock.now_ns + self.offsets[line]

    def instant_ns(self, armed: Armed) -> int:
        """When it is due, in CLOCK_MONOTONIC."""
        return armed.at_ns - self.offsets[armed.line]

    def noticed_ns(self, armed: Armed) -> int:
        """When it is noticed: with ticks at the first one that is not before it."""
        instant_ns = self.instant_ns(armed)
        if self.clock.tick_ns is None:
            return instant_ns
        since = instant_ns - 1000
        return 1000 + since + -since % TICK

    @rule(line=st.sampled_from(LINES), span=st.integers(-5, 50), order=st.sampled_from((CLASS_SCENARIO, CLASS_TIMER)))
    def arm(self, line: int, span: int, order: int) -> None:
        self.number += 1
        number = self.number
        armed = Armed(number, line, self.now_ns(line) + span, order)
        self.armed.append(armed)
        self.deadlines[number] = self.clock.arm(armed.at_ns, lambda: self.fired.append(number), line, order)

    @precondition(lambda self: self.armed)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        armed = data.draw(st.sampled_from(self.armed))
        self.armed.remove(armed)
        self.clock.cancel(self.deadlines[armed.number])

    @rule(span=spans)
    def advance(self, span: int) -> None:
        now_ns = self.clock.now_ns + span
        due = [armed for armed in self.armed if self.noticed_ns(armed) <= now_ns]
        due.sort(key=lambda armed: (self.instant_ns(armed), armed.order_class, armed.number))
        self.fired.clear()

        assert self.clock.handle_timer_irq(now_ns) == len(due)
        assert self.fired == [armed.number for armed in due]
        assert self.clock.now_ns == now_ns
        for armed in due:
            self.armed.remove(armed)

    @precondition(lambda self: self.armed)
    @rule()
    def jump(self) -> None:
        """A clock that stops at nothing but deadlines meets one at each stop."""
        due_ns = self.clock.next_due_ns
        before = len(self.armed)
        self.advance(max(due_ns - self.clock.now_ns, 0))

        assert len(self.armed) < before

    @rule(step=st.integers(-100, 100))
    def step_realtime(self, step: int) -> None:
        self.offsets[CLOCK_REALTIME] += step
        self.clock.set_realtime(self.now_ns(CLOCK_REALTIME))

    @rule(span=spans)
    def suspend(self, span: int) -> None:
        self.offsets[CLOCK_REALTIME] += span
        self.offsets[CLOCK_BOOTTIME] += span
        self.clock.suspend(span)

    @invariant()
    def the_next_deadline_is_known(self) -> None:
        earliest = min(map(self.noticed_ns, self.armed), default=KTIME_MAX)
        assert self.clock.next_due_ns == earliest

    @invariant()
    def every_clock_reads_right(self) -> None:
        assert [self.clock.read(line) for line in LINES] == [self.now_ns(line) for line in LINES]


class ModelOfPosixTimers(RuleBasedStateMachine):
    """A periodic timer whose signal is taken now and then: what was taken and what is pending is what has expired."""

    @initialize(first=st.integers(1, 30), interval=st.integers(1, 30), absolute=st.booleans())
    def start(self, first: int, interval: int, absolute: bool) -> None:
        self.kernel = Machine()
        self.task = self.kernel.spawn(idle)
        self.task.own_signals.set_mask(sigmask(SIGUSR1, SIGALRM))
        self.timer = create(self.task, CLOCK_REALTIME, event())
        self.first = first
        self.interval = interval
        self.line = CLOCK_REALTIME if absolute else CLOCK_MONOTONIC
        self.start_ns = self.kernel.clock.read(self.line)
        self.taken = 0
        value = START_REALTIME_NS + first if absolute else first
        arm(self.task, self.timer, value, interval, flags=TIMER_ABSTIME if absolute else 0)

    def expired(self) -> int:
        """How often the timer has expired so far."""
        elapsed = self.kernel.clock.read(self.line) - self.start_ns - self.first
        return elapsed // self.interval + 1 if elapsed >= 0 else 0

    @rule(span=spans)
    def advance(self, span: int) -> None:
        self.kernel.handle_timer_irq(self.kernel.clock.now_ns + span)

    @rule(step=spans)
    def step_forward(self, step: int) -> None:
        clock = self.kernel.clock
        clock.set_realtime(clock.read(CLOCK_REALTIME) + step)
        self.kernel.handle_timer_irq(clock.now_ns)

    @rule()
    def take_signal(self) -> None:
        info = take(self.task)
        if info is not None:
            self.taken += 1 + info.overrun

        assert self.taken == self.expired()

    @rule()
    def look(self) -> None:
        """Looking changes nothing, and what is left is never more than an interval once it has begun."""
        interval, left = setting(self.task, self.timer)
        until_next = self.first + self.expired() * self.interval + self.start_ns - self.kernel.clock.read(self.line)

        assert (interval, left) == (self.interval, until_next)

    @invariant()
    def a_signal_is_pending_exactly_if_an_expiration_was_not_taken(self) -> None:
        assert bool(self.task.group.pending.mask) == (self.expired() > self.taken)


TestClock = ModelOfTheClock.TestCase
TestPosixTimers = ModelOfPosixTimers.TestCase
for case in TestClock, TestPosixTimers:
    case.settings = settings(deadline=None)  # other work on the machine is no failure
