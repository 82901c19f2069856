"""How the kernel learns what a host file is ready for, and lets the host do a call that can no longer block."""

from __future__ import annotations

import os
import stat
from _socket import (  # `import socket` takes 20 times as long
    SO_ACCEPTCONN,
    SOL_SOCKET,
)
from collections.abc import Callable, Generator
from contextlib import nullcontext
from fcntl import F_GETFL, fcntl
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.epoll import EPOLL_CTL_DEL, EPOLL_EVENT, EPOLLIN, EPOLLOUT
from tickless.abi.errno import EAGAIN, EBADF, ENOSPC, EPERM
from tickless.abi.fcntl import F_NOTIFY, F_SETFL, F_SETLEASE, F_SETOWN, F_SETOWN_EX, F_SETSIG, O_ASYNC
from tickless.abi.numbers import number_of
from tickless.host import pinned
from tickless.host.connections import connect_when_possible, interrupted_as
from tickless.host.fifos import has_writer
from tickless.host.host_files import HostWatch, Shadow, TaskFiles
from tickless.host.locks import LOCK_COMMANDS, lock_record
from tickless.host.master import poll_one
from tickless.host.piecewise import SMALL, in_pieces, merge, size_sent_by
from tickless.host.reach import Reach, socket_inode
from tickless.host.shortage import WATCHES
from tickless.host.sockets import finds_room, is_shut, is_stream, socket_of, socket_timeout_ns
from tickless.host.splicing import FromFile, ToFile
from tickless.host.tracee import Tracee
from tickless.kernel.errors import Errno
from tickless.kernel.host_file import HostStatus
from tickless.kernel.outcome import PASS_ON, Answer, Blocked, Result
from tickless.kernel.registry import unserved
from tickless.kernel.wait_queue import WaitQueue, sleep_until

if TYPE_CHECKING:
    from tickless.host.supervisor import Supervisor
    from tickless.kernel.host_file import HostFile
    from tickless.kernel.task import Task

# The host may send a signal later, by itself, to who has used one of these.
SIGNAL_COMMANDS = frozenset((F_SETOWN, F_SETOWN_EX, F_SETSIG, F_SETLEASE, F_NOTIFY))
# A container's profile forbids pidfd_getfd(2), or an ordinary user's task is not dumpable.
UNWATCHABLE = unserved("TL505", "watching a file that tickless may not get at", EPERM)
REFUSALS = {-EPERM: UNWATCHABLE, -ENOSPC: WATCHES}
ACCEPTS = frozenset((number_of(ARCH, "accept"), number_of(ARCH, "accept4")))
CALLS_BETWEEN_LOOKS = 64


class Watch:
    """A parked call's interest in host files; in `ours` where its number may mean another by now."""

    def __init__(self, readiness: Readiness, task: Task, wants: list[tuple[int, int]], ours: int | None = None) -> None:
        self.queue = WaitQueue()
        fetch = _files_of(task).fetch if ours is None else lambda _: os.dup(ours)
        assert isinstance(task, Tracee)
        pin = ours is None and len(task.fds.tids) > 1
        self._watch = HostWatch(readiness.supervisor.master, fetch, wants, self.queue.wake_all, pin=pin)
        self._tid, self._fds = task.tid, [fd for fd, _ in wants]
        readiness.watches[self] = None
        self._readiness = readiness

    def sockets(self) -> list[int] | None:
        """The inodes of the sockets that it is for; None if there are other files."""
        inodes = [socket_inode(self._tid, fd) for fd in self._fds]
        return [inode for inode in inodes if inode is not None] if None not in inodes else None

    def look(self) -> None:
        if self._watch.has_events():
            self.queue.wake_all()

    def close(self) -> None:
        self._watch.close()
        del self._readiness.watches[self]


class Interests:
    """The host files of one virtual epoll."""

    def __init__(self, readiness: Readiness, on_ready: Callable[[], object]) -> None:
        self._readiness = readiness
        self._shadow = Shadow(readiness.supervisor.master, on_ready)
        self._on_ready = on_ready
        self.sockets = self._shadow.watched_sockets
        readiness.watches[self] = None

    def control(self, task: Task, op: int, fd: int, events: int, data: int) -> int:
        event = EPOLL_EVENT.pack(events, data) if op != EPOLL_CTL_DEL else bytes(EPOLL_EVENT.size)
        result = self._shadow.control(_files_of(task), op, fd, event)
        if result in REFUSALS:
            task.kernel.name_once(task, REFUSALS[result])
        return result

    def collect(self, room: int) -> list[tuple[int, int]]:
        return self._shadow.collect(room)

    def most_events(self) -> int:
        return self._shadow.most_events

    def is_ready(self) -> bool:
        return self._shadow.has_events()

    def describe(self) -> str:
        return self._shadow.describe()

    def look(self) -> None:
        if self._shadow.has_events():
            self._on_ready()

    def close(self) -> None:
        self._shadow.close()
        del self._readiness.watches[self]


