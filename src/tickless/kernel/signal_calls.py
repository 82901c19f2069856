"""kill(2), sigqueue(3), sigaction(2), sigprocmask(2), sigpending(2), sigsuspend(2), sigtimedwait(2), pause(2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tickless.abi.epoll import EPOLLIN
from tickless.abi.errno import E2BIG, EAGAIN, EINTR, EINVAL, EPERM, ERESTARTNOHAND, ESRCH
from tickless.abi.integers import INT_MIN
from tickless.abi.siginfo import (
    KERNEL_SIGINFO_SIZE,
    SI_ASYNCNL,
    SI_DETHREAD,
    SI_TKILL,
    SI_USER,
    SIGINFO_SIZE,
    SigInfo,
)
from tickless.abi.signal import (
    KERNEL_SIGACTION,
    SIG_BLOCK,
    SIG_SETMASK,
    SIG_UNBLOCK,
    SIGCHLD,
    SIGRTMAX,
    SIGSET,
    UNBLOCKABLE,
    sigmask,
)
from tickless.abi.types import (
    S32,
    Address,
    Pid,
    SigHow,
    SiginfoOut,
    SiginfoPtr,
    Signal,
    SigsetOut,
    SigsetPtr,
    Size,
    TimespecPtr,
)
from tickless.kernel.errors import Errno
from tickless.kernel.job_control import answer_when_continued
from tickless.kernel.outcome import PASS_ON, Answer, Blocked, Result
from tickless.kernel.own_signals import OwnSignals, SigAction
from tickless.kernel.process import find_group, process_group_of
from tickless.kernel.registry import UNTRAPPED, ArgumentTest, syscall
from tickless.kernel.signals import ends_by_default, pending_mask, pop_pending_masked, send_signal, who_ends
from tickless.kernel.timespec import read_timespec
from tickless.kernel.wait_queue import sleep_masked, sleep_until

if TYPE_CHECKING:
    from tickless.kernel.task import Task, ThreadGroup


# Sending


def may_signal(sender: Task, target: ThreadGroup, signo: int) -> None:
    """kernel/signal.c, check_kill_permission. Raises: Errno(EINVAL), Errno(EPERM)."""
    if not 0 <= signo <= SIGRTMAX:
        raise Errno(EINVAL)
    host = sender.kernel.host
    if host is not None and target is not sender.group and not host.may_signal(sender, target, signo):
        raise Errno(EPERM)


def info_from(sender: Task, signo: int, code: int) -> SigInfo:
    """What kill(2) and tgkill(2) tell of the sender."""
    host = sender.kernel.host
    return SigInfo(signo, code, pid=sender.group.tgid, uid=0 if host is None else host.real_uid(sender))


def not_of_this_run(task: Task) -> Answer:
    """What a call that names somebody outside gives. Raises: Errno(ESRCH) where there is no outside."""
    if task.kernel.host is None:
        raise Errno(ESRCH)
    return PASS_ON


def send(sender: Task, group: ThreadGroup, info: SigInfo, thread: Task | None = None) -> Result:
    """Send a signal that may be 0, which only asks whether it could be sent. Raises: Errno(EINVAL), Errno(EPERM)."""
    may_signal(sender, group, info.signo)
    if info.signo:
        send_signal(group, info, thread)
    return _answer_after_sending(sender)


def _answer_after_sending(sender: Task) -> Result:
    """0, unless the signal has ended or stopped the sender itself: another thread that takes it has its turn later."""
    if len(sender.group.threads) > 1 and who_ends(sender.group) not in (None, sender):
        return cast(Blocked, sleep_until(sender, (), lambda: None, signalable=False))
    return answer_when_continued(sender, 0)


@syscall
def kill(task: Task, pid: Pid, sig: Signal) -> Result:
    """Send a signal to a process (`pid` > 0), the caller's process group (0), all others (-1) or a process group.

    Groups have only members of this run: the signal never reaches anybody outside.
    """
    info = info_from(task, sig, SI_USER)
    if pid > 0:
        group = find_group(task.kernel, pid)
        return not_of_this_run(task) if group is None else send(task, group, info)
    if pid == INT_MIN:
        raise Errno(ESRCH)
    if pid == -1:
        return _send_to_all_others(task, info)
    return send_to_process_group(task, -pid or process_group_of(task.group), info)


def send_to_process_group(task: Task, process_group: int, info: SigInfo) -> Result:
    """One success is enough; otherwise the error of the last member tried."""
    error: Errno | None = Errno(ESRCH)
    for group in reversed(tuple(task.kernel.groups.values())):  # Linux has the youngest first
        if process_group_of(group) != process_group:
            continue
        try:
            send(task, group, info)
            error = None
        except Errno as failure:
            error = error and failure
    if error is not None:
        raise error
    return _answer_after_sending(task)


def _send_to_all_others(task: Task, info: SigInfo) -> int:
    """EPERM counts for nothing, except that somebody was there."""
    others = [group for group in tuple(task.kernel.groups.values()) if group is not task.group]
    if not others:
        raise Errno(ESRCH)
    answer = 0
    for group in others:
        try:
            send(task, group, info)
            answer = 0
        except Errno as failure:
            if failure.number != EPERM:
                answer = -failure.number
    return answer


@syscall
def tkill(task: Task, tid: Pid, sig: Signal) -> Result:
    """`tgkill` without a check that the thread is of a certain process."""
    if tid <= 0:
        raise Errno(EINVAL)
    return send_to_thread(task, None, tid, info_from(task, sig, SI_TKILL))


@syscall
def tgkill(task: Task, tgid: Pid, tid: Pid, sig: Signal) -> Result:
    """Send a signal to one thread. EINVAL for ids that are not above 0."""
    if tid <= 0 or tgid <= 0:
        raise Errno(EINVAL)
    return send_to_thread(task, tgid, tid, info_from(task, sig, SI_TKILL))


def send_to_thread(task: Task, tgid: int | None, tid: int, info: SigInfo) -> Result:
    group = find_group(task.kernel, tid)
    if group is None:
        return not_of_this_run(task)
    if tgid is not None and group.tgid != tgid:
        raise Errno(ESRCH)
    thread = task.kernel.tasks.get(tid)
    if thread is None:  # a zombie, or a leader that has ended before its threads
        may_signal(task, group, info.signo)
        return 0
    return send(task, group, info, thread)


@syscall
def rt_sigqueueinfo(task: Task, pid: Pid, sig: Signal, uinfo: SiginfoPtr) -> Result:
    """Send a signal with a siginfo_t of the caller's. sigqueue(3)."""
    info = read_siginfo(task, sig, uinfo)
    _refuse_impersonation(task, pid, info)
    group = find_group(task.kernel, pid)
    return not_of_this_run(task) if group is None else send(task, group, info)


