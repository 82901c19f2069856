"""What a call that is left to Linux returned, for a trace or to be amended: the task is stopped behind it. ptrace(2)

A stop is asked for before the call is let go, so it comes as soon as the call is over. A call that looks for signals
may be cut short by it; Linux then makes it again, and that time it is let go without a stop. One that would then return
less than it had to, because it moves much, is never stopped behind.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.errno import ERESTART_RESTARTBLOCK, ERESTARTSYS
from tickless.abi.ioctl import TCSBRK, TCSBRKP, TCSETAF, TCSETAW, TCSETSF, TCSETSF2, TCSETSW, TCSETSW2
from tickless.abi.numbers import number_of
from tickless.host import notify, ptrace
from tickless.host.proc_files import is_made

if TYPE_CHECKING:
    from tickless.host.supervisor import Supervisor
    from tickless.host.tracee import Tracee
    from tickless.kernel.kernel import Listener
    from tickless.kernel.outcome import Answer, PassOn

# Calls that other stops belong to, that may wait, or that look for signals between the pieces of what they move.
UNTOLD = frozenset(
    number_of(ARCH, name)
    for name in (
        *("clone", "clone3", "fork", "vfork", "execve", "execveat", "exit", "exit_group"),
        *("rt_sigreturn", "rt_sigsuspend", "pause", "ppoll", "pselect6", "epoll_pwait", "epoll_pwait2"),
        *("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"),
        *("ptrace", "seccomp", "prctl", "restart_syscall", "reboot", "unshare", "setns"),
        *("getdents", "getdents64", "sendfile", "splice", "tee", "vmsplice", "copy_file_range", "fallocate"),
        *("readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2", "process_vm_readv", "process_vm_writev"),
        *("recvmsg", "sendmsg", "recvmmsg", "sendmmsg", "getrandom", "io_getevents", "msgsnd", "msgrcv", "semop"),
    )
)
IOCTL = number_of(ARCH, "ioctl")
# They wait until a terminal has sent what was written, and fail with EINTR rather than begin again. ioctl_tty(2)
DRAINING = frozenset((TCSETSW, TCSETSF, TCSETAW, TCSETAF, TCSETSW2, TCSETSF2, TCSBRK, TCSBRKP))
# Calls that move as many bytes as their third argument says.
MOVING = frozenset(number_of(ARCH, name) for name in ("read", "write", "pread64", "pwrite64", "recvfrom", "sendto"))
AT_ONCE = 4096  # bytes that are moved without a look for signals
SVC = b"\x01\x00\x00\xd4"  # the instruction by which arm64 makes a call
MADE_UP = ("/proc", "/sys", "/sys/fs/cgroup")


def is_to_be_told(listener: Listener | None, task: Tracee, answer: PassOn) -> bool:
    """Whether somebody wants what Linux will return, and the task can be stopped behind its call."""
    wanted = answer.amend is not None or (listener is not None and listener.wants_result(task))
    return wanted and _may_be_stopped_behind(task)


def _may_be_stopped_behind(task: Tracee) -> bool:
    """Whether a stop changes nothing of the call, which was not cut short by one before."""
    cut_short, task.was_cut_short = task.was_cut_short, False
    if cut_short or task.call in UNTOLD or (task.call == IOCTL and task.args[1] & 0xFFFFFFFF in DRAINING):
        return False
    if task.call not in MOVING:
        return True
    try:
        status = os.stat(f"/proc/{task.tid}/fd/{task.args[0] & 0xFFFFFFFF}")
    except OSError:
        return task.args[2] <= AT_ONCE
    if stat.S_ISREG(status.st_mode):  # only a fatal signal cuts the call short
        return status.st_dev not in _made_up_devices() and not is_made(status)
    return task.args[2] <= AT_ONCE


@cache
def _made_up_devices() -> frozenset[int]:
    """Where Linux makes a file up as it is read: how long it then is differs from run to run."""
    found = set[int]()
    for folder in MADE_UP:
        with suppress(OSError):
            found.add(os.stat(folder).st_dev)
    return frozenset(found)


def pass_on_and_tell(supervisor: Supervisor, task: Tracee, answer: PassOn) -> None:
    """Let Linux make the call, amend it, and tell what came of it; `answer`, if the task has died of it."""
    ptrace.interrupt(task.tid)
    supervisor.send(task, 0, 0, notify.CONTINUE)
    status = supervisor.life.await_stop(task, is_there=True)  # or `interrupt` had failed
    if status is None:
        _tell(supervisor, task, answer)
        return
    result = ptrace.peek_register(task.tid, ptrace.REGISTERS.result)
    if _stands_at_a_call(task):
        result = -ERESTARTSYS
    task.was_cut_short = -ERESTARTSYS >= result >= -ERESTART_RESTARTBLOCK
    if answer.amend is not None and result >= 0:
        answer.amend(task)
    # As long as it is stopped it leaves in memory what the call has filled.
    _tell(supervisor, task, result)
    supervisor.life.take_in(task.tid, status)


def _stands_at_a_call(task: Tracee) -> bool:
    """arm64 has set the registers back for a call that is made again before a tracer sees what it gave.

    arch/arm64/kernel/signal.c, do_signal
    """
    if ARCH != "aarch64":
        return False
    address = ptrace.peek_register(task.tid, ptrace.REGISTERS.instruction_pointer)
    try:
        return os.pread(task.memory.fd, len(SVC), address) == SVC
    except OSError:
        return False


def _tell(supervisor: Supervisor, task: Tracee, answer: Answer) -> None:
    listener = supervisor.kernel.listener
    if listener is not None:
        listener.call_left(task, answer)