class Readiness:
    """The host's word on its own files."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        # Parked calls and epolls that watch host files: input from outside may come.
        self.watches: dict[Watch | Interests, None] = {}
        self._calls = 0  # on host files, since the last look at all that is watched

    def _note_call(self) -> None:
        """Who never blocks may all the same have made files ready for others."""
        self._calls += 1
        if self._calls == CALLS_BETWEEN_LOOKS:
            self._calls = 0
            for watch in tuple(self.watches):
                watch.look()

    def ends_inside(self, reach: Reach) -> bool:
        """Whether nobody outside can make any of the files ready."""
        for watch in self.watches:
            sockets = watch.sockets()
            if sockets is None or not all(map(reach.is_held_inside, sockets)):
                return False
        return True

    def poll(self, task: Task, wants: list[tuple[int, int]]) -> dict[int, int]:
        try:
            return _files_of(task).poll(wants)
        except PermissionError:
            task.kernel.refuse(task, UNWATCHABLE)

    def watch(self, task: Task, wants: list[tuple[int, int]]) -> Watch:
        return Watch(self, task, wants)

    def interests(self, on_ready: Callable[[], object]) -> Interests:
        return Interests(self, on_ready)

    def status(self, task: Task, fd: int) -> HostStatus | None:
        try:
            ours = _files_of(task).fetch(fd)
        except OSError:
            return None
        try:
            shown = os.fstat(ours)
            return HostStatus(shown.st_mode, (shown.st_dev, shown.st_ino), fcntl(ours, F_GETFL))
        finally:
            os.close(ours)

    def fcntl(self, task: Task, fd: int, command: int, argument: int) -> Result:
        if command in LOCK_COMMANDS:
            return lock_record(task, fd, command, argument)
        if command in SIGNAL_COMMANDS or (command == F_SETFL and argument & O_ASYNC):
            self.supervisor.outside.host_sends_signals = True
        return PASS_ON

    def connect(self, task: Task, fd: int, address: int, length: int) -> Result:
        assert isinstance(task, Tracee)
        try:
            ours = task.fds.task_files().fetch(fd)
        except OSError:
            return PASS_ON
        if fcntl(ours, F_GETFL) & os.O_NONBLOCK:
            os.close(ours)
            return PASS_ON
        self.supervisor.written(task, fd, ours)
        return connect_when_possible(task, ours, fd, address, length, socket_timeout_ns(ours, EPOLLOUT))

    def pass_on_when_ready(self, task: Task, fd: int, file: HostFile, events: int, size: int) -> Result:
        # A message that is read may hold the last reference to a description in flight.
        self.supervisor.may_release = True
        self._note_call()
        files = _files_of(task)
        try:
            ours = files.fetch(fd)
        except OSError:
            # EBADF: the host says so itself. EPERM, of a task that is not dumpable: the safety net has to do.
            return PASS_ON
        may_block_half_way = False
        try:
            if events != EPOLLIN:
                self.supervisor.written(task, fd, ours)
            if fcntl(ours, F_GETFL) & os.O_NONBLOCK or _ends_at_once(task, ours, events):
                return PASS_ON
            timeout_ns = socket_timeout_ns(ours, events)
            may_block_half_way = size > SMALL and is_stream(ours)
        finally:
            if not may_block_half_way:
                os.close(ours)
        if may_block_half_way:
            return self._in_pieces(task, fd, ours, events, timeout_ns)
        if files.poll([(fd, events)]):
            return PASS_ON
        return self._park(task, fd, events, timeout_ns)

    def splice_from(self, task: Task, fd: int, offset: int | None, *, call: str, nonblock: bool) -> FromFile:
        assert isinstance(task, Tracee)
        self.supervisor.may_release = True
        self._note_call()
        return FromFile(task, fd, self._fetch(task, fd), offset, call=call, nonblock=nonblock)

    def splice_to(self, task: Task, fd: int, offset: int | None, *, nonblock: bool, more: bool) -> ToFile:
        assert isinstance(task, Tracee)
        self._note_call()
        return ToFile(task, fd, self._fetch(task, fd), offset, nonblock=nonblock, more=more)

    def _fetch(self, task: Task, fd: int) -> int:
        try:
            return _files_of(task).fetch(fd)
        except PermissionError:
            task.kernel.refuse(task, UNWATCHABLE)
        except OSError as error:
            raise Errno(error.errno or EBADF) from None

    def _in_pieces(self, task: Task, fd: int, ours: int, events: int, timeout_ns: int | None) -> Blocked:
        """Do the call here if it could block half-way, by `ours`, which is closed then."""
        assert isinstance(task, Tracee)
        deadline_ns = task.kernel.clock.deadline_after(timeout_ns)

        def sleep() -> Generator[None, None, int | None]:
            if events != EPOLLIN:
                self.supervisor.written(task, fd, ours)
            return self.sleep(task, fd, ours, events, deadline_ns)

        try:
            pieces = in_pieces(task, ours, events)
            if pieces is not None:
                return (yield from pieces.move_all(sleep))
        finally:
            os.close(ours)
        ready = task.fds.task_files().poll([(fd, events)])
        return PASS_ON if ready else (yield from self._park(task, fd, events, timeout_ns))

    def _park(self, task: Task, fd: int, events: int, timeout_ns: int | None) -> Blocked:
        """Sleep until the call cannot block. Where another thread may close the number, the file is kept open."""
        assert isinstance(task, Tracee)
        if events == EPOLLOUT and (answer := _write_all_the_same(task, fd)) is not None:
            return answer
        ours = task.fds.task_files().fetch(fd) if len(task.fds.tids) > 1 else None
        try:
            deadline_ns = task.kernel.clock.deadline_after(timeout_ns)
            ready = yield from self.sleep(task, fd, ours, events, deadline_ns)
            if ready is None:
                return -EAGAIN
            if ours is not None and not task.fds.still_names(fd, ours):
                return pinned.finish(task, ours)
        finally:
            if ours is not None:
                os.close(ours)
        return PASS_ON

    def sleep(
        self, task: Tracee, fd: int, ours: int | None, events: int, deadline_ns: int | None
    ) -> Generator[None, None, int | None]:
        """0 when one of `events` is true of the fd, or of `ours`; None when the socket's time-out has passed."""
        files = task.fds.task_files()
        writes = events == EPOLLOUT

        def is_ready() -> int | None:
            ready = files.poll([(fd, events)]) if ours is None else poll_one(ours, events)
            return 0 if ready or (writes and self._is_shut(files, fd, ours)) else None

        watch = Watch(self, task, [(fd, events)], ours)
        # Nothing tells that the other end has shut the way.
        asked = self.supervisor.retries.asked(watch.queue, is_ready, lambda _: True) if writes else nullcontext()
        restart = interrupted_as(deadline_ns)
        try:
            with asked:
                return (yield from sleep_until(task, (watch.queue,), is_ready, deadline_ns, interrupted_as=restart))
        finally:
            watch.close()

    def _is_shut(self, files: TaskFiles, fd: int, ours: int | None) -> bool:
        if ours is not None:
            return is_shut(ours)
        try:
            fetched = files.fetch(fd)
        except OSError:
            return True  # its number has gone: the host says so
        try:
            return is_shut(fetched)
        finally:
            os.close(fetched)


