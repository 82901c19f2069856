"""prctl(2): the options that decide who hears of a task's end, and a few that a host must not do unseen."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.errno import EINVAL
from tickless.abi.prctl import (
    PR_GET_CHILD_SUBREAPER,
    PR_GET_DUMPABLE,
    PR_GET_PDEATHSIG,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    PR_SET_PDEATHSIG,
    PR_SET_SECCOMP,
    PR_SET_TSC,
)
from tickless.abi.signal import SIGRTMAX
from tickless.abi.types import NumberOrPointer, PrctlOption
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import ArgumentTest, syscall, unserved

if TYPE_CHECKING:
    from tickless.kernel.task import Task

INT = Struct("<i")
TRAPPED = (PR_SET_CHILD_SUBREAPER, PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_TSC)

# A read of the time-stamp counter is real time; trapping it is a program's own way to fake one.
TIME_STAMP_COUNTER = unserved("TL303", "prctl(PR_SET_TSC)", EINVAL)


@syscall(when=ArgumentTest(0, 0xFFFFFFFF, TRAPPED))
def prctl(
    task: Task,
    option: PrctlOption,
    arg2: NumberOrPointer,
    arg3: NumberOrPointer,
    arg4: NumberOrPointer,
    arg5: NumberOrPointer,
) -> Result:
    """The options in TRAPPED are noted and left to the host; without one, four of them are all there is."""
    if option == PR_SET_TSC:
        task.kernel.refuse(task, TIME_STAMP_COUNTER)
    if option in (PR_GET_DUMPABLE, PR_SET_DUMPABLE):
        return _dumpable(task, option, arg2)
    if option == PR_SET_CHILD_SUBREAPER:
        task.group.is_subreaper = arg2 != 0
    elif option == PR_SET_PDEATHSIG:
        if arg2 > SIGRTMAX:
            raise Errno(EINVAL)
        task.death_signal = arg2
    elif option == PR_SET_SECCOMP and task.kernel.host is not None:
        task.kernel.host.note_filter(task, arg2, arg3)
    elif task.kernel.host is None:
        return _get(task, option, arg2)
    return 0 if task.kernel.host is None else PASS_ON


def _dumpable(task: Task, option: int, wanted: int) -> Result:
    """Whether a process dumps core and may be traced: a note, where the host would lose the process otherwise."""
    host = task.kernel.host
    if host is not None and not host.needs_dumpable():
        return PASS_ON
    if option == PR_GET_DUMPABLE:
        return int(task.group.dumpable)
    if wanted not in (0, 1):
        raise Errno(EINVAL)
    task.group.dumpable = bool(wanted)
    return 0


def _get(task: Task, option: int, address: int) -> int:
    """The options that ask, of which the host answers its own."""
    if option == PR_GET_PDEATHSIG:
        value = task.death_signal
    elif option == PR_GET_CHILD_SUBREAPER:
        value = int(task.group.is_subreaper)
    else:
        raise Errno(EINVAL)
    task.memory.copy_out(address, INT.pack(value))
    return 0
