"""poll(2), ppoll(2): wait for some of a few files, for as long as the call lasts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, cast

from tickless.abi.errno import EINTR, EINVAL, ERESTART_RESTARTBLOCK, ERESTARTNOHAND
from tickless.abi.poll import POLLERR, POLLFD, POLLHUP, POLLNVAL
from tickless.abi.time import pack_timespec
from tickless.abi.types import S32, U32, PollfdsPtr, SigsetPtr, Size, TimespecPtr
from tickless.kernel.errors import Errno
from tickless.kernel.host_file import HostFile, HostWatch
from tickless.kernel.outcome import Blocked, Result
from tickless.kernel.registry import syscall
from tickless.kernel.signal_calls import read_sigset
from tickless.kernel.timespec import deadline_after_ms, read_timespec
from tickless.kernel.wait_queue import WaitQueue, sleep_masked, sleep_until

if TYPE_CHECKING:
    from tickless.kernel.task import Task

ALWAYS_TOLD = POLLERR | POLLHUP
# Fewer entries than anybody limits a task's open files to: no need to ask for the limit.
FEW = 8
# (fd, events): what a call waits for. A number may come more than once.
Wants = Sequence[tuple[int, int]]


def ready_events(task: Task, wants: Wants, always: int = ALWAYS_TOLD) -> list[int]:
    """What is true now of each want: some of its events, some of `always`, POLLNVAL if the number is not open."""
    ready = []
    of_host: dict[int, int] = {}
    for fd, events in wants:
        try:
            file = task.fds.get(fd)
        except Errno:
            ready.append(POLLNVAL)
            continue
        if file.host:
            of_host[fd] = of_host.get(fd, 0) | events
            ready.append(0)
        else:
            ready.append(file.poll(task) & (events | always))
    if of_host:
        assert task.fds.host is not None, "a host file without a host"
        told = task.fds.host.poll(task, list(of_host.items()))
        for index, (fd, events) in enumerate(wants):
            if fd in of_host:
                ready[index] = told.get(fd, 0) & (events | always | POLLNVAL)
    return ready


def sleep_until_ready(
    task: Task, wants: Wants, deadline_ns: int | None, always: int = ALWAYS_TOLD
) -> Generator[None, None, list[int]]:
    """Sleep until something of `wants` is true: `ready_events` then, all 0 when the deadline has passed.

    Raises: Errno(ERESTARTNOHAND) for a pending signal; even one that comes with the deadline.
    """
    ready = [0] * len(wants)

    def attempt() -> int | None:
        ready[:] = ready_events(task, wants, always)
        return 1 if any(ready) else None

    queues, watch = _queues_of(task, wants)
    try:
        woken = yield from sleep_until(task, queues, attempt, deadline_ns, interrupted_as=ERESTARTNOHAND)
    finally:
        if watch is not None:
            watch.close()
    # Only here Linux lets a signal win over the deadline.
    if woken is None and task.has_pending_signals():
        raise Errno(ERESTARTNOHAND)
    return ready


def _queues_of(task: Task, wants: Wants) -> tuple[list[WaitQueue], HostWatch | None]:
    """Where a call that waits for all of `wants` stands."""
    queues = []
    of_host = []
    for fd, events in wants:
        try:
            file = task.fds.get(fd)
        except Errno:
            continue
        if isinstance(file, HostFile):
            of_host.append((fd, events))
        else:
            queues.append(file.queue_for(task))
    if not of_host:
        return queues, None
    assert task.fds.host is not None, "a host file without a host"
    watch = task.fds.host.watch(task, of_host)
    return [*queues, watch.queue], watch


def read_temporary_mask(task: Task, address: int, size: int) -> int | None:
    """The signal mask that a call waits with; None for no address. Raises: Errno(EINVAL), Errno(EFAULT)."""
    return read_sigset(task, address, size) if address else None


class PollCall:
    """One poll or ppoll: its array in memory, and what of it was found ready."""

    def __init__(self, task: Task, address: int, count: int) -> None:
        """Raises: Errno(EINVAL) for more entries than a task may have open files, Errno(EFAULT)."""
        if count > FEW and count > task.fds.limit_of(task):
            raise Errno(EINVAL)
        self.task = task
        self.address = address
        self.entries = list(POLLFD.iter_unpack(task.memory.copy_in(address, count * POLLFD.size))) if count else []
        self.wants = [(fd, events) for fd, events, _ in self.entries if fd >= 0]

    def tell(self, ready: list[int]) -> int:
        """Write the events found and return the number of entries that have some. Raises: Errno(EFAULT)."""
        events_found = iter(ready)
        told = [(fd, events, next(events_found) if fd >= 0 else 0) for fd, events, _ in self.entries]
        if told:
            self.task.memory.copy_out(self.address, b"".join([POLLFD.pack(*entry) for entry in told]))
        return sum(1 for found in ready if found)

    def sleep(self, deadline_ns: int | None) -> Generator[None, None, int]:
        try:
            ready = yield from sleep_until_ready(self.task, self.wants, deadline_ns)
        except Errno:
            self.tell([0] * len(self.wants))
            raise
        return self.tell(ready)


@syscall
def poll(task: Task, ufds: PollfdsPtr, nfds: U32, timeout: S32) -> Result:
    """Wait for events, `timeout` ms at most; for ever if that is negative."""
    call = PollCall(task, ufds, nfds)
    ready = ready_events(task, call.wants)
    if any(ready):
        return call.tell(ready)
    if timeout == 0 and not task.has_pending_signals():
        return call.tell(ready)
    deadline_ns = deadline_after_ms(task, timeout)
    return cast(Blocked, _sleep_restartably(call, deadline_ns))


def _sleep_restartably(call: PollCall, deadline_ns: int | None) -> Generator[None, None, int]:
    """Raises: Errno(ERESTART_RESTARTBLOCK): after a stop it goes on to the same deadline."""
    try:
        return (yield from call.sleep(deadline_ns))
    except Errno as error:
        if error.number != ERESTARTNOHAND:
            raise
        call.task.restart_block = lambda: cast(Blocked, _sleep_restartably(call, deadline_ns))
        raise Errno(ERESTART_RESTARTBLOCK) from None


@syscall
def ppoll(task: Task, ufds: PollfdsPtr, nfds: U32, tsp: TimespecPtr, sigmask: SigsetPtr, sigsetsize: Size) -> Result:
    """`poll` with a time-out in ns, of which what is left is told, and with another signal mask while it waits."""
    timeout_ns = read_timespec(task, tsp) if tsp else None
    mask = read_temporary_mask(task, sigmask, sigsetsize)
    call = PollCall(task, ufds, nfds)
    ready = ready_events(task, call.wants)
    if any(ready):
        return call.tell(ready)
    deadline_ns = None if timeout_ns is None else task.kernel.clock.now_ns + timeout_ns
    sleep = call.sleep(deadline_ns)
    if timeout_ns:
        sleep = tell_time_left(task, tsp, pack_timespec, task.kernel.clock.now_ns + timeout_ns, sleep)
    return sleep_masked(task, mask, cast(Blocked, sleep))


def tell_time_left(
    task: Task, address: int, pack: Callable[[int], bytes], deadline_ns: int, sleep: Generator[None, None, int]
) -> Generator[None, None, int]:
    """Write what is left of the time-out to `address` when `sleep` has ended, also by a signal. select(2).

    A time-out that cannot be written to is no error, but the call is not made again then.
    """

    def told() -> bool:
        return write_time_left(task, address, pack(max(deadline_ns - task.kernel.clock.now_ns, 0)))

    try:
        result = yield from sleep
    except Errno as error:
        if not told() and error.number == ERESTARTNOHAND:
            raise Errno(EINTR) from None
        raise
    told()
    return result


def write_time_left(task: Task, address: int, left: bytes) -> bool:
    """Whether the time-out could be written to."""
    try:
        task.memory.copy_out(address, left)
    except Errno:
        return False
    return True
