"""The clock at the pace of real time, or a multiple of it. `--clock real`, `--clock xN`."""

from __future__ import annotations

import time


class Pace:
    """Virtual CLOCK_MONOTONIC as a function of the host's."""

    def __init__(self, start_ns: int, speed: float) -> None:
        self._virtual_start_ns = start_ns
        self._real_start_ns = time.monotonic_ns()
        self.speed = speed  # above 0

    def now_ns(self) -> int:
        """The virtual instant that belongs to now."""
        return self._virtual_start_ns + int((time.monotonic_ns() - self._real_start_ns) * self.speed)

    def real_s_until(self, at_ns: int) -> float:
        """Real time from now to a virtual instant, in s; below 0 when it has passed."""
        return (at_ns - self.now_ns()) / self.speed / 1e9
