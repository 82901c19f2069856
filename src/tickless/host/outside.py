"""What comes from outside the run: signals that only the host knows of."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLIN
from tickless.abi.siginfo import SI_USER, SigInfo
from tickless.abi.signal import IGNORED_BY_DEFAULT, SIGCONT, STOPPING_BY_DEFAULT, sigmask, signals_in
from tickless.host import ptrace
from tickless.host.tracee import STOPPED, Tracee
from tickless.kernel.signals import send_signal
from tickless.kernel.task import BLOCKED

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from tickless.host.supervisor import Supervisor
    from tickless.kernel.task import ThreadGroup

# What stops or continues a process that does not catch it.
JOB_CONTROL = STOPPING_BY_DEFAULT | sigmask(SIGCONT)
# Signals that keys of a terminal send.
KEYS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
# Ticks (10 ms of real time each) between two looks for signals from other programs.
LOOK_TICKS = 5
# Signals to us that are meant for the program.
PASSED_ON = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTSTP,
)


class OutsideSigInfo(SigInfo):
    """A signal that the host has and whose siginfo only it knows."""


class Outside:
    """Signals to us and to the tasks from people and programs outside, and the tick of real time."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.received: list[int] = []  # signals to ourselves that are to be passed to the program
        self.ends_at_ns: int | None = None  # real time, on the monotonic clock
        self.on_tick: list[Callable[[], object]] = []  # called every 10 ms of real time
        self.host_sends_signals = False  # the program has asked for some: mq_notify, F_SETOWN and their like
        self.look_is_due = False
        self._ticks = 0
        self._stop_asked = False  # Ctrl-Z: we stop when the program has
        self.stop_is_due = False  # a process has been stopped, and perhaps we have to stop as well
        self.stopped: set[ThreadGroup] = set()  # by a signal from outside: who may be continued from there
        self.interrupts = 0  # SIGINTs so far: the second one ends the run
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        supervisor.master.register(self._wake_read, EPOLLIN, self._woken)

    def install(self) -> None:
        """Take the signals that matter to a run; the interval timer is the safety net's."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._on_child)
        signal.signal(signal.SIGALRM, self._on_tick)
        for signo in PASSED_ON:
            if signal.getsignal(signo) is not signal.SIG_IGN:
                signal.signal(signo, self._on_signal)
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)

    def uninstall(self) -> None:
        """The run is over."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.set_wakeup_fd(-1)

    def _on_child(self, signo: int, frame: FrameType | None) -> None:
        self.supervisor.attention = True

    def _on_tick(self, signo: int, frame: FrameType | None) -> None:
        # Its main use is to interrupt a blocking receive.
        if self.ends_at_ns is not None and time.monotonic_ns() >= self.ends_at_ns:
            self.supervisor.end("timeout")
        self._ticks += 1
        if self._ticks % LOOK_TICKS == 0:
            self.look_is_due = True
        self.supervisor.net.look_is_due = True
        if self.supervisor.kernel.cpu_alarms.waiting:
            self.supervisor.attention = True
        for hook in self.on_tick:
            hook()

    def _on_signal(self, signo: int, frame: FrameType | None) -> None:
        self.received.append(signo)
        self.supervisor.attention = True

    def _woken(self, events: int) -> None:
        os.read(self._wake_read, 4096)

    def attend(self) -> None:
        """Pass on what came to ourselves."""
        while self.received:
            signo = self.received.pop(0)
            if signo == signal.SIGINT:
                self.interrupts += 1
                if self.interrupts > 1:
                    self.supervisor.end("interrupted")
                    return
            self._stop_asked |= signo == signal.SIGTSTP
            self._pass_to_program(signo)
        if self.stop_is_due:
            self._stop_with_program()

    def _stop_with_program(self) -> None:
        """Where a shell waits for the program, stop as it has, so that the shell goes on; and continue with it."""
        self.stop_is_due = False
        group, kernel = self.supervisor.life.main_group, self.supervisor.kernel
        if group is None or not group.stopped_by or kernel.host is None or not kernel.host.is_connected_outside(group):
            return
        if self._stop_asked or all(other.stopped_by or not other.threads for other in kernel.groups.values()):
            self._stop_asked = False
            os.kill(os.getpid(), signal.SIGSTOP)
            self.look()  # a shell continues the whole job, us and the tasks
            if group.stopped_by:
                self.signal_program(SIGCONT, "signal from outside")

    def _pass_to_program(self, signo: int) -> None:
        """A signal to tickless is meant for PROGRAM. A terminal has sent it to the tasks as well."""
        self.look()
        if not self._terminal_sent_it(signo):
            self.signal_program(signo, "signal from outside")

    def signal_program(self, signo: int, cause: str) -> None:
        """Send PROGRAM a signal, as a kill from outside would."""
        group = self.supervisor.life.main_group
        if group is None or not group.threads:
            return
        self.supervisor.kernel.cause = cause
        send_signal(group, SigInfo(signo, SI_USER, pid=os.getppid(), uid=os.getuid()))
        self.supervisor.kernel.cause = ""

    def time_out_after(self, timeout_ns: int) -> None:
        """End the run when it has taken that much real time."""
        self.ends_at_ns = time.monotonic_ns() + timeout_ns

    def _terminal_sent_it(self, signo: int) -> bool:
        """Whether we and the program are the foreground job of a terminal whose key sends `signo`."""
        if signo not in KEYS:
            return False
        group = self.supervisor.life.main_group
        assert group is not None
        try:
            terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            foreground = os.tcgetpgrp(terminal)
        except OSError:
            return False
        finally:
            os.close(terminal)
        return foreground == os.getpgrp() == os.getpgid(group.tgid)

    def look(self) -> bool:
        """Find signals that the host has pending for parked tasks and we lack; whether somebody has something to do."""
        self.look_is_due = False
        for group in tuple(self.supervisor.kernel.groups.values()):
            if group.threads:
                self._look_at(group)
        return self.supervisor.runner is not None or bool(self.supervisor.kernel.ready)

    def _look_at(self, group: ThreadGroup) -> None:
        first = group.threads[0]
        assert isinstance(first, Tracee)
        if group.stopped_by and first.state is not BLOCKED and first.signals.host_pending()[1] & sigmask(SIGCONT):
            self._interrupted(first, sigmask(SIGCONT))
        for task in tuple(group.threads):
            assert isinstance(task, Tracee)
            if task.state is not BLOCKED:
                continue
            own, shared = task.signals.host_pending()
            known = task.pending.mask | group.pending.mask
            new = (own | shared) & ~known & ~sigmask(*task.signals.consumed)
            blocked = task.signals.blocked()
            # Of a traced task the host keeps what it ignores pending as well, and drops it at the next stop.
            ignored = task.signals.ignored() | (IGNORED_BY_DEFAULT & ~task.signals.caught())
            if new & ~blocked & ~ignored:
                self._interrupted(task, new & ~blocked & ~ignored)
                if done := new & ~blocked & JOB_CONTROL & ~task.signals.caught():
                    self.supervisor.stops.drop_from_host(task, done)
                return
            if new & blocked:
                self._learn(task, new & blocked)
                return

    def may_continue(self) -> bool:
        """Whether a process is stopped by somebody outside, who may let it go on."""
        self.stopped = {group for group in self.stopped if group.stopped_by}
        return bool(self.stopped)

    def _interrupted(self, task: Tracee, new: int) -> None:
        """The task does not block it: its call ends, and the host delivers."""
        self.supervisor.kernel.cause = "signal from outside"
        for signo in signals_in(new):
            send_signal(task.group, OutsideSigInfo(signo), ring=False)
        self.supervisor.kernel.cause = ""
        if task.group.stopped_by:
            self.stopped.add(task.group)

    def _learn(self, task: Tracee, new: int) -> None:
        """The task blocks it, so a signalfd or a wait may want it: ask the host for its siginfo.

        That takes a stop, so the call is interrupted, and goes on when the host makes it again.
        """
        supervisor = self.supervisor
        if not supervisor.stops.stop_parked(task):
            return
        for shared, raw in _pending_infos(task.tid):
            info = SigInfo.unpack(raw)
            if new >> (info.signo - 1) & 1:
                send_signal(task.group, info, None if shared else task, ring=False)
        task.place = STOPPED
        supervisor.life.go_on(task)


def _pending_infos(tid: int) -> list[tuple[bool, bytes]]:
    """What the host has pending for a stopped task's process (True) and for the task; nothing if it was killed."""
    try:
        infos = [(True, raw) for raw in ptrace.peeksiginfo(tid, 64, shared=True)]
        return infos + [(False, raw) for raw in ptrace.peeksiginfo(tid, 64, shared=False)]
    except ProcessLookupError:
        return []
