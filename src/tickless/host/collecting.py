"""unix(7): sockets that are in flight in each other, in a circle that nobody can reach any more.

A worker of the host's kernel frees them, and what else is in flight in them, a little after the close of some socket
has started it. Whoever waits for such an end of file must not lose a race against a jump.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.socket import SCM_RIGHTS, SOL_SOCKET
from tickless.host.patience import Patience

if TYPE_CHECKING:
    from tickless.host.idle import Idle
    from tickless.kernel.task import Task

# struct cmsghdr: its length with all that follows, the level, the type. cmsg(3)
HEADER = Struct("<Qii")
INT = Struct("<i")
# Real time that the worker has, after a close.
PATIENCE_S = 0.02
REASON = "sockets in flight"


class Collecting:
    """The sockets that were sent over sockets, as long as the host has them."""

    def __init__(self, idle: Idle) -> None:
        self._idle = idle
        self._sent: set[int] = set()  # inodes
        self.is_due = False  # something was closed since the worker was waited for
        self._patience = Patience(idle, REASON, PATIENCE_S)

    def note_sent(self, task: Task, control: bytes) -> None:
        """The task sends a message with this ancillary data."""
        for fd in descriptors_in(control):
            try:
                status = os.stat(f"/proc/{task.tid}/fd/{fd}")
            except OSError:
                continue  # the host refuses it
            if stat.S_ISSOCK(status.st_mode):
                self._sent.add(status.st_ino)

    def note_close(self) -> None:
        """A number is closed, or a task has ended."""
        if self._sent:
            self.is_due = True
            self._patience.renew()

    def hold(self) -> bool:
        """Nobody has anything to do: wait a moment for the worker; False when it has had its time, or has no work."""
        self._sent &= _unix_sockets()
        if self._sent and self._patience.wait():
            return True
        self.is_due = False
        # What it has freed is heard now.
        return bool(self._idle.supervisor.poll_host(0))


def descriptors_in(control: bytes) -> Iterator[int]:
    """The numbers that messages of the kind SCM_RIGHTS hold."""
    at = 0
    while at + HEADER.size <= len(control):
        length, level, kind = HEADER.unpack_from(control, at)
        if length < HEADER.size:
            return
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
            numbers = control[at + HEADER.size : at + length]
            yield from (fd for (fd,) in INT.iter_unpack(numbers[: len(numbers) // INT.size * INT.size]))
        at += (length + 7) & ~7


def _unix_sockets() -> set[int]:
    """The inodes of the unix sockets that there are in our network namespace. proc_pid_net(5)."""
    with open("/proc/net/unix") as file:
        next(file)
        return {int(line.split()[6]) for line in file}
