"""signal(7), Stop signals; setpgid(2): stopping and continuing processes.

Stops are virtual: the tasks of a stopped process keep their state, but `Kernel.pick` gives the token to none of them.
As on Linux a stop ends every call that sleeps: it fails as if a signal had come, and when the process goes on it is
made again, or gives EINTR if it is one of those that a handler with SA_RESTART does not restart either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tickless.abi.errno import ERESTART_RESTARTBLOCK, ERESTARTSYS
from tickless.abi.siginfo import CLD_CONTINUED, CLD_STOPPED
from tickless.abi.signal import SIGCONT, SIGSTOP, signal_name
from tickless.kernel import process
from tickless.kernel.outcome import Answer, Blocked, PassOn, Result
from tickless.kernel.task import BLOCKED, READY
from tickless.kernel.wait_queue import sleep_until

if TYPE_CHECKING:
    from tickless.kernel.task import Task, ThreadGroup


def stop(group: ThreadGroup, signo: int) -> None:
    """A stop signal that nobody catches: take the token away from all threads until SIGCONT or SIGKILL.

    In an orphaned process group, which nobody would continue, only SIGSTOP does that.
    """
    if group.stopped_by:
        return
    if signo != SIGSTOP and process.is_orphaned(group.kernel, process.process_group_of(group)):
        return
    group.stopped_by = signo
    group.stop_unreported = True
    group.continue_unreported = False
    _note(group, f"stopped by {signal_name(signo)}")
    for task in tuple(group.threads):
        if task.state is BLOCKED and task.interrupted_as:
            _end_sleep(task)
    process.notify_parent(group, CLD_STOPPED, signo)
    if group.kernel.host is not None:
        group.kernel.host.note_stop(group)


def resume_stopped(group: ThreadGroup) -> None:
    """SIGCONT, whatever its disposition: let the threads of a stopped process go on."""
    if not group.stopped_by:
        return
    group.stopped_by = 0
    group.stop_unreported = False
    group.continue_unreported = True
    _note(group, "continued")
    held, group.held = group.held, []
    group.kernel.ready.extend(task for task in held if task.state is READY)
    for task in tuple(group.threads):
        group.kernel.make_ready(task)
    process.notify_parent(group, CLD_CONTINUED, SIGCONT)


def _note(group: ThreadGroup, what: str) -> None:
    if group.kernel.listener is not None and group.threads:
        group.kernel.listener.noted(group.threads[0], what)


def answer_when_continued(task: Task, answer: int) -> Result:
    """The answer of a call that may have stopped its own process: then it comes only when the process goes on."""
    if not task.group.stopped_by:
        return answer
    return cast(Blocked, sleep_until(task, (), lambda: _unless_stopped(task, answer), signalable=False))


def _unless_stopped(task: Task, answer: int) -> int | None:
    return None if task.group.stopped_by else answer


def is_restart(answer: Answer) -> bool:
    """Whether a call is to be made again, unless a handler runs."""
    return not isinstance(answer, PassOn) and -ERESTART_RESTARTBLOCK <= answer <= -ERESTARTSYS


def _end_sleep(task: Task) -> None:
    """Interrupt the call; what it gave is kept until the process goes on."""
    kernel = task.kernel
    current = kernel.current
    answer = kernel.interrupt_call(task)
    kernel.current = current
    if answer is not None:
        task.blocked_call = _go_on(task, answer)
        task.state = BLOCKED


def _go_on(task: Task, answer: Answer) -> Blocked:
    """The process was continued: the answer of a call that the stop interrupted."""
    if not is_restart(answer) or task.has_pending_signals():
        return answer
    assert isinstance(answer, int), "PASS_ON is no restart"
    result = task.kernel.restart_call(task, -answer)
    if isinstance(result, int | PassOn):
        return result
    return (yield from result)
