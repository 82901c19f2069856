"""exit(2), exit_group(2): how threads and processes end, and who is told. credentials(7), setpgid(2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLHUP, EPOLLIN
from tickless.abi.siginfo import CLD_DUMPED, CLD_EXITED, CLD_KILLED, SI_KERNEL, SI_USER, SigInfo
from tickless.abi.signal import SA_NOCLDSTOP, SA_NOCLDWAIT, SIGCHLD, SIGCONT, SIGHUP, sigmask
from tickless.abi.types import S32
from tickless.abi.wait import WCOREFLAG, exit_status
from tickless.kernel.fd_table import OwnFdTable
from tickless.kernel.registry import UNTRAPPED, syscall
from tickless.kernel.robust_list import release_robust_list, wake_cleared_tid
from tickless.kernel.signals import retarget_shared_pending, send_signal
from tickless.kernel.task import DEAD

if TYPE_CHECKING:
    from tickless.kernel.kernel import Kernel
    from tickless.kernel.task import Task, ThreadGroup

ENDS = (CLD_EXITED, CLD_KILLED, CLD_DUMPED)


# Who belongs together


def process_group_of(group: ThreadGroup) -> int:
    """The process group's id: the host's, if there is one. getpgid(2)."""
    host = group.kernel.host
    return group.process_group if host is None else host.process_group(group)


def session_of(group: ThreadGroup) -> int:
    """The session's id: the host's, if there is one. getsid(2)."""
    host = group.kernel.host
    return group.session if host is None else host.session(group)


def is_orphaned(kernel: Kernel, process_group: int, but: ThreadGroup | None = None) -> bool:
    """Whether no living member, `but` aside, has a parent in another process group of its session. setpgid(2)."""
    return not any(
        _is_connected(group)
        for group in kernel.groups.values()
        if group is not but and group.threads and process_group_of(group) == process_group
    )


def _is_connected(group: ThreadGroup) -> bool:
    parent = group.parent
    if parent is None:
        host = group.kernel.host
        return host is not None and host.is_connected_outside(group)
    return process_group_of(parent) != process_group_of(group) and session_of(parent) == session_of(group)


def _hang_up_if_orphaned(group: ThreadGroup, parent: ThreadGroup | None, but: ThreadGroup | None) -> None:
    """`group` has just lost `parent`: stopped jobs that nobody will continue get SIGHUP, then SIGCONT."""
    kernel = group.kernel
    # Asked first, since it costs the host nothing.
    if parent is None or not any(other.stopped_by for other in kernel.groups.values()):
        return
    process_group = process_group_of(group)
    if process_group_of(parent) == process_group or session_of(parent) != session_of(group):
        return
    members = [other for other in kernel.groups.values() if other.threads and process_group_of(other) == process_group]
    if any(member.stopped_by for member in members) and is_orphaned(kernel, process_group, but):
        for signo in (SIGHUP, SIGCONT):
            for member in members:
                send_signal(member, SigInfo(signo, SI_KERNEL))


# Telling the parent


def exit_cause(wait_status: int) -> tuple[int, int]:
    """The status word of a child that ended, as siginfo's code and status. wait(2)."""
    signo = wait_status & 0x7F
    if not signo:
        return CLD_EXITED, wait_status >> 8 & 0xFF
    return CLD_DUMPED if wait_status & WCOREFLAG else CLD_KILLED, signo


def notify_parent(group: ThreadGroup, code: int, status: int) -> bool:
    """Send the parent its signal for an end, a stop or a continue (`code` is a CLD_ constant), and wake its waits.

    `status` is the exit code or the signal. Returns whether nobody will wait for the zombie. kernel/signal.c,
    do_notify_parent and do_notify_parent_cldstop.
    """
    ended = code in ENDS
    parent = group.parent
    if parent is None:
        return ended
    ignores = _ignores(parent, SIGCHLD)
    signo = group.exit_signal if ended else SIGCHLD
    autoreap = ended and signo == SIGCHLD and (ignores or bool(parent.sigchld_flags & SA_NOCLDWAIT))
    # Ignored: not sent even where it is blocked, unlike any other signal.
    if signo == SIGCHLD and (ignores or (not ended and parent.sigchld_flags & SA_NOCLDSTOP)):
        signo = 0
    if signo:
        info = SigInfo(SIGCHLD, code, pid=group.tgid, uid=uid_of(group), status=status)
        info.send_as(signo)
        # The host queues it by itself when a child ends, but knows nothing of stops.
        send_signal(parent, info, ring=not ended or group.kernel.host is None)
    parent.child_queue.wake_all()
    return autoreap


def _ignores(group: ThreadGroup, signo: int) -> bool:
    task = group.representative()
    return task is not None and bool(task.signals.ignored() & sigmask(signo))


def uid_of(group: ThreadGroup) -> int:
    """The process's real user id, for siginfo."""
    task, host = group.representative(), group.kernel.host
    return group.exit_uid if task is None or host is None else host.real_uid(task)


# The end


def exit_group(kernel: Kernel, group: ThreadGroup, wait_status: int) -> None:
    """End all threads of a process, with the status word that wait(2) will give."""
    for task in tuple(group.threads):
        exit_task(kernel, task, wait_status)


