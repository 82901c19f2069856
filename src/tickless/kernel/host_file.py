"""Files that the host kernel holds: sockets, terminals, inotify, files on disk. Only their readiness is known here."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import EBADF
from tickless.abi.fcntl import O_PATH
from tickless.abi.stat import S_IFCHR, S_IFIFO, S_IFMT, S_IFSOCK
from tickless.kernel.errors import Errno
from tickless.kernel.file import File
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.wait_queue import WaitQueue

if TYPE_CHECKING:
    from tickless.kernel.task import Task


class HostWatch(Protocol):
    """A parked call's interest in host files: `queue` is woken when one of them may have become ready."""

    queue: WaitQueue

    def close(self) -> None:
        """The call has ended."""


class HostInterests(Protocol):
    """The host files of one virtual epoll: the host keeps these interests, under the key (file, number)."""

    def control(self, task: Task, op: int, fd: int, events: int, data: int) -> int:
        """EPOLL_CTL_ADD, MOD or DEL of the task's number `fd`: 0 or -errno."""

    def collect(self, room: int) -> list[tuple[int, int]]:
        """Take up to `room` ready (events, data); edges and one-shots are consumed."""

    def most_events(self) -> int:
        """More events than this cannot be ready: about as many as there are interests."""

    def is_ready(self) -> bool:
        """Whether `collect` would give something."""

    def describe(self) -> str:
        """The lines that they add to the epoll's fdinfo. proc_pid_fdinfo(5)"""

    def close(self) -> None:
        """The epoll has gone."""


class HostStatus(NamedTuple):
    """What fstat(2) and F_GETFL tell of a file."""

    mode: int
    identity: tuple[int, int]  # device and inode
    flags: int

    @property
    def is_fifo(self) -> bool:
        return self.mode & S_IFMT == S_IFIFO


class HostEnd(Protocol):
    """A host file at one end of a splice, which keeps it open as long as it takes."""

    is_fifo: bool

    def sleep(self) -> Generator[None, None, int]:
        """Wait until it is ready. Raises: Errno(EAGAIN) for a socket's time-out, and what a signal makes of it."""

    def close(self) -> None:
        """The call has ended."""


class HostSource(HostEnd, Protocol):
    """What is spliced from."""

    def take(self, size: int) -> bytes | None:
        """Up to `size` bytes, none at the end; None if they have to be waited for. Raises: Errno."""


class HostTarget(HostEnd, Protocol):
    """What is spliced to."""

    def put(self, data: bytes) -> int | None:
        """Write some of `data`: how many bytes; None if room has to be waited for. Raises: Errno."""


class HostReadiness(Protocol):
    """What a host tells of its files. Numbers are those of the calling task."""

    def poll(self, task: Task, wants: list[tuple[int, int]]) -> dict[int, int]:
        """The events that are true now, of (fd, events) pairs; POLLNVAL for a closed number."""

    def watch(self, task: Task, wants: list[tuple[int, int]]) -> HostWatch:
        """Be told of changes."""

    def interests(self, on_ready: Callable[[], object]) -> HostInterests:
        """A place for an epoll's host files; `on_ready` is called when one may have become ready."""

    def status(self, task: Task, fd: int) -> HostStatus | None:
        """What kind of file it is; None if that cannot be found out."""

    def fcntl(self, task: Task, fd: int, command: int, argument: int) -> Result:
        """fcntl(2) for the file itself: PASS_ON, for a lock a sleep until it is free."""

    def connect(self, task: Task, fd: int, address: int, length: int) -> Result:
        """connect(2): PASS_ON, or what it gives now, or a sleep until the socket is connected."""

    def splice_from(self, task: Task, fd: int, offset: int | None, *, call: str, nonblock: bool) -> HostSource:
        """The file for `call`: splice, tee, or sendfile. Raises: Errno, what Linux says before it looks at the pipe."""

    def splice_to(self, task: Task, fd: int, offset: int | None, *, nonblock: bool, more: bool) -> HostTarget:
        """The same for splice and tee; `more`: more will follow. Raises: Errno."""

    def pass_on_when_ready(self, task: Task, fd: int, file: HostFile, events: int, size: int) -> Result:
        """PASS_ON at once if the call cannot block, else a sleep until one of `events` is true, then PASS_ON.

        One that moves `size` bytes and could block after some of them is done by the host layer itself.
        """


class HostFile(File):
    """A file of the host.

    `pollable` is False where reads and writes never wait: files on disk, directories; `never_full` is True where only
    writes never do.
    """

    name: ClassVar[str] = "host file"
    host: ClassVar[bool] = True

    def __init__(self, *, pollable: bool, never_full: bool = False) -> None:
        super().__init__(nonblock=False)
        self.pollable = pollable
        self.never_full = never_full

    def status(self, task: Task, fd: int) -> HostStatus | None:
        """What kind of file it is; None if that cannot be found out."""
        return _host_of(task).status(task, fd)

    def fcntl(self, task: Task, fd: int, command: int, argument: int) -> Result:
        """What fcntl(2) does to the file, not to its number."""
        return _host_of(task).fcntl(task, fd, command, argument)

    def connect(self, task: Task, fd: int, address: int, length: int) -> Result:
        """Connect a socket."""
        return _host_of(task).connect(task, fd, address, length)

    def splice_from(self, task: Task, fd: int, offset: int | None, *, call: str, nonblock: bool) -> HostSource:
        """For a call that reads from it into a pipe. Raises: Errno."""
        return _host_of(task).splice_from(task, fd, offset, call=call, nonblock=nonblock)

    def splice_to(self, task: Task, fd: int, offset: int | None, *, nonblock: bool, more: bool) -> HostTarget:
        """For a call that writes to it from a pipe. Raises: Errno."""
        return _host_of(task).splice_to(task, fd, offset, nonblock=nonblock, more=more)

    def pass_on(self, task: Task, fd: int, events: int, size: int = 0) -> Result:
        """Let the host do a call that waits for `events`, as soon as it cannot block.

        It waits until `size` bytes are moved, at most, or some if that is 0.
        """
        if not self.pollable or (self.never_full and events == EPOLLOUT):
            return PASS_ON
        return _host_of(task).pass_on_when_ready(task, fd, self, events, size)

    def read_from_host(self, task: Task, fd: int, buf: int, count: int) -> Result:
        """read(2). Of 0 bytes a socket, a pipe and a terminal wait for nothing; other files may, as inotify does."""
        if not self.pollable:
            return PASS_ON
        host = _host_of(task)
        if not count and (status := host.status(task, fd)) and S_IFMT & status.mode in (S_IFSOCK, S_IFIFO, S_IFCHR):
            return PASS_ON
        return host.pass_on_when_ready(task, fd, self, EPOLLIN, 0)


class MerePath(HostFile):
    """A number of O_PATH for a file of ours: the host refuses all calls but those that look at it. open(2)."""

    def __init__(self, file: File) -> None:
        super().__init__(pollable=False)
        self.file = file  # what fstat shows


def refusal_of(task: Task, fd: int, file: File, error: int) -> Errno:
    """What a call says of a file that is of the wrong kind: `error`, but EBADF of a number of O_PATH. open(2)."""
    host = task.kernel.host
    is_path = file.host and host is not None and host.status_flags(task, fd) & O_PATH
    return Errno(EBADF if is_path else error)


def _host_of(task: Task) -> HostReadiness:
    host = task.fds.host
    assert host is not None, "a host file without a host"
    return host
