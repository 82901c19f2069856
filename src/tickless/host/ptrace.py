"""ptrace(2), as thin as can be: one function per request, OSError when it fails.

A tracer is a thread: all of these have to come from the thread that called `seize`. For all but `seize` and
`interrupt` the tracee has to be in a ptrace stop, or the error is ESRCH, as it is for a task that has died.
"""

import ctypes
import os
from typing import NamedTuple

PTRACE_PEEKUSER = 3
PTRACE_POKEDATA = 5
PTRACE_POKEUSER = 6
PTRACE_CONT = 7
PTRACE_SINGLESTEP = 9
PTRACE_DETACH = 17
PTRACE_SYSCALL = 24
PTRACE_GETEVENTMSG = 0x4201
PTRACE_GETSIGINFO = 0x4202
PTRACE_SETSIGINFO = 0x4203
PTRACE_GETREGSET = 0x4204
PTRACE_SETREGSET = 0x4205
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
PTRACE_LISTEN = 0x4208
PTRACE_PEEKSIGINFO = 0x4209
PTRACE_GETSIGMASK = 0x420A
PTRACE_SETSIGMASK = 0x420B

PTRACE_O_TRACESYSGOOD = 1 << 0
PTRACE_O_TRACEFORK = 1 << 1
PTRACE_O_TRACEVFORK = 1 << 2
PTRACE_O_TRACECLONE = 1 << 3
PTRACE_O_TRACEEXEC = 1 << 4
PTRACE_O_TRACEVFORKDONE = 1 << 5
PTRACE_O_TRACEEXIT = 1 << 6
PTRACE_O_TRACESECCOMP = 1 << 7
PTRACE_O_EXITKILL = 1 << 20  # the tracees die with the tracer

PTRACE_EVENT_FORK = 1
PTRACE_EVENT_VFORK = 2
PTRACE_EVENT_CLONE = 3
PTRACE_EVENT_EXEC = 4
PTRACE_EVENT_VFORK_DONE = 5
PTRACE_EVENT_EXIT = 6
PTRACE_EVENT_SECCOMP = 7
PTRACE_EVENT_STOP = 128  # group stop, PTRACE_INTERRUPT, or the first stop of a new task

PTRACE_PEEKSIGINFO_SHARED = 1  # the process's pending signals rather than the thread's

NT_PRSTATUS = 1  # the general registers, as PTRACE_GETREGSET names them
WALL = 0x40000000  # __WALL: waitpid for tasks of every kind. waitpid(2)
SIGINFO_SIZE = 128
SIGSET_SIZE = 8

_ptrace = ctypes.PyDLL(None, use_errno=True).ptrace
_ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_ptrace.restype = ctypes.c_long


class RegisterNames(NamedTuple):
    """Where an architecture keeps what we need: indices into its struct user_regs_struct (sys/user.h)."""

    size: int  # 64-bit words
    call_number: int  # of the system call; -1 there means "not in a call"
    result: int
    instruction_pointer: int
    stack_pointer: int
    arguments: tuple[int, int, int, int, int, int]


REGISTER_NAMES = {
    # r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base …
    "x86_64": RegisterNames(
        size=27,
        call_number=15,
        result=10,
        instruction_pointer=16,
        stack_pointer=19,
        arguments=(14, 13, 12, 7, 9, 8),
    ),
    # x0 … x30 sp pc pstate
    "aarch64": RegisterNames(
        size=34,
        call_number=8,
        result=0,
        instruction_pointer=32,
        stack_pointer=31,
        arguments=(0, 1, 2, 3, 4, 5),
    ),
}
MACHINE = os.uname().machine
REGISTERS = REGISTER_NAMES[MACHINE]


class Registers(ctypes.Structure):
    """The general registers of a stopped task: 64-bit words, indexed by REGISTERS."""

    _fields_ = [("words", ctypes.c_uint64 * REGISTERS.size)]

    words: "ctypes.Array[ctypes.c_uint64]"


class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _PeekSiginfo(ctypes.Structure):
    """struct ptrace_peeksiginfo_args."""

    _fields_ = [("offset", ctypes.c_uint64), ("flags", ctypes.c_uint32), ("count", ctypes.c_int32)]


def seize(pid: int, options: int) -> None:
    """Trace `pid` without stopping it. Raises: OSError(EPERM) if it is traced already or not ours."""
    _request(PTRACE_SEIZE, pid, 0, options)


def interrupt(pid: int) -> None:
    """Make a running task stop with PTRACE_EVENT_STOP."""
    _request(PTRACE_INTERRUPT, pid)


def cont(pid: int, signal: int = 0) -> None:
    """Let a stopped task run; a signal-delivery stop goes on with `signal`, 0 suppresses it."""
    _request(PTRACE_CONT, pid, 0, signal)


def cont_to_syscall(pid: int, signal: int = 0) -> None:
    """As `cont`, to the next entry to or exit from a system call."""
    _request(PTRACE_SYSCALL, pid, 0, signal)


