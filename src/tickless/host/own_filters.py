"""seccomp(2): filters that a program installs for itself. They stand beside ours, and are the host's.

Where one forbids a call, the stricter of both wins, so a served call fails as the program wants it to. Only reads of
the clock need care: on Linux they are no calls, so a program may forbid those; then its reads must never become calls.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, cast

from tickless.abi.arch import ARCH
from tickless.abi.errno import EBUSY
from tickless.abi.numbers import number_of
from tickless.abi.seccomp import (
    SECCOMP_FILTER_FLAG_NEW_LISTENER,
    SECCOMP_MODE_FILTER,
    SECCOMP_MODE_STRICT,
    SECCOMP_RET_ALLOW,
    SECCOMP_RET_LOG,
    SECCOMP_SET_MODE_FILTER,
    SECCOMP_SET_MODE_STRICT,
)
from tickless.abi.types import U32, Address, Hex32
from tickless.host import seccomp as bpf
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import ArgumentTest, syscall, unserved

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee
    from tickless.kernel.task import Task

SOCK_FPROG = Struct("H6xQ")  # linux/filter.h: how many instructions, where
CLOCK_READS = [
    number for name in ("clock_gettime", "gettimeofday", "time") if (number := number_of(ARCH, name)) is not None
]
OWN_LISTENER = unserved("TL512", "a seccomp listener of the program's own", EBUSY)


@syscall(when=ArgumentTest(0, 0xFFFFFFFF, (SECCOMP_SET_MODE_STRICT, SECCOMP_SET_MODE_FILTER)))
def seccomp(task: Task, operation: U32, flags: Hex32, args: Address) -> Result:
    """A filter that forbids to read the clock is noted. EBUSY for a listener: Linux allows one, and it is ours."""
    if operation == SECCOMP_SET_MODE_STRICT:
        note_filter(task, SECCOMP_MODE_STRICT, 0)
    else:
        if flags & SECCOMP_FILTER_FLAG_NEW_LISTENER:
            task.kernel.refuse(task, OWN_LISTENER)
        note_filter(task, SECCOMP_MODE_FILTER, args)
    return PASS_ON


def note_filter(task: Task, mode: int, address: int) -> None:
    """The task is about to install a filter whose struct sock_fprog is at `address`; strict mode has none."""
    if mode == SECCOMP_MODE_STRICT or (mode == SECCOMP_MODE_FILTER and _forbids_clock(task, address)):
        cast("Tracee", task).clock.never_trap()


def _forbids_clock(task: Task, address: int) -> bool:
    try:
        count, instructions = SOCK_FPROG.unpack(task.memory.copy_in(address, SOCK_FPROG.size))
        if count > bpf.INSTRUCTIONS_MAX:
            return False
        program = task.memory.copy_in(instructions, count * bpf.INSTRUCTION.size)
        return any(_action(program, number) not in (SECCOMP_RET_ALLOW, SECCOMP_RET_LOG) for number in CLOCK_READS)
    except (Errno, IndexError, KeyError):
        return False  # Linux will not take it either


def _action(program: bytes, number: int) -> int:
    return bpf.evaluate(program, number, bpf.AUDIT_ARCH[ARCH]) & ~0xFFFF
