"""Birth, exec and death of real tasks, as ptrace(2) tells them.

The host tells things in an order of its own; here they happen in an order that depends on the program alone. A child is
ready as soon as its parent's event is handled; when a process dies, all its threads are waited for before anybody runs;
a vfork parent is ready as soon as its child has called exec or died.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.abi.sched import CLONE_FILES, CLONE_PARENT, CLONE_THREAD, CLONE_VFORK, CLONE_VM
from tickless.abi.signal import SIGCHLD
from tickless.host import ptrace
from tickless.host.chance import AT_RANDOM_SIZE
from tickless.host.deaths import Deaths
from tickless.host.events import Events
from tickless.host.fd_table import HostFdTable
from tickless.host.host_signals import HostSignals
from tickless.host.memory import AddressSpace
from tickless.host.namespaces import inherit
from tickless.host.program import is_32_bit, name_of
from tickless.host.task_state import tracees_of
from tickless.host.tracee import ELSEWHERE, IN_VFORK, NEWBORN, STOPPED, HostGroup, Tracee
from tickless.host.vdso import TaskClock, VdsoImage
from tickless.kernel.registry import Unserved
from tickless.kernel.task import DEAD

if TYPE_CHECKING:
    from tickless.host.launch import Launched
    from tickless.host.supervisor import Supervisor
    from tickless.kernel.clone import Birth
    from tickless.kernel.task import ThreadGroup

UNREADABLE = Unserved("TL513", "a program that its user may not read", 0, "it is killed")
OF_32_BITS = Unserved("TL514", "a 32-bit program", 0, "it is killed")
CLONES = frozenset(
    number for name in ("clone", "clone3", "fork", "vfork") if (number := number_of(ARCH, name)) is not None
)
BIRTHS = (ptrace.PTRACE_EVENT_FORK, ptrace.PTRACE_EVENT_VFORK, ptrace.PTRACE_EVENT_CLONE)


class LifeCycle:
    """Makes tasks of ptrace's events."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.kernel = supervisor.kernel
        self.vdso = VdsoImage.of_this_kernel()
        self.early: set[int] = set()  # tids whose first stop was reaped before their parent's event
        self.events = Events()
        self.deaths = Deaths(supervisor)
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
        self.supervisor.take_token(main)
        with contextlib.suppress(ProcessLookupError):  # killed already
            main.clock = self._install_clock(main)
        self.go_on(main)

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
        vforked = event == ptrace.PTRACE_EVENT_VFORK or (parent.birth and parent.birth.flags & CLONE_VFORK)
        child = self._make_child(parent, ptrace.geteventmsg(parent.tid))
        if vforked:
            child.vfork_parent = parent
            parent.state = IN_VFORK
            self._drop_token(parent)
        ptrace.cont(parent.tid)

    def _make_child(self, parent: Tracee, tid: int) -> Tracee:
        birth, parent.birth = parent.birth, None
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
        child.cpus = parent.cpus
        inherit(child, parent, flags)
        child.clock = parent.clock if flags & CLONE_VM else parent.clock.forked(space)
        child.place = STOPPED if tid in self.early else NEWBORN
        self.early.discard(tid)
        self.supervisor.queue(child)
        return child

    def find_lost_child(self, parent: Tracee) -> None:
        """A task that is killed within clone may have made a child, of which it did not live to tell."""
        if parent.birth is None or parent.call not in CLONES:
            return
        for tid in tracees_of(os.getpid()):
            if tid not in self.kernel.tasks and not self.deaths.is_ending(tid):
                self._make_child(parent, tid)
                return

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
        if status is not None and ptrace.stop_event(status) == ptrace.PTRACE_EVENT_STOP:
            task.place = STOPPED
        elif status is not None:
            self.take_in(task.tid, status)

    def task_of(self, tid: int) -> Tracee | None:
        """The task that a notification is from; None if it has died."""
        task = self.kernel.tasks.get(tid)
        if task is None:
            self.supervisor.attend()
            task = self.kernel.tasks.get(tid)
        assert task is None or isinstance(task, Tracee)
        return task

    # Going on

    def go_on(self, task: Tracee) -> None:
        """Let a stopped task run, with the signal that it was stopped for."""
        signo, task.injected = task.injected, 0
        self.supervisor.clock_reads.give(task)
        try:
            ptrace.cont(task.tid, signo)
        except ProcessLookupError:
            self.supervisor.attention = True  # it has been killed: its status is on the way

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
        self.events.collect()
        while True:
            if (event := self.events.take(self._is_stop)) is not None:
                self._handle_stop(*event)
            elif self.deaths.dying:
                self.deaths.await_the_dying()
            elif (event := self.events.take(self.deaths.is_due)) is not None:
                self.deaths.take_in(*event)
            else:
                return
            if self.supervisor.attention:  # a signal has told of more
                self.events.collect()

    def _is_stop(self, tid: int, status: int) -> bool:
        return os.WIFSTOPPED(status)

    def await_stop(self, task: Tracee, *, is_there: bool = False) -> int | None:
        """Wait for a stop that is on its way, without handling it: its status; None if the task ends instead."""
        status = self.events.wait_for(task.tid, is_there=is_there)
        if status is not None and not os.WIFSTOPPED(status):
            self.take_in(task.tid, status)
            return None
        return status

    def take_in(self, tid: int, status: int) -> None:
        """Handle an event that was waited for."""
        if os.WIFSTOPPED(status):
            self._handle_stop(tid, status)
        else:
            self.deaths.take_in(tid, status)

    def _handle_stop(self, tid: int, status: int) -> None:
        event = ptrace.stop_event(status)
        try:
            if event == ptrace.PTRACE_EVENT_EXEC:
                self._called_exec(tid, ptrace.geteventmsg(tid))
                return
            task = self.kernel.tasks.get(tid)
            if isinstance(task, Tracee):
                self._handle_stop_of(task, event, os.WSTOPSIG(status))
            elif event == ptrace.PTRACE_EVENT_STOP:
                self.early.add(tid)
        except (ProcessLookupError, FileNotFoundError):
            self.supervisor.attention = True  # it has been killed: its status is on the way

    def _handle_stop_of(self, task: Tracee, event: int, signo: int) -> None:
        if event in BIRTHS:
            self._born(task, event)
        elif event == ptrace.PTRACE_EVENT_VFORK_DONE:
            task.place = STOPPED
            self.supervisor.queue(task)
        elif event == ptrace.PTRACE_EVENT_STOP:
            self.supervisor.stops.event_stop(task, signo)
        else:
            self.supervisor.stops.delivery_stop(task, signo)

    def _called_exec(self, tgid: int, old_tid: int) -> None:
        """The process runs a new program: one thread is left, and what belonged to the old one is gone."""
        task = self.kernel.tasks[old_tid]
        assert isinstance(task, Tracee)
        for other in tuple(task.group.threads):
            if other is not task:
                assert isinstance(other, Tracee)
                self.deaths.left(other)
                self.events.forget(other.tid)  # its status came before
        if old_tid != tgid:
            self._take_the_leaders_place(task, tgid)
        task.clear_child_tid = task.robust_list = 0
        space = AddressSpace(tgid)
        task.memory.leave(tgid)
        task.memory = space
        task.fds.leave(tgid)
        task.fds = HostFdTable(self.supervisor, tgid)
        task.notification = 0
        task.group.posix_timers.delete_all()
        task.group.sigchld_flags = 0
        task.group.exit_signal = SIGCHLD  # whatever clone asked for: fs/exec.c, de_thread
        task.group.dumpable = True
        if not space.is_open or is_32_bit(tgid):
            self._refuse_program(task, OF_32_BITS if space.is_open else UNREADABLE)
            return
        never_traps, task.clock = task.clock.always, self._install_clock(task)
        if never_traps:
            task.clock.never_trap()
        self.supervisor.may_release = True  # close-on-exec may have dropped last references
        self.supervisor.idle.collecting.note_close()
        if self.kernel.listener is not None:
            self.kernel.listener.noted(task, f"runs {name_of(tgid)}")
        self.release_vfork_parent(task)
        self.stopped(task)

    def _refuse_program(self, task: Tracee, reason: Unserved) -> None:
        """What we cannot look into, or makes calls that we do not know. It is too late for its exec to fail."""
        if not self.deaths.is_ending(task.tid):
            self.kernel.name_once(task, reason)
            self.deaths.kill(task.group)
        self.supervisor.attention = True

    def _take_the_leaders_place(self, task: Tracee, tgid: int) -> None:
        """exec from another thread: it has the leader's tid now, and the leader has vanished without a status."""
        old_tid, task.tid = task.tid, tgid
        task.memory.join(tgid)
        task.memory.leave(old_tid)
        task.fds.join(tgid)
        task.fds.leave(old_tid)
        del self.kernel.tasks[old_tid]
        self.kernel.tasks[tgid] = task

    def release_vfork_parent(self, child: Tracee) -> None:
        """The child has let go of its parent's memory: the parent's stop is on the way."""
        parent, child.vfork_parent = child.vfork_parent, None
        if parent is None or parent.state is DEAD:
            return
        while parent.state is IN_VFORK and (status := self.events.wait_for(parent.tid)) is not None:
            self.take_in(parent.tid, status)
