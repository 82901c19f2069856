"""msgsnd(2), msgrcv(2): System V message queues are the host's, but nobody may wait at one there.

As with semaphores, a call that need not wait is passed on, and one that waits is made in the task's place.
"""

from __future__ import annotations

import ctypes
import os
from struct import Struct
from typing import TYPE_CHECKING, cast

from tickless.abi.errno import EAGAIN, EIDRM, EINTR, EINVAL, ENOMSG
from tickless.abi.ipc import IPC_64, IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT, MESSAGE_TYPE, MSG_COPY
from tickless.abi.types import S64, Address, Hex32, IpcId, Size
from tickless.host.namespaces import has_our_ipc, has_our_user
from tickless.host.retries import Taking
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import ArgumentTest, syscall

if TYPE_CHECKING:
    from tickless.host.retries import Attempt
    from tickless.host.tracee import Tracee
    from tickless.kernel.outcome import Blocked
    from tickless.kernel.task import Task

# struct msqid64_ds: bytes that are queued, messages, the most bytes there may be; who sent last, who received last
MSQID_DS = Struct("72x QQQ 24x")
LAST_PIDS = Struct("ii")
AT_LAST_PIDS = 96
SIZE_MAX = (1 << 63) - 1
# The longest message that a waiting call sends or gets; the host allows 8 KiB unless it was told otherwise.
MESSAGE_MAX = 1 << 20

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.msgrcv.restype = ctypes.c_ssize_t
_libc.msgrcv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long, ctypes.c_int]
_libc.msgsnd.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]


@syscall
def msgsnd(task: Task, msqid: IpcId, msgp: Address, msgsz: Size, msgflg: Hex32) -> Result:
    """Queue a message once there is room."""
    tracee = cast("Tracee", task)
    tracee.supervisor.may_release = True
    if msgflg & IPC_NOWAIT or msgsz > MESSAGE_MAX or not has_our_ipc(tracee) or _has_room(msqid, msgsz) is not None:
        return PASS_ON
    message = task.memory.copy_in(msgp, MESSAGE_TYPE.size + msgsz)
    if MESSAGE_TYPE.unpack_from(message)[0] < 1:
        return PASS_ON
    return _send(tracee, msqid, message)


@syscall
def msgrcv(task: Task, msqid: IpcId, msgp: Address, msgsz: Size, msgtyp: S64, msgflg: Hex32) -> Result:
    """Take a message of a kind once there is one."""
    tracee = cast("Tracee", task)
    tracee.supervisor.may_release = True
    never_waits = msgflg & (IPC_NOWAIT | MSG_COPY) or msgsz > SIZE_MAX
    if never_waits or not has_our_ipc(tracee) or (msgtyp == 0 and _has_message(msqid)):
        return PASS_ON
    if not has_our_user(tracee):
        return PASS_ON
    reception = _Reception(msqid, min(msgsz, MESSAGE_MAX), msgtyp, msgflg)
    result = reception.take()
    return _receive(tracee, reception, msgp) if result is None else reception.tell(tracee, msgp, result)


@syscall(when=ArgumentTest(1, 0xFFFFFFFF & ~IPC_64, (IPC_RMID, IPC_SET, IPC_STAT)))
def msgctl(task: Task, msqid: IpcId, cmd: Hex32, buf: Address) -> Result:
    """Remove a queue, or change its limit: who waits may go on. Tell who used it last."""
    tracee = cast("Tracee", task)
    command = cmd & ~IPC_64
    if command == IPC_STAT:
        return _tell_status(tracee, msqid, buf)
    if command == IPC_RMID:
        tracee.supervisor.retries.queue_users.forget(msqid)
    tracee.supervisor.may_release = True
    return PASS_ON


