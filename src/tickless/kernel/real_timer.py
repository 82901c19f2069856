"""ITIMER_REAL, the timer that alarm(2) and setitimer(2) share. kernel/time/itimer.c"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.siginfo import SI_KERNEL, SigInfo
from tickless.abi.signal import SIGALRM
from tickless.abi.time import NSEC_PER_USEC
from tickless.kernel.signals import send_signal

if TYPE_CHECKING:
    from tickless.kernel.clock import Deadline
    from tickless.kernel.task import ThreadGroup


class RealTimer:
    """A process's ITIMER_REAL: SIGALRM at an instant of CLOCK_MONOTONIC, and again after each interval.

    It runs on only when its signal is taken, at a multiple of the interval: while SIGALRM is blocked or ignored there
    is nothing to do. A child process has a timer of its own, exec keeps it. setitimer(2).
    """

    def __init__(self, group: ThreadGroup) -> None:
        self.group = group
        self.expires_ns = 0  # when it expires, or last did
        self.interval_ns = 0  # 0: once
        self.deadline: Deadline | None = None  # None: not running

    def set(self, value_ns: int, interval_ns: int) -> None:
        """Let it expire in `value_ns`, and then each `interval_ns`; a value of 0 disarms it."""
        self.disarm()
        if value_ns:
            self.interval_ns = interval_ns
            self._start(self.group.kernel.clock.now_ns + value_ns)

    def disarm(self) -> None:
        """No further signal comes from it."""
        self.interval_ns = 0
        if self.deadline is not None:
            self.group.kernel.clock.cancel(self.deadline)
            self.deadline = None

    def remaining_ns(self) -> int:
        """What is left until it expires, never 0 while it runs; 0 if it does not run."""
        if self.deadline is None:
            return 0
        return max(self.expires_ns - self.group.kernel.clock.now_ns, NSEC_PER_USEC)

    def signal_taken(self) -> None:
        """SIGALRM was delivered or waited for: the next interval begins where the last one ended."""
        if self.interval_ns and self.deadline is None:
            late_ns = self.group.kernel.clock.now_ns - self.expires_ns
            self._start(self.expires_ns + (late_ns // self.interval_ns + 1) * self.interval_ns)

    def _start(self, expires_ns: int) -> None:
        self.expires_ns = expires_ns
        self.deadline = self.group.kernel.clock.arm(expires_ns, self._expire)

    def _expire(self) -> None:
        self.deadline = None
        send_signal(self.group, SigInfo(SIGALRM, SI_KERNEL))
