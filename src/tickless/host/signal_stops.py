"""Signal-delivery stops, and the three times that we interfere with a call because of a signal.

The host decides when a signal is delivered. At the stop its siginfo is replaced by ours, or the signal is suppressed
when it was only our bell for one that somebody has read meanwhile.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.errno import EINTR, ERESTART_RESTARTBLOCK, ERESTARTNOHAND, ERESTARTNOINTR, ERESTARTSYS
from tickless.abi.numbers import number_of
from tickless.abi.sched import CLONE_UNTRACED
from tickless.abi.siginfo import SI_KERNEL, SI_TKILL, SI_USER, SIGINFO_HEAD, SigInfo
from tickless.abi.signal import SIGCHLD, SIGRTMIN, SIGSEGV, STOPPING_BY_DEFAULT, sigmask, signals_in
from tickless.host import ptrace, tsc
from tickless.host.outside import OutsideSigInfo
from tickless.host.tracee import IN_HOST, NEWBORN, STOPPED, Tracee
from tickless.kernel.errors import Errno
from tickless.kernel.signals import ALL_SIGNALS

if TYPE_CHECKING:
    from tickless.host.supervisor import Supervisor

WORD = (1 << 64) - 1
WORD_STRUCT = Struct("Q")


class SignalStops:
    """What happens to signals at the host's stops."""

    def __init__(self, supervisor: Supervisor, trapped: frozenset[int]) -> None:
        self.supervisor = supervisor
        self.pid = os.getpid()
        self.trapped = trapped  # the numbers of the calls that the filter may trap

    def delivery_stop(self, task: Tracee, signo: int) -> None:
        """The host is about to deliver `signo`."""
        siginfo = ptrace.getsiginfo(task.tid)
        # Every start of a program reads the TSC some times.
        if signo == SIGSEGV and SIGINFO_HEAD.unpack_from(siginfo)[2] == SI_KERNEL and self._read_tsc(task):
            return
        theirs = SigInfo.unpack(siginfo)
        if signo == SIGSEGV and theirs.code > 0 and self._rescue_clock(task, theirs):
            return
        ended = self._undo_suspend(task)
        self._repair_cancelled_call(task)
        rung = theirs.pid == self.pid and theirs.code in (SI_USER, SI_TKILL)
        thread_first = theirs.code == SI_TKILL
        sets = (task.pending, task.group.pending) if thread_first or not rung else (task.group.pending, task.pending)
        ours = sets[0].pop_signal(signo) or sets[1].pop_signal(signo)
        self._ring_again(task, signo)
        if ours is None and (rung or (signo == SIGCHLD and theirs.code > 0 and theirs.code != SI_KERNEL)):
            signo = 0
            if ended is not None:  # no signal of the run's: its call is made again, and ends by one that is
                ptrace.poke_register(task.tid, ptrace.REGISTERS.result, ended)
        elif ours is not None and not isinstance(ours, OutsideSigInfo):
            ptrace.setsiginfo(task.tid, ours.pack())
        if signo and sigmask(signo) & STOPPING_BY_DEFAULT:
            signo = self._stop_or_not(task, signo, outside=ours is None or isinstance(ours, OutsideSigInfo))
        if signo:
            if task.restarts_block:
                task.restarts_block = not task.signals.read_masks()[4] & sigmask(signo)
            told = theirs if ours is None or isinstance(ours, OutsideSigInfo) else ours
            self.supervisor.kernel.signal_delivered(task, told)
        task.injected = signo
        self.supervisor.life.stopped(task)

    def _stop_or_not(self, task: Tracee, signo: int, *, outside: bool) -> int:
        """Stop the process, if that is what the signal does: the signal that is left to be delivered, 0 for none.

        A stop is virtual: the host must never see it. Of a traced task it delivers what is ignored as well.
        """
        *_, ignored, caught = task.signals.read_masks()
        if sigmask(signo) & caught:
            return signo
        if not sigmask(signo) & ignored:
            task.group.stop(signo)
            if outside:
                self.supervisor.outside.stopped.add(task.group)
        return 0

    def _read_tsc(self, task: Tracee) -> bool:
        """A fault on rdtsc: it tells virtual time, and takes as long as any read of the clock."""
        if not tsc.read_tsc(task, lambda: self.supervisor.clock_reads.read(task)):
            return False
        self.supervisor.life.stopped(task)
        return True

    def _rescue_clock(self, task: Tracee, fault: SigInfo) -> bool:
        """A fault on the clock's cells, which the program has taken away: the read becomes a system call."""
        index = ptrace.REGISTERS.instruction_pointer
        target = task.clock.rescue(fault.addr, ptrace.getregs(task.tid).words[index])
        if target is None:
            return False
        ptrace.poke_register(task.tid, index, target)
        self.supervisor.life.stopped(task)
        return True

    def event_stop(self, task: Tracee, signo: int) -> None:
        """A stop of PTRACE_INTERRUPT, or the first one of a new task, which waits for the token already."""
        if task.place is NEWBORN:
            task.place = STOPPED
        else:
            self.supervisor.life.stopped(task)

    def _repair_cancelled_call(self, task: Tracee) -> None:
        """A signal that came between a call and our receiving it has cancelled the call: the host must make it again.

        WAIT_KILLABLE_RECV protects a call only once it was received. We know that it was not, if the result is
        ERESTARTSYS and we did not say so. Set to ERESTARTNOINTR it is made again whatever handler runs.
        """
        if task.answered_restart or task.state is IN_HOST:
            # Signals that do nothing leave the result as it is: another stop finds it again before the task runs.
            own, shared, blocked, *_ = task.signals.read_masks()
            task.answered_restart = bool((own | shared) & ~blocked)
            return
        registers = ptrace.getregs(task.tid).words
        names = ptrace.REGISTERS
        if registers[names.result] == WORD + 1 - ERESTARTSYS and registers[names.call_number] in self.trapped:
            ptrace.poke_register(task.tid, names.result, WORD + 1 - ERESTARTNOINTR)

    def answer(self, task: Tracee, answer: int) -> None:
        """End a call with a restart code, or one that has taken pending signals."""
        try:
            if -ERESTARTSYS >= answer >= -ERESTART_RESTARTBLOCK:
                self._restart(task, -answer)
            else:
                self._take_from_host(task, answer)
        except ProcessLookupError:
            self.supervisor.attention = True  # it has been killed: its status is on the way

    def _restart(self, task: Tracee, code: int) -> None:
        """Answer a call that a signal interrupted: the handler's SA_RESTART decides, so the host must."""
        if task.suspends:
            self._suspend_instead(task)
            return
        if task.call == _CLONE:
            self._make_child_traced(task)
            return
        if code == ERESTART_RESTARTBLOCK:
            # The host has no restart block of this sleep: it makes the call again, or a handler gives EINTR.
            code = ERESTARTNOHAND
            task.restarts_block = self.supervisor.attention = True
        task.answered_restart = code in (ERESTARTSYS, ERESTARTNOHAND, ERESTARTNOINTR)
        self.supervisor.send(task, 0, -code, 0)

    def _suspend_instead(self, task: Tracee) -> None:
        """End a call that waits with a mask of its own: the host has to deliver the signal under that mask.

        The call is made again as an rt_sigsuspend with the same mask, which the signal ends. At the delivery stop the
        registers are set back, so the program has made its own call; if nothing is delivered, it makes that again.
        """
        task.suspends = False
        ptrace.interrupt(task.tid)
        task.answered_restart = True
        self.supervisor.send(task, 0, -ERESTARTSYS, 0)
        delivered = self._await_event_stop(task)
        if delivered is None:
            return
        if delivered:
            # The task does not block that signal anyway, and its handler's frame is built.
            self.supervisor.life.stopped(task)
            return
        if not self._silence(task):
            return
        before = ptrace.getregs(task.tid)
        registers = ptrace.Registers.from_buffer_copy(before)
        names = ptrace.REGISTERS
        registers.words[names.call_number] = _RT_SIGSUSPEND
        registers.words[names.arguments[1]] = ptrace.SIGSET_SIZE
        with contextlib.suppress(Errno):  # the mask has been unmapped: the call is made again, and fails
            registers.words[names.arguments[0]] = self._mask_address(task)
            ptrace.setregs(task.tid, registers)
            task.before_suspend = before
        self.supervisor.life.stopped(task)

    def _silence(self, task: Tracee) -> bool:
        """Take from the host, for a while, what it would deliver under the task's own mask; False if the task died."""
        own, shared, blocked, *_ = task.signals.read_masks()
        early = (own | shared) & ~blocked & (task.pending.mask | task.group.pending.mask)
        if not early:
            return True
        task.signals.silenced = early
        mask = ptrace.getsigmask(task.tid)
        for signo in signals_in(early):
            while self._is_pending(task, signo):
                if not self._take_one(task, signo):
                    return False
        ptrace.setsigmask(task.tid, mask)
        return True

    def _make_child_traced(self, task: Tracee) -> None:
        """Let the task make its clone again without CLONE_UNTRACED: a child that we do not trace is none of the run."""
        ptrace.interrupt(task.tid)
        task.answered_restart = True
        self.supervisor.send(task, 0, -ERESTARTNOINTR, 0)
        delivered = self._await_event_stop(task)
        if delivered is None:
            return
        if not delivered:  # a handler comes first: the call is back here after it
            index = ptrace.REGISTERS.arguments[0]
            ptrace.poke_register(task.tid, index, ptrace.getregs(task.tid).words[index] & ~CLONE_UNTRACED)
        self.supervisor.life.stopped(task)

    def _mask_address(self, task: Tracee) -> int:
        """Where the call has its signal mask."""
        index = _MASK_ARGUMENTS[task.call or 0]
        if index < 5:
            return task.args[index]
        (address,) = WORD_STRUCT.unpack(task.memory.copy_in(task.args[index], WORD_STRUCT.size))
        return int(address)

    def _undo_suspend(self, task: Tracee) -> int | None:
        """Set the registers back. Returns what the rt_sigsuspend gave, if it was one: a restart code."""
        saved, task.before_suspend = task.before_suspend, None
        if saved is None:
            return None
        names = ptrace.REGISTERS
        result: int = ptrace.getregs(task.tid).words[names.result]
        saved.words[names.result] = result if task.is_restarted else WORD + 1 - EINTR
        ptrace.setregs(task.tid, saved)
        return result

    def _take_from_host(self, task: Tracee, answer: int) -> None:
        """Answer a call that has taken pending signals, and take them from the host as well, or the bell goes stale.

        At the stop that follows the answer the host delivers each of them, and that is suppressed. The program makes
        no call for it, which a filter of its own could forbid.
        """
        taken, task.signals.consumed[:] = tuple(task.signals.consumed), []
        ptrace.interrupt(task.tid)
        self.supervisor.send(task, max(answer, 0), min(answer, 0), 0)
        if self._await_event_stop(task) is None:
            return
        if not self._take_all(task, taken):
            return
        for signo in taken:
            self._ring_again(task, signo)
        self.supervisor.life.stopped(task)

    def stop_parked(self, task: Tracee) -> bool:
        """Have a parked task stopped before the host makes its call again, which then goes on; False if it dies.

        Another task may have the token, and keeps it.
        """
        supervisor, runner = self.supervisor, self.supervisor.runner
        with contextlib.suppress(ProcessLookupError):  # killed: `send` finds that out as well
            ptrace.interrupt(task.tid)
        supervisor.send(task, 0, -ERESTARTSYS, 0)
        task.resumes = task.answered_restart = True
        if runner is not None:
            supervisor.runner = runner
            supervisor.in_host.add(task)
        return supervisor.life.await_stop(task) is not None

    def drop_from_host(self, task: Tracee, signals: int) -> None:
        """Take signals of a parked task from the host: they have done what they do. The host makes its call again."""
        if self.stop_parked(task) and self._take_all(task, signals_in(signals)):
            task.place = STOPPED
            self.supervisor.life.go_on(task)

    def _take_all(self, task: Tracee, signals: Iterable[int]) -> bool:
        """Have a stopped task take these, if they are pending, and nothing else; False if it has died."""
        mask = ptrace.getsigmask(task.tid)
        for signo in signals:
            if not self._take_one(task, signo):
                return False
        ptrace.setsigmask(task.tid, mask)
        return True

    def _take_one(self, task: Tracee, signo: int) -> bool:
        """Let nothing but one `signo` through, up to its delivery; False if the task has died."""
        if not self._is_pending(task, signo):
            return True  # the host has dropped it: it would not stop again
        ptrace.setsigmask(task.tid, ALL_SIGNALS & ~sigmask(signo))
        while True:
            ptrace.cont(task.tid)
            status = self.supervisor.life.await_stop(task)
            if status is None:
                return False
            if status >> 8 == signo:
                return True

    def _is_pending(self, task: Tracee, signo: int) -> bool:
        own, shared = task.signals.host_pending()
        return bool((own | shared) & sigmask(signo))

    def _ring_again(self, task: Tracee, signo: int) -> None:
        """One of `signo` is gone: of timers others may be pending here, where the host has room for one bell."""
        for pending, shared in ((task.pending, False), (task.group.pending, True)):
            if signo < SIGRTMIN and signo in pending.queues:
                task.signals.ring(pending.queues[signo][0], shared=shared)

    def _await_event_stop(self, task: Tracee) -> int | None:
        """Wait for the stop that PTRACE_INTERRUPT asked for.

        Returns how many signals came before it, None if the task died instead.
        """
        delivered = 0
        while True:
            status = self.supervisor.life.await_stop(task)
            if status is None:
                return None
            if ptrace.stop_event(status) == ptrace.PTRACE_EVENT_STOP:
                task.place = STOPPED
                self.supervisor.runner = task
                return delivered
            self.delivery_stop(task, os.WSTOPSIG(status))
            delivered += 1
            ptrace.interrupt(task.tid)


_CLONE = number_of(ARCH, "clone")
_RT_SIGSUSPEND = number_of(ARCH, "rt_sigsuspend") or 0
# Which argument of a call is its signal mask; pselect6's points at a pointer to it.
_MASK_ARGUMENTS = {
    number_of(ARCH, name): index
    for name, index in (("ppoll", 3), ("pselect6", 5), ("epoll_pwait", 4), ("epoll_pwait2", 4))
}
