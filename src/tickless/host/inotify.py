"""inotify(7): watches of cgroups. When several groups change at once, the host queues their events in any order.

So that a run repeats itself, a program that reads them gets them in the order of its watches.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import TYPE_CHECKING, cast

from tickless.abi.epoll import EPOLLIN
from tickless.abi.fcntl import AT_FDCWD
from tickless.abi.types import Fd, Hex32, PathPtr
from tickless.host import cgroup_events
from tickless.host.fd_table import POLLABLE
from tickless.host.master import poll_one
from tickless.host.paths import PATH_MAX, locate
from tickless.kernel.errors import Errno
from tickless.kernel.host_file import HostFile
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import syscall

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee
    from tickless.kernel.task import Task

EVENT = Struct("iIII")  # struct inotify_event: watch descriptor, mask, cookie, length of the name behind it
# cgroup.events, memory.events and their like.
OF_GROUP = b".events"


class GroupInotify(HostFile):
    """An inotify that only watches files of cgroups."""

    def read_from_host(self, task: Task, fd: int, buf: int, count: int) -> Result:
        """Read what is there, sorted. When nothing is, the host has its say: EAGAIN, or a wait."""
        try:
            ours = cast("Tracee", task).fds.task_files().fetch(fd)
        except OSError:
            return PASS_ON  # out of reach: in the host's order
        try:
            if not poll_one(ours, EPOLLIN):
                return super().read_from_host(task, fd, buf, count)
            events = os.read(ours, count)
        except OSError:
            return PASS_ON  # too small a buffer: the host says so
        finally:
            os.close(ours)
        return task.memory.copy_out(buf, in_order(events))


# One that watches other files as well, whose order means something.
MIXED = HostFile(pollable=True)
GROUPS = GroupInotify(pollable=True)


def in_order(events: bytes) -> bytes:
    """Events sorted by their watch; those of one watch keep their order."""
    found = []
    at = 0
    while at < len(events):
        descriptor, _, _, length = EVENT.unpack_from(events, at)
        end = at + EVENT.size + length
        found.append((descriptor, events[at:end]))
        at = end
    return b"".join(event for _, event in sorted(found, key=lambda each: each[0]))


@syscall
def inotify_add_watch(task: Task, fd: Fd, pathname: PathPtr, mask: Hex32) -> Result:
    """The host watches, and so do we where it tells late."""
    tracee = cast("Tracee", task)
    try:
        path = tracee.memory.read_string(pathname, PATH_MAX)
    except Errno:
        return PASS_ON
    if tracee.fds.get(fd) in (POLLABLE, GROUPS) and _is_inotify(tracee, fd):
        tracee.fds.files[fd] = GROUPS if path.endswith(OF_GROUP) else MIXED
    if path.endswith(cgroup_events.NAME):
        tracee.supervisor.cgroup_events.watch(locate(tracee, AT_FDCWD, path))
    return PASS_ON


def _is_inotify(task: Tracee, fd: int) -> bool:
    try:
        return os.readlink(f"/proc/{task.tid}/fd/{fd}") == "anon_inode:inotify"
    except OSError:
        return False
