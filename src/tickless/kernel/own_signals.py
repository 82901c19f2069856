"""sigaction(2), signal(7): masks, dispositions and delivery for tasks without a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tickless.abi.errno import EINTR, ERESTARTNOINTR, ERESTARTSYS
from tickless.abi.signal import (
    SA_NODEFER,
    SA_RESETHAND,
    SA_RESTART,
    SIG_DFL,
    SIG_IGN,
    SIGKILL,
    UNBLOCKABLE,
    default_action,
    sigmask,
)
from tickless.abi.wait import signal_status
from tickless.kernel import process
from tickless.kernel.job_control import is_restart
from tickless.kernel.signals import (
    IGNORED,
    effective_mask,
    has_pending_signals,
    pop_pending_unblocked,
    retarget_shared_pending,
)
from tickless.kernel.task import DEAD

if TYPE_CHECKING:
    from tickless.abi.siginfo import SigInfo
    from tickless.kernel.machine import OwnTask
    from tickless.kernel.task import Task


class SigAction(NamedTuple):
    """A disposition: `handler` is SIG_DFL, SIG_IGN or the program's."""

    handler: int
    flags: int  # SA_ constants
    restorer: int
    mask: int  # blocked while the handler runs


DEFAULT = SigAction(SIG_DFL, 0, 0, 0)


class OwnSignals:
    """The kernel's own answer to the SignalState protocol."""

    def __init__(self, task: Task, actions: dict[int, SigAction] | None = None, mask: int = 0) -> None:
        self.task = task
        self.mask = mask  # bit n-1: signal n is blocked
        self.actions = {} if actions is None else actions  # by signal, shared by the threads of a process

    def inherited(self, task: Task, *, shares_actions: bool) -> OwnSignals:
        """A new task's: threads of a process share the dispositions, a child process begins with a copy."""
        return OwnSignals(task, self.actions if shares_actions else dict(self.actions), self.mask)

    def action(self, signo: int) -> SigAction:
        return self.actions.get(signo, DEFAULT)

    def set_action(self, signo: int, action: SigAction) -> None:
        """Change a disposition; pending signals that it ignores are dropped, blocked or not."""
        self.actions[signo] = action._replace(mask=action.mask & ~UNBLOCKABLE)
        bit = sigmask(signo)
        if action.handler == SIG_IGN or (action.handler == SIG_DFL and bit & IGNORED):
            for pending in (self.task.group.pending, *(thread.pending for thread in self.task.group.threads)):
                pending.discard(bit)

    def set_mask(self, mask: int) -> None:
        """Change the mask; what it blocks from now on is for another thread to take."""
        self.mask = mask & ~UNBLOCKABLE
        retarget_shared_pending(self.task.group)

    def blocked(self) -> int:
        return self.mask

    def ignored(self) -> int:
        return sigmask(*(signo for signo, action in self.actions.items() if action.handler == SIG_IGN))

    def caught(self) -> int:
        return sigmask(*(signo for signo, action in self.actions.items() if action.handler not in (SIG_DFL, SIG_IGN)))

    def chosen(self) -> None:
        """It looks for signals whenever it returns to its program."""

    def ring(self, info: SigInfo, *, shared: bool) -> None:
        """SIGKILL needs no delivery."""
        if info.signo == SIGKILL:
            process.exit_group(self.task.kernel, self.task.group, SIGKILL)

    def taken(self, info: SigInfo) -> None:
        """Nobody else has the signal."""

    def refresh(self) -> None:
        """The pending sets are up to date: nobody else changes them."""


def deliver_signals(task: OwnTask) -> bool:
    """On the way back to its program: do what the pending signals do; False if the task cannot go on now.

    A call that was interrupted has its result, or a restart code, in `task.result`. kernel/signal.c, get_signal.
    """
    signals = task.own_signals
    while has_pending_signals(task):
        info = pop_pending_unblocked(task)
        if info is None:  # a timer's, which counts no more
            break
        task.kernel.signal_delivered(task, info)
        action = signals.action(info.signo)
        if action.handler == SIG_DFL:
            _act_by_default(task, info.signo)
            if task.state is DEAD or task.group.stopped_by:
                return False
        elif action.handler != SIG_IGN:
            _enter_handler(task, info, action)
    task.temporary_mask = None
    return True


def _act_by_default(task: Task, signo: int) -> None:
    match default_action(signo):
        case "terminate" | "core":
            process.exit_group(task.kernel, task.group, signal_status(signo, core=False))
        case "stop":
            task.group.stop(signo)


def _enter_handler(task: OwnTask, info: SigInfo, action: SigAction) -> None:
    """Put the handler on top of the program."""
    task.result = _interrupted_result(task.result, restarts=bool(action.flags & SA_RESTART))
    signals = task.own_signals
    if action.flags & SA_RESETHAND:
        signals.actions[info.signo] = action._replace(handler=SIG_DFL)
    itself = 0 if action.flags & SA_NODEFER else sigmask(info.signo)
    blocked = effective_mask(task) | action.mask | itself
    task.push_handler(info, action)
    task.temporary_mask = None
    signals.set_mask(blocked)


def _interrupted_result(result: int | None, *, restarts: bool) -> int | None:
    """What the interrupted call gives when the handler has returned. signal(7), Interruption of system calls."""
    if result is None or not is_restart(result) or result == -ERESTARTNOINTR:
        return result
    return -ERESTARTNOINTR if restarts and result == -ERESTARTSYS else -EINTR
