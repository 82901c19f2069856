"""The loop around the calls of the task that holds the token: everything in it is paid per call."""

from __future__ import annotations

from fcntl import ioctl
from typing import TYPE_CHECKING

from tickless.abi.errno import ERESTARTSYS
from tickless.host import notify
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON

if TYPE_CHECKING:
    from tickless.host.supervisor import Supervisor


def serve_calls(supervisor: Supervisor) -> None:
    """Serve calls, whoever gets the token, until something else comes or nobody runs.

    Raises: OSError: EINTR, ENOENT as `notify.receive`.
    """
    kernel, costs, answer, dying = supervisor.kernel, supervisor.costs, supervisor.answer, supervisor.life.deaths.dying
    clock, table, ready = kernel.clock, kernel.table, kernel.ready
    listener, call, unpack, pack_into = supervisor.listener, ioctl, notify.unpack_notification, notify.pack_answer_into
    receive, send, size, passed_on = notify.RECEIVE, notify.SEND, notify.NOTIFICATION_SIZE, notify.CONTINUE
    task = supervisor.runner
    assert task is not None, "nobody holds the token"
    kernel.current, tid, task_clock, consumed = task, task.tid, task.clock, task.signals.consumed
    while not supervisor.attention:  # a stop may have come while the last answer was given: nobody would wake us
        if task is not supervisor.runner:
            if supervisor.runner is None:
                return
            task = supervisor.runner
            kernel.current, tid, task_clock, consumed = task, task.tid, task.clock, task.signals.consumed
        buffer = bytearray(size)
        call(listener, receive, buffer)
        received = note, who, _, number, _, address, a, b, c, d, e, f = unpack(buffer)
        if task_clock.given is not None:
            clock.now_ns = task_clock.take(clock.now_ns, address)
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
        if type(result) is int and result > -ERESTARTSYS and not consumed and not dying:
            pack_into(answer, 0, note, result if result > 0 else 0, result if result < 0 else 0, 0)
        elif result is PASS_ON:
            pack_into(answer, 0, note, 0, 0, passed_on)
        else:
            supervisor.took_a_call(task, received)
            supervisor.settle(task, kernel.take_result(task, result))
            supervisor.pass_token()
            continue
        if task_clock.wanted:
            supervisor.give_clock(task)
        call(listener, send, answer)
