"""Whatever is read, looked at and set: each expiration of a timerfd is read once, and none before its time."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.kernel.fake_host import call, idle
from tickless.abi.errno import EAGAIN
from tickless.abi.time import CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, ITIMERSPEC
from tickless.abi.timerfd import EXPIRATIONS, TFD_NONBLOCK
from tickless.kernel.machine import Machine
from tickless.kernel.timerfd import TimerFd

spans = st.integers(0, 40)


class ModelOfATimerFd(RuleBasedStateMachine):
    """A timer and somebody who reads it now and then; the model counts expirations from the last setting on."""

    @initialize(clock_id=st.sampled_from((CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME)))
    def start(self, clock_id: int) -> None:
        self.kernel = Machine()
        self.task = self.kernel.spawn(idle)
        fd = call(self.task, "timerfd_create", clock_id, TFD_NONBLOCK)
        assert isinstance(fd, int)
        self.fd = fd
        self.first = self.interval = self.set_at = self.read = 0

    def expired(self) -> int:
        """How often it has expired since it was set."""
        late = self.kernel.now_ns - self.set_at - self.first
        if not self.first or late < 0:
            return 0
        return late // self.interval + 1 if self.interval else 1

    @rule(first=spans, interval=spans)
    def set(self, first: int, interval: int) -> None:
        assert call(self.task, "timerfd_settime", self.fd, 0, ITIMERSPEC.pack(0, interval, 0, first), 0) == 0
        self.first, self.interval, self.set_at, self.read = first, interval, self.kernel.now_ns, 0

    @rule(span=spans)
    def advance(self, span: int) -> None:
        self.kernel.handle_timer_irq(self.kernel.clock.now_ns + span)

    @rule()
    def take(self) -> None:
        count = bytearray(EXPIRATIONS.size)
        result = call(self.task, "read", self.fd, count, len(count))
        unread = self.expired() - self.read

        assert result == (len(count) if unread else -EAGAIN)
        if unread:
            assert EXPIRATIONS.unpack(count) == (unread,)
            self.read += unread

    @rule()
    def look(self) -> None:
        """What is left is the time to the next expiration; looking takes nothing."""
        now = bytearray(ITIMERSPEC.size)
        assert call(self.task, "timerfd_gettime", self.fd, now) == 0
        is_armed = self.first and (self.interval or not self.expired())
        until_next = self.set_at + self.first + self.expired() * self.interval - self.kernel.now_ns

        assert ITIMERSPEC.unpack(now) == (0, self.interval, 0, until_next if is_armed else 0)

    @invariant()
    def it_is_readable_exactly_if_an_expiration_is_unread(self) -> None:
        timer = self.task.own_fds.get(self.fd)
        assert isinstance(timer, TimerFd)
        assert bool(timer.poll(self.task)) == (self.expired() > self.read)


TestTimerFd = ModelOfATimerFd.TestCase
TestTimerFd.settings = settings(deadline=None)  # other work on the machine is no failure
