"""What the outside of a run can get at: whether it can end a wait for a socket or a lock. sock_diag(7), proc(5).

Nobody outside can when tasks of the run hold the socket's other end, or the lock, and nobody outside can have it as
well: it was not there at the start, and no task has sent or received open files. So nobody else has to be looked into,
which an ordinary user may not, nor anybody from within a container. Whatever cannot be made out counts as within reach:
a deadlock is called one only if it is one.
"""

from __future__ import annotations

import os
import re
import struct
from _socket import AF_NETLINK, AF_UNIX, SOCK_RAW, socket
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from contextlib import closing, suppress
from functools import cached_property

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST_DUMP = 0x301
NLMSG_ERROR, NLMSG_DONE = 2, 3
UDIAG_SHOW_PEER = 4
UNIX_DIAG_PEER = 2
HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
REQUEST = struct.Struct("=BBHIIIII")  # struct unix_diag_req: family, protocol, -, states, inode, show, cookie
ANSWER = struct.Struct("=BBBBIII")  # struct unix_diag_msg: family, type, state, -, inode, cookie
ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length, type
ALL_STATES = 0xFFFFFFFF
RECEIVE_BYTES = 1 << 16

SOCKET_LINK = re.compile(r"socket:\[(\d+)\]")
WATCHED_FILE = re.compile(r"^tfd: .* ino:([0-9a-f]+) sdev:([0-9a-f]+)", re.MULTILINE)
LOCK_LINE = re.compile(r"^(?:lock:\s+)?\d+: (\S+)\s+\S+\s+(\S+)\s+(-?\d+) \S+:(\d+) (\S+) (\S+)$", re.MULTILINE)


class Reach:
    """One look at who has which socket and lock, now that all tasks `inside` are blocked."""

    def __init__(
        self, inside: Iterable[int], *, inherited: Container[int] = (), files_may_travel: bool = False
    ) -> None:
        """`inside` are the tids of the run, `inherited` the inodes of the files that others may have as well."""
        self.inside = frozenset(inside)
        self._inherited = inherited
        self._files_may_travel = files_may_travel

    def is_held_inside(self, inode: int) -> bool:
        """Whether a connected socket and its other end are held by tasks of the run alone."""
        return bool(self.other_holders(inode)) and not self._may_be_outside(inode, self._peers[inode])

    def other_holders(self, inode: int) -> list[int]:
        """The tasks of the run that have the other end of a socket."""
        peer = self._peers.get(inode, 0)
        return [tid for tid in sorted(self.inside) if peer in self._sockets_inside.get(tid, ())] if peer else []

    def is_lock_inside(self, status: os.stat_result) -> bool:
        """Whether all locks of a file are held by tasks of the run alone."""
        if self._may_be_outside(status.st_ino):
            return False
        locks = Counter(lock for lock in _locks_in("/proc/locks") if int(lock[3]) == status.st_ino)
        inside = {lock for tid in self.inside for lock in _locks_through(tid, status)}
        # Two that look alike may be of two open file descriptions, one of them out of sight.
        return bool(locks) and all(count == 1 and lock in inside for lock, count in locks.items())

    def lock_holders(self, status: os.stat_result) -> list[int]:
        """The tasks of the run that hold a lock of a file."""
        return [tid for tid in sorted(self.inside) if any(_locks_through(tid, status))]

    def _may_be_outside(self, *inodes: int) -> bool:
        return self._files_may_travel or any(inode in self._inherited for inode in inodes)

    @cached_property
    def _sockets_inside(self) -> dict[int, set[int]]:
        return {tid: set(sockets_of(tid)) for tid in self.inside}

    @cached_property
    def _peers(self) -> dict[int, int]:
        """The inode of the other end of each connected socket in our network namespace, by its own."""
        with suppress(OSError):  # a host without sock_diag: then nothing is known of them
            return {**dict(_tcp_peers()), **dict(unix_peers())}
        return {}


def inodes_of(tid: int) -> frozenset[int]:
    """The inodes of a task's files; none of one that has been killed."""
    inodes = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for name in os.listdir(f"/proc/{tid}/fd"):
            with suppress(FileNotFoundError):  # it was closed meanwhile
                inodes.add(os.stat(f"/proc/{tid}/fd/{name}").st_ino)
    return frozenset(inodes)


