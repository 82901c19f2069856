"""Waits in real time for what the host finishes by itself while the clock stands still, and how long they may take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickless.host.idle import Idle

MOMENT_S = 0.001


class Patience:
    """How long one thing may hold the clock, until it is renewed."""

    def __init__(self, idle: Idle, reason: str, limit_s: float) -> None:
        """`reason` is what `--stats` says; `limit_s` is real time."""
        self._idle = idle
        self._reason = reason
        self._limit_s = limit_s
        self._spent_s = 0.0

    def renew(self) -> None:
        """Something has moved, or another thing is waited for."""
        self._spent_s = 0.0

    def wait(self) -> bool:
        """Nobody has anything to do: hear the host for a moment; False, without a wait, when that was long enough."""
        if self._spent_s > self._limit_s:
            return False
        start = time.monotonic()
        self._idle.supervisor.poll_host(MOMENT_S)
        self._idle.supervisor.attention = True
        self._spent_s += self._idle.note_held(self._reason, start)
        return True
