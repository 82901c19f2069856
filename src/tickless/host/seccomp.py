"""seccomp(2): the filter that says which calls are trapped, and what any filter says about a call.

The calls are found by binary search over ranges of numbers, so hundreds of them cost eight comparisons. For a call that
it lets through, the filter loads nothing but the number and the architecture: then the kernel remembers that (its allow
cache) and doesn't run it again. Reading the instruction pointer, or an argument, would lose that.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterable, Sequence
from operator import add, and_, eq, floordiv, ge, gt, lshift, mul, or_, rshift, sub, xor
from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH, Arch
from tickless.abi.numbers import number_of

if TYPE_CHECKING:
    from tickless.kernel.registry import ArgumentTest

SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32  # Linux 5.19: once received, only a fatal signal ends the call
PR_SET_NO_NEW_PRIVS = 38

RET_ALLOW = 0x7FFF0000
RET_USER_NOTIF = 0x7FC00000
RET_ERRNO = 0x00050000  # the low 16 bits are the errno
RET_ENOSYS = RET_ERRNO | errno.ENOSYS

AUDIT_ARCH: dict[Arch, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
X32_SYSCALL_BIT = 0x40000000

# Offsets in struct seccomp_data.
NUMBER, CALL_ARCH, ARGUMENTS = 0, 4, 16
SECCOMP_DATA = Struct("<iIQ6Q")

# Classic BPF, as linux/filter.h and linux/bpf_common.h have it.
LOAD, AND, JUMP_ALWAYS, RETURN = 0x20, 0x54, 0x05, 0x06  # LD|W|ABS, ALU|AND|K, JMP|JA, RET|K
JUMP_EQUAL, JUMP_AT_LEAST = 0x15, 0x35  # JMP|JEQ|K, JMP|JGE|K
INSTRUCTION = Struct("<HBBI")  # struct sock_filter: code, jump if true, jump if false, k
FARTHEST_CONDITIONAL_JUMP = 255
INSTRUCTIONS_MAX = 4096  # BPF_MAXINSNS

# What `evaluate` takes apart: the classes of instructions, and their operations.
LD, LDX, ST, ALU, JMP, RET, MISC = 0, 1, 2, 4, 5, 6, 7
JA, DIV = 0x00, 0x30
TESTS: dict[int, Callable[[int, int], int]] = {0x10: eq, 0x20: gt, 0x30: ge, 0x40: and_}
OPERATIONS: dict[int, Callable[[int, int], int]] = {
    0x00: add,
    0x10: sub,
    0x20: mul,
    0x30: floordiv,
    0x40: or_,
    0x50: and_,
    0x60: lshift,
    0x70: rshift,
    0x80: lambda accumulator, _: -accumulator,
    0xA0: xor,
}

Code = list[bytes]


def build_filter(
    numbers: Iterable[int], conditional: Iterable[tuple[int, ArgumentTest]] = (), *, arch: Arch = ARCH
) -> bytes:
    """Return the filter (an array of struct sock_filter) that traps `numbers`, and others by an argument.

    Several tests of one number are alternatives; a number that is in both is always trapped. Everything else is
    allowed, except that the calls of another architecture (32-bit, x32) are ENOSYS.
    """
    refused = _return(RET_ENOSYS)
    code = [_load(CALL_ARCH), _jump(JUMP_EQUAL, AUDIT_ARCH[arch], 1, 0), refused, _load(NUMBER)]
    if arch == "x86_64":
        code += [_jump(JUMP_AT_LEAST, X32_SYSCALL_BIT, 0, 1), refused]
    code += _search(_ranges(numbers, conditional))
    assert len(code) <= INSTRUCTIONS_MAX, f"{len(code)} instructions are more than the kernel takes"
    return b"".join(code)


def _ranges(numbers: Iterable[int], conditional: Iterable[tuple[int, ArgumentTest]]) -> list[tuple[int, Code]]:
    """Return (first number, what to do from there on), in ascending order from 0; neighbours differ."""
    tests: dict[int, list[ArgumentTest]] = {}
    for number, test in conditional:
        tests.setdefault(number, []).append(test)
    actions = {number: _tested(alternatives) for number, alternatives in tests.items()}
    actions |= dict.fromkeys(numbers, [_return(RET_USER_NOTIF)])
    allow = [_return(RET_ALLOW)]
    ranges: list[tuple[int, Code]] = []
    for number in sorted({0} | actions.keys() | {number + 1 for number in actions}):
        action = actions.get(number, allow)
        if not ranges or action != ranges[-1][1]:
            ranges.append((number, action))
    return ranges


def _search(ranges: Sequence[tuple[int, Code]]) -> Code:
    """Return a binary search for the range that the number in the accumulator falls into."""
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    first = ranges[middle][0]
    below, above = _search(ranges[:middle]), _search(ranges[middle:])
    if len(below) <= FARTHEST_CONDITIONAL_JUMP:
        return [_jump(JUMP_AT_LEAST, first, len(below), 0), *below, *above]
    return [_jump(JUMP_AT_LEAST, first, 0, 1), _jump(JUMP_ALWAYS, len(below), 0, 0), *below, *above]


def _tested(alternatives: Sequence[ArgumentTest]) -> Code:
    """Return code that traps if one of the tests holds. It is a leaf of the search: the accumulator is free."""
    code: Code = []
    trap, allow = _return(RET_USER_NOTIF), _return(RET_ALLOW)
    for test in alternatives:
        # The low half, on both architectures: what is tested are flags and options, which are ints.
        code += [_load(ARGUMENTS + 8 * test.register), _jump(AND, test.mask & 0xFFFFFFFF, 0, 0)]
        for value in test.values:
            code += [_jump(JUMP_EQUAL, value, 0, 1), trap]
        if not test.values:
            code += [_jump(JUMP_EQUAL, 0, 1, 0), trap]
    return [*code, allow]


def _load(offset: int) -> bytes:
    return INSTRUCTION.pack(LOAD, 0, 0, offset)


def _jump(code: int, operand: int, if_true: int, if_false: int) -> bytes:
    return INSTRUCTION.pack(code, if_true, if_false, operand)


def _return(action: int) -> bytes:
    return INSTRUCTION.pack(RETURN, 0, 0, action)


def install(program: bytes) -> int:
    """Put the calling process under the filter for good; return its listener, which is close-on-exec.

    no_new_privs is set only where the kernel demands it (no CAP_SYS_ADMIN), because it disarms set-uid programs.
    OSError: EBUSY if there is a listener already, EINVAL before Linux 5.19, EPERM or ENOSYS where seccomp is forbidden.
    """
    libc = ctypes.PyDLL(None, use_errno=True)
    libc.syscall.argtypes = [ctypes.c_long, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p]
    libc.syscall.restype = ctypes.c_long
    code = ctypes.create_string_buffer(program, len(program))
    sock_fprog = Struct("H6xQ").pack(len(program) // INSTRUCTION.size, ctypes.addressof(code))
    flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
    arguments = number_of(ARCH, "seccomp"), SECCOMP_SET_MODE_FILTER, flags, sock_fprog
    listener: int = libc.syscall(*arguments)
    if listener < 0 and ctypes.get_errno() == errno.EACCES:
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        listener = libc.syscall(*arguments)
    if listener < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return listener


def evaluate(program: bytes, nr: int, arch: int, args: Sequence[int] = (), instruction_pointer: int = 0) -> int:
    """Return the action of a filter, any that seccomp(2) accepts, for one call: RET_ALLOW and its like.

    `arch` is an AUDIT_ARCH; `args` are registers, missing ones are 0.
    """
    registers = [argument & 0xFFFFFFFFFFFFFFFF for argument in args] + [0] * (6 - len(args))
    data = SECCOMP_DATA.pack(nr, arch, instruction_pointer, *registers)
    return _Machine(data).run(list(INSTRUCTION.iter_unpack(program)))


class _Machine:
    """Classic BPF as seccomp(2) restricts it: loads are aligned words of struct seccomp_data."""

    def __init__(self, data: bytes) -> None:
        self.words: list[int] = [word for (word,) in Struct("<I").iter_unpack(data)]
        self.accumulator = 0
        self.index = 0
        self.memory = [0] * 16

    def run(self, instructions: list[tuple[int, int, int, int]]) -> int:
        at = 0
        while True:
            code, if_true, if_false, operand = instructions[at]
            at += 1
            kind, operation, other = code & 7, code & 0xF0, self.index if code & 8 else operand
            if kind == RET:
                return self.accumulator if code & 0x18 == 0x10 else operand
            if kind == JMP:
                at += operand if operation == JA else if_true if TESTS[operation](self.accumulator, other) else if_false
            elif kind == ALU:
                if operation == DIV and other == 0:
                    return 0  # RET_KILL_THREAD: Linux ends a filter that divides by 0
                self.accumulator = OPERATIONS[operation](self.accumulator, other) & 0xFFFFFFFF
            elif kind == LD:
                self.accumulator = self._loaded(code, operand)
            elif kind == LDX:
                self.index = self._loaded(code, operand)
            elif kind == MISC:
                self.accumulator, self.index = (self.index,) * 2 if code & 0xF8 else (self.accumulator,) * 2
            else:
                self.memory[operand] = self.accumulator if kind == ST else self.index

    def _loaded(self, code: int, operand: int) -> int:
        match code & 0xE0:
            case 0x20:  # ABS
                return self.words[operand // 4]
            case 0x60:  # MEM
                return self.memory[operand]
            case 0x80:  # LEN
                return SECCOMP_DATA.size
            case _:  # IMM
                return operand
