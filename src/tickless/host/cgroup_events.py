"""cgroups(7): inotify on cgroup.events tells that a group has got its first process, or lost its last.

The host tells a moment later: a worker of its own does it, and not more often than every 10 ms of real time. The clock
must not jump before. So we watch what the program watches, and hold the clock until we have been told, or until nothing
that happened can still be untold.
"""

from __future__ import annotations

import ctypes
import os
import time
from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLIN

if TYPE_CHECKING:
    from tickless.host.supervisor import Supervisor

NAME = b"cgroup.events"
IN_MODIFY, IN_IGNORED = 0x2, 0x8000
EVENT = Struct("iIII")  # struct inotify_event: watch descriptor, mask, cookie, length of the name
# A change is told at once, unless another was told within the 10 ms before: then at the second tick of 10 ms at most.
QUIET_S = 0.025
# What is told later than this holds nothing.
LIMIT_S = 0.05
REASON = "a change in a cgroup"

_libc = ctypes.PyDLL(None, use_errno=True)


class Watched:
    """A cgroup.events that the program watches."""

    def __init__(self, location: bytes) -> None:
        self.location = location
        self.settled = self.read()  # what it said when nothing was untold
        self.settled_at = 0.0  # real time, s
        self.told_at = 0.0  # when we have last heard of a change

    def read(self) -> bytes:
        """What the file says; nothing when the group has gone."""
        try:
            with open(self.location, "rb", buffering=0) as file:
                return file.read() or b""
        except OSError:
            return b""


class CgroupEvents:
    """What of the program's groups has changed and is not told yet."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self._watched: dict[int, Watched] = {}  # by watch descriptor
        self._inotify = -1
        self._may_have_changed = False
        self._idle_since = 0.0  # real time; 0 while somebody runs

    def watch(self, location: bytes) -> None:
        """The program has inotify watch a cgroup.events."""
        if self._inotify < 0:
            self._inotify = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            self.supervisor.master.register(self._inotify, EPOLLIN, lambda _: self._hear())
        descriptor = _libc.inotify_add_watch(self._inotify, location, IN_MODIFY)
        if descriptor >= 0 and descriptor not in self._watched:
            self._watched[descriptor] = Watched(location)

    def may_have_changed(self) -> None:
        """A task has died, or something was written that may move one."""
        if self._watched:
            self._may_have_changed = True
            self._idle_since = 0.0

    def hold(self) -> bool:
        """Nobody has anything to do: wait for what is not told yet; False when there is no such thing."""
        if not self._may_have_changed:
            return False
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        longest_s = max((self._wait_s(watched, now) for watched in self._watched.values()), default=0.0)
        left_s = min(longest_s, self._idle_since + LIMIT_S - now)
        if left_s > 0:
            self.supervisor.poll_host(left_s)
            held_by = self.supervisor.idle.held_by
            held_by[REASON] = held_by.get(REASON, 0.0) + time.monotonic() - now
            return True
        self._settle(now)
        return False

    def _wait_s(self, watched: Watched, now: float) -> float:
        """How long a change of the group may still be untold, in s; 0 if none is."""
        if watched.told_at > self._idle_since:
            return 0.0
        if now < watched.told_at + QUIET_S:
            return watched.told_at + QUIET_S - now
        is_told = watched.told_at > watched.settled_at
        return 0.0 if is_told or watched.read() in (watched.settled, b"") else LIMIT_S

    def _settle(self, now: float) -> None:
        """Everything is told. Groups that have gone are forgotten."""
        self._may_have_changed = False
        self._idle_since = 0.0
        for descriptor, watched in tuple(self._watched.items()):
            watched.settled = watched.read()
            watched.settled_at = now
            if not watched.settled:
                del self._watched[descriptor]
                _libc.inotify_rm_watch(self._inotify, descriptor)

    def _hear(self) -> None:
        """The host has told us, and the program the same."""
        now = time.monotonic()
        events = os.read(self._inotify, 1 << 16)
        at = 0
        while at < len(events):
            descriptor, mask, _, length = EVENT.unpack_from(events, at)
            at += EVENT.size + length
            if mask & IN_IGNORED:
                self._watched.pop(descriptor, None)
            elif descriptor in self._watched:
                self._watched[descriptor].told_at = now

    def close(self) -> None:
        if self._inotify >= 0:
            self.supervisor.master.unregister(self._inotify)
            os.close(self._inotify)
