"""Nobody has anything to do: wait for the host, or let the clock jump. docs/blocked.md says which waits allow that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tickless.host import notify
from tickless.host.aio import AsynchronousIo
from tickless.host.collecting import Collecting
from tickless.host.in_flight import InFlight
from tickless.host.master import is_readable
from tickless.host.pace import Pace
from tickless.host.patience import Patience
from tickless.host.reach import Reach
from tickless.kernel.clock import KTIME_MAX

if TYPE_CHECKING:
    from tickless.host.supervisor import Supervisor

# Real time that tasks which block in the host may hold the clock in a run.
BLOCKED_S = 0.2
BLOCKED = "a task blocked in the host"
# How long one look at the host takes when only the outside can make something happen, s.
OUTSIDE_S = 0.05
# The same where the host tells us nothing, and we have to try again.
RETRY_S = 0.01
# Real time without anything after which it is told that the outside is waited for.
SILENCE_S = 5.0


class Idle:
    """The clock's turn."""

    def __init__(self, supervisor: Supervisor, inherited: frozenset[int]) -> None:
        """`inherited`: the inodes of files that PROGRAM has in common with the outside."""
        self.supervisor = supervisor
        self.grace_s = 0.0  # real time that each jump waits for input from outside
        self.external = True  # whether input from outside is waited for at all
        self.pace: Pace | None = None  # None: the clock jumps
        self.before_jump: Callable[[], object] | None = None
        self.held_by: dict[str, float] = {}  # what held the clock, s of real time
        self._blocked = Patience(self, BLOCKED, BLOCKED_S)
        self.in_flight = InFlight(self)
        self.aio = AsynchronousIo(self)
        self.collecting = Collecting(self)
        # Whether the outside can end a wait, and when that was found out: after which call, at which second.
        self._reaches_outside = True
        self._inherited = inherited
        # What is on its way by SCM_RIGHTS is in no task's table: nothing tells who has it, or will have it.
        self.files_may_travel = False
        self._asked = (-1, -1)
        # Called once, when the outside has been waited for in vain for a while.
        self.on_silence: Callable[[], object] | None = None
        self._silent_since = (-1, 0.0)  # after which call, at which second

    def wait(self) -> None:
        """Hear the host; if it has nothing to say, jump to the next deadline; if there is none, wait for outside."""
        supervisor = self.supervisor
        # The master watches the listener, last closes, host files and our own signals: one look tells of all.
        if supervisor.poll_host(0) or supervisor.attention or self._is_held():
            return
        if self.pace is not None and supervisor.kernel.clock.next_due_ns < KTIME_MAX:
            self._keep_pace(self.pace)
        elif self.grace_s and self._input_within(self.grace_s):
            return
        else:
            self.in_flight.written.clear()
            if not self.jump():
                self._wait_for_outside()

    def jump(self) -> bool:
        """Go to the next deadline; False if there is none."""
        if self.before_jump is not None:
            self.before_jump()
        return self.supervisor.kernel.jump()

    def note_held(self, reason: str, start: float) -> float:
        """The clock was held since `start`, s of real time; return how long."""
        held_s = time.monotonic() - start
        self.held_by[reason] = self.held_by.get(reason, 0.0) + held_s
        return held_s

    def _is_held(self) -> object:
        """Whether time must not go on yet. Most of what may hold it is seldom there, and asked only then."""
        supervisor, outside, cgroups = self.supervisor, self.supervisor.outside, self.supervisor.cgroup_events
        return (
            (supervisor.retries.waiting and supervisor.retry())
            or (supervisor.kernel.cpu_alarms.waiting and supervisor.kernel.cpu_alarms.check())
            or ((outside.look_is_due or outside.host_sends_signals) and outside.look())
            or (cgroups.look_when_idle and cgroups.hold())
            or (self.in_flight.written and self.in_flight.hold())
            or (self.collecting.is_due and self.collecting.hold())
            or (self.aio.waits and self.aio.hold())
            or (supervisor.in_host and self._blocked.wait())
        )

    def _keep_pace(self, pace: Pace) -> None:
        """The clock goes with real time: wait for the host until the next deadline is due."""
        supervisor = self.supervisor
        kernel = supervisor.kernel
        timeout_s = pace.real_s_until(kernel.clock.next_due_ns)
        if timeout_s <= 0 or not supervisor.poll_host(min(timeout_s, OUTSIDE_S)):
            kernel.handle_timer_irq(max(pace.now_ns(), kernel.clock.now_ns))

    def receive_waiting(self, events: int) -> None:
        """A call waits at the listener though nobody holds the token: of a task that the host had blocked."""
        supervisor = self.supervisor
        while is_readable(supervisor.listener):
            try:
                supervisor.receive(notify.receive(supervisor.listener))
            except (InterruptedError, FileNotFoundError):
                supervisor.attention = True
                return

    def _input_within(self, timeout_s: float) -> bool:
        """Wait for input from outside, if anybody watches for it."""
        if timeout_s <= 0 or not self.supervisor.readiness.watches:
            return False
        return bool(self.supervisor.poll_host(timeout_s))

    def _wait_for_outside(self) -> None:
        """No deadline is left: only the outside can make something happen, or nothing will."""
        supervisor = self.supervisor
        if supervisor.outside.look():
            return
        if not supervisor.in_host and not (self.external and self._outside_can_end_it()):
            supervisor.end("deadlock")
            return
        self._tell_of_silence()
        supervisor.poll_host(RETRY_S if supervisor.in_host or supervisor.retries else OUTSIDE_S)
        supervisor.attention = True

    def _tell_of_silence(self) -> None:
        last, since = self._silent_since
        now = time.monotonic()
        if last != self.supervisor.notification:
            self._silent_since = (self.supervisor.notification, now)
        elif self.on_silence is not None and now - since > SILENCE_S:
            self.on_silence()
            self.on_silence = None

    def _outside_can_end_it(self) -> bool:
        """Whether somebody waits for a host file, a lock or the like that the outside has a hand in."""
        if self.supervisor.outside.may_continue():
            return True
        retries, readiness = self.supervisor.retries, self.supervisor.readiness
        asked = (self.supervisor.notification, int(time.monotonic()))
        if asked != self._asked:
            self._asked = asked
            reach = Reach(
                self.supervisor.kernel.tasks, inherited=self._inherited, files_may_travel=self.files_may_travel
            )
            self._reaches_outside = not (
                readiness.ends_inside(reach) and all(ends_inside(reach) for ends_inside in retries.ends_inside.values())
            )
        return self._reaches_outside
