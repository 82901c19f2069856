"""A parked call on a host file whose number another thread has closed or reused: it goes on with the old file.

The host cannot make such a call, because the number means something else by now; so it is made here, on a duplicate
that was kept while the call was parked. Linux pins the file of a sleeping call in the same way.
"""

from __future__ import annotations

import os
from _socket import MSG_DONTWAIT, socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.errno import EAGAIN, EBADF
from tickless.abi.numbers import number_of
from tickless.kernel.registry import unserved

if TYPE_CHECKING:
    from tickless.kernel.task import Task

OLD_FILE = unserved("TL501", "going on with a file whose number another thread has closed, in this call", EBADF)
# More than one call moves from or to a socket or terminal at once.
CHUNK = 1 << 16


def same_file(ours: int, status: os.stat_result) -> bool:
    """Whether a number still names the file that `ours` is a duplicate of."""
    mine = os.fstat(ours)
    return (mine.st_dev, mine.st_ino, mine.st_rdev) == (status.st_dev, status.st_ino, status.st_rdev)


def finish(task: Task, ours: int) -> int:
    """Make the task's call on `ours`, which is ready: its result, or a negative errno."""
    handler = _HANDLERS.get(task.call or 0)
    if handler is None:
        task.kernel.refuse(task, OLD_FILE)
    try:
        return handler(task, ours)
    except BlockingIOError:
        return -EAGAIN
    except OSError as error:
        return -(error.errno or EBADF)


def _read(task: Task, ours: int) -> int:
    data = os.read(ours, min(task.args[2], CHUNK))
    return task.memory.copy_out(task.args[1], data)


def _write(task: Task, ours: int) -> int:
    return os.write(ours, task.memory.copy_in(task.args[1], min(task.args[2], CHUNK)))


def _receive(task: Task, ours: int) -> int:
    if task.args[4]:
        task.kernel.refuse(task, OLD_FILE)  # it asks for the sender's address
    with_socket = socket(fileno=os.dup(ours))
    try:
        data = with_socket.recv(min(task.args[2], CHUNK), task.args[3] | MSG_DONTWAIT)
    finally:
        with_socket.close()
    return task.memory.copy_out(task.args[1], data)


def _send(task: Task, ours: int) -> int:
    if task.args[4]:
        task.kernel.refuse(task, OLD_FILE)
    data = task.memory.copy_in(task.args[1], min(task.args[2], CHUNK))
    with_socket = socket(fileno=os.dup(ours))
    try:
        return with_socket.send(data, task.args[3] | MSG_DONTWAIT)
    finally:
        with_socket.close()


_HANDLERS: dict[int | None, Callable[[Task, int], int]] = {
    number_of(ARCH, "read"): _read,
    number_of(ARCH, "write"): _write,
    number_of(ARCH, "recvfrom"): _receive,
    number_of(ARCH, "sendto"): _send,
}
