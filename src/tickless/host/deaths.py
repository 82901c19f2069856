"""The end of real tasks, as ptrace(2) tells of it, in an order that depends on the program alone.

When a process dies, all its threads are waited for before anybody runs. A leader that ends before its threads gives its
status after the last of them.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from errno import EBADF, ENOENT, ESRCH
from typing import TYPE_CHECKING

from tickless.abi.signal import SIGKILL, sigmask
from tickless.host import ptrace
from tickless.host.task_state import fields_of, state_of, tracees_of
from tickless.host.tracee import Tracee
from tickless.kernel import process

if TYPE_CHECKING:
    from tickless.host.supervisor import Supervisor
    from tickless.kernel.task import Task, ThreadGroup

# linux/sched.h: flags of a task that is on its way out, by exit(2) or by a signal.
PF_EXITING, PF_DUMPCORE, PF_SIGNALED = 0x4, 0x200, 0x400
FLAGS, PENDING = 6, 28  # where a task's stat has them, from its state on: those that are pending for the task alone
# What the host says of a task that is gone, of its files in /proc, and of its fds (pidfd_getfd, before Linux 6.9).
GONE = frozenset((ESRCH, ENOENT, EBADF))
# Real time in which a killed task may have taken its SIGKILL and not yet the flag.
UNSEEN_S = 0.1


class Deaths:
    """Tells the kernel of the tasks that have ended."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.kernel = supervisor.kernel
        self.dying: list[ThreadGroup] = []  # sent SIGKILL, in this order: nobody runs before they are dead
        self.main_status: int | None = None  # PROGRAM's wait status

    def is_due(self, tid: int, status: int) -> bool:
        """Whether an event is a death whose turn it is: a leader that had left before its threads waits for them."""
        if os.WIFSTOPPED(status):
            return False
        group = self.kernel.groups.get(tid)
        if tid in self.kernel.tasks or group is None:
            return True
        return not any(self._will_tell(thread) for thread in group.threads)

    def _will_tell(self, task: Task) -> bool:
        """Whether a status of the task will come, or has. A thread that is killed within its exec has none."""
        return self.supervisor.life.events.has_ended(task.tid) or os.path.exists(f"/proc/{task.tid}")

    def take_in(self, tid: int, status: int) -> None:
        """A task has ended: all that die with it are waited for, then they are buried, the leader last."""
        self.supervisor.life.early.discard(tid)
        task = self.kernel.tasks.get(tid)
        if task is None:
            group = self.kernel.groups.get(tid)
            for thread in tuple(group.threads) if group is not None else ():
                self._bury(thread, status, leader_told=True)
        elif self._ends_with_its_group(task):
            self._bury_group(task, status)
        elif (called_exec := self.supervisor.life.events.take_exec(task.group.tgid)) is not None:
            self.supervisor.life.take_in(*called_exec)  # which ends all threads but one, in order of birth
        else:
            self._bury(task, status)

    def kill(self, group: ThreadGroup) -> None:
        """SIGKILL a process; its deaths are taken in before the call that does it returns."""
        if group not in self.dying:
            self.dying.append(group)
        self.supervisor.attention = True
        os.kill(group.tgid, SIGKILL)

    def await_the_dying(self) -> None:
        """Wait for a thread of the first process that was killed."""
        life, group = self.supervisor.life, self.dying[0]
        if not group.threads:
            self.dying.remove(group)
            return
        tid = group.threads[-1].tid  # the leader's status comes last
        status = life.events.wait_for(tid)
        if status is None:
            tid = group.tgid
            status = life.events.wait_for_end(tid)
        life.take_in(tid, SIGKILL if status is None else status)

    def _bury_group(self, task: Task, status: int) -> None:
        group = task.group
        statuses = {task.tid: status}
        leader_last = sorted(group.threads, key=lambda thread: thread.tid == group.tgid)
        for other in leader_last:
            if other is not task:
                ended = self.supervisor.life.events.wait_for_end(other.tid)
                statuses[other.tid] = status if ended is None else ended
        for thread in leader_last:
            if thread.tid in statuses:
                self._bury(thread, statuses[thread.tid])

    def _ends_with_its_group(self, task: Task) -> bool:
        """Whether all threads of the process end: by exit_group or a signal; not by exit(2), nor by another's exec."""
        if task.tid == task.group.tgid:
            return True  # a leader's status comes after all others, and one that is killed within its exec has none
        runner = self.supervisor.runner
        others = [thread for thread in task.group.threads if thread is not task]
        if runner is not None and runner in others and task not in self.supervisor.in_host:
            return self._runner_ended(runner)
        return all(self.is_ending(thread.tid) for thread in others)

    def _runner_ended(self, runner: Tracee) -> bool:
        """The runner has ended other threads: is it over itself? If it has called exec, it is not."""
        events, tgid = self.supervisor.life.events, runner.group.tgid
        while not events.has_exec(tgid):
            # Killed within its exec it ends under the leader's tid.
            if events.has_ended(runner.tid) or events.has_ended(tgid) or not events.collect_one():
                return True
        return False

    def _bury(self, task: Task, status: int, *, leader_told: bool = False) -> None:
        assert isinstance(task, Tracee)
        supervisor, group = self.supervisor, task.group
        supervisor.life.find_lost_child(task)
        self.forget(task)
        if len(group.threads) == 1:
            if task.tid != group.tgid and not leader_told:
                # Its leader had left before: the host gives the process's status after the last thread's.
                ended = supervisor.life.events.wait_for_end(group.tgid)
                status = status if ended is None else ended
            if group is supervisor.life.main_group:
                self.main_status = status
        supervisor.may_release = True
        supervisor.idle.collecting.note_close()
        supervisor.cgroup_events.note_death()
        self.kernel.cause = "exit"
        process.exit_task(self.kernel, task, status)
        self.kernel.cause = ""

    def forget(self, task: Tracee) -> None:
        """The task is over for the host: what it had of the supervisor goes."""
        supervisor = self.supervisor
        if supervisor.runner is task:
            supervisor.runner = None
        supervisor.in_host.discard(task)
        supervisor.net.forget(task)
        task.memory.leave(task.tid)
        task.fds.leave(task.tid)
        supervisor.life.release_vfork_parent(task)

    def left(self, task: Tracee) -> None:
        """The task ends while others of its process go on, and gives no status of its own."""
        self.forget(task)
        process.exit_task(self.kernel, task, None)

    def has_left(self, task: Task) -> bool:
        """Whether a leader has called exit(2) and its threads go on: the host tells of it after the last of them."""
        if task.tid != task.group.tgid or state_of(task.tid) != "Z":
            return False
        others = [thread for thread in task.group.threads if thread is not task]
        return bool(others) and not all(self.is_ending(thread.tid) for thread in others)

    def is_ending(self, tid: int) -> bool:
        """Whether a task is over, or about to be: a group exit or SIGKILL has got it, though it dies a little later."""
        if self.supervisor.life.events.has_ended(tid):
            return True
        fields = fields_of(tid)
        if not fields or fields[0] in (b"Z", b"X") or int(fields[FLAGS]) & (PF_EXITING | PF_DUMPCORE | PF_SIGNALED):
            return True
        return bool(int(fields[PENDING]) & sigmask(SIGKILL))

    def was_killed(self, task: Task, error: OSError) -> bool:
        """Whether `error` comes from the end of the task whose call is served."""
        if error.errno not in GONE:
            return False
        end = time.monotonic() + UNSEEN_S
        while not (ending := self.is_ending(task.tid)) and error.errno in (ESRCH, ENOENT) and time.monotonic() < end:
            os.sched_yield()
        return ending

    def kill_all(self) -> None:
        """SIGKILL everything that is left, and wait until it is gone."""
        for tid in self._whoever_is_left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(tid, SIGKILL)
        while self._reap_any():
            pass

    def _whoever_is_left(self) -> Iterable[int]:
        if self.kernel.tasks and self.supervisor.ended_by is None:
            return tracees_of(os.getpid())  # a mistake of ours has ended the run: the kernel may not know of all
        known = [tgid for tgid, group in self.kernel.groups.items() if group.threads]
        return [*known, *self.supervisor.life.early, *self.supervisor.life.events.tids()]

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