@syscall
def rt_tgsigqueueinfo(task: Task, tgid: Pid, tid: Pid, sig: Signal, uinfo: SiginfoPtr) -> Result:
    """`rt_sigqueueinfo` for one thread. pthread_sigqueue(3)."""
    info = read_siginfo(task, sig, uinfo)
    if tid <= 0 or tgid <= 0:
        raise Errno(EINVAL)
    _refuse_impersonation(task, tid, info)
    return send_to_thread(task, tgid, tid, info)


def _refuse_impersonation(task: Task, tid: int, info: SigInfo) -> None:
    """Nobody may look like the kernel or like kill(2) to others. Raises: Errno(EPERM)."""
    if (info.code >= 0 or info.code == SI_TKILL) and tid != task.tid:
        raise Errno(EPERM)


def read_siginfo(task: Task, signo: int, address: int) -> SigInfo:
    """The caller's siginfo_t, for `signo`. Raises: Errno(EFAULT), Errno(E2BIG)."""
    packed = signo.to_bytes(4, "little", signed=True) + task.memory.copy_in(address, SIGINFO_SIZE)[4:]
    info = SigInfo.unpack(packed)
    # Of a kind it does not know, Linux keeps 48 bytes: more would be lost. post_copy_siginfo_from_user
    if info.code < SI_DETHREAD and info.code != SI_ASYNCNL and any(packed[KERNEL_SIGINFO_SIZE:]):
        raise Errno(E2BIG)
    return info


# Waiting


@syscall
def rt_sigpending(task: Task, uset: SigsetOut, sigsetsize: Size) -> Result:
    """Tell which signals are pending and blocked."""
    if sigsetsize > SIGSET.size:
        raise Errno(EINVAL)
    mask = pending_mask(task) & task.signals.blocked()
    task.memory.copy_out(uset, SIGSET.pack(mask)[:sigsetsize])
    return 0


@syscall
def rt_sigsuspend(task: Task, unewset: SigsetPtr, sigsetsize: Size) -> Result:
    """Wait for a signal that the new mask lets through; the old mask comes back when its handler returns."""
    mask = read_sigset(task, unewset, sigsetsize)
    return sleep_masked(task, mask, _wait_for_a_signal(task))


