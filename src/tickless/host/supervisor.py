"""Carries real programs to the kernel: one task at a time runs, and every trapped call of it is answered here.

The task that runs holds the token (`runner`). All others are parked in a call, stopped by ptrace, in vfork, or dead. So
"nobody has anything to do" is a fact, and then the clock may jump.
"""

from __future__ import annotations

import os
from errno import ENOENT
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.epoll import EPOLLIN
from tickless.abi.errno import ERESTART_RESTARTBLOCK, ERESTARTSYS
from tickless.abi.numbers import number_of
from tickless.host import notify
from tickless.host.cgroup_events import CgroupEvents
from tickless.host.chance import Chance
from tickless.host.clock_reads import ClockReads
from tickless.host.idle import Idle
from tickless.host.life_cycle import CLONES, LifeCycle
from tickless.host.master import Master
from tickless.host.outside import Outside
from tickless.host.placeholder import Placeholders
from tickless.host.processes import Processes
from tickless.host.reach import inodes_of
from tickless.host.readiness import Readiness
from tickless.host.results import is_to_be_told, pass_on_and_tell
from tickless.host.retries import Retries
from tickless.host.safety_net import SafetyNet
from tickless.host.serve import serve_calls
from tickless.host.shortage import refuse_call, refusing_clone
from tickless.host.signal_stops import SignalStops
from tickless.host.tracee import ELSEWHERE, IN_CALL, NEWBORN, STOPPED, Tracee
from tickless.host.trapped import clock_read_numbers, memory_numbers, noting_reads
from tickless.kernel.outcome import Answer, Result
from tickless.kernel.task import BLOCKED, DEAD, READY, RUNNING

if TYPE_CHECKING:
    from tickless.host.launch import Launched
    from tickless.host.notify import Notification
    from tickless.kernel.kernel import Kernel
    from tickless.kernel.task import Task

SCHED_YIELD = number_of(ARCH, "sched_yield")
# Calls that a task may make before another that is ready gets the token. With one more it is a prime, so that the turn
# never ends at the same call of a loop each time.
SLICE = 22


