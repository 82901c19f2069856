"""Files whose readiness a test says: of the kernel, and of a host."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator

from tickless.abi.epoll import EPOLL_CTL_DEL
from tickless.abi.poll import POLLNVAL
from tickless.abi.stat import S_IFIFO
from tickless.kernel.errors import Errno
from tickless.kernel.file import File
from tickless.kernel.host_file import HostFile, HostStatus
from tickless.kernel.machine import OwnTask
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.task import Task
from tickless.kernel.wait_queue import ANY_EVENT, WaitQueue


class FakeFile(File):
    """A file that is ready for `events`, as long as a test says so."""

    def __init__(self, events: int = 0) -> None:
        super().__init__(nonblock=False)
        self.events = events

    def poll(self, task: Task) -> int:
        return self.events

    def become(self, events: int, wake: int = ANY_EVENT) -> None:
        self.events = events
        self.queue.wake_all(wake)


class FakeHostFile(HostFile):
    """A file of the host, ready for `events`."""

    def __init__(self, events: int = 0, *, pollable: bool = True, mode: int = S_IFIFO, flags: int = 0) -> None:
        super().__init__(pollable=pollable)
        self.events = events
        self.shown = HostStatus(mode, (0, id(self)), flags)

    def become(self, events: int) -> None:
        self.events = events
        self.queue.wake_all()


class FakeWatch:
    """HostWatch."""

    def __init__(self, readiness: FakeReadiness) -> None:
        self.queue = WaitQueue()
        self.readiness = readiness
        readiness.watches.add(self)

    def close(self) -> None:
        self.readiness.watches.discard(self)


class FakeInterests:
    """HostInterests: events are those that a test adds, taken one by one."""

    def __init__(self, on_ready: Callable[[], object]) -> None:
        self.on_ready = on_ready
        self.controls: list[tuple[int, int, int, int]] = []
        self.events: deque[tuple[int, int]] = deque()
        self.closed = False

    def control(self, task: Task, op: int, fd: int, events: int, data: int) -> int:
        self.controls.append((op, fd, events, data) if op != EPOLL_CTL_DEL else (op, fd, 0, 0))
        return 0

    def collect(self, room: int) -> list[tuple[int, int]]:
        return [self.events.popleft() for _ in range(min(room, len(self.events)))]

    def most_events(self) -> int:
        return len(self.events)

    def is_ready(self) -> bool:
        return bool(self.events)

    def describe(self) -> str:
        return "".join(f"tfd: {fd}\n" for _, fd, *_ in self.controls)

    def close(self) -> None:
        self.closed = True

    def add(self, *events: tuple[int, int]) -> None:
        self.events.extend(events)
        self.on_ready()


class FakeEnd:
    """HostSource and HostTarget: what can be taken, and what has been put, `room` bytes at a time."""

    def __init__(self, *, is_fifo: bool) -> None:
        self.is_fifo = is_fifo
        self.content: bytes | None = None  # None: it has to be waited for
        self.put_bytes = b""
        self.room = 0  # 0: it has to be waited for
        self.error = 0  # what the next take or put raises
        self.closed = 0

    def take(self, size: int) -> bytes | None:
        if self.error:
            raise Errno(self.error)
        if self.content is None:
            return None
        taken, self.content = self.content[:size], self.content[size:]
        return taken

    def put(self, data: bytes) -> int | None:
        if self.error:
            raise Errno(self.error)
        taken = data[: self.room]
        self.room -= len(taken)
        self.put_bytes += taken
        return len(taken) or None

    def sleep(self) -> Generator[None, None, int]:
        yield
        return 0

    def close(self) -> None:
        self.closed += 1


class FakeReadiness:
    """HostReadiness of FakeHostFiles."""

    def __init__(self) -> None:
        self.watches: set[FakeWatch] = set()
        self.lists: list[FakeInterests] = []
        self.waits: list[tuple[int, int]] = []  # (fd, events) of the calls that were passed on
        self.sizes: list[int] = []  # what each of them moves at most, 0 if some of it will do
        self.connected: list[int] = []  # sockets that connect(2) was called for
        self.commands: list[tuple[int, int, int]] = []  # (fd, command, argument) of fcntl
        self.end = FakeEnd(is_fifo=False)  # of the file that a pipe is spliced with
        self.spliced: list[tuple[int, int | None, str, bool]] = []  # fd, offset, call, nonblock

    def poll(self, task: Task, wants: list[tuple[int, int]]) -> dict[int, int]:
        return {fd: self._events_of(task, fd) & events for fd, events in wants}

    def watch(self, task: Task, wants: list[tuple[int, int]]) -> FakeWatch:
        return FakeWatch(self)

    def interests(self, on_ready: Callable[[], object]) -> FakeInterests:
        self.lists.append(FakeInterests(on_ready))
        return self.lists[-1]

    def status(self, task: Task, fd: int) -> HostStatus | None:
        file = task.fds.get(fd)
        assert isinstance(file, FakeHostFile)
        return file.shown

    def fcntl(self, task: Task, fd: int, command: int, argument: int) -> Result:
        self.commands.append((fd, command, argument))
        return PASS_ON

    def connect(self, task: Task, fd: int, address: int, length: int) -> Result:
        self.connected.append(fd)
        return PASS_ON

    def pass_on_when_ready(self, task: Task, fd: int, file: HostFile, events: int, size: int) -> Result:
        self.waits.append((fd, events))
        self.sizes.append(size)
        return PASS_ON

    def splice_from(self, task: Task, fd: int, offset: int | None, *, call: str, nonblock: bool) -> FakeEnd:
        self.spliced.append((fd, offset, call, nonblock))
        return self.end

    def splice_to(self, task: Task, fd: int, offset: int | None, *, nonblock: bool, more: bool) -> FakeEnd:
        self.spliced.append((fd, offset, "more" if more else "to", nonblock))
        return self.end

    def become(self, file: FakeHostFile, events: int) -> None:
        """A file of the host is ready for `events`, and whoever watches is told."""
        file.events = events
        for watch in tuple(self.watches):
            watch.queue.wake_all()

    def _events_of(self, task: Task, fd: int) -> int:
        try:
            file = task.fds.get(fd)
        except Errno:
            return POLLNVAL
        return file.events if isinstance(file, FakeHostFile) else POLLNVAL


def install(task: OwnTask, file: File) -> int:
    """Open a file for a task: its number."""
    return task.own_fds.install(file, cloexec=False)


def with_host_files(task: OwnTask) -> FakeReadiness:
    """Let the task's table have files of a host."""
    readiness = FakeReadiness()
    task.own_fds.host = readiness
    return readiness
