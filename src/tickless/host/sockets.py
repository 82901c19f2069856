"""socket(7): what a file that we have may be asked as a socket."""

import os
import stat
from _socket import (  # `import socket` takes 20 times as long
    AF_UNIX,
    SO_DOMAIN,
    SO_RCVTIMEO,
    SO_SNDBUF,
    SO_SNDTIMEO,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)
from contextlib import closing
from fcntl import ioctl
from struct import Struct

from tickless.abi.epoll import EPOLLIN
from tickless.abi.ioctl import SIOCOUTQ
from tickless.abi.socket import MSG_DONTWAIT, MSG_NOSIGNAL
from tickless.abi.time import TIMEVAL

INT = Struct("i")
# What of a send buffer a piece of a stream, or a datagram, can never have.
MESSAGE_COST = 64
DATAGRAM_COST = 32


def socket_of(ours: int) -> closing[socket]:
    """A socket object for a duplicate of `ours`, closed at the end. Raises: OSError if it is none."""
    return closing(socket(fileno=os.dup(ours)))


def kind_of_socket(ours: int) -> tuple[int, int]:
    """The domain and the type of a socket; (-1, -1) of what is none."""
    if not stat.S_ISSOCK(os.fstat(ours).st_mode):
        return -1, -1
    with socket_of(ours) as one:
        return one.getsockopt(SOL_SOCKET, SO_DOMAIN), one.getsockopt(SOL_SOCKET, SO_TYPE)


def is_stream(ours: int) -> bool:
    """Whether a call may move a part of what it is given: a FIFO, a stream socket."""
    return stat.S_ISFIFO(os.fstat(ours).st_mode) or kind_of_socket(ours)[1] == SOCK_STREAM


def is_shut(ours: int) -> bool:
    """Whether a unix stream socket may not be written to any more, which poll(2) does not tell while it is full."""
    try:
        with socket_of(ours) as one:
            if one.family == AF_UNIX and one.type == SOCK_STREAM:
                one.send(b"", MSG_DONTWAIT | MSG_NOSIGNAL)
    except BrokenPipeError:
        return True
    except OSError:
        return False  # no socket, or one that is not connected
    return False


def finds_room(ours: int, size: int) -> bool:
    """Whether a write of `size` bytes to a unix socket does not wait, though poll(2) calls it unwritable.

    That wants three quarters of the send buffer to be free, a write only that it is not full. net/unix/af_unix.c
    """
    domain, kind = kind_of_socket(ours)
    if domain != AF_UNIX:
        return False
    with socket_of(ours) as one:
        room = one.getsockopt(SOL_SOCKET, SO_SNDBUF)
        is_alone = kind != SOCK_DGRAM or _is_one_of_a_pair(one)
    (used,) = INT.unpack(ioctl(ours, SIOCOUTQ, bytes(INT.size)))
    if kind == SOCK_STREAM:
        return size == 0 or (used < room and size <= room // 2 - MESSAGE_COST)  # a longer one may wait half-way
    return size > room - DATAGRAM_COST or (used < room and is_alone)


def _is_one_of_a_pair(one: socket) -> bool:
    """Whether datagrams go to who sends them here; a receiver with many senders has a full queue of its own."""
    try:
        return not one.getpeername()
    except OSError:
        return False


def socket_timeout_ns(ours: int, events: int) -> int | None:
    """SO_RCVTIMEO or SO_SNDTIMEO of a socket, in ns; None for none."""
    option = SO_RCVTIMEO if events & EPOLLIN else SO_SNDTIMEO
    if not stat.S_ISSOCK(os.fstat(ours).st_mode):
        return None
    with socket_of(ours) as other:
        seconds, micros = TIMEVAL.unpack(other.getsockopt(SOL_SOCKET, option, TIMEVAL.size))
    return (seconds * 10**9 + micros * 1000) or None
