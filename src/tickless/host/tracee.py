"""A task of a real program: what the host has of it, beside what the kernel has."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from tickless.abi.time import CLOCK_BOOTTIME
from tickless.kernel.task import Task, ThreadGroup

if TYPE_CHECKING:
    from tickless.host.fd_table import HostFdTable
    from tickless.host.host_signals import HostSignals
    from tickless.host.memory import AddressSpace
    from tickless.host.ptrace import Registers
    from tickless.host.supervisor import Supervisor
    from tickless.host.vdso import TaskClock
    from tickless.kernel.kernel import Kernel

# Task.state of a task that the host holds: in a call that blocks there though nobody foresaw it, or in vfork.
IN_HOST = "in the host"
IN_VFORK = "in vfork"

# Tracee.place: where the host has a task that is not running.
IN_CALL = "in a call"  # its notification waits for our answer
STOPPED = "stopped"  # in a ptrace stop that was reaped
NEWBORN = "newborn"  # its first ptrace stop is still to be reaped
ELSEWHERE = "elsewhere"  # running, or blocked in the host


class Tracee(Task):
    """A task that the host carries to the kernel."""

    memory: AddressSpace
    fds: HostFdTable
    signals: HostSignals
    clock: TaskClock

    def attach(self, supervisor: Supervisor, clock: TaskClock) -> None:
        """Set what the kernel does not know of."""
        self.supervisor = supervisor
        self.clock = clock
        self.place = ELSEWHERE
        self.notification = 0  # the id of the call it is in, or made last
        self.injected = 0  # the signal that PTRACE_CONT is to deliver
        self.answered_restart = False  # its last answer asked the host to restart the call
        self.restarts_block = False  # that call goes on by its restart block, unless a handler runs first
        self.suspends = False  # its call ends by an rt_sigsuspend that it makes instead
        self.is_restarted = True  # where that signal does nothing: Linux makes all such calls again but epoll_pwait
        self.before_suspend: Registers | None = None  # its registers, while it makes that
        self.was_cut_short = False  # its last call is made again by the host, since we stopped it to see its result
        self.slice_left = -1  # calls that it had left when it gave way; -1: it gets a whole slice
        self.resumes = False  # its next notification goes on with the parked call
        self.vfork_parent: Tracee | None = None
        self.root_is_ours: bool | None = None  # its root directory and mounts are the supervisor's; None: not known
        self.cpus = supervisor.cpus  # what it is told that it may use
        self.ipc_is_ours: bool | None = None  # so is its IPC namespace

    @property
    def goes_on(self) -> bool:
        """Whether its next notification is no new call."""
        return self.resumes or self.restarts_block

    def own_fd_table(self) -> None:
        """The task shares its fd table no longer: unshare(CLONE_FILES), exec."""
        table = self.fds.forked(self.tid)
        self.fds.leave(self.tid)
        self.fds = table


class HostGroup(ThreadGroup):
    """A process of a real program. Its pidfd outlives it until it is reaped, and tells when that is."""

    def __init__(self, kernel: Kernel, tgid: int, parent: ThreadGroup | None, name: str) -> None:
        super().__init__(kernel, tgid, parent, name)
        self.pidfd = -1  # none yet, or no longer
        self.started_ns = kernel.clock.read(CLOCK_BOOTTIME)

    def open_pidfd(self) -> None:
        with suppress(ProcessLookupError):  # killed, and reaped by the host since its parent ignores children
            self.pidfd = os.pidfd_open(self.tgid)

    def released(self) -> None:
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
