"""unix(7), sock_diag(7): whether the queue of a listening Unix socket is full, so that connect(2) would wait."""

from __future__ import annotations

import os
from _socket import AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW, socket
from collections.abc import Iterator
from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.fcntl import AT_FDCWD
from tickless.host.namespaces import has_our_net
from tickless.host.paths import locate

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
HEADER = Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
ATTRIBUTE = Struct("=HH")  # struct nlattr: length, type
AF_UNIX = 1
REQUEST = Struct("=BBHIIIQ")  # struct unix_diag_req: family, protocol, pad, states, inode, what to show, cookie
SOCKET_SIZE = 16  # struct unix_diag_msg, which attributes follow
LISTENING = 1 << 10
SHOW_NAME, SHOW_VFS, SHOW_RQLEN = 1, 2, 0x10
NAME, VFS, RQLEN = 0, 1, 4
PAIR = Struct("=II")
REPLY_SIZE = 1 << 16

Address = bytes | tuple[int, int]
"""What a socket is bound to: a name that begins with NUL, or (inode, device) of a file."""


def address_of(task: Tracee, address: bytes) -> Address | None:
    """What the struct sockaddr_un of a task names; None for what we cannot look up in its place."""
    path = address[2:]
    if not path or not has_our_net(task):
        return None
    if path[0] == 0:
        return path
    try:
        file = os.open(locate(task, AT_FDCWD, path.partition(b"\0")[0]), os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.fstat(file).st_ino & 0xFFFFFFFF, _device(task, file)
    except OSError:
        return None
    finally:
        os.close(file)


def _device(task: Tracee, file: int) -> int:
    """The device of the mount that a file is in, which of an overlay is not st_dev. proc_pid_mountinfo(5)."""
    with open(f"/proc/self/fdinfo/{file}") as info:
        mount = next(line.split()[1] for line in info if line.startswith("mnt_id:"))
    with open(f"/proc/{task.tid}/mountinfo") as mounts:
        found = next((fields[2] for fields in map(str.split, mounts) if fields[0] == mount), None)
    if found is None:  # the task's root is below the mount
        return _encoded(os.fstat(file).st_dev)
    major, minor = map(int, found.split(":"))
    return _encoded(os.makedev(major, minor))


def _encoded(device: int) -> int:
    """The kernel's own encoding of a device: 12 bits and 20."""
    return os.major(device) << 20 | os.minor(device)


def is_full(address: Address) -> bool:
    """Whether a connect to `address` would wait for an accept. False where the host does not tell."""
    for attributes in _listening():
        bound = PAIR.unpack(attributes[VFS]) if VFS in attributes else attributes.get(NAME)
        if bound == address:
            waiting, most = PAIR.unpack(attributes[RQLEN])
            return bool(waiting > most)
    return False


def _listening() -> Iterator[dict[int, bytes]]:
    """The attributes of each listening socket."""
    body = REQUEST.pack(AF_UNIX, 0, 0, LISTENING, 0, SHOW_NAME | SHOW_VFS | SHOW_RQLEN, 0)
    header = HEADER.pack(HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0)
    try:
        netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
    except OSError:
        return
    try:
        netlink.send(header + body)
        while True:
            reply = netlink.recv(REPLY_SIZE)
            while reply:
                length, kind, *_ = HEADER.unpack_from(reply)
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    return
                yield dict(_attributes(reply[HEADER.size + SOCKET_SIZE : length]))
                reply = reply[_aligned(length) :]
    finally:
        netlink.close()


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        length, kind = ATTRIBUTE.unpack_from(data)
        yield kind, data[ATTRIBUTE.size : length]
        data = data[_aligned(length) :]


def _aligned(length: int) -> int:
    return (length + 3) & ~3