def _tell_status(task: Tracee, msqid: int, address: int) -> Result:
    """The host's, with those who were last in place of us. Raises: Errno(EFAULT)."""
    status = ctypes.create_string_buffer(MSQID_DS.size)
    if not (has_our_ipc(task) and has_our_user(task)) or _libc.msgctl(msqid, IPC_STAT, status) < 0:
        return PASS_ON
    sender, receiver = LAST_PIDS.unpack_from(status, AT_LAST_PIDS)
    if os.getpid() not in (sender, receiver):
        return PASS_ON
    users, us = task.supervisor.retries.queue_users, os.getpid()
    sender = users.senders.get(msqid, 0) if sender == us else sender
    receiver = users.receivers.get(msqid, 0) if receiver == us else receiver
    LAST_PIDS.pack_into(status, AT_LAST_PIDS, sender, receiver)
    task.memory.copy_out(address, status.raw)
    return 0


def _send(task: Tracee, msqid: int, message: bytes) -> Blocked:
    by_us = has_our_user(task)

    def take() -> int | None:
        if _libc.msgsnd(msqid, message, len(message) - MESSAGE_TYPE.size, IPC_NOWAIT) == 0:
            return 0
        return None if ctypes.get_errno() == EAGAIN else _removed(-ctypes.get_errno())

    # Only the host knows whether another user may send.
    attempt: Attempt = Taking(take) if by_us else lambda: _has_room(msqid, len(message) - MESSAGE_TYPE.size)
    # Whatever the handler's flags, it is not made again. signal(7)
    result = yield from task.supervisor.retries.sleep_until(task, attempt, interrupted_as=EINTR)
    assert result is not None, "a message without a deadline"
    task.supervisor.may_release = True
    if by_us and result == 0:
        task.supervisor.retries.queue_users.senders[msqid] = task.group.tgid
    return result if by_us or result else PASS_ON


def _receive(task: Tracee, reception: _Reception, address: int) -> Blocked:
    attempt = Taking(lambda: _removed(reception.take()))
    result = yield from task.supervisor.retries.sleep_until(task, attempt, interrupted_as=EINTR)
    assert result is not None, "a message without a deadline"
    task.supervisor.may_release = True
    return reception.tell(task, address, result)


class _Reception:
    """One msgrcv, and what it has got."""

    def __init__(self, msqid: int, size: int, kind: int, flags: int) -> None:
        self._arguments = (size, kind, flags | IPC_NOWAIT)
        self._msqid = msqid
        self._buffer = ctypes.create_string_buffer(MESSAGE_TYPE.size + size)

    def take(self) -> int | None:
        """The length of the message, -errno, or None if there is none."""
        length: int = _libc.msgrcv(self._msqid, self._buffer, *self._arguments)
        if length < 0:
            return None if ctypes.get_errno() == ENOMSG else -ctypes.get_errno()
        return length

    def tell(self, task: Tracee, address: int, result: int) -> int:
        """Give the task its message: the length. Raises: Errno(EFAULT), and then the message is lost, as on Linux."""
        if result >= 0:
            task.supervisor.retries.queue_users.receivers[self._msqid] = task.group.tgid
            task.memory.copy_out(address, self._buffer.raw[: MESSAGE_TYPE.size + result])
        return result


def _has_room(msqid: int, size: int) -> int | None:
    """0 if a message of `size` bytes could be queued now, None if not, -errno if the host does not say."""
    status = _status(msqid)
    if isinstance(status, int):
        return _removed(status)
    queued, messages, most = status
    return 0 if queued + size <= most and messages < most else None


def _has_message(msqid: int) -> bool:
    """Whether a message is there, or the host has something to say against the call."""
    status = _status(msqid)
    return isinstance(status, int) or status[1] > 0


def _status(msqid: int) -> tuple[int, int, int] | int:
    """(bytes that are queued, messages, most bytes), or -errno. msgctl(2)."""
    buffer = ctypes.create_string_buffer(MSQID_DS.size)
    if _libc.msgctl(msqid, IPC_STAT, buffer) < 0:
        return -ctypes.get_errno()
    queued, messages, most = MSQID_DS.unpack(buffer.raw)
    return queued, messages, most


def _removed(result: int | None) -> int | None:
    """What a call that waits is told of a queue that is gone."""
    return -EIDRM if result == -EINVAL else result
