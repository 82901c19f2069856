"""Tasks and what they belong to: thread groups, process groups, sessions. clone(2), setpgid(2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.errno import ERESTARTSYS
from tickless.abi.signal import SIGCHLD
from tickless.kernel.posix_timers import PosixTimers
from tickless.kernel.real_timer import RealTimer
from tickless.kernel.signals import PendingSet, has_pending_signals
from tickless.kernel.wait_queue import WaitQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tickless.kernel.clone import Birth
    from tickless.kernel.fd_table import FdTable
    from tickless.kernel.kernel import Kernel
    from tickless.kernel.memory import Memory
    from tickless.kernel.outcome import Blocked, Result
    from tickless.kernel.signals import SignalState

# Task.state
RUNNING = "running"  # it holds the token, or is in the host between two calls
READY = "ready"  # it has something to do and waits for the token
BLOCKED = "blocked"  # its call sleeps
DEAD = "dead"


class Task:
    """A thread, as the kernel schedules it."""

    def __init__(
        self,
        kernel: Kernel,
        tid: int,
        group: ThreadGroup,
        name: str,
        memory: Memory,
        fds: FdTable,
        signals: SignalState,
    ) -> None:
        self.kernel = kernel
        self.tid = tid
        self.group = group
        self.name = name  # in traces: main, main.1, main.1.1
        self.memory = memory
        self.fds = fds
        self.signals = signals
        self.state = RUNNING
        self.pending = PendingSet()
        self.call: int | None = None  # the number of the call it is in, or made last
        self.args: tuple[int, ...] = ()
        self.blocked_call: Blocked | None = None
        self.sleeping_on: Sequence[WaitQueue] = ()
        self.interrupted_as = ERESTARTSYS  # how the sleeping call ends when a signal comes; 0: it does not
        # What restart_syscall does after the last interrupted call; None: nothing. Set as that call ends.
        self.restart_block: Callable[[], Result] | None = None
        self.gives_way = False  # its sleep is a sched_yield: it is ready again behind those that are
        self.temporary_mask: int | None = None  # of ppoll, pselect6, epoll_pwait, sigsuspend while they wait
        self.woken_by = ""  # the cause of the last wake
        self.clear_child_tid = 0  # address cleared and woken at exit; 0: none. set_tid_address(2)
        self.robust_list = 0  # head's address; 0: none. set_robust_list(2)
        self.death_signal = 0  # sent to its group when the thread that made the group ends; 0: none. PR_SET_PDEATHSIG
        self.birth: Birth | None = None  # what its last clone, fork or vfork asked for
        self.children_born = 0  # for names
        group.threads.append(self)

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def has_pending_signals(self) -> bool:
        """pending & ~blocked: what makes a sleep end with EINTR."""
        return has_pending_signals(self)

    def child_name(self) -> str:
        """The name of the next task it makes."""
        self.children_born += 1
        return f"{self.name}.{self.children_born}"


class ThreadGroup:
    """A process: its threads, its children, what they share."""

    def __init__(self, kernel: Kernel, tgid: int, parent: ThreadGroup | None, name: str) -> None:
        self.kernel = kernel
        self.tgid = tgid
        self.name = name
        self.parent = parent  # None: somebody outside
        self.parent_thread: Task | None = None  # the thread of `parent` whose child it is; None: any of them
        self.children: list[ThreadGroup] = []  # in order of birth, zombies included
        self.threads: list[Task] = []  # alive, the oldest first
        self.real_timer = RealTimer(self)
        self.pending = PendingSet(self.real_timer.signal_taken)
        self.signal_queue = WaitQueue()  # signalfd and sigtimedwait wait here
        self.child_queue = WaitQueue()  # wait4 and waitid of its threads wait here
        self.exit_queue = WaitQueue()  # pidfds of this process wait here
        self.process_group: int = parent.process_group if parent else tgid
        self.session: int = parent.session if parent else tgid
        self.exit_signal = SIGCHLD  # sent to the parent; 0: none
        self.sigchld_flags: int = parent.sigchld_flags if parent else 0  # SA_NOCLDSTOP, SA_NOCLDWAIT as last set
        self.wait_status: int | None = None  # set when its last thread has gone: a zombie
        self.exit_uid = 0  # its real user id when it ended
        self.may_have_reaped = False  # the host may have reaped zombies among `children` since they were looked at
        self.reaped = False
        self.is_subreaper = False
        self.dumpable: bool = parent.dumpable if parent else True  # PR_SET_DUMPABLE
        self.file_hard_limit: int = parent.file_hard_limit if parent else 4096  # RLIMIT_NOFILE, without a host
        self.stopped_by = 0  # the stop signal; 0: not stopped
        self.stop_unreported = False  # a stop that WUNTRACED has not seen
        self.continue_unreported = False  # a continue that WCONTINUED has not seen
        self.held: list[Task] = []  # ready, but stopped
        self.posix_timers = PosixTimers()
        if parent is not None:
            parent.children.append(self)

    def __repr__(self) -> str:
        return f"<ThreadGroup {self.name}>"

    def representative(self) -> Task | None:
        """The thread that stands for the process: the oldest alive."""
        return self.threads[0] if self.threads else None

    def stop(self, signo: int) -> None:
        """Take the token away from all threads until SIGCONT or SIGKILL."""
        self.kernel.stop(self, signo)

    def released(self) -> None:
        """The zombie is reaped."""

    def resume_stopped(self) -> None:
        """SIGCONT: let the threads go on."""
        self.kernel.resume_stopped(self)
