"""Birth, exec and death of real tasks, as ptrace(2) tells them.

The host tells things in an order of its own; here they happen in an order that depends on the program alone. A child is
ready as soon as its parent's event is handled; when a process dies, all its threads are waited for before anybody runs;
a vfork parent is ready as soon as its child has called exec or died.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from tickless.abi.sched import CLONE_FILES, CLONE_PARENT, CLONE_THREAD, CLONE_VFORK, CLONE_VM
from tickless.abi.signal import SIGKILL
from tickless.host import ptrace
from tickless.host.chance import AT_RANDOM_SIZE
from tickless.host.events import Event, Events
from tickless.host.fd_table import HostFdTable
from tickless.host.host_signals import HostSignals
from tickless.host.launch import OPTIONS
from tickless.host.memory import AddressSpace
from tickless.host.task_state import state_of
from tickless.host.tracee import ELSEWHERE, IN_VFORK, NEWBORN, STOPPED, HostGroup, Tracee
from tickless.host.vdso import TaskClock, VdsoImage
from tickless.kernel import process
from tickless.kernel.task import DEAD

if TYPE_CHECKING:
    from tickless.host.launch import Launched
    from tickless.host.supervisor import Supervisor
    from tickless.kernel.clone import Birth
    from tickless.kernel.task import ThreadGroup

BIRTHS = (ptrace.PTRACE_EVENT_FORK, ptrace.PTRACE_EVENT_VFORK, ptrace.PTRACE_EVENT_CLONE)


class LifeCycle:
    """Makes tasks of ptrace's events."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.kernel = supervisor.kernel
        self.vdso = VdsoImage.of_this_kernel()
        self.dying: list[ThreadGroup] = []  # sent SIGKILL, in this order: nobody runs before they are dead
        self.early: set[int] = set()  # tids whose first stop was reaped before their parent's event
        self.events = Events()
        self.main_status: int | None = None  # PROGRAM's wait status
        self.main_group: ThreadGroup | None = None

    # Birth

    def adopt_main(self, launched: Launched) -> Tracee:
        """PROGRAM, in its exec stop."""
        group = HostGroup(self.kernel, launched.pid, None, "main")
        group.pidfd = launched.pidfd
        self.kernel.add_group(group)
        self.main_group = group
        task = self._make(launched.pid, group, "main", AddressSpace(launched.pid), None)
        task.place = STOPPED
        return task

    def start(self, main: Tracee) -> None:
        """Let PROGRAM run its first instruction."""
        main.clock = self._install_clock(main)
        self.supervisor.take_token(main)
        ptrace.cont(main.tid)

    def _install_clock(self, task: Tracee) -> TaskClock:
        """The task stands at its exec: it gets the clock, and its AT_RANDOM from the seed."""
        chance = self.supervisor.chance.take(AT_RANDOM_SIZE)
        return TaskClock.install(self.vdso, task.tid, task.memory, chance)

    def _make(self, tid: int, group: ThreadGroup, name: str, space: AddressSpace, fds: HostFdTable | None) -> Tracee:
        supervisor = self.supervisor
        task = Tracee(self.kernel, tid, group, name, space, fds or HostFdTable(supervisor, tid), None)  # type: ignore[arg-type]
        task.signals = HostSignals(supervisor, task)
        task.attach(supervisor, TaskClock(space))
        self.kernel.add_task(task)
        return task

    def _born(self, parent: Tracee, event: int) -> None:
        """The parent's call has made a task: it is ready, and the parent goes on."""
        tid = ptrace.geteventmsg(parent.tid)
        birth = parent.birth
        assert birth is not None, f"{parent} made a task without a call"
        flags = birth.flags
        name = parent.child_name()
        if flags & CLONE_THREAD:
            group: ThreadGroup = parent.group
        else:
            group = self._new_group(parent, birth, tid, name)
        space = parent.memory if flags & CLONE_VM else parent.memory.forked(tid)
        if flags & CLONE_VM:
            space.join(tid)
        fds = parent.fds if flags & CLONE_FILES else parent.fds.forked(tid)
        if flags & CLONE_FILES:
            fds.join(tid)
        child = self._make(tid, group, name, space, fds)
        child.clear_child_tid = birth.clear_child_tid
        child.clock = parent.clock if flags & CLONE_VM else parent.clock.forked(space)
        child.place = STOPPED if tid in self.early else NEWBORN
        self.early.discard(tid)
        self.supervisor.queue(child)
        if event == ptrace.PTRACE_EVENT_VFORK or flags & CLONE_VFORK:
            child.vfork_parent = parent
            parent.state = IN_VFORK
            self._drop_token(parent)
        ptrace.cont(parent.tid)

    def _new_group(self, maker: Tracee, birth: Birth, tid: int, name: str) -> HostGroup:
        """The process that a clone without CLONE_THREAD has made."""
        sibling = birth.flags & CLONE_PARENT
        group = HostGroup(self.kernel, tid, maker.group.parent if sibling else maker.group, name)
        group.open_pidfd()
        group.exit_signal = birth.exit_signal
        group.parent_thread = None if sibling else maker
        self.kernel.add_group(group)
        return group

    def await_birth(self, task: Tracee) -> None:
        """Wait for a newborn's first stop."""
        status = self.events.wait_for(task.tid)
        if os.WIFSTOPPED(status) and ptrace.stop_event(status) == ptrace.PTRACE_EVENT_STOP:
            task.place = STOPPED
        else:
            self.take_in(task.tid, status)

    def task_of(self, tid: int) -> Tracee | None:
        """The task that a notification is from. One that nobody knows was made with CLONE_UNTRACED: it is seized."""
        task = self.kernel.tasks.get(tid)
        if task is None:
            self.supervisor.attend()
            task = self.kernel.tasks.get(tid)
        assert task is None or isinstance(task, Tracee)
        return task if task is not None else self._seize_untraced(tid)

    def _seize_untraced(self, tid: int) -> Tracee | None:
        try:
            ptrace.seize(tid, OPTIONS)
            parent_tid = _status_number(tid, "PPid:")
            parent = self.kernel.tasks.get(parent_tid)
        except OSError:
            return None  # it has died
        if not isinstance(parent, Tracee):
            parent = self.supervisor.main
        group = HostGroup(self.kernel, tid, parent.group, parent.child_name())
        group.open_pidfd()
        self.kernel.add_group(group)
        return self._make(tid, group, group.name, AddressSpace(tid), None)

    # Going on

    def go_on(self, task: Tracee) -> None:
        """Let a stopped task run, with the signal that it was stopped for."""
        signo, task.injected = task.injected, 0
        self.supervisor.give_clock(task)
        ptrace.cont(task.tid, signo)

    def stopped(self, task: Tracee) -> None:
        """The task is in a ptrace stop: if it holds the token it goes on, otherwise it waits for it."""
        task.place = STOPPED
        if self.supervisor.runner is task and not task.group.stopped_by:
            task.place = ELSEWHERE
            self.go_on(task)
            return
        self._drop_token(task)
        self.supervisor.queue(task)

    def _drop_token(self, task: Tracee) -> None:
        if self.supervisor.runner is task:
            self.supervisor.runner = None

    # Events

    def reap(self) -> None:
        """Take in every event that the host has for us: stops first, then deaths, process by process."""
        while True:
            self.events.collect()
            if (event := self.events.take(self._is_stop)) is not None:
                self._handle_stop(*event)
            elif self.dying:
                self._await_the_dying(self.dying[0])
            elif (event := self.events.take(self._is_death)) is not None:
                self._died(event)
            else:
                return

    def _is_stop(self, tid: int, status: int) -> bool:
        return os.WIFSTOPPED(status)

    def _is_death(self, tid: int, status: int) -> bool:
        # Of a leader that had left before its threads the last of them will ask.
        return tid in self.kernel.tasks

    def _await_the_dying(self, group: ThreadGroup) -> None:
        """Wait for a thread of a process that was killed."""
        if group.threads:
            tid = group.threads[-1].tid  # the leader's status comes last
            self.take_in(tid, self.events.wait_for(tid))
        else:
            self.dying.remove(group)

    def take_in(self, tid: int, status: int) -> None:
        """Handle an event that was waited for."""
        if os.WIFSTOPPED(status):
            self._handle_stop(tid, status)
        elif tid in self.kernel.tasks:
            self._died((tid, status))

    def _handle_stop(self, tid: int, status: int) -> None:
        task = self.kernel.tasks.get(tid)
        event = ptrace.stop_event(status)
        if not isinstance(task, Tracee):
            if event == ptrace.PTRACE_EVENT_STOP:
                self.early.add(tid)
            return
        if event in BIRTHS:
            self._born(task, event)
        elif event == ptrace.PTRACE_EVENT_EXEC:
            self._called_exec(task)
        elif event == ptrace.PTRACE_EVENT_VFORK_DONE:
            task.place = STOPPED
            self.supervisor.queue(task)
        elif event == ptrace.PTRACE_EVENT_STOP:
            self.supervisor.stops.event_stop(task, os.WSTOPSIG(status))
        else:
            self.supervisor.stops.delivery_stop(task, os.WSTOPSIG(status))

    def _called_exec(self, task: Tracee) -> None:
        """The process runs a new program: one thread is left, and what belonged to the old one is gone."""
        old_tid = ptrace.geteventmsg(task.tid)
        if old_tid != task.tid:
            task = self._took_the_leaders_place(task, old_tid)
        for other in [other for other in task.group.threads if other is not task]:
            assert isinstance(other, Tracee)
            self._forget(other)
            process.exit_task(self.kernel, other, None)
            self.events.forget(other.tid)  # its status came before
        task.memory.leave(task.tid)
        task.memory = AddressSpace(task.tid)
        task.fds.leave(task.tid)
        task.fds = HostFdTable(self.supervisor, task.tid)
        task.clear_child_tid = task.robust_list = 0
        task.notification = 0
        task.group.posix_timers.delete_all()
        task.group.sigchld_flags = 0
        task.group.dumpable = True
        task.clock = self._install_clock(task)
        self.supervisor.may_release = True  # close-on-exec may have dropped last references
        if self.kernel.listener is not None:
            self.kernel.listener.noted(task, f"runs {_program_of(task.tid)}")
        self._release_vfork_parent(task)
        self.stopped(task)

    def _took_the_leaders_place(self, leader: Tracee, old_tid: int) -> Tracee:
        """exec from another thread: it has the leader's tid now, and the leader has vanished without a status."""
        task = self.kernel.tasks[old_tid]
        assert isinstance(task, Tracee)
        if leader.state is not DEAD and leader is not task:
            self._forget(leader)
            process.exit_task(self.kernel, leader, None)
        task.memory.join(leader.tid)
        task.memory.leave(old_tid)
        task.fds.tids[task.fds.tids.index(old_tid)] = leader.tid
        del self.kernel.tasks[old_tid]
        task.tid = leader.tid
        self.kernel.tasks[task.tid] = task
        if self.supervisor.runner is leader:
            self.supervisor.runner = task
        return task

    def _release_vfork_parent(self, child: Tracee) -> None:
        """The child has let go of its parent's memory: the parent's stop is on the way."""
        parent, child.vfork_parent = child.vfork_parent, None
        if parent is None or parent.state is DEAD:
            return
        while parent.state is IN_VFORK:
            self.take_in(parent.tid, self.events.wait_for(parent.tid))

    # Death

    def _died(self, event: Event) -> None:
        """All that die with the task are waited for, then they die in order of birth; a leader's status comes last."""
        tid, status = event
        task = self.kernel.tasks[tid]
        group = task.group
        assert isinstance(task, Tracee)
        if not self._dies_with_its_group(task):
            if (called_exec := self.events.take_exec(group.tgid)) is not None:
                self._handle_stop(*called_exec)  # which ends all threads but one, in order of birth
            else:
                self._bury(task, status)
            return
        statuses = {tid: status}
        leader_last = sorted(group.threads, key=lambda thread: thread.tid == group.tgid)
        for other in leader_last:
            if other is not task:
                statuses[other.tid] = self.events.wait_for_end(other.tid)
        for thread in leader_last:
            if thread.tid in statuses:
                assert isinstance(thread, Tracee)
                self._bury(thread, statuses[thread.tid])

    def _dies_with_its_group(self, task: Tracee) -> bool:
        """Whether all threads of the process die: by exit_group or a signal; not by exit(2), nor by another's exec."""
        runner = self.supervisor.runner
        others = [thread for thread in task.group.threads if thread is not task]
        if runner in others and task not in self.supervisor.in_host:
            # The runner did it. If by exec, it is still there, with the leader's tid.
            while not self.events.has_ended(runner.tid) and not self.events.has_exec(task.group.tgid):
                self.events.collect_one()
            return self.events.has_ended(runner.tid)
        return all(isinstance(thread, Tracee) and self._is_dying(thread) for thread in others)

    def _bury(self, task: Tracee, status: int) -> None:
        self._forget(task)
        self._release_vfork_parent(task)
        group = task.group
        if len(group.threads) == 1:
            if task.tid != group.tgid:
                # Its leader had left before: the host gives the process's status after the last thread's.
                status = self.events.wait_for_end(group.tgid)
            if group is self.main_group:
                self.main_status = status
        self.supervisor.may_release = True
        self.supervisor.cgroup_events.note_death()
        self.kernel.cause = "exit"
        process.exit_task(self.kernel, task, status)
        self.kernel.cause = ""

    def _forget(self, task: Tracee) -> None:
        """The task is over for the host: what it had of the supervisor goes."""
        self._drop_token(task)
        self.supervisor.in_host.discard(task)
        task.memory.leave(task.tid)
        task.fds.leave(task.tid)

    def kill_all(self) -> None:
        """SIGKILL everything that is left, and wait until it is gone."""
        for tgid, group in self.kernel.groups.items():
            if group.threads:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(tgid, SIGKILL)
        while self._reap_any():
            pass

    def _reap_any(self) -> bool:
        try:
            tid, status = os.waitpid(-1, ptrace.WALL)
        except ChildProcessError:
            return False
        if os.WIFSTOPPED(status):
            with contextlib.suppress(ProcessLookupError):
                os.kill(tid, SIGKILL)
                ptrace.cont(tid)
        return True

    def _is_dying(self, task: Tracee) -> bool:
        """Whether a group exit or SIGKILL has got the thread: it is set at once, though it dies a little later."""
        if self.events.has_ended(task.tid) or not os.path.exists(f"/proc/{task.tid}"):
            return True
        return bool(task.signals.host_pending()[0] >> (SIGKILL - 1) & 1) or state_of(task.tid) in "ZX"

    def leader_left(self, task: Tracee) -> None:
        """A leader calls exit(2) while its threads live on: the host tells of it only when the last of them is gone."""
        self._forget(task)
        process.exit_task(self.kernel, task, None)


def _program_of(tid: int) -> str:
    """The name of the file that a task runs. proc_pid_exe(5)."""
    try:
        return os.path.basename(os.readlink(f"/proc/{tid}/exe"))
    except OSError:
        return "a program that we may not look at"


def _status_number(tid: int, field: str) -> int:
    with open(f"/proc/{tid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field))
