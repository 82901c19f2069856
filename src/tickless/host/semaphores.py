"""semop(2): System V semaphores are the host's, but nobody may wait for one there.

A call that need not wait is passed on. One that waits is made in the task's place, without waiting, as soon as it can
be: so it gets what another task gives, before that one can take it back.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, cast

from tickless.abi.errno import EAGAIN, EIDRM, EINTR, EINVAL
from tickless.abi.ipc import (
    GETNCNT,
    GETPID,
    GETZCNT,
    IPC_64,
    IPC_NOWAIT,
    IPC_RMID,
    SEM_UNDO,
    SEMBUF,
    SEMOPM,
    SETALL,
    SETVAL,
)
from tickless.abi.types import S32, U32, Address, Hex32, IpcId, NumberOrPointer, TimespecPtr
from tickless.host.ipc_users import Operations, obstacle_of
from tickless.host.namespaces import has_our_ipc, has_our_user
from tickless.host.retries import Taking
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import ArgumentTest, syscall
from tickless.kernel.timespec import read_timespec

if TYPE_CHECKING:
    from tickless.host.retries import Attempt
    from tickless.host.tracee import Tracee
    from tickless.kernel.outcome import Blocked
    from tickless.kernel.task import Task

_libc = ctypes.PyDLL(None, use_errno=True)


@syscall
def semop(task: Task, semid: IpcId, sops: Address, nsops: U32) -> Result:
    """Change semaphores, all at once."""
    return semtimedop(task, semid, sops, nsops, 0)


@syscall
def semtimedop(task: Task, semid: IpcId, tsops: Address, nsops: U32, timeout: TimespecPtr) -> Result:
    """`semop`, waiting no longer than `timeout`."""
    tracee = cast("Tracee", task)
    tracee.supervisor.may_release = True
    if not 1 <= nsops <= SEMOPM or not has_our_ipc(tracee):
        return PASS_ON
    operations: Operations = list(SEMBUF.iter_unpack(task.memory.copy_in(tsops, nsops * SEMBUF.size)))
    if _try(semid, operations) is not None:
        return PASS_ON
    deadline_ns = task.kernel.clock.now_ns + read_timespec(task, timeout) if timeout else None
    return _sleep(tracee, semid, operations, deadline_ns)


@syscall(
    when=ArgumentTest(2, 0xFFFFFFFF & ~IPC_64, (IPC_RMID, SETVAL, SETALL, GETNCNT, GETZCNT, GETPID)),
)
def semctl(task: Task, semid: IpcId, semnum: S32, cmd: Hex32, arg: NumberOrPointer) -> Result:
    """Remove semaphores, or set them: who waits may go on. Tell who waits, and who was the last to change one."""
    tracee = cast("Tracee", task)
    command = cmd & ~IPC_64
    waits = tracee.supervisor.retries.semaphores
    if command == IPC_RMID:
        waits.forget(semid)
    if command in (IPC_RMID, SETVAL, SETALL):
        tracee.supervisor.may_release = True
        return PASS_ON
    told = _libc.semctl(semid, semnum, command, 0) if has_our_ipc(tracee) and has_our_user(tracee) else -1
    if told < 0:
        return PASS_ON
    if command == GETPID:
        return waits.takers.get((semid, semnum), 0) if told == os.getpid() else PASS_ON
    return told + waits.count(semid, semnum, for_zero=command == GETZCNT)


def _sleep(task: Tracee, semid: int, operations: Operations, deadline_ns: int | None) -> Blocked:
    attempt: Attempt = lambda: _removed(_try(semid, operations))  # noqa: E731
    # What is undone when the process ends has to be its own, and only the host knows what it may do.
    by_us = has_our_user(task) and not any(flags & SEM_UNDO for _, _, flags in operations)
    if by_us:
        attempt = Taking(lambda: _removed(_take(semid, operations)))
    # Whatever the handler's flags, it is not made again. signal(7)
    waits = task.supervisor.retries.semaphores
    with waits.waiting(task, semid, operations):
        result = yield from task.supervisor.retries.sleep_until(task, attempt, deadline_ns, interrupted_as=EINTR)
    task.supervisor.may_release = True
    if result is None:
        return -EAGAIN
    if by_us and result == 0:
        waits.taken(task, semid, operations)
    return result if by_us or result else PASS_ON


def _take(semid: int, operations: Operations) -> int | None:
    """Do the operations: 0, -errno, or None if they have to wait."""
    possible = _try(semid, operations)
    if possible != 0:
        return possible
    packed = b"".join(SEMBUF.pack(number, change, flags | IPC_NOWAIT) for number, change, flags in operations)
    return 0 if _libc.semop(semid, packed, len(operations)) == 0 else -ctypes.get_errno()


def _try(semid: int, operations: Operations) -> int | None:
    """0 if the operations can be done now, None if they have to wait, -errno if they fail."""
    try:
        obstacle = obstacle_of(semid, operations)
    except OSError as error:
        return -(error.errno or EINVAL)
    if obstacle is None:
        return 0
    return -EAGAIN if obstacle[2] & IPC_NOWAIT else None


def _removed(result: int | None) -> int | None:
    """What a call that waits is told of a set that is gone."""
    return -EIDRM if result == -EINVAL else result