def _files_of(task: Task) -> TaskFiles:
    assert isinstance(task, Tracee)
    return task.fds.task_files()


def _write_all_the_same(task: Tracee, fd: int) -> Answer | None:
    """The answer of a write that does not wait, though poll(2) calls its file unwritable."""
    try:
        ours = task.fds.task_files().fetch(fd)
    except OSError:
        return PASS_ON  # EBADF
    try:
        if stat.S_ISFIFO(os.fstat(ours).st_mode):
            return merge(task, ours)
        size = size_sent_by(task)
        return PASS_ON if size is not None and finds_room(ours, size) else None
    except Errno:
        return PASS_ON  # the host says so itself
    finally:
        os.close(ours)


def _ends_at_once(task: Task, ours: int, events: int) -> bool:
    """Whether the call ends at once, mostly as a mistake for such a file: its readiness would be waited for in vain."""
    wrong_mode = {EPOLLIN: os.O_WRONLY, EPOLLOUT: os.O_RDONLY}.get(events)
    if fcntl(ours, F_GETFL) & os.O_ACCMODE == wrong_mode:
        return True
    kind = os.fstat(ours).st_mode
    if stat.S_ISFIFO(kind):
        # A reader that never had a writer is at the end of the file, though poll(2) does not say so.
        return events == EPOLLIN and not poll_one(ours, EPOLLIN) and not has_writer(ours)
    if stat.S_ISSOCK(kind):
        if events == EPOLLOUT and not poll_one(ours, EPOLLOUT) and is_shut(ours):
            return True
        with socket_of(ours) as other:
            listens = bool(other.getsockopt(SOL_SOCKET, SO_ACCEPTCONN))
        return listens != (task.call in ACCEPTS)
    return "pidfd" in os.readlink(f"/proc/self/fd/{ours}")
