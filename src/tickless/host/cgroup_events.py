"""cgroups(7): inotify on cgroup.events tells that a group has got its first process, or lost its last.

The host tells a moment later: a worker of its own does it, and not more often than every 10 ms of real time. Nobody
must run on before, or the clock might jump and a run not repeat itself. So we watch what the program watches, and wait
until we have been told what has changed: the program has been told then, too.
"""

from __future__ import annotations

import ctypes
import os
import select
import time
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickless.host.idle import Idle

NAME = b"cgroup.events"
IN_MODIFY = 0x2
EVENT = Struct("iIII")  # struct inotify_event: watch descriptor, mask, cookie, length of the name
# What is told later than this is not waited for, in s of real time.
LIMIT_S = 0.05
REASON = "a change in a cgroup"

_libc = ctypes.PyDLL(None, use_errno=True)


class Watched:
    """A cgroup.events that the program watches."""

    def __init__(self, location: bytes) -> None:
        self.location = location
        self.told = self.read()  # what it said when the host last told of a change

    def read(self) -> bytes:
        """What the file says; nothing when the group has gone."""
        try:
            with open(self.location, "rb", buffering=0) as file:
                return file.read() or b""
        except OSError:
            return b""


class CgroupEvents:
    """What of the program's groups has changed and is not told yet."""

    def __init__(self, idle: Idle) -> None:
        self._idle = idle
        self._watched: dict[int, Watched] = {}  # by watch descriptor
        self._inotify = -1
        self._died = False  # a task
        self._written = False  # something that may move a task; the host is doing that
        self.look_when_idle = False  # whoever has died may take a moment to leave his group

    def watch(self, location: bytes) -> None:
        """The program has inotify watch a cgroup.events."""
        if self._inotify < 0:
            self._inotify = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        descriptor = _libc.inotify_add_watch(self._inotify, location, IN_MODIFY)
        if descriptor >= 0 and descriptor not in self._watched:
            self._watched[descriptor] = Watched(location)

    def note_death(self) -> None:
        """A task has died."""
        self._died = self.look_when_idle = bool(self._watched)

    def note_write(self) -> None:
        """A task is about to write to a file of the host: it may be cgroup.procs."""
        self._written = self.look_when_idle = bool(self._watched)

    def settle(self) -> None:
        """Somebody is about to go on: wait until it is told what a death has changed."""
        if self._died:
            self._died = False
            self._wait_until_told()

    def settle_writes(self) -> None:
        """The call after a write is about to be served: wait until it is told what that has changed."""
        if self._written:
            self._written = False
            self._wait_until_told()

    def hold(self) -> bool:
        """Nobody has anything to do: the same; whether there was something to wait for."""
        if not self.look_when_idle:
            return False
        self._died = self._written = self.look_when_idle = False
        return self._wait_until_told()

    def _wait_until_told(self) -> bool:
        start = now = time.monotonic()
        while (untold := self._untold()) and now < start + LIMIT_S:
            self._hear(start + LIMIT_S - now)
            now = time.monotonic()
        for watched in untold:
            watched.told = watched.read()
        if now == start:
            return False
        self._idle.note_held(REASON, start)
        return True

    def _untold(self) -> list[Watched]:
        untold = []
        for descriptor, watched in tuple(self._watched.items()):
            text = watched.read()
            if not text:
                del self._watched[descriptor]
                _libc.inotify_rm_watch(self._inotify, descriptor)
            elif text != watched.told:
                untold.append(watched)
        return untold

    def _hear(self, timeout_s: float) -> None:
        poll = select.poll()
        poll.register(self._inotify, select.POLLIN)
        if not poll.poll(timeout_s * 1000):
            return
        events = os.read(self._inotify, 1 << 16)
        at = 0
        while at < len(events):
            descriptor, _, _, length = EVENT.unpack_from(events, at)
            at += EVENT.size + length
            if descriptor in self._watched:
                self._watched[descriptor].told = self._watched[descriptor].read()

    def close(self) -> None:
        if self._inotify >= 0:
            os.close(self._inotify)
