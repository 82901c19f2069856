"""rdtsc: the processor's own clock, which no two runs read alike. It is made to trap and tells virtual time. prctl(2).

It counts nanoseconds: programs that use it measure how fast it goes first.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.host import ptrace

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee

PR_SET_TSC, PR_TSC_SIGSEGV = 26, 2
RDTSC, RDTSCP = b"\x0f\x31", b"\x0f\x01\xf9"
# Indices into struct user_regs_struct.
RAX, RCX, RDX = 10, 11, 12
HALF = (1 << 32) - 1


def trap_tsc(libc: ctypes.CDLL) -> None:
    """From now on rdtsc is a SIGSEGV (SI_KERNEL), here and in all that is forked and executed from here."""
    if ARCH == "x86_64":
        libc.prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0)


def read_tsc(task: Tracee, clock_ns: Callable[[], int]) -> bool:
    """Let the instruction where the task stands give `clock_ns()`, and as CPU 0; False if it does not read the TSC."""
    if ARCH != "x86_64":
        return False
    registers = ptrace.getregs(task.tid)
    words = registers.words
    address = words[ptrace.REGISTERS.instruction_pointer]
    try:
        code = os.pread(task.memory.fd, len(RDTSCP), address)
    except OSError:
        return False
    instruction = next((one for one in (RDTSC, RDTSCP) if code.startswith(one)), None)
    if instruction is None:
        return False
    count = clock_ns()
    words[RAX], words[RDX] = count & HALF, count >> 32 & HALF
    if instruction == RDTSCP:
        words[RCX] = 0
    words[ptrace.REGISTERS.instruction_pointer] = address + len(instruction)
    ptrace.setregs(task.tid, registers)
    return True
