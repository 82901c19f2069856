"""What the kernel asks of a host that carries real programs. Without one, `Kernel.host` is None."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tickless.kernel.outcome import Answer
    from tickless.kernel.task import Task, ThreadGroup


class HostKernel(Protocol):
    """The truth about processes that the host kernel keeps."""

    def process_group(self, group: ThreadGroup) -> int:
        """The process group id. getpgid(2)."""

    def session(self, group: ThreadGroup) -> int:
        """The session id. getsid(2)."""

    def real_uid(self, task: Task) -> int:
        """The real user id, for siginfo."""

    def may_signal(self, sender: Task, target: ThreadGroup, signo: int) -> bool:
        """Whether the host would let `sender` signal `target`. kill(2)."""

    def has_capability(self, task: Task, capability: int) -> bool:
        """Whether the task has a capability in effect. capabilities(7)."""

    def sysinfo(self) -> bytes:
        """The host's struct sysinfo, 112 bytes. sysinfo(2)."""

    def cpu_times(self, group: ThreadGroup) -> tuple[int, int, int, int]:
        """User and system time of a process, then of its awaited children, in ticks of 10 ms. times(2)."""

    def cpu_time_ns(self, group: ThreadGroup, thread: Task | None, kind: int) -> int:
        """The CPU time that a process has used, of a kind (CPUCLOCK_), or all that of a thread; 0 if it is gone."""

    def is_reaped(self, child: ThreadGroup) -> bool:
        """Whether the program has reaped this zombie: the waits that reap are done by the host."""

    def is_connected_outside(self, group: ThreadGroup) -> bool:
        """Whether a parent outside, its own or its job's, is of the session but not of the job. setpgid(2)."""

    def note_stop(self, group: ThreadGroup) -> None:
        """A process has been stopped."""

    def pid_of_pidfd(self, task: Task, fd: int) -> int:
        """The process a pidfd names, -1 once it is reaped. Raises: Errno(EBADF). pidfd_open(2)."""

    def pid_of_directory(self, task: Task, fd: int) -> int | None:
        """The process whose directory in /proc is open as `fd`, -1 once it is reaped; None for any other file."""

    def status_flags(self, task: Task, fd: int) -> int:
        """F_GETFL of the task's host file `fd`. Raises: Errno(EBADF). fcntl(2)."""

    def needs_dumpable(self) -> bool:
        """Whether a process that makes itself undumpable would be lost: an ordinary user's. PR_SET_DUMPABLE(2const)."""

    def held_by(self, task: Task, fd: int) -> tuple[str, list[int]]:
        """What keeps the task's host file from being ready, or from being locked, and the tids that have it."""

    def note_filter(self, task: Task, mode: int, address: int) -> None:
        """The task is about to install a filter for its calls, a struct sock_fprog. PR_SET_SECCOMP(2const)."""

    def note_ancillary(self, task: Task, sent: list[bytes]) -> None:
        """A task is about to send or receive ancillary data, maybe open files (SCM_RIGHTS). unix(7).

        `sent`: the data of each message that it sends with some.
        """

    def kill_group(self, group: ThreadGroup) -> None:
        """SIGKILL a process, whatever its tasks are doing."""

    def end_masked_call(self, task: Task, mask: int, error: int) -> Answer:
        """A signal that `mask` lets through has interrupted a call that waits with that mask: the call's answer.

        The host delivers the signal under `mask` and then puts the task's own mask back: PASS_ON where making the call
        again does that (sigsuspend, ppoll, pselect6), else -`error`. epoll_pwait cannot be passed on: its first
        argument is no epoll to the host.
        """
