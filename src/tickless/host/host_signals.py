"""Signals of real tasks: the host's masks and dispositions decide, and its bell rings for every signal of ours.

Every signal is pending here, with its siginfo, and on the host at once. So blocking, handlers, sigreturn and restarts
are the host's, and need no trap; at the delivery stop ours is swapped in. What a signalfd or sigtimedwait takes here is
taken from the host too.
"""

from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.abi.siginfo import SigInfo
from tickless.abi.signal import sigmask, signals_in
from tickless.host import ptrace
from tickless.host.task_state import read_whole

if TYPE_CHECKING:
    from tickless.host.supervisor import Supervisor
    from tickless.kernel.task import Task

_libc = ctypes.PyDLL(None, use_errno=True)
_TGKILL = ctypes.c_long(number_of(ARCH, "tgkill") or 0)
_FIELDS = (b"SigPnd:", b"ShdPnd:", b"SigBlk:", b"SigIgn:", b"SigCgt:")


class HostSignals:
    """The SignalState of a real task."""

    def __init__(self, supervisor: Supervisor, task: Task) -> None:
        self.supervisor = supervisor
        self.task = task
        self.consumed: list[int] = []  # signals that were taken here and are still pending on the host
        self.silenced = 0  # signals that are pending here, and on the host only when `ring_silenced` was called
        self._read_at: object = None
        self._masks = (0, 0, 0, 0, 0)

    def blocked(self) -> int:
        return self._read()[2]

    def ignored(self) -> int:
        return self._read()[3]

    def caught(self) -> int:
        return self._read()[4]

    def host_pending(self) -> tuple[int, int]:
        """What the host has pending for the task and for its process."""
        masks = self.read_masks()
        return masks[0], masks[1]

    def ring(self, info: SigInfo, *, shared: bool) -> None:
        group = self.task.group
        try:
            if info.signo == signal.SIGKILL:
                self.supervisor.life.deaths.kill(group)
            elif shared:
                os.kill(group.tgid, info.signo)
            else:
                _tgkill(group.tgid, self.task.tid, info.signo)
        except ProcessLookupError:
            self.supervisor.attention = True  # it died: its status is on the way
        self._read_at = None

    def chosen(self) -> None:
        """The host may have chosen another thread, that is parked: a stop makes this one look for signals as well."""
        if len(self.task.group.threads) > 1:
            with suppress(ProcessLookupError):  # it has died
                ptrace.interrupt(self.task.tid)

    def taken(self, info: SigInfo) -> None:
        self.consumed.append(info.signo)

    def refresh(self) -> None:
        """The host decides what is pending: setting SIG_IGN drops a signal, for one."""
        own, shared = self.host_pending()
        taken = sigmask(*self.consumed)
        for thread in self.task.group.threads:
            assert isinstance(thread.signals, HostSignals)
            taken |= thread.signals.silenced
        self.task.pending.discard(self.task.pending.mask & ~(own | taken))
        self.task.group.pending.discard(self.task.group.pending.mask & ~(shared | taken))

    def ring_silenced(self) -> None:
        """Let the host have again what was kept from it."""
        silenced, self.silenced = self.silenced, 0
        for signo in signals_in(silenced):
            for pending, shared in ((self.task.pending, False), (self.task.group.pending, True)):
                for info in pending.queues.get(signo, ()):
                    self.ring(info, shared=shared)

    def read_masks(self) -> tuple[int, int, int, int, int]:
        """(pending, shared pending, blocked, ignored, caught) now; all 0 for a task that has gone."""
        try:
            text = read_whole(f"/proc/{self.task.tid}/status")
        except OSError:
            return (0, 0, 0, 0, 0)
        start = text.index(_FIELDS[0])
        words = text[start : start + 150].split()
        masks = tuple(int(words[n], 16) for n in (1, 3, 5, 7, 9))
        return masks[0], masks[1], masks[2], masks[3], masks[4]

    def _read(self) -> tuple[int, int, int, int, int]:
        """The masks, read once per call that is served: nobody runs meanwhile."""
        if self._read_at != self.supervisor.notification:
            self._masks = self.read_masks()
            self._read_at = self.supervisor.notification
        return self._masks


def _tgkill(tgid: int, tid: int, signo: int) -> None:
    """Send a signal to one thread. Raises: ProcessLookupError."""
    if _libc.syscall(_TGKILL, tgid, tid, signo) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
