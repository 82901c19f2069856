"""wait4(2), waitid(2): news of children. kernel/exit.c.

With a host, the zombies are the host's: a wait that has found one is passed on, and the host fills in status, siginfo
and rusage. Stops are the kernel's own, so news of them is given here.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.errno import EAGAIN, ECHILD, EINVAL, ESRCH
from tickless.abi.fcntl import O_NONBLOCK
from tickless.abi.integers import INT_MIN, signed_32
from tickless.abi.resource import RUSAGE
from tickless.abi.siginfo import CLD_CONTINUED, CLD_STOPPED
from tickless.abi.signal import SIGCHLD, SIGCONT
from tickless.abi.types import IdType, Pid, RusageOut, SiginfoOut, WaitOptions, WaitStatusOut
from tickless.abi.wait import (
    __WALL,
    __WCLONE,
    __WNOTHREAD,
    P_ALL,
    P_PGID,
    P_PID,
    P_PIDFD,
    W_CONTINUED,
    WCONTINUED,
    WEXITED,
    WNOHANG,
    WNOWAIT,
    WSTOPPED,
    WUNTRACED,
    stop_status,
)
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Answer, Blocked, Result
from tickless.kernel.pidfd import pid_of_pidfd
from tickless.kernel.process import exit_cause, forget_reaped, process_group_of, release_group, uid_of
from tickless.kernel.registry import syscall

if TYPE_CHECKING:
    from tickless.kernel.task import Task, ThreadGroup

# In a class, Python would take Linux's names for private ones.
WALL, WCLONE, WNOTHREAD = __WALL, __WCLONE, __WNOTHREAD
CLONE_OPTIONS = WALL | WCLONE | WNOTHREAD
WAIT4_OPTIONS = WNOHANG | WUNTRACED | WCONTINUED | CLONE_OPTIONS
NEWS = WEXITED | WSTOPPED | WCONTINUED
WAITID_OPTIONS = NEWS | WNOHANG | WNOWAIT | CLONE_OPTIONS

STATUS = Struct("<I")
# siginfo_t, of which waitid writes two pieces and leaves the rest alone: signo, errno, code; pid, uid, status.
SIGINFO_HEAD = Struct("<iii")
SIGINFO_CHILD = Struct("<iIi")
SIGINFO_CHILD_OFFSET = 16


class Wait:
    """What one call waits for, and what it found. Linux's struct wait_opts."""

    __slots__ = ("child", "code", "kind", "number", "options", "status", "task")

    def __init__(self, task: Task, kind: int, number: int, options: int) -> None:
        self.task = task
        self.kind = kind  # P_ALL, P_PID, P_PGID
        self.number = number
        self.options = options
        self.child: ThreadGroup | None = None  # whose news was found
        self.code = 0  # CLD_ constant
        self.status = 0  # exit code or signal

    def find(self) -> int | None:
        """The pid of a child with news; else 0 with WNOHANG, -ECHILD if none will ever come, None if the call waits."""
        forget_reaped(self.task.group)
        may_come = False
        for child in self.candidates():
            if child.wait_status is None:
                may_come = True
            if self._has_news(child):
                self.child = child
                return child.tgid
        if not may_come:
            return -ECHILD
        return 0 if self.options & WNOHANG else None

    def candidates(self) -> Iterable[ThreadGroup]:
        """The children it asks for: the calling thread's own first, then in order of birth."""
        group = self.task.group
        children = group.children
        if any(child.parent_thread not in (None, self.task) for child in children):
            children = self._by_thread(children)
        return [child for child in children if self._asks_for(child)]

    def _by_thread(self, children: list[ThreadGroup]) -> list[ThreadGroup]:
        """Linux goes around the threads, from the caller on, and each has its own list."""
        threads = self.task.group.threads
        first = threads.index(self.task)
        around = [*threads[first:], *threads[:first]][: 1 if self.options & WNOTHREAD else None]
        return [child for thread in around for child in children if (child.parent_thread or threads[0]) is thread]

    def _asks_for(self, child: ThreadGroup) -> bool:
        if self.kind == P_PID and child.tgid != self.number:
            return False
        if self.kind == P_PGID and process_group_of(child) != self.number:
            return False
        # A "clone" child tells its end by another signal than SIGCHLD, or by none.
        return bool(self.options & WALL) or (child.exit_signal != SIGCHLD) == bool(self.options & WCLONE)

    def _has_news(self, child: ThreadGroup) -> bool:
        """Whether there is something to tell of `child`; it is told once, unless WNOWAIT."""
        options, once = self.options, not self.options & WNOWAIT
        if child.wait_status is not None:
            if options & WEXITED:
                self.code, self.status = exit_cause(child.wait_status)
            return bool(options & WEXITED)
        if options & WSTOPPED and child.stopped_by and child.stop_unreported:
            self.code, self.status = CLD_STOPPED, child.stopped_by
            child.stop_unreported = not once
            return True
        if options & WCONTINUED and child.continue_unreported:
            self.code, self.status = CLD_CONTINUED, SIGCONT
            child.continue_unreported = not once
            return True
        return False

    def take_zombie(self) -> bool:
        """Reap the child if it has ended. Returns whether the host has to do the call for that."""
        child = self.child
        if child is None or child.wait_status is None:
            return False
        once = not self.options & WNOWAIT
        if self.task.kernel.host is not None:
            self.task.group.may_have_reaped |= once
            return True
        if once:
            release_group(child)
        return False

    def status_word(self) -> int:
        """What wait4 stores of the news."""
        if self.code == CLD_STOPPED:
            return stop_status(self.status)
        if self.code == CLD_CONTINUED:
            return W_CONTINUED
        assert self.child is not None, "a status without a child"
        return self.child.wait_status or 0


