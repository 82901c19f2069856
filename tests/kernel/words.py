"""Futex words for tests: where they lie in a program's memory, and how a test looks at them."""

from __future__ import annotations

from struct import Struct

from tickless.kernel.machine import OwnTask

U32 = Struct("<I")
POINTER = Struct("<Q")

# At the end of OwnMemory, where no argument is copied to.
PAGE = 0x10000 + (1 << 20) - 4096
A, B, C, D = PAGE, PAGE + 4, PAGE + 8, PAGE + 12
UNALIGNED = PAGE + 1
NOWHERE = 16
KERNEL_HALF = 0xFFFF_8000_0000_0000


def load(task: OwnTask, address: int) -> int:
    """The word at `address`."""
    word: int = U32.unpack(task.memory.copy_in(address, 4))[0]
    return word


def store(task: OwnTask, address: int, word: int) -> None:
    task.memory.copy_out(address, U32.pack(word))


def store_pointer(task: OwnTask, address: int, pointer: int) -> None:
    task.memory.copy_out(address, POINTER.pack(pointer & (1 << 64) - 1))
