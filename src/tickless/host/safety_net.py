"""The safety net: what the task that holds the token does while it makes no calls.

It has left while its threads live on; or it waits in the host, in a call that nobody foresaw; or it computes. Who waits
in the host may wait for ever, so the others go on. Who computes keeps the token; that it is taken away in the end is
for tasks that wait for others by computing. What counts is how much a task computes, not how long the machine takes.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.numbers import name_of
from tickless.host import ptrace
from tickless.host.master import is_readable
from tickless.host.task_state import cpu_time_ns, state_of
from tickless.host.tracee import IN_HOST, STOPPED
from tickless.kernel.clock import KTIME_MAX
from tickless.kernel.registry import Unserved
from tickless.kernel.task import READY

if TYPE_CHECKING:
    from tickless.host.supervisor import Supervisor
    from tickless.host.tracee import Tracee
    from tickless.kernel.task import Task

# Real time that a task has to sleep in the host, without using the CPU, before the others go on.
ASLEEP_S = 0.03
# CPU time without a call, with others ready, before the token is taken away.
COMPUTING_NS = 500_000_000
# The same before time goes on for those who wait for it: a task may spin until a signal or another thread comes.
SPINNING_NS = 1_000_000_000
SPINNING = Unserved("TL503", "computing for a second, without a call, while a deadline is pending", 0)
TICK_NS = 10_000_000  # between two looks
# How often others may have the token before one that computes has it again. They have it until none of them is ready,
# so that how often the one is stopped does not matter; but they may all be waiting for it, busily.
TURNS_OF_OTHERS = 1_000


class SafetyNet:
    """It looks every 10 ms, whenever the token's holder has made no call since it last looked."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self._call: tuple[Tracee, int] | None = None  # who ran at the last look, and the last call it had made
        self._call_ns = 0  # its CPU time when it was first seen after that call
        self._asleep_ns = -1  # its CPU time at the last look, if it slept; -1: it did not
        self._asleep_since = 0.0  # real time, s
        self.computing: deque[Tracee] = deque()  # stopped: whose turn it is when nobody else wants it
        self._turns_left = 0  # of others, until it is theirs
        self.look_is_due = False  # 10 ms have passed; what else interrupts us is no reason for a look

    def next(self) -> Task | None:
        """Who gets the token next."""
        kernel = self.supervisor.kernel
        if self.computing:
            self._turns_left -= 1
        task = None if self.computing and self._turns_left < 0 else kernel.pick()
        if task is None and self.computing:
            self._turns_left = TURNS_OF_OTHERS
            kernel.ready.append(self.computing.popleft())
            task = kernel.pick()
        return task

    def forget(self, task: Tracee) -> None:
        """The task is over."""
        if task in self.computing:
            self.computing.remove(task)

    def look(self) -> None:
        """Find out what the token's holder does, if it is time to."""
        supervisor = self.supervisor
        task = supervisor.runner
        if task is None or not self.look_is_due:
            return
        self.look_is_due = False
        state, cpu_ns = state_of(task.tid), cpu_time_ns(task.tid)
        # The listener comes last: a task sleeps also while it waits for us to hear its call.
        if self._call != (task, task.notification) or is_readable(supervisor.listener):
            self._call, self._call_ns, self._asleep_ns = (task, task.notification), cpu_ns, -1
        elif state == "Z" and supervisor.life.deaths.has_left(task):
            supervisor.life.deaths.left(task)
        elif state == "S":
            self._sleeps(task, cpu_ns)
        else:
            self._asleep_ns = -1
            if state == "R":
                self._computes(task, cpu_ns - self._call_ns)

    def _sleeps(self, task: Tracee, cpu_ns: int) -> None:
        now = time.monotonic()
        if cpu_ns != self._asleep_ns:
            self._asleep_ns, self._asleep_since = cpu_ns, now
        elif now - self._asleep_since > ASLEEP_S:
            supervisor = self.supervisor
            supervisor.runner = None
            task.state = IN_HOST
            supervisor.in_host.add(task)
            self._note(task, "waits in a call of Linux that nobody foresaw: the others go on, after real time")
            supervisor.kernel.name_once(task, Unserved("TL502", f"waiting in {_call_of(task)}", 0))

    def _computes(self, task: Tracee, used_ns: int) -> None:
        idle, kernel = self.supervisor.idle, self.supervisor.kernel
        if idle.pace is not None:
            kernel.handle_timer_irq(max(idle.pace.now_ns(), kernel.clock.now_ns))
        if kernel.ready and used_ns >= COMPUTING_NS:
            self._stop(task)
        elif used_ns >= SPINNING_NS and idle.pace is None and kernel.clock.next_due_ns < KTIME_MAX:
            self._let_time_pass(task)

    def _let_time_pass(self, task: Tracee) -> None:
        """The others wait for the time, and the task perhaps for them, or for a signal: go to the next deadline.

        Each of the following ones takes as long as a tick, until the task makes a call.
        """
        kernel = self.supervisor.kernel
        self._note(task, "computes without a call: the clock goes on, after real time")
        kernel.name_once(task, SPINNING)
        self._call_ns += TICK_NS
        task.clock.revoke()
        self.supervisor.idle.jump()

    def _stop(self, task: Tracee) -> None:
        """Take the token from a task that computes."""
        supervisor = self.supervisor
        try:
            ptrace.interrupt(task.tid)
        except ProcessLookupError:
            return  # it has just ended
        status = supervisor.life.events.wait_for(task.tid)
        if status is None:
            return
        if not os.WIFSTOPPED(status) or ptrace.stop_event(status) != ptrace.PTRACE_EVENT_STOP:
            supervisor.life.take_in(task.tid, status)  # something came first; at the stop that follows it goes on
            return
        self._note(task, "computes without a call: the others have their turn, after real time")
        supervisor.runner = None
        task.state, task.place = READY, STOPPED
        self.computing.append(task)
        self._turns_left = TURNS_OF_OTHERS

    def _note(self, task: Tracee, what: str) -> None:
        listener = self.supervisor.kernel.listener
        if listener is not None:
            listener.noted(task, what)


def _call_of(task: Tracee) -> str:
    """The call in which the host has the task, trapped or not. proc_pid_syscall(5)."""
    try:
        with open(f"/proc/{task.tid}/syscall") as file:
            number = file.read().split()[0]
    except OSError:
        number = "running"
    if not number.isdigit():
        return "a call of Linux"
    return name_of(ARCH, int(number))