def exit_task(kernel: Kernel, task: Task, wait_status: int | None) -> None:
    """A thread has ended; `wait_status` is its status word, None if others will end after it.

    The process's own is that of the thread that ends last: exit_group and a fatal signal give all threads the same.
    """
    group = task.group
    if task.state is DEAD:
        return
    if len(group.threads) == 1:
        group.exit_uid = uid_of(group)
    kernel.abandon_call(task)
    release_memory(task)
    kernel.remove_task(task)
    if kernel.listener is not None:
        kernel.listener.task_ended(task, wait_status or 0)
    _release_files(kernel, task)
    _leave_children(task)
    if group.threads:
        retarget_shared_pending(group)
        group.exit_queue.wake_all(EPOLLIN)  # a pidfd may be of this thread alone
    else:
        _end_group(group, wait_status or 0)


def release_memory(task: Task) -> None:
    """Exit or exec: the task leaves its address space. set_tid_address(2), set_robust_list(2)."""
    release_robust_list(task)
    wake_cleared_tid(task)
    task.robust_list = task.clear_child_tid = 0


def release_group(group: ThreadGroup) -> None:
    """The zombie is reaped: nothing of the process is left."""
    group.reaped = True
    group.released()
    groups = group.kernel.groups
    if groups.get(group.tgid) is group:  # with a host, another may have its id by now
        del groups[group.tgid]
    if group.parent is not None:
        group.parent.children.remove(group)
    group.exit_queue.wake_all(EPOLLIN | EPOLLHUP)


def forget_reaped(parent: ThreadGroup) -> None:
    """With a host, the waits that reap are done by it: drop the children that are reaped by now."""
    host = parent.kernel.host
    if host is None or not parent.may_have_reaped:
        return
    zombies = [child for child in parent.children if child.wait_status is not None]
    for child in zombies:
        if host.is_reaped(child):
            release_group(child)
    # A wait that was passed on may be on its way still.
    parent.may_have_reaped = not all(child.reaped for child in zombies)


def find_group(kernel: Kernel, pid: int) -> ThreadGroup | None:
    """The process that has a thread `pid`, alive or zombie; None if it is none of this run."""
    thread = kernel.tasks.get(pid)
    group = kernel.groups.get(pid) if thread is None else thread.group
    if group is not None and group.wait_status is not None and group.parent is not None:
        forget_reaped(group.parent)
        return None if group.reaped else group
    return group


def _release_files(kernel: Kernel, task: Task) -> None:
    fds = task.fds
    if isinstance(fds, OwnFdTable) and not any(other.fds is fds for other in kernel.tasks.values()):
        fds.close_all()


def _end_group(group: ThreadGroup, last_status: int) -> None:
    """The last thread has gone: the process becomes a zombie."""
    group.real_timer.disarm()
    group.posix_timers.delete_all()
    group.stopped_by = 0
    group.held.clear()
    _hang_up_if_orphaned(group, group.parent, group)
    group.wait_status = last_status
    group.exit_queue.wake_all(EPOLLIN)
    _bury(group)


def _bury(group: ThreadGroup) -> None:
    """Tell the parent of a zombie; one that nobody will wait for goes at once."""
    assert group.wait_status is not None, f"{group} is no zombie"
    autoreap = notify_parent(group, *exit_cause(group.wait_status))
    if not autoreap:
        return
    if group.parent is None or group.kernel.host is None:
        release_group(group)
    else:
        # The host reaps it, a little later. Who ignores children may never wait: those before it are gone by now.
        forget_reaped(group.parent)
        group.parent.may_have_reaped = True


def _leave_children(task: Task) -> None:
    """The children of a thread that has ended go to another thread of its process, else to a subreaper or init."""
    group = task.group
    forget_reaped(group)
    reaper = group if group.threads else _find_reaper(group)
    for child in tuple(group.children):
        if child.parent_thread is not task and (group.threads or child.parent_thread is not None):
            continue
        child.parent_thread = reaper.threads[0] if reaper else None
        _send_death_signals(child, group)
        if reaper is not group:
            _adopt(child, group, reaper)


def _find_reaper(group: ThreadGroup) -> ThreadGroup | None:
    """The nearest ancestor that is a subreaper; None: init, outside. PR_SET_CHILD_SUBREAPER(2const)."""
    ancestor = group.parent
    while ancestor is not None and not (ancestor.is_subreaper and ancestor.threads):
        ancestor = ancestor.parent
    return ancestor


def _send_death_signals(child: ThreadGroup, parent: ThreadGroup) -> None:
    """PR_SET_PDEATHSIG(2const): the thread that made `child` has ended."""
    for thread in tuple(child.threads):
        if thread.death_signal:
            info = SigInfo(thread.death_signal, SI_USER, pid=parent.tgid, uid=uid_of(parent))
            send_signal(child, info, ring=child.kernel.host is None)


def _adopt(child: ThreadGroup, father: ThreadGroup, reaper: ThreadGroup | None) -> None:
    """`father` has gone: `child` is `reaper`'s from now on."""
    father.children.remove(child)
    child.parent = reaper
    child.exit_signal = SIGCHLD
    if reaper is not None:
        reaper.children.append(child)
    if child.wait_status is not None:
        _bury(child)
    _hang_up_if_orphaned(child, father, None)


@syscall(trap=UNTRAPPED)
def exit_(task: Task, status: S32) -> S32:
    """End the calling thread; its state is DEAD when this returns."""
    exit_task(task.kernel, task, exit_status(status))
    return 0


@syscall(trap=UNTRAPPED)
def exit_group_(task: Task, status: S32) -> S32:
    """End the calling process."""
    exit_group(task.kernel, task.group, exit_status(status))
    return 0
