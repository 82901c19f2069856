"""tcp(7): what was written and not sent yet. On its way between two tasks it must not lose a race against a jump.

Nagle's algorithm lets a small write wait for the acknowledgement of the one before, which the other end delays by 40 ms
of real time. A peer that does not read keeps data back for ever: so patience is limited, and what has outlasted it no
longer counts until some of it is sent.
"""

from __future__ import annotations

import os
from fcntl import ioctl
from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLHUP
from tickless.host.master import poll_one
from tickless.host.patience import Patience
from tickless.host.terminals import is_terminal, settle
from tickless.host.tracee import Tracee
from tickless.kernel.task import DEAD

if TYPE_CHECKING:
    from tickless.host.idle import Idle
    from tickless.kernel.task import Task

# linux/sockios.h: bytes of a TCP socket that were not sent yet.
SIOCOUTQNSD = 0x894B
INT = Struct("i")
# Real time that data may be in flight while nothing else happens.
PATIENCE_S = 0.2
REASON = "data in flight"


class InFlight:
    """Sockets with data that somebody may yet get."""

    def __init__(self, idle: Idle) -> None:
        self._idle = idle
        self.written: dict[tuple[Tracee, int], None] = {}  # (task, fd) written to since the last jump
        self.has_terminals = False  # tasks of the run hold both ends of some
        self._terminal_written = False
        self._stuck: dict[tuple[Tracee, int], int] = {}  # unsent bytes that have outlasted our patience
        self._since_ns = -1  # the virtual instant that is being held
        self._patience = Patience(idle, REASON, PATIENCE_S)

    def note_written(self, task: Task, fd: int, ours: int) -> None:
        """`task` writes to its fd, which is `ours` here."""
        assert isinstance(task, Tracee)
        self.written[task, fd] = None
        if self.has_terminals and is_terminal(os.fstat(ours)):
            self._terminal_written = True

    def settle(self) -> None:
        """The call after a write is about to be served, or nobody has anything to do: terminals are quick."""
        if self._terminal_written:
            self._terminal_written = False
            settle(self._idle.supervisor.kernel.tasks.values())

    def hold(self) -> bool:
        """Nobody has anything to do: wait a moment for data in flight; False when there is none, or none that moves."""
        if not self.written:
            return False
        self.settle()
        unsent = {key: count for key in self.written if (count := _unsent(*key))}
        moving = [key for key, count in unsent.items() if count < self._stuck.get(key, count + 1)]
        if not moving:
            # What was sent since the host was asked last has arrived: ask again.
            return bool(self._idle.supervisor.poll_host(0))
        now_ns = self._idle.supervisor.kernel.clock.now_ns
        if now_ns != self._since_ns:
            self._since_ns = now_ns
            self._patience.renew()
        if self._patience.wait():
            return True
        self._stuck = unsent
        return False


def _unsent(task: Tracee, fd: int) -> int:
    """How much of what was written to a TCP socket the host has not sent yet."""
    if task.state is DEAD:
        return 0
    try:
        ours = task.fds.task_files().fetch(fd)
    except OSError:
        return 0
    try:
        (unsent,) = INT.unpack(ioctl(ours, SIOCOUTQNSD, bytes(INT.size)))
        # A socket that was never connected, or no longer is, has old numbers.
        return 0 if not unsent or poll_one(ours, 0) & EPOLLHUP else int(unsent)
    except OSError:
        return 0  # not a TCP socket: what is written is there
    finally:
        os.close(ours)
