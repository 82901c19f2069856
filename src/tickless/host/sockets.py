"""socket(7): what a file that we have may be asked as a socket."""

import os
import stat
from _socket import (  # `import socket` takes 20 times as long
    AF_UNIX,
    SO_DOMAIN,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SO_TYPE,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
)
from contextlib import closing
from struct import Struct

from tickless.abi.epoll import EPOLLIN
from tickless.abi.socket import MSG_DONTWAIT, MSG_NOSIGNAL

TIMEVAL = Struct("qq")


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


def socket_timeout_ns(ours: int, events: int) -> int | None:
    """SO_RCVTIMEO or SO_SNDTIMEO of a socket, in ns; None for none."""
    option = SO_RCVTIMEO if events & EPOLLIN else SO_SNDTIMEO
    if not stat.S_ISSOCK(os.fstat(ours).st_mode):
        return None
    with socket_of(ours) as other:
        seconds, micros = TIMEVAL.unpack(other.getsockopt(SOL_SOCKET, option, TIMEVAL.size))
    return (seconds * 10**9 + micros * 1000) or None