class Supervisor:
    """The tracer and notification listener of a run."""

    def __init__(
        self,
        kernel: Kernel,
        launched: Launched,
        *,
        costs: list[int],
        cpus: frozenset[int],
        trapped: frozenset[int],
        seed: int = 0,
    ) -> None:
        self.kernel = kernel
        self.listener = launched.listener
        self.chance = Chance(seed)
        self.cpus = cpus  # what sched_getaffinity tells the program
        self.costs = costs  # virtual ns that each call takes, by number
        self.memory_numbers, self.clock_numbers = memory_numbers(), frozenset(clock_read_numbers())
        self.master = Master()
        self.placeholders = Placeholders(self.master)
        self.readiness = Readiness(self)
        self.retries = Retries()
        self.lock_waits: dict[int, int] = {}  # by process: the one whose lock it waits for. fcntl(2)
        self.life = LifeCycle(self)
        self.stops = SignalStops(self, trapped)
        self.idle = Idle(self, inodes_of(launched.pid))
        self.clock_reads = ClockReads(kernel.clock, self.idle)
        self.cgroup_events = CgroupEvents(self.idle)
        self.outside = Outside(self)
        self.net = SafetyNet(self)
        kernel.host = Processes(self)
        self.runner: Tracee | None = None
        self.notification = 0  # the id of the call being served
        self.answer = bytearray(notify.ANSWER_SIZE)  # the last one that was given
        self.attention = False  # something came that `attend` has to look at before anybody is waited for
        self.may_release = False  # last references may have gone: find out before the next call is served
        self.is_between_calls = False  # at work that is nobody's call; so it stays if an error ends that
        self.slice_left = SLICE
        self.ended_by: str | None = None  # why the run is to end before its tasks do
        self._wrap_entries()
        self.in_host: set[Tracee] = set()  # tasks that block in the host, though nobody foresaw it
        self.main = self.life.adopt_main(launched)

    def _wrap_entries(self) -> None:
        """Give some calls something to do here before the kernel has its turn."""
        table = self.kernel.table
        for number in self.clock_numbers:
            table[number] = noting_reads(table[number], self.clock_reads)
        for number in CLONES:
            table[number] = refusing_clone(table[number], self.listener)

    # The loop

    def run(self) -> None:
        """Serve until the last task has ended, or `end` was called."""
        kernel = self.kernel
        self.master.register(self.listener, EPOLLIN, self.idle.receive_waiting)
        self.life.start(self.main)
        while kernel.tasks and self.ended_by is None:
            try:
                if self.runner is not None:
                    self._run_token(self.runner)
                elif self.attention:
                    self.attend()
                else:
                    self.pass_token()
            except (OSError, MemoryError) as error:
                task = kernel.current
                if not isinstance(task, Tracee) or not self._is_survived(task, error):
                    raise

    def _is_survived(self, task: Tracee, error: OSError | MemoryError) -> bool:
        """Whether an error in a task's call is no mistake: it was killed meanwhile, or we have run out of something."""
        if isinstance(error, OSError) and self.life.deaths.was_killed(task, error):
            self.take_token(task)  # until its status comes
            return True
        return refuse_call(self, task, error)

    def pass_token(self) -> None:
        """If nobody runs, the next task that has something to do gets the token; as long as none has, time goes on."""
        kernel = self.kernel
        while self.runner is None and not self.attention and kernel.tasks:
            if not kernel.ready and not self.net.computing:
                self.idle.wait()
            elif (task := self.net.next() if self.net.computing else kernel.pick()) is not None:
                self.dispatch(task)  # type: ignore[arg-type]  # all tasks here are Tracees

    def go_on(self, task: Tracee, result: Result) -> None:
        """Answer a call that sleeps, or that needs care. While it sleeps others run, or time goes on."""
        kernel = self.kernel
        answer = kernel.take_result(task, result)
        task.slice_left = self.slice_left
        while answer is None:
            self.runner = None
            if not kernel.ready and not self.net.computing:
                self.idle.wait()
            if self.attention or self.net.computing or (sleeper := kernel.pick()) is None:
                break
            task = sleeper  # type: ignore[assignment]  # all tasks here are Tracees
            if task.blocked_call is None or task.place is not IN_CALL:
                self.dispatch(task)
                break
            self._begin_slice(task)
            self.notification = task.notification
            answer = kernel.resume_call(task)
        else:
            if type(answer) is int and answer >= 0 and not task.signals.consumed and not self.life.deaths.dying:
                self.send(task, answer, 0, 0)  # all that `settle` comes to, and this is where time is short
                return
            self.settle(task, answer)
        self.pass_token()

    def end(self, why: str) -> None:
        """Stop after what is being done now."""
        self.ended_by = self.ended_by or why
        self.attention = True

    def _run_token(self, task: Tracee) -> None:
        try:
            if self.attention:
                self.attend()
            elif self.kernel.listener is not None or self.idle.pace is not None or task.goes_on:
                self.receive(notify.receive(self.listener))
            else:
                serve_calls(self, task)
        except InterruptedError:
            self._answer_again()
            self.attend()
            self.net.look()
        except OSError as error:
            if error.errno != ENOENT or error.filename is not None:  # of a file: not what the listener says
                raise
            self.attend()  # the task of that call has died, or a signal came first

    def _answer_again(self) -> None:
        """A signal to us cut something short: if that was the last answer, since the listener was locked, give it."""
        try:
            notify.send(self.listener, self.answer)
        except (FileNotFoundError, BlockingIOError):
            return  # it was given, and has come or is on its way

    def slice_is_over(self, number: int) -> bool:
        """Another task is ready: count the call, and tell whether it is the other's turn."""
        if number in self.memory_numbers:
            return False
        if number in self.clock_numbers and self.clock_reads.is_all():
            return True
        self.slice_left -= 1
        return self.slice_left < 0

    def _begin_slice(self, task: Tracee) -> None:
        """Who gave way goes on with what it had left: else it would never lose its turn but where it gives way."""
        self.slice_left = task.slice_left if task.call == SCHED_YIELD and task.slice_left >= 0 else SLICE

    # One call

    def receive(self, received: Notification, *, charged: bool = False) -> None:
        """Serve one call with everything that may have to come before it."""
        task = self.life.task_of(received[1])
        if task is None:
            return
        clock = self.kernel.clock
        if not charged:
            if task.clock.given is not None:
                clock.now_ns = self.clock_reads.take(task.clock, received[3])
            if not task.goes_on and not task.was_cut_short:
                clock.now_ns += self.costs[received[2]]
        if self.idle.pace is not None:
            clock.now_ns = max(clock.now_ns, self.idle.pace.now_ns())
        holds_token = task is self.runner
        self.in_host.discard(task)
        self.took_a_call(task, received)
        if holds_token:
            self.runner = None
        if self.attention:
            self.attend()
        if self.may_release:
            self.release()
        if task.state is DEAD:
            return
        self.kernel.handle_timer_irq(clock.now_ns)
        if task.resumes:
            # The host makes an interrupted call again: the parked one goes on under the new notification.
            task.resumes = False
            task.state = BLOCKED
            self.kernel.make_ready(task)
        elif not holds_token or task.group.stopped_by or (self.kernel.ready and self.slice_is_over(received[2])):
            self.queue(task)
        else:
            self.begin(task)

    def took_a_call(self, task: Tracee, received: Notification) -> None:
        self.notification = task.notification = received[0]
        task.call = received[2]
        task.args = received[4:]
        task.place = IN_CALL
        task.answered_restart = False

    def queue(self, task: Tracee) -> None:
        """The task has something to do, and waits for the token."""
        task.state, task.slice_left = READY, -1
        self.kernel.ready.append(task)

    def begin(self, task: Tracee) -> None:
        """Make the task's call."""
        task.state = RUNNING
        self.notification = task.notification
        assert task.call is not None, f"{task} is in no call"
        if self.kernel.listener is not None:
            self.kernel.listener.call_entered(task)
        if task.restarts_block:
            task.restarts_block = False
            self.settle(task, self.kernel.make_again(task, ERESTART_RESTARTBLOCK))
            return
        self.settle(task, self.kernel.begin_call(task, task.call, task.args))

    def dispatch(self, task: Tracee) -> None:
        """Give the token to a task that is ready."""
        self._begin_slice(task)
        self.notification = task.notification
        if task.place is IN_CALL:
            if task.blocked_call is not None:
                self.settle(task, self.kernel.resume_call(task))
            else:
                self.begin(task)
            return
        if task.place is NEWBORN:
            self.life.await_birth(task)
            if task.state is DEAD:
                return
        assert task.place is STOPPED, f"{task} is ready but {task.place}"
        self.take_token(task)
        self.life.go_on(task)

    def settle(self, task: Tracee, answer: Answer | None) -> None:
        """Answer the call, or leave it parked."""
        if answer is None:
            task.slice_left = self.slice_left
            self.runner = None if self.runner is task else self.runner
            return
        if self.life.deaths.dying:
            self.attend()
        listener = self.kernel.listener
        if not isinstance(answer, int) and is_to_be_told(listener, task, answer):
            pass_on_and_tell(self, task, answer)
            return
        if listener is not None:
            listener.call_left(task, answer)
        if task.state is DEAD:
            return
        if not isinstance(answer, int):
            self.send(task, 0, 0, notify.CONTINUE)
        elif -ERESTARTSYS >= answer >= -ERESTART_RESTARTBLOCK or task.signals.consumed:
            self.stops.answer(task, answer)
        else:
            self.send(task, answer if answer > 0 else 0, answer if answer < 0 else 0, 0)

    def send(self, task: Tracee, value: int, error: int, flags: int) -> None:
        """Let the call end and the task run."""
        self.runner, task.state, task.place = task, RUNNING, ELSEWHERE
        if task.clock.wanted:
            self.clock_reads.give(task)
        notify.pack_answer_into(self.answer, 0, task.notification, value, error, flags)
        try:
            notify.send(self.listener, self.answer)
        except FileNotFoundError:
            self.attention = True  # it has been killed: its status is on the way

    def take_token(self, task: Tracee) -> None:
        """The task runs from now on."""
        self.runner = task
        task.state = RUNNING
        task.place = ELSEWHERE

    # What may come between two calls

    def attend(self) -> None:
        """Do what has to be done before the next call is served: deaths, last closes, signals from outside."""
        self.attention = False
        self.is_between_calls = True
        self.life.reap()
        self.cgroup_events.settle()
        self.outside.attend()
        if self.kernel.cpu_alarms.waiting:
            self.kernel.cpu_alarms.check()
        self.is_between_calls = False

    def release(self) -> None:
        """Let go of the open file descriptions whose last reference has gone."""
        self.may_release = False
        self.is_between_calls = True
        self.kernel.cause = "close"
        self.placeholders.drain()
        self.kernel.cause = ""
        self.cgroup_events.settle_writes()
        self.idle.in_flight.settle()
        self.retry()
        self.is_between_calls = False

    def retry(self) -> bool:
        """Let calls try again that wait for a lock, a FIFO or the like; whether one of them can go on."""
        if not self.retries.waiting:
            return False
        self.kernel.cause = "lock"
        woken = self.retries.look()
        self.kernel.cause = ""
        return woken

    def poll_host(self, timeout_s: float | None) -> int:
        """Hear what host files and the listener have to say; return how many spoke."""
        self.kernel.cause = "host file"
        spoke = self.master.poll(timeout_s)
        self.kernel.cause = ""
        return spoke

    def finish(self) -> None:
        """End whatever is left of the run, and give back what it had."""
        self.outside.uninstall()
        for task in self.kernel.tasks.values():
            self.kernel.abandon_call(task)
        self.life.deaths.kill_all()
        self.placeholders.close()
        self.cgroup_events.close()
        self.master.close()
        os.close(self.listener)

    def written(self, task: Task, fd: int, ours: int) -> None:
        """The task writes to a host file, `ours` here: what is in flight holds the clock."""
        self.idle.in_flight.note_written(task, fd, ours)
        self.cgroup_events.note_write()