@syscall
def wait4(task: Task, pid: Pid, wstatus: WaitStatusOut, options: WaitOptions, rusage: RusageOut) -> Result:
    """Wait for a child to end, or with WUNTRACED and WCONTINUED to stop or go on; 0 if WNOHANG and there is no news."""
    if options & ~WAIT4_OPTIONS:
        raise Errno(EINVAL)
    if pid == INT_MIN:
        raise Errno(ESRCH)
    wait = _wait4(task, pid, options)
    found = wait.find()
    if found is None:
        return _sleep_in_wait4(wait, wstatus, rusage)
    return _give_status(wait, found, wstatus, rusage)


def _wait4(task: Task, pid: int, options: int) -> Wait:
    if pid == -1:
        kind, number = P_ALL, 0
    elif pid > 0:
        kind, number = P_PID, pid
    else:
        kind, number = P_PGID, -pid or process_group_of(task.group)
    return Wait(task, kind, number, options | WEXITED)


def _sleep_in_wait4(wait: Wait, wstatus: int, rusage: int) -> Blocked:
    found = yield from wait.task.group.child_queue.sleep_signalable_until(wait.task, wait.find)
    assert found is not None, "a wait has no deadline"
    return _give_status(wait, found, wstatus, rusage)


def _give_status(wait: Wait, found: int, wstatus: int, rusage: int) -> Answer:
    """Answer wait4. The child is reaped before memory is touched: EFAULT loses it, as on Linux."""
    if found <= 0:
        return found
    memory, status = wait.task.memory, STATUS.pack(wait.status_word())
    if wait.take_zombie():
        return PASS_ON
    if wstatus:
        memory.copy_out(wstatus, status)
    if rusage:
        memory.copy_out(rusage, bytes(RUSAGE.size))
    return found


@syscall
def waitid(task: Task, idtype: IdType, id: Pid, infop: SiginfoOut, options: WaitOptions, rusage: RusageOut) -> Result:
    """Wait for the news that `options` name; 0, and a siginfo that is all 0 if WNOHANG and there is none."""
    wait = Wait(task, P_ALL, 0, options)
    try:
        nonblock = _check_waitid(wait, idtype, id)
    except Errno as error:
        return _give_siginfo(wait, -error.number, infop, rusage)
    found = wait.find()
    if found is None and nonblock:
        found = -EAGAIN
    if found is None:
        return _sleep_in_waitid(wait, infop, rusage)
    return _give_siginfo(wait, found, infop, rusage)


def _check_waitid(wait: Wait, idtype: int, id: int) -> bool:
    """Fill in whom the wait is for; return whether a pidfd says by O_NONBLOCK that it must not sleep."""
    if wait.options & ~WAITID_OPTIONS or not wait.options & NEWS:
        raise Errno(EINVAL)
    lowest = {P_ALL: INT_MIN, P_PID: 1, P_PGID: 0, P_PIDFD: 0}.get(idtype)
    if lowest is None or id < lowest:
        raise Errno(EINVAL)
    if idtype == P_PIDFD:
        wait.kind, (wait.number, flags) = P_PID, pid_of_pidfd(wait.task, id)
        return bool(flags & O_NONBLOCK)
    wait.kind, wait.number = idtype, id
    if idtype == P_PGID and id == 0:
        wait.number = process_group_of(wait.task.group)
    return False


def _sleep_in_waitid(wait: Wait, infop: int, rusage: int) -> Blocked:
    try:
        found = yield from wait.task.group.child_queue.sleep_signalable_until(wait.task, wait.find)
    except Errno as error:
        # Linux writes the siginfo whatever the outcome, also when a signal comes.
        return _give_siginfo(wait, -error.number, infop, rusage)
    assert found is not None, "a wait has no deadline"
    return _give_siginfo(wait, found, infop, rusage)


def _give_siginfo(wait: Wait, found: int, infop: int, rusage: int) -> Answer:
    """Answer waitid."""
    memory, uid = wait.task.memory, uid_of(wait.child) if wait.child else 0
    if wait.take_zombie():
        return PASS_ON
    if found > 0 and rusage:
        memory.copy_out(rusage, bytes(RUSAGE.size))
    if infop:
        memory.copy_out(infop, SIGINFO_HEAD.pack(SIGCHLD if found > 0 else 0, 0, wait.code))
        memory.copy_out(infop + SIGINFO_CHILD_OFFSET, SIGINFO_CHILD.pack(max(found, 0), uid, wait.status))
    return min(found, 0)


def awaited_children(task: Task, *, waitid: bool) -> list[ThreadGroup]:
    """The living children that a task's wait is for."""
    if waitid:
        wait = Wait(task, P_ALL, 0, task.args[3])
        _check_waitid(wait, task.args[0], signed_32(task.args[1]))
    else:
        wait = _wait4(task, signed_32(task.args[0]), task.args[2])
    return [child for child in wait.candidates() if child.wait_status is None]
