"""io_uring(7): refused, so that programs use what they use where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.errno import ENOSYS
from tickless.abi.types import U32, Address, Fd, Hex32, Size
from tickless.kernel.outcome import Result
from tickless.kernel.registry import syscall, unserved

if TYPE_CHECKING:
    from tickless.kernel.task import Task

IO_URING = unserved("TL130", "io_uring", ENOSYS)


@syscall
def io_uring_setup(task: Task, entries: U32, params: Address) -> Result:
    task.kernel.refuse(task, IO_URING)


@syscall
def io_uring_enter(
    task: Task, fd: Fd, to_submit: U32, min_complete: U32, flags: Hex32, argument: Address, size: Size
) -> Result:
    task.kernel.refuse(task, IO_URING)


@syscall
def io_uring_register(task: Task, fd: Fd, opcode: U32, argument: Address, count: U32) -> Result:
    task.kernel.refuse(task, IO_URING)
