"""connect(2): a socket is connected without waiting in the host."""

from __future__ import annotations

import ctypes
import fcntl
import os
from _socket import AF_INET, AF_INET6, SO_DOMAIN, SO_TYPE, SOCK_STREAM, SOL_SOCKET, socket
from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLOUT
from tickless.abi.errno import EAGAIN, EALREADY, EINPROGRESS, EINTR, ERESTARTSYS
from tickless.host.master import poll_one
from tickless.kernel.outcome import PASS_ON, Blocked, Result
from tickless.kernel.wait_queue import sleep_until

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee

ADDRESS_MAX = 128  # struct sockaddr_storage

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.connect.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]


def connect_when_possible(
    task: Tracee, ours: int, fd: int, address: int, length: int, timeout_ns: int | None
) -> Result:
    """Connect the task's socket `fd`, of which `ours` is a duplicate that is closed here.

    Only TCP has to wait for an answer. A Unix socket waits for room in its peer's queue, but shows the peer who has
    connected it, so only the task itself can do that.
    """
    parked = False
    try:
        if not _is_tcp(ours) or not 0 < length <= ADDRESS_MAX:
            return PASS_ON
        connection = _Connection(ours, task.memory.copy_in(address, length))
        result = connection.attempt()
        if result is None:
            parked = True
            return _sleep(task, connection, fd, timeout_ns)
        return result
    finally:
        if not parked:
            os.close(ours)


def _sleep(task: Tracee, connection: _Connection, fd: int, timeout_ns: int | None) -> Blocked:
    deadline_ns = None if timeout_ns is None else task.kernel.clock.now_ns + timeout_ns
    watch = task.supervisor.readiness.watch(task, [(fd, EPOLLOUT)])
    try:
        result = yield from sleep_until(
            task,
            (watch.queue,),
            connection.attempt,
            deadline_ns,
            # A call on a socket with a time-out is never restarted. signal(7)
            interrupted_as=ERESTARTSYS if timeout_ns is None else EINTR,
        )
    finally:
        watch.close()
        os.close(connection.ours)
    return -EINPROGRESS if result is None else result


class _Connection:
    """One connect(2) of a TCP socket."""

    def __init__(self, ours: int, address: bytes) -> None:
        self.ours = ours
        self._address = address

    def attempt(self) -> int | None:
        """0 when the socket is connected, -errno if it cannot be, else None."""
        error = self._connect()
        if error in (EINPROGRESS, EALREADY, EAGAIN):
            if not poll_one(self.ours, EPOLLOUT):
                return None
            error = self._connect()
        return -error

    def _connect(self) -> int:
        """Connect, or ask how far it is: 0 or an errno. Nobody else runs while the socket does not wait."""
        flags = fcntl.fcntl(self.ours, fcntl.F_GETFL)
        fcntl.fcntl(self.ours, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        try:
            failed = _libc.connect(self.ours, self._address, len(self._address)) < 0
            return ctypes.get_errno() if failed else 0
        finally:
            fcntl.fcntl(self.ours, fcntl.F_SETFL, flags)


def _is_tcp(ours: int) -> bool:
    try:
        one = socket(fileno=os.dup(ours))
    except OSError:
        return False
    try:
        domain, kind = one.getsockopt(SOL_SOCKET, SO_DOMAIN), one.getsockopt(SOL_SOCKET, SO_TYPE)
    finally:
        one.close()
    return domain in (AF_INET, AF_INET6) and kind == SOCK_STREAM
