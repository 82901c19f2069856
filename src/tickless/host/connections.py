"""connect(2): a socket is connected without waiting in the host."""

from __future__ import annotations

import ctypes
import fcntl
import os
from _socket import AF_INET, AF_INET6, AF_UNIX, SOCK_SEQPACKET, SOCK_STREAM
from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLOUT
from tickless.abi.errno import EAGAIN, EALREADY, EINPROGRESS, EINTR, ERESTARTSYS
from tickless.host.master import poll_one
from tickless.host.sockets import kind_of_socket
from tickless.host.unix_listeners import Address, address_of, is_full
from tickless.kernel.outcome import PASS_ON, Blocked, PassOn, Result
from tickless.kernel.wait_queue import sleep_until

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee

ADDRESS_MAX = 128  # struct sockaddr_storage

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.connect.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]


def connect_when_possible(
    task: Tracee, ours: int, fd: int, address: int, length: int, timeout_ns: int | None
) -> Result:
    """Connect the task's socket `fd`, of which `ours` is a duplicate that is closed here."""
    parked = False
    try:
        result = _connect(task, ours, fd, address, length, timeout_ns)
        parked = not isinstance(result, int | PassOn)
        return result
    finally:
        if not parked:
            os.close(ours)


def _connect(task: Tracee, ours: int, fd: int, address: int, length: int, timeout_ns: int | None) -> Result:
    domain, kind = kind_of_socket(ours)
    if not 0 < length <= ADDRESS_MAX:
        return PASS_ON
    if domain in (AF_INET, AF_INET6) and kind == SOCK_STREAM:
        connection = _Connection(ours, task.memory.copy_in(address, length))
        result = connection.attempt()
        return _sleep_for_answer(task, connection, fd, timeout_ns) if result is None else result
    if domain == AF_UNIX and kind in (SOCK_STREAM, SOCK_SEQPACKET):
        # The peer is shown who has connected, so only the task itself can do it, when there is room.
        bound = address_of(task, task.memory.copy_in(address, length))
        if bound is not None and is_full(bound):
            return _sleep_for_room(task, ours, bound, timeout_ns)
    return PASS_ON


def _sleep_for_answer(task: Tracee, connection: _Connection, fd: int, timeout_ns: int | None) -> Blocked:
    watch = task.supervisor.readiness.watch(task, [(fd, EPOLLOUT)])
    try:
        result = yield from sleep_until(
            task,
            (watch.queue,),
            connection.attempt,
            task.kernel.clock.deadline_after(timeout_ns),
            interrupted_as=interrupted_as(timeout_ns),
        )
    finally:
        watch.close()
        os.close(connection.ours)
    return -EINPROGRESS if result is None else result


def _sleep_for_room(task: Tracee, ours: int, bound: Address, timeout_ns: int | None) -> Blocked:
    try:
        result = yield from task.supervisor.retries.sleep_until(
            task,
            lambda: None if is_full(bound) else 0,
            task.kernel.clock.deadline_after(timeout_ns),
            interrupted_as=interrupted_as(timeout_ns),
        )
    finally:
        os.close(ours)
    return -EAGAIN if result is None else PASS_ON


def interrupted_as(limit_ns: int | None) -> int:
    """What a signal makes of a call on a socket: with a time-out or deadline it is never restarted. signal(7)"""
    return ERESTARTSYS if limit_ns is None else EINTR


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
