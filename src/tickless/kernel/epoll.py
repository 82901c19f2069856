"""epoll(7): wait for many files at the price of those that are ready."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from tickless.abi.capability import CAP_BLOCK_SUSPEND
from tickless.abi.epoll import (
    EP_MAX_EVENTS,
    EPOLL_CLOEXEC,
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLL_EVENT,
    EPOLLERR,
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLHUP,
    EPOLLIN,
    EPOLLONESHOT,
    EPOLLOUT,
    EPOLLRDNORM,
    EPOLLWAKEUP,
)
from tickless.abi.errno import EEXIST, EFAULT, EINTR, EINVAL, ELOOP, ENOENT, EPERM
from tickless.abi.types import (
    S32,
    EpollCreateFlags,
    EpollEventPtr,
    EpollEventsOut,
    EpollOp,
    Fd,
    SigsetPtr,
    Size,
    TimespecPtr,
)
from tickless.kernel.capability import has_capability
from tickless.kernel.epoll_interest import PRIVATE_BITS, Interest
from tickless.kernel.epoll_nesting import may_nest
from tickless.kernel.errors import Errno
from tickless.kernel.file import File
from tickless.kernel.host_file import HostFile, refusal_of
from tickless.kernel.memory import USER_SPACE_END
from tickless.kernel.outcome import Blocked, Result
from tickless.kernel.poll import read_temporary_mask
from tickless.kernel.registry import syscall
from tickless.kernel.timespec import deadline_after_ms, read_timespec
from tickless.kernel.wait_queue import WaitQueue, place_by_chance, sleep_masked, sleep_until

if TYPE_CHECKING:
    from tickless.kernel.host_file import HostInterests
    from tickless.kernel.task import Task

EXCLUSIVE_BITS = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE
ALWAYS_WATCHED = EPOLLERR | EPOLLHUP
# With these an event that was told leaves the ready list.
TAKEN_ONCE = EPOLLET | EPOLLONESHOT
PACK, EVENT_SIZE = EPOLL_EVENT.pack, EPOLL_EVENT.size


class Epoll(File):
    """An interest list and a ready list: readable while something on the ready list is really ready.

    A file's wake puts its interests on the ready list; a wait takes them off in order and asks each file again, on
    behalf of the waiter. What is level-triggered goes back to the end, so that a small buffer starves nobody.
    Files of the host are in a list that the host keeps. epoll(7).
    """

    name: ClassVar[str] = "eventpoll"

    def __init__(self) -> None:
        super().__init__(nonblock=False)
        self.interest_list: dict[tuple[File, int], Interest] = {}
        self.ready: OrderedDict[Interest, None] = OrderedDict()
        self.wait_queue = WaitQueue()  # epoll_wait's callers, one of whom is woken; `queue` has who polls the epoll
        self.nested: dict[Interest, Epoll] = {}  # those of the interests that watch epolls
        self.host_interests: HostInterests | None = None
        self.host_goes_first = False

    def poll(self, task: Task) -> int:
        self._look_into_nested()
        for interest in tuple(self.ready):
            if interest.file.poll(task) & interest.events:
                return EPOLLIN | EPOLLRDNORM
            del self.ready[interest]
        if self.host_interests is not None and self.host_interests.is_ready():
            return EPOLLIN | EPOLLRDNORM
        return 0

    def ioctl(self, task: Task, request: int, argument: int) -> Result:
        # EPIOCSPARAMS, busy polling, is refused as Linux refuses it where there is none.
        raise Errno(EINVAL)

    def wake(self) -> None:
        """Something may be ready: one waiter looks, and everybody who polls the epoll."""
        if self.wait_queue.waiters:
            self.wait_queue.wake_one(EPOLLIN)
        if self.queue.waiters:
            self.queue.wake_all(EPOLLIN)

    def add(self, task: Task, file: File, fd: int, events: int, data: int) -> None:
        """Watch a file. The queue is the one where `task` waits; readiness will be that of the waiter."""
        interest = Interest(self, file, fd, events | ALWAYS_WATCHED, data, file.queue_for(task))
        self.interest_list[file, fd] = interest
        file.interests.add(interest)
        interest.queue.add(interest)
        if interest.exclusive and task.kernel.choose is not None:
            place_by_chance(interest.queue.waiters, interest, task.kernel.choose)
        if isinstance(file, Epoll):
            self.nested[interest] = file
        self._look_at(task, interest)

    def modify(self, task: Task, interest: Interest, events: int, data: int) -> None:
        interest.events = events | ALWAYS_WATCHED
        interest.data = data
        self._look_at(task, interest)

    def forget(self, interest: Interest) -> None:
        del self.interest_list[interest.file, interest.fd]
        self.nested.pop(interest, None)
        self.ready.pop(interest, None)
        interest.queue.remove(interest)
        interest.file.interests.discard(interest)

    def control_host_file(self, task: Task, op: int, fd: int, events: int, data: int) -> int:
        """EPOLL_CTL_* for a file of the host: 0 or -errno."""
        if self.host_interests is None:
            assert task.fds.host is not None, "a host file without a host"
            self.host_interests = task.fds.host.interests(self.wake)
        return self.host_interests.control(task, op, fd, events, data)

    def sleeping_queues(self) -> tuple[WaitQueue, ...]:
        return (self.queue, self.wait_queue)

    def released(self) -> None:
        super().released()
        for interest in tuple(self.interest_list.values()):
            self.forget(interest)
        if self.host_interests is not None:
            self.host_interests.close()
            self.host_interests = None

    def describe(self, task: Task) -> str:
        ours = "".join(
            f"tfd: {interest.fd:8} events: {interest.events:8x} data: {interest.data:16x}  pos:0 "
            f"ino:{interest.file.inode:x} sdev:{interest.file.device:x}\n"
            for interest in self.interest_list.values()
        )
        return ours if self.host_interests is None else ours + self.host_interests.describe()

    def has_ready_host_files(self) -> bool:
        """Whether a file of the host is ready, in it or in an epoll that it watches."""
        if self.host_interests is not None and self.host_interests.is_ready():
            return True
        return any(nested.has_ready_host_files() for nested in self.nested.values())

    def report(self, task: Task, address: int, room: int) -> int | None:
        """Copy out up to `room` events and return their number; None if nothing is ready.

        Raises: Errno(EFAULT), with nothing consumed.
        """
        if self.nested:
            self._look_into_nested()
        if self.host_interests is not None and self.host_interests.is_ready():
            return self._report_with_host(task, self.host_interests, address, room)
        ready = self.ready
        if len(ready) != 1:
            found = self._take_ready(task, room) if ready else None
            return self._deliver(task, address, found) if found else None
        # One interest is by far the most frequent case.
        (interest,) = ready
        watched = interest.events
        events = interest.file.poll(task) & watched
        if not events:
            ready.clear()
            return None
        task.memory.copy_out(address, PACK(events, interest.data))
        if watched & TAKEN_ONCE:
            ready.clear()
            if watched & EPOLLONESHOT:
                interest.events = watched & PRIVATE_BITS
        elif len(self.wait_queue.waiters) > (1 if task.sleeping_on else 0):  # somebody besides the task waits
            self.wait_queue.wake_one(EPOLLIN)
        return 1

    def _report_with_host(self, task: Task, host: HostInterests, address: int, room: int) -> int | None:
        """Events of both kinds; they take turns in going first, or one could starve the other."""
        room = min(room, host.most_events() + len(self.ready))
        # A host event is gone once it is taken, so its place is tried before.
        task.memory.copy_out(address, task.memory.copy_in(address, room * EVENT_SIZE))
        self.host_goes_first = not self.host_goes_first
        if self.host_goes_first:
            hosts = host.collect(room)
            found = self._take_ready(task, room - len(hosts))
        else:
            found = self._take_ready(task, room)
            hosts = host.collect(room - len(found)) if len(found) < room else []
        packed = b"".join([PACK(events, data) for events, data in hosts])
        count = task.memory.copy_out(address, packed) // EVENT_SIZE
        if found:
            count += self._deliver(task, address + len(packed), found)
        return count or None

    def _take_ready(self, task: Task, room: int) -> list[tuple[Interest, int]]:
        """Take up to `room` interests off the ready list, each with its events; what is not ready goes, too."""
        ready = self.ready
        found: list[tuple[Interest, int]] = []
        for _ in range(len(ready)):
            if len(found) == room:
                break
            interest, _ = ready.popitem(last=False)
            events = interest.file.poll(task) & interest.events
            if events:
                found.append((interest, events))
        return found

    def _deliver(self, task: Task, address: int, found: list[tuple[Interest, int]]) -> int:
        """Copy events out and do what their triggers say; those that do not fit the memory stay ready."""
        ready = self.ready
        try:
            task.memory.copy_out(address, b"".join([PACK(events, interest.data) for interest, events in found]))
            count = len(found)
        except Errno:
            count = _copy_singly(task, address, found)
            for interest, _ in reversed(found[count:]):
                ready[interest] = None
                ready.move_to_end(interest, last=False)
        for interest, _ in found[:count]:
            watched = interest.events
            if watched & EPOLLONESHOT:
                interest.events = watched & PRIVATE_BITS
            elif not watched & EPOLLET:
                ready[interest] = None
        if ready and len(self.wait_queue.waiters) > (1 if task.sleeping_on else 0):
            self.wait_queue.wake_one(EPOLLIN)
        if not count:
            raise Errno(EFAULT)
        return count

    def _look_at(self, task: Task, interest: Interest) -> None:
        """A new or changed interest goes to the ready list if it is ready already."""
        if interest.file.poll(task) & interest.events and interest not in self.ready:
            self.ready[interest] = None
            self.wake()

    def _look_into_nested(self) -> None:
        """Find the epolls whose host files have become ready without a wake yet; edges wait for the wake."""
        for interest, nested in self.nested.items():
            if not interest.events & EPOLLET and nested.has_ready_host_files():
                self.ready[interest] = None


def _copy_singly(task: Task, address: int, found: list[tuple[Interest, int]]) -> int:
    """How many events fit the memory that can be written to."""
    for index, (interest, events) in enumerate(found):
        try:
            task.memory.copy_out(address + index * EVENT_SIZE, PACK(events, interest.data))
        except Errno:
            return index
    return len(found)


def _wait_for_events(task: Task, epoll: Epoll, address: int, room: int, deadline_ns: int | None) -> Blocked:
    """epoll_wait that has found nothing and has to sleep. Raises: Errno(EINTR): it is never made again. signal(7)."""
    look = partial(epoll.report, task, address, room)
    return sleep_until(  # type: ignore[return-value]  # never None
        task, (epoll.wait_queue,), look, deadline_ns, exclusive=True, interrupted_as=EINTR, late=0, looked=True
    )


@syscall
def epoll_create1(task: Task, flags: EpollCreateFlags) -> Fd:
    """Make an epoll. EINVAL for unknown flags."""
    if flags & ~EPOLL_CLOEXEC:
        raise Errno(EINVAL)
    return task.fds.install(Epoll(), cloexec=bool(flags & EPOLL_CLOEXEC))


@syscall
def epoll_create(task: Task, size: S32) -> Fd:
    """`epoll_create1` without flags; the size has to be positive and means nothing."""
    if size <= 0:
        raise Errno(EINVAL)
    return epoll_create1(task, 0)


@syscall
def epoll_ctl(task: Task, epfd: Fd, op: EpollOp, fd: Fd, event: EpollEventPtr) -> Result:
    """Watch a file, watch it differently, or no longer."""
    events, data = (0, 0)
    if op != EPOLL_CTL_DEL:
        events, data = EPOLL_EVENT.unpack(task.memory.copy_in(event, EVENT_SIZE))
    epoll = task.fds.get(epfd)
    file = task.fds.get(fd)
    if isinstance(file, HostFile) and not file.pollable:
        raise refusal_of(task, fd, file, EPERM)
    if events & EPOLLWAKEUP and not has_capability(task, CAP_BLOCK_SUSPEND):
        events &= ~EPOLLWAKEUP
    if epoll is file or not isinstance(epoll, Epoll):
        raise refusal_of(task, epfd, epoll, EINVAL)
    if events & EPOLLEXCLUSIVE and not _may_be_exclusive(op, file, events):
        raise Errno(EINVAL)
    if isinstance(file, HostFile):
        return epoll.control_host_file(task, op, fd, events, data)
    if op == EPOLL_CTL_ADD:
        return _add(task, epoll, file, fd, events, data)
    interest = epoll.interest_list.get((file, fd))
    if op not in (EPOLL_CTL_DEL, EPOLL_CTL_MOD):
        raise Errno(EINVAL)
    if interest is None:
        raise Errno(ENOENT)
    if op == EPOLL_CTL_DEL:
        epoll.forget(interest)
        return 0
    if interest.exclusive:
        raise Errno(EINVAL)
    epoll.modify(task, interest, events, data)
    return 0


def _may_be_exclusive(op: int, file: File, events: int) -> bool:
    """EPOLLEXCLUSIVE is for new interests in what is no epoll, and goes with few other flags. epoll_ctl(2)."""
    if op == EPOLL_CTL_MOD:
        return False
    return op != EPOLL_CTL_ADD or not (isinstance(file, Epoll) or events & ~EXCLUSIVE_BITS)


def _add(task: Task, epoll: Epoll, file: File, fd: int, events: int, data: int) -> int:
    """Raises: Errno(ELOOP), Errno(EEXIST)."""
    if isinstance(file, Epoll) and not may_nest(epoll, file):
        raise Errno(ELOOP)
    if (file, fd) in epoll.interest_list:
        raise Errno(EEXIST)
    epoll.add(task, file, fd, events, data)
    return 0


@syscall
def epoll_wait(task: Task, epfd: Fd, events: EpollEventsOut, maxevents: S32, timeout: S32) -> Result:
    """Wait for events, `timeout` ms at most; for ever if that is negative."""
    epoll = _epoll_to_wait_for(task, epfd, events, maxevents)
    count = epoll.report(task, events, maxevents)
    if count is not None:
        return count
    # With a timeout of 0 Linux looks at no signal.
    return 0 if timeout == 0 else _wait_for_events(task, epoll, events, maxevents, deadline_after_ms(task, timeout))


@syscall
def epoll_pwait(
    task: Task, epfd: Fd, events: EpollEventsOut, maxevents: S32, timeout: S32, sigmask: SigsetPtr, sigsetsize: Size
) -> Result:
    """`epoll_wait` with another signal mask while it waits."""
    mask = read_temporary_mask(task, sigmask, sigsetsize)
    epoll = _epoll_to_wait_for(task, epfd, events, maxevents)
    count = epoll.report(task, events, maxevents)
    if count is not None or timeout == 0:
        return count or 0
    deadline_ns = deadline_after_ms(task, timeout)
    return sleep_masked(task, mask, _wait_for_events(task, epoll, events, maxevents, deadline_ns))


@syscall
def epoll_pwait2(
    task: Task,
    epfd: Fd,
    events: EpollEventsOut,
    maxevents: S32,
    timeout: TimespecPtr,
    sigmask: SigsetPtr,
    sigsetsize: Size,
) -> Result:
    """`epoll_pwait` with a time-out in ns; NULL for none."""
    timeout_ns = read_timespec(task, timeout) if timeout else None
    mask = read_temporary_mask(task, sigmask, sigsetsize)
    epoll = _epoll_to_wait_for(task, epfd, events, maxevents)
    count = epoll.report(task, events, maxevents)
    if count is not None or timeout_ns == 0:
        return count or 0
    deadline_ns = None if timeout_ns is None else task.kernel.clock.now_ns + timeout_ns
    return sleep_masked(task, mask, _wait_for_events(task, epoll, events, maxevents, deadline_ns))


def _epoll_to_wait_for(task: Task, epfd: int, events: int, maxevents: int) -> Epoll:
    """Raises: Errno(EBADF), Errno(EINVAL), Errno(EFAULT)."""
    epoll = task.fds.get(epfd)
    if not 0 < maxevents <= EP_MAX_EVENTS:
        raise Errno(EINVAL)
    if events + maxevents * EVENT_SIZE > USER_SPACE_END:
        raise Errno(EFAULT)
    if not isinstance(epoll, Epoll):
        raise refusal_of(task, epfd, epoll, EINVAL)
    return epoll
