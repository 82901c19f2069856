"""The loop around the calls of the task that holds the token: everything in it is paid per call."""

from __future__ import annotations

from fcntl import ioctl
from typing import TYPE_CHECKING

from tickless.abi.errno import ERESTARTSYS
from tickless.host.notify import CONTINUE, NOTIFICATION_SIZE, RECEIVE, SEND, pack_answer_into, unpack_notification
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON

if TYPE_CHECKING:
    from tickless.host.supervisor import Supervisor
    from tickless.host.tracee import Tracee

FIRST_RESTART = -ERESTARTSYS


def serve_calls(supervisor: Supervisor, task: Tracee) -> None:
    """Serve the calls of `task`, and of whoever gets the token after it, until something else comes or nobody runs.

    Raises: OSError: EINTR, ENOENT as `notify.receive`.
    """
    kernel, listener, answer = supervisor.kernel, supervisor.listener, supervisor.answer
    clock, table, ready, clock_reads = kernel.clock, kernel.table, kernel.ready, supervisor.clock_reads
    costs, dying = supervisor.costs, supervisor.life.deaths.dying
    kernel.current, tid, task_clock, consumed = task, task.tid, task.clock, task.signals.consumed
    while not supervisor.attention:  # a stop may have come while the last answer was given: nobody would wake us
        if task is not supervisor.runner:
            if supervisor.runner is None:
                return
            task = supervisor.runner
            kernel.current, tid, task_clock, consumed = task, task.tid, task.clock, task.signals.consumed
        buffer = bytearray(NOTIFICATION_SIZE)
        ioctl(listener, RECEIVE, buffer)
        received = note, who, number, address, a, b, c, d, e, f = unpack_notification(buffer)
        if task_clock.given is not None:
            clock.now_ns = clock_reads.take(task_clock, address)
        clock.now_ns = now_ns = clock.now_ns + costs[number]
        if who != tid or clock.next_due_ns <= now_ns or (ready and supervisor.slice_is_over(number)):
            supervisor.receive(received, charged=True)
            continue
        if supervisor.may_release:
            supervisor.release()
        supervisor.notification = task.notification = note
        task.call = number
        try:
            result = table[number](task, a, b, c, d, e, f)
        except Errno as error:
            result = -error.number
        if result is PASS_ON:
            pack_answer_into(answer, 0, note, 0, 0, CONTINUE)
        elif type(result) is int and result > FIRST_RESTART and not consumed and not dying:
            pack_answer_into(answer, 0, note, result if result > 0 else 0, result if result < 0 else 0, 0)
        else:
            supervisor.took_a_call(task, received)
            supervisor.go_on(task, result)
            continue
        if task_clock.wanted:
            clock_reads.give(task)
        ioctl(listener, SEND, answer)
