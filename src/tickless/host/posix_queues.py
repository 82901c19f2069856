"""mq_send(3), mq_receive(3): POSIX message queues are files of the host; who waits at one waits here."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import EBADF, ETIMEDOUT
from tickless.abi.time import CLOCK_REALTIME
from tickless.abi.types import U32, Address, BufferPtr, Fd, Size, TimespecPtr
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import syscall
from tickless.kernel.timespec import read_timespec
from tickless.kernel.wait_queue import sleep_until

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee
    from tickless.kernel.outcome import Blocked
    from tickless.kernel.task import Task


@syscall
def mq_timedsend(
    task: Task, mqdes: Fd, msg_ptr: BufferPtr, msg_len: Size, msg_prio: U32, abs_timeout: TimespecPtr
) -> Result:
    """Queue a message once there is room."""
    return _when_ready(task, mqdes, EPOLLOUT, abs_timeout)


@syscall
def mq_timedreceive(
    task: Task, mqdes: Fd, msg_ptr: Address, msg_len: Size, msg_prio: Address, abs_timeout: TimespecPtr
) -> Result:
    """Take the oldest of the most urgent messages once there is one."""
    return _when_ready(task, mqdes, EPOLLIN, abs_timeout)


@syscall
def mq_notify(task: Task, mqdes: Fd, notification: Address) -> Result:
    """The host sends a signal when a message comes to an empty queue."""
    cast("Tracee", task).supervisor.outside.host_sends_signals = True
    return PASS_ON


def _when_ready(task: Task, fd: int, events: int, abs_timeout: int) -> Result:
    """Let the host do it as soon as it does not wait. Raises: Errno(EINVAL) for the time, Errno(EBADF)."""
    deadline_ns = read_timespec(task, abs_timeout) if abs_timeout else None
    if not task.fds.get(fd).host:
        raise Errno(EBADF)
    files = cast("Tracee", task).fds.task_files()
    if files.is_nonblocking(fd) or files.poll([(fd, events)]):
        return PASS_ON
    return _sleep(cast("Tracee", task), fd, events, deadline_ns)


def _sleep(task: Tracee, fd: int, events: int, deadline_ns: int | None) -> Blocked:
    files = task.fds.task_files()
    watch = task.supervisor.readiness.watch(task, [(fd, events)])
    try:
        ready = yield from sleep_until(
            task,
            (watch.queue,),
            lambda: 0 if files.poll([(fd, events)]) else None,
            deadline_ns,
            clock_id=CLOCK_REALTIME,
        )
    finally:
        watch.close()
    return -ETIMEDOUT if ready is None else PASS_ON
