"""What the host knows of the processes of a run: groups, sessions, users, capabilities, zombies. credentials(7)."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.errno import EBADF, EINTR, ERESTARTNOHAND
from tickless.abi.numbers import number_of
from tickless.abi.signal import SIGCONT, UNBLOCKABLE
from tickless.abi.time import cpu_clock_id
from tickless.host.own_filters import note_filter
from tickless.host.reach import Reach, socket_inode
from tickless.host.task_state import cpu_time_ns, fields_of, status_of, words_of
from tickless.host.tracee import HostGroup, Tracee
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Answer

if TYPE_CHECKING:
    from tickless.host.supervisor import Supervisor
    from tickless.kernel.task import Task, ThreadGroup

CAP_KILL = 5
CAP_SYS_PTRACE = 19
SYSINFO_SIZE = 112
_RT_SIGSUSPEND = number_of(ARCH, "rt_sigsuspend")


class Processes:
    """The kernel's HostKernel."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        effective = int(status_of(os.getpid(), "CapEff:")[0], 16)
        self._may_trace_all = bool(effective >> CAP_SYS_PTRACE & 1)

    def process_group(self, group: ThreadGroup) -> int:
        try:
            return os.getpgid(group.tgid)
        except ProcessLookupError:
            return group.process_group

    def session(self, group: ThreadGroup) -> int:
        try:
            return os.getsid(group.tgid)
        except ProcessLookupError:
            return group.session

    def real_uid(self, task: Task) -> int:
        return self._uids(task)[0]

    def may_signal(self, sender: Task, target: ThreadGroup, signo: int) -> bool:
        receiver = target.representative()
        if receiver is None or target is sender.group:
            return True
        real, effective = self._uids(sender)[:2]
        theirs = self._uids(receiver)
        if {real, effective} & {theirs[0], theirs[2]} or self.has_capability(sender, CAP_KILL):
            return True
        return signo == SIGCONT and self.session(sender.group) == self.session(target)

    def has_capability(self, task: Task, capability: int) -> bool:
        return bool(int(self._status(task, "CapEff:")[0], 16) >> capability & 1)

    def sysinfo(self) -> bytes:
        buffer = ctypes.create_string_buffer(SYSINFO_SIZE)
        # EFAULT is its only error.
        ctypes.CDLL(None).sysinfo(buffer)
        return buffer.raw

    def cpu_times(self, group: ThreadGroup) -> tuple[int, int, int, int]:
        fields = fields_of(group.tgid)
        if not fields:
            return 0, 0, 0, 0  # it is dying: whatever is asked no longer matters
        user, system, children_user, children_system = map(int, fields[11:15])
        return user, system, children_user, children_system

    def cpu_time_ns(self, group: ThreadGroup, thread: Task | None, kind: int) -> int:
        if thread is not None:
            return cpu_time_ns(thread.tid)
        try:
            return time.clock_gettime_ns(cpu_clock_id(group.tgid, kind))
        except OSError:
            return 0

    def is_reaped(self, child: ThreadGroup) -> bool:
        assert isinstance(child, HostGroup)
        if child.pidfd < 0:
            return True
        try:
            signal.pidfd_send_signal(child.pidfd, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def is_connected_outside(self, group: ThreadGroup) -> bool:
        try:
            parent, process_group = _parent_of(group.tgid), os.getpgid(group.tgid)
            # tickless and the script that has started it are members of the job, and have parents, too.
            while parent and os.getpgid(parent) == process_group:
                parent = _parent_of(parent)
            return parent != 0 and os.getsid(parent) == os.getsid(group.tgid)
        except OSError:
            return False

    def note_stop(self, group: ThreadGroup) -> None:
        self.supervisor.outside.stop_is_due = self.supervisor.attention = True

    def pid_of_pidfd(self, task: Task, fd: int) -> int:
        assert isinstance(task, Tracee)
        try:
            with open(f"/proc/{task.tid}/fdinfo/{fd}") as file:
                fields = dict(line.split(":", 1) for line in file if ":" in line)
        except OSError:
            raise Errno(EBADF) from None
        if "Pid" not in fields:
            raise Errno(EBADF)
        return int(fields["Pid"])

    def pid_of_directory(self, task: Task, fd: int) -> int | None:
        assert isinstance(task, Tracee)
        try:
            ours = task.fds.task_files().fetch(fd)
        except OSError:
            return None
        try:
            with suppress(PermissionError):
                signal.pidfd_send_signal(ours, 0)  # the host knows whether it is one
            return int(words_of(os.open("status", os.O_RDONLY | os.O_CLOEXEC, dir_fd=ours), "Pid:")[0])
        except ProcessLookupError:
            return -1
        except OSError:
            return None
        finally:
            os.close(ours)

    def status_flags(self, task: Task, fd: int) -> int:
        assert isinstance(task, Tracee)
        try:
            with open(f"/proc/{task.tid}/fdinfo/{fd}") as file:
                return next(int(line.split()[1], 8) for line in file if line.startswith("flags:"))
        except OSError:
            raise Errno(EBADF) from None

    def needs_dumpable(self) -> bool:
        return not self._may_trace_all

    def held_by(self, task: Task, fd: int) -> tuple[str, list[int]]:
        reach = Reach(self.supervisor.kernel.tasks)
        inode = socket_inode(task.tid, fd)
        if inode is not None:
            return "the other end", reach.other_holders(inode)
        try:
            return "a lock", reach.lock_holders(os.stat(f"/proc/{task.tid}/fd/{fd}"))
        except OSError:
            return "nothing", []

    def note_filter(self, task: Task, mode: int, address: int) -> None:
        note_filter(task, mode, address)

    def note_ancillary(self, task: Task, sent: list[bytes]) -> None:
        idle = self.supervisor.idle
        idle.files_may_travel = True
        for control in sent:
            idle.collecting.note_sent(task, control)

    def kill_group(self, group: ThreadGroup) -> None:
        self.supervisor.life.deaths.kill(group)

    def end_masked_call(self, task: Task, mask: int, error: int) -> Answer:
        assert isinstance(task, Tracee)
        if task.call == _RT_SIGSUSPEND:
            task.signals.ring_silenced()
            return PASS_ON
        if mask & ~UNBLOCKABLE == task.signals.blocked():
            return -error  # the task's own mask does as well
        task.suspends = True
        task.is_restarted = error != EINTR
        return -ERESTARTNOHAND

    def _uids(self, task: Task) -> list[int]:
        """Real, effective, saved and file system user id."""
        return [int(word) for word in self._status(task, "Uid:")]

    def _status(self, task: Task, field: str) -> list[str]:
        try:
            return status_of(task.tid, field)
        except OSError:
            return ["0"] * 4  # it is dying: whatever is asked no longer matters


def _parent_of(pid: int) -> int:
    return int(status_of(pid, "PPid:")[0])