@syscall
def pause(task: Task) -> Result:
    """Wait for a signal whose handler runs or that ends the process."""
    return _wait_for_a_signal(task)


def _wait_for_a_signal(task: Task) -> Blocked:
    return cast(Blocked, sleep_until(task, (), lambda: None, interrupted_as=ERESTARTNOHAND))


@syscall
def rt_sigtimedwait(task: Task, uthese: SigsetPtr, uinfo: SiginfoOut, uts: TimespecPtr, sigsetsize: Size) -> Result:
    """Take a pending signal of a set, or wait for one. EAGAIN when the time is over, EINTR for a handler."""
    mask = read_sigset(task, uthese, sigsetsize) & ~UNBLOCKABLE
    timeout_ns = read_timespec(task, uts) if uts else None
    taken = _take_signal(task, mask, uinfo)
    if taken is not None:
        return taken
    if timeout_ns == 0:
        return -EAGAIN
    deadline_ns = None if timeout_ns is None else task.kernel.clock.now_ns + timeout_ns
    return _wait_for_signal(task, mask, uinfo, deadline_ns)


def _wait_for_signal(task: Task, mask: int, uinfo: int, deadline_ns: int | None) -> Blocked:
    queue = task.group.signal_queue
    # What comes while it waits, unblocked and of a kind that ends the process, does that.
    mask &= ~ends_by_default(task, mask & ~task.signals.blocked())
    signo = yield from queue.sleep_signalable_until(
        task, lambda: _take_signal(task, mask, uinfo), deadline_ns, events=EPOLLIN, interrupted_as=EINTR
    )
    return -EAGAIN if signo is None else signo


def _take_signal(task: Task, mask: int, uinfo: int) -> int | None:
    """Take a signal and tell of it; one whose siginfo cannot be written is lost, as on Linux."""
    info = pop_pending_masked(task, mask)
    if info is None:
        return None
    if uinfo:
        task.memory.copy_out(uinfo, info.pack())
    return info.signo


def read_sigset(task: Task, address: int, size: int) -> int:
    """A set of signals. Raises: Errno(EINVAL) for another size than Linux's, Errno(EFAULT)."""
    if size != SIGSET.size:
        raise Errno(EINVAL)
    return cast(int, SIGSET.unpack(task.memory.copy_in(address, SIGSET.size))[0])


# Masks and dispositions: the host's for real programs, so only tasks of the kernel's own get here.


@syscall(trap=UNTRAPPED)
def rt_sigprocmask(task: Task, how: SigHow, nset: SigsetPtr, oset: SigsetOut, sigsetsize: Size) -> S32:
    """Change the mask and give the old one. EINVAL for an unknown `how`, but only if there is a new set."""
    if sigsetsize != SIGSET.size:
        raise Errno(EINVAL)
    signals = cast(OwnSignals, task.signals)
    old = signals.mask
    if nset:
        signals.set_mask(_changed_mask(old, how, read_sigset(task, nset, sigsetsize)))
    if oset:
        task.memory.copy_out(oset, SIGSET.pack(old))
    return 0


def _changed_mask(old: int, how: int, change: int) -> int:
    if how == SIG_BLOCK:
        return old | change
    if how == SIG_UNBLOCK:
        return old & ~change
    if how == SIG_SETMASK:
        return change
    raise Errno(EINVAL)


@syscall(when=ArgumentTest(register=0, mask=0xFFFFFFFF, values=(SIGCHLD,)))
def rt_sigaction(task: Task, sig: Signal, act: Address, oact: Address, sigsetsize: Size) -> Result:
    """Change what a signal does and give what it did. EINVAL for SIGKILL and SIGSTOP, unless it only asks.

    With a host only SIGCHLD's is looked at, since its flags decide what a child's end, stop and continue do.
    """
    if sigsetsize != SIGSET.size:
        raise Errno(EINVAL)
    new = SigAction(*KERNEL_SIGACTION.unpack(task.memory.copy_in(act, KERNEL_SIGACTION.size))) if act else None
    if not 1 <= sig <= SIGRTMAX or (new is not None and sigmask(sig) & UNBLOCKABLE):
        raise Errno(EINVAL)
    if new is not None and sig == SIGCHLD:
        task.group.sigchld_flags = new.flags
    if task.kernel.host is not None:
        return PASS_ON
    signals = cast(OwnSignals, task.signals)
    old = signals.action(sig)
    if new is not None:
        signals.set_action(sig, new)
    if oact:
        task.memory.copy_out(oact, KERNEL_SIGACTION.pack(*old))
    return 0