def step(pid: int) -> None:
    """Let a stopped task run one instruction, a system call included."""
    _request(PTRACE_SINGLESTEP, pid)


def listen(pid: int) -> None:
    """Leave a task in its group stop, but report the SIGCONT that ends it."""
    _request(PTRACE_LISTEN, pid)


def detach(pid: int, signal: int = 0) -> None:
    _request(PTRACE_DETACH, pid, 0, signal)


def geteventmsg(pid: int) -> int:
    """What came with the event: the new task's id (FORK, VFORK, CLONE), the former one (EXEC), the status (EXIT)."""
    message = ctypes.c_ulong()
    _request(PTRACE_GETEVENTMSG, pid, 0, ctypes.addressof(message))
    return message.value


def getsiginfo(pid: int) -> bytes:
    """The 128-byte siginfo of the signal that stopped the task. Raises: OSError(EINVAL) in a group stop."""
    siginfo = ctypes.create_string_buffer(SIGINFO_SIZE)
    _request(PTRACE_GETSIGINFO, pid, 0, ctypes.addressof(siginfo))
    return siginfo.raw


def setsiginfo(pid: int, siginfo: bytes) -> None:
    """Replace the siginfo of the signal about to be delivered; its first 128 bytes are all of it."""
    buffer = ctypes.create_string_buffer(siginfo, SIGINFO_SIZE)
    _request(PTRACE_SETSIGINFO, pid, 0, ctypes.addressof(buffer))


def peeksiginfo(pid: int, count: int, *, shared: bool) -> list[bytes]:
    """Up to `count` siginfos that are pending for the thread, or (`shared`) for its process, oldest first."""
    buffer = ctypes.create_string_buffer(SIGINFO_SIZE * count)
    arguments = _PeekSiginfo(0, PTRACE_PEEKSIGINFO_SHARED if shared else 0, count)
    found = _request(PTRACE_PEEKSIGINFO, pid, ctypes.addressof(arguments), ctypes.addressof(buffer))
    return [buffer.raw[at : at + SIGINFO_SIZE] for at in range(0, found * SIGINFO_SIZE, SIGINFO_SIZE)]


def getregs(pid: int) -> Registers:
    """The general registers; change `words` and give them to `setregs`."""
    registers = Registers()
    iovec = _Iovec(ctypes.addressof(registers), ctypes.sizeof(registers))
    _request(PTRACE_GETREGSET, pid, NT_PRSTATUS, ctypes.addressof(iovec))
    return registers


def setregs(pid: int, registers: Registers) -> None:
    iovec = _Iovec(ctypes.addressof(registers), ctypes.sizeof(registers))
    _request(PTRACE_SETREGSET, pid, NT_PRSTATUS, ctypes.addressof(iovec))


def peek_register(pid: int, index: int) -> int:
    """One register (an index from REGISTERS) as a signed 64-bit value: cheaper than all of them."""
    if MACHINE == "x86_64":
        # The value is the C library's result, so only errno tells a failure from -1. ptrace(2), return value
        ctypes.set_errno(0)
        value: int = _ptrace(PTRACE_PEEKUSER, pid, index * 8, 0)
        if value == -1 and (error := ctypes.get_errno()):
            raise OSError(error, os.strerror(error))
        return value
    # Other architectures have no PTRACE_PEEKUSER.
    word = getregs(pid).words[index]
    return (word ^ 1 << 63) - (1 << 63)


def poke_register(pid: int, index: int, value: int) -> None:
    """Set one register (an index from REGISTERS) to a 64-bit value; negative ones wrap."""
    if MACHINE == "x86_64":
        _request(PTRACE_POKEUSER, pid, index * 8, value)
        return
    # Other architectures have no PTRACE_POKEUSER.
    registers = getregs(pid)
    registers.words[index] = value & (1 << 64) - 1
    setregs(pid, registers)


def poke_memory(pid: int, address: int, value: int) -> None:
    """Write one 64-bit word, through protections, as a debugger sets a breakpoint."""
    _request(PTRACE_POKEDATA, pid, address, value)


def getsigmask(pid: int) -> int:
    """The blocked signals; bit N - 1 is signal N."""
    mask = ctypes.c_uint64()
    _request(PTRACE_GETSIGMASK, pid, SIGSET_SIZE, ctypes.addressof(mask))
    return mask.value


def setsigmask(pid: int, mask: int) -> None:
    buffer = ctypes.c_uint64(mask)
    _request(PTRACE_SETSIGMASK, pid, SIGSET_SIZE, ctypes.addressof(buffer))


def stop_event(status: int) -> int:
    """The PTRACE_EVENT_ number of a stop that waitpid reported, 0 for a signal-delivery stop."""
    return status >> 16


def _request(request: int, pid: int, address: int = 0, data: int = 0) -> int:
    result: int = _ptrace(request, pid, address, data)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result
