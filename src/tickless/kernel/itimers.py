"""setitimer(2), getitimer(2), alarm(2): a process's interval timers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.errno import EINVAL
from tickless.abi.time import (
    ITIMER_PROF,
    ITIMER_REAL,
    ITIMER_VIRTUAL,
    ITIMERVAL,
    NSEC_PER_SEC,
    pack_itimerval,
)
from tickless.abi.types import U32, ItimervalOut, ItimervalPtr, WhichTimer
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import ArgumentTest, syscall, unserved
from tickless.kernel.timespec import timeval_ns

if TYPE_CHECKING:
    from tickless.kernel.task import Task

# The others count CPU time, which is the host's: a program may watch them in a loop.
_OURS = ArgumentTest(register=0, mask=0xFFFFFFFF, values=(ITIMER_REAL,))
CPU_TIME_TIMER = unserved("TL430", "ITIMER_VIRTUAL or ITIMER_PROF without a host", EINVAL)


@syscall(when=_OURS)
def setitimer(task: Task, which: WhichTimer, new_value: ItimervalPtr, old_value: ItimervalOut) -> Result:
    """Set a timer and give its old setting; a null `new_value` disarms."""
    if which in (ITIMER_VIRTUAL, ITIMER_PROF):
        return _pass_on(task)
    value_ns = interval_ns = 0
    if new_value:
        fields = ITIMERVAL.unpack(task.memory.copy_in(new_value, ITIMERVAL.size))
        value_ns, interval_ns = timeval_ns(*fields[2:]), timeval_ns(*fields[:2])
    if which != ITIMER_REAL:
        raise Errno(EINVAL)
    timer = task.group.real_timer
    old = pack_itimerval(timer.interval_ns, timer.remaining_ns())
    timer.set(value_ns, interval_ns)
    if old_value:
        task.memory.copy_out(old_value, old)
    return 0


@syscall(when=_OURS)
def getitimer(task: Task, which: WhichTimer, curr_value: ItimervalOut) -> Result:
    """Give a timer's setting."""
    if which in (ITIMER_VIRTUAL, ITIMER_PROF):
        return _pass_on(task)
    if which != ITIMER_REAL:
        raise Errno(EINVAL)
    timer = task.group.real_timer
    task.memory.copy_out(curr_value, pack_itimerval(timer.interval_ns, timer.remaining_ns()))
    return 0


@syscall
def alarm(task: Task, seconds: U32) -> Result:
    """Set ITIMER_REAL to whole seconds, once; what was left of it, rounded to seconds, but to 1 at least."""
    timer = task.group.real_timer
    left, rest_ns = divmod(timer.remaining_ns(), NSEC_PER_SEC)
    timer.set(seconds * NSEC_PER_SEC, 0)
    # Too much rather than too little, and 0 means that there was none.
    return left + 1 if rest_ns >= NSEC_PER_SEC // 2 or (rest_ns and not left) else left


def _pass_on(task: Task) -> Result:
    """CPU time is the host's."""
    if task.kernel.host is None:
        task.kernel.refuse(task, CPU_TIME_TIMER)
    return PASS_ON