def socket_inode(tid: int, fd: int) -> int | None:
    """The inode of a task's socket; None if the fd is another kind of file, or closed."""
    try:
        found = SOCKET_LINK.fullmatch(os.readlink(f"/proc/{tid}/fd/{fd}"))
    except OSError:
        return None
    return int(found[1]) if found else None


def sockets_of(tid: int) -> Iterator[int]:
    """The inodes of a task's sockets; none of one that cannot be looked into."""
    with suppress(OSError):
        for name in os.listdir(f"/proc/{tid}/fd"):
            if (inode := socket_inode(tid, int(name))) is not None:
                yield inode


def watched_sockets(epoll: int) -> list[int] | None:
    """The inodes of the sockets that our epoll watches; None if it watches other files, too. proc_pid_fdinfo(5)."""
    with open(f"/proc/self/fdinfo/{epoll}") as file:
        text = file.read()
    watched = WATCHED_FILE.findall(text)
    if len(watched) != text.count("tfd:"):
        return None  # a line that we do not understand
    with closing(socket(AF_UNIX)) as one_of_them:
        device = os.fstat(one_of_them.fileno()).st_dev
    # The kernel's own encoding of a device: 12 bits and 20.
    devices = (int(encoded, 16) for _, encoded in watched)
    if any(os.makedev(number >> 20, number & 0xFFFFF) != device for number in devices):
        return None
    return [int(inode, 16) for inode, _ in watched]


def count_watched(epoll: int) -> int:
    """How many interests our epoll has. proc_pid_fdinfo(5)."""
    with open(f"/proc/self/fdinfo/{epoll}") as file:
        return len(WATCHED_FILE.findall(file.read()))


def unix_peers() -> Iterator[tuple[int, int]]:
    """(inode, the other end's inode) of Unix sockets. Raises: OSError."""
    request = REQUEST.pack(AF_UNIX, 0, 0, ALL_STATES, 0, UDIAG_SHOW_PEER, 0, 0)
    with closing(socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG)) as netlink:
        size = HEADER.size + len(request)
        netlink.send(HEADER.pack(size, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP, 1, 0) + request)
        while True:
            messages = netlink.recv(RECEIVE_BYTES)
            while messages:
                length, kind, *_ = HEADER.unpack_from(messages)
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    return
                yield from _peer_in(messages[HEADER.size : length])
                messages = messages[(length + 3) & ~3 :]


def _peer_in(message: bytes) -> Iterator[tuple[int, int]]:
    inode = ANSWER.unpack_from(message)[4]
    attributes = message[ANSWER.size :]
    while len(attributes) >= ATTRIBUTE.size:
        length, kind = ATTRIBUTE.unpack_from(attributes)
        if kind == UNIX_DIAG_PEER:
            (peer,) = struct.unpack_from("=I", attributes, ATTRIBUTE.size)
            if peer:
                yield inode, peer
        attributes = attributes[(length + 3) & ~3 :]


def _tcp_peers() -> Iterator[tuple[int, int]]:
    """(inode, the other end's inode) of TCP connections whose ends are both here. proc_pid_net(5)."""
    ends: dict[tuple[str, str], int] = {}
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError), open(f"/proc/net/{table}") as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                ends[fields[1], fields[2]] = int(fields[9])
    for (local, remote), inode in ends.items():
        peer = ends.get((remote, local), 0)
        if inode and peer and peer != inode:
            yield inode, peer


Lock = tuple[str, ...]
"""What /proc/locks says of a lock: kind, READ or WRITE, process (-1: none), inode, first and last byte."""


def _locks_through(tid: int, status: os.stat_result) -> Iterator[Lock]:
    """The locks of a file that a task holds by its open files; some may be closed while we look."""
    with suppress(OSError):
        for fd in os.listdir(f"/proc/{tid}/fd"):
            with suppress(OSError):
                found = os.stat(f"/proc/{tid}/fd/{fd}")
                if (found.st_dev, found.st_ino) == (status.st_dev, status.st_ino):
                    yield from _locks_in(f"/proc/{tid}/fdinfo/{fd}")


def _locks_in(path: str) -> list[Lock]:
    with open(path) as file:
        return LOCK_LINE.findall(file.read())
