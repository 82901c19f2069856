"""The host's files, as virtual calls need them: their readiness, without ever keeping a duplicate of one.

A duplicate would hold back EOF, FIN and SIGPIPE. So each is fetched by pidfd_getfd(2), looked at, and closed at once.
An interest in an epoll stays without it: it lives until the tasks' own last close.
"""

from __future__ import annotations

import ctypes
import enum
import errno
import fcntl
import os
import re
import resource
import select
import stat
from collections.abc import Callable, Iterable

from tickless.abi.arch import ARCH
from tickless.abi.epoll import EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_EVENT, EPOLLET, EPOLLIN
from tickless.abi.numbers import number_of
from tickless.abi.poll import POLLNVAL
from tickless.host.master import Master
from tickless.host.reach import count_watched, watched_sockets
from tickless.host.task_state import read_whole

PIDFD_THREAD = os.O_EXCL  # Linux 6.9
RECOUNT_FROM = 1024  # interests

_libc = ctypes.PyDLL(None, use_errno=True)
_libc.epoll_ctl.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_char_p]
_libc.epoll_wait.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
_PIDFD_GETFD = ctypes.c_long(number_of(ARCH, "pidfd_getfd") or 0)

WATCHED = re.compile(r"^tfd: *(\d+)")

MEMORY_DEVICES = 1  # the major number of null, zero, full, random and the kernel's log
KMSG = 11

Wants = Iterable[tuple[int, int]]
"""(a task's fd, poll events) pairs."""


class Kind(enum.Enum):
    """What a host file is to a call that may block on it."""

    PLAIN = "plain"  # never blocks: a regular file, a directory, /dev/null
    LOG = "log"  # /dev/kmsg: a reader waits for the next message, a writer never
    FIFO = "fifo"  # a pipe, named or not; a placeholder is one as well
    POLLABLE = "pollable"  # a socket, a terminal, inotify, a file in /proc


def kind_of(status: os.stat_result) -> Kind:
    mode = status.st_mode
    if stat.S_ISFIFO(mode):
        return Kind.FIFO
    if stat.S_ISCHR(mode) and os.major(status.st_rdev) == MEMORY_DEVICES:
        return Kind.LOG if os.minor(status.st_rdev) == KMSG else Kind.PLAIN
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISBLK(mode):
        return Kind.PLAIN
    return Kind.POLLABLE


def is_made_up(status: os.stat_result) -> bool:
    """Whether a regular file may be one of proc, sysfs or cgroups: on no disk, and without blocks."""
    return stat.S_ISREG(status.st_mode) and os.major(status.st_dev) == 0 and status.st_blocks == 0


def is_mere_path(link: str | bytes) -> bool:
    """Whether a number, by its link in /proc/PID/fd, is open for neither reading nor writing: O_PATH. open(2)."""
    try:
        return not os.lstat(link).st_mode & (stat.S_IRUSR | stat.S_IWUSR)
    except OSError:  # its task dies
        return False


class TaskFiles:
    """A task's table of open files, as the host has it: `fd` is the task's number, `ours` a duplicate in our own."""

    def __init__(self, tid: int) -> None:
        """Any thread that shares the table will do while it lives; before Linux 6.9 only a leader. OSError: ESRCH."""
        self._pidfd = _pidfd_of(tid)

    def fetch(self, fd: int) -> int:
        """Return a duplicate of the task's `fd`, close-on-exec, for the caller to close at once.

        OSError: EBADF, ESRCH, and EPERM where an ordinary user's task is not dumpable, or `tid` cannot be named.
        """
        if self._pidfd is None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        ours: int = _libc.syscall(_PIDFD_GETFD, self._pidfd, ctypes.c_int(fd), 0)
        if ours < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return ours

    def is_nonblocking(self, fd: int) -> bool:
        """Whether the description has O_NONBLOCK. OSError: EBADF."""
        ours = self.fetch(fd)
        try:
            return bool(fcntl.fcntl(ours, fcntl.F_GETFL) & os.O_NONBLOCK)
        finally:
            os.close(ours)

    def is_pollable(self, fd: int) -> bool:
        """Whether an epoll takes the fd. One that may not be fetched counts as one, so that its watch is refused."""
        try:
            ours = self.fetch(fd)
        except PermissionError:
            return True
        except OSError:
            return False
        try:
            with select.epoll() as epoll:
                epoll.register(ours, 0)
        except OSError as error:
            _expect(error, errno.EPERM, errno.EBADF)  # a file on disk, or a mere path: O_PATH
            return False
        finally:
            os.close(ours)
        return True

    def poll(self, wants: Wants) -> dict[int, int]:
        """Return the events now of each fd that has some of the wanted; POLLERR, POLLHUP and POLLNVAL always count.

        An fd that is wanted twice has the events of both: the caller masks them. OSError: EPERM as `fetch`.
        """
        asked: dict[int, int] = {}
        for fd, events in wants:
            asked[fd] = asked.get(fd, 0) | events
        found: dict[int, int] = {}
        poll = select.poll()
        duplicates: dict[int, int] = {}  # ours -> the task's
        try:
            for fd, events in asked.items():
                try:
                    ours = self.fetch(fd)
                except OSError as error:
                    _expect(error, errno.EBADF)
                    found[fd] = POLLNVAL
                    continue
                duplicates[ours] = fd
                poll.register(ours, events)
            for ours, events in poll.poll(0):
                found[duplicates[ours]] = events
        finally:
            for ours in duplicates:
                os.close(ours)
        return found

    def close(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)


class HostWatch:
    """A parked call's interest in host files: `wake` is called when one of them may have changed. Close it after."""

    def __init__(
        self,
        master: Master,
        fetch: Callable[[int], int],
        wants: Wants,
        wake: Callable[[], object],
        *,
        pin: bool = False,
    ) -> None:
        """`fetch` gives a duplicate for a number, as that of TaskFiles does; `pin` keeps it open as long as the watch.

        Linux does so for a call that sleeps; where nobody can close the number meanwhile that comes to the same.
        """
        self._master = master
        self._epoll = select.epoll()
        # They have to be open together: an epoll's key is (file, number), and a number used twice would be one key.
        self._duplicates: list[int] = []
        try:
            for fd, events in wants:
                try:
                    self._duplicates.append(fetch(fd))
                    self._epoll.register(self._duplicates[-1], events | EPOLLET)
                except OSError as error:
                    _expect(error, errno.EBADF, errno.EPERM)  # closed, or a plain file: `poll` has said so already
        finally:
            if not pin:
                self._let_go()
        master.register(self._epoll.fileno(), EPOLLIN | EPOLLET, lambda _: wake())

    def _let_go(self) -> None:
        while self._duplicates:
            os.close(self._duplicates.pop())

    def has_events(self) -> bool:
        """Whether something has changed since it was asked last."""
        return bool(self._epoll.poll(0))

    def close(self) -> None:
        self._master.unregister(self._epoll.fileno())
        self._epoll.close()
        self._let_go()


class Shadow:
    """The host epoll that a virtual epoll owns for its host files. epoll(7).

    The program's fd has a number of its own in it, `key_of(fd)`, so that the host's key (file, number) is the one that
    Linux would have: EEXIST, ENOENT, orphans of a closed number, edges and one-shots are all the host's doing. It is
    watched edge-triggered, so that nobody spins while an interest stays ready.
    """

    def __init__(self, master: Master, wake: Callable[[], object]) -> None:
        """`wake` is called when there may be new events: it wakes the virtual epoll's waiters."""
        self._master = master
        self._epoll = select.epoll()
        self._fd = self._epoll.fileno()
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._buffer = ctypes.create_string_buffer(0)
        self.most_events = 0  # at least as many as there are interests: last closes are counted at `_recount_at` only
        self._recount_at = RECOUNT_FROM
        master.register(self._fd, EPOLLIN | EPOLLET, lambda _: wake())

    def control(self, files: TaskFiles, op: int, fd: int, event: bytes) -> int:
        """epoll_ctl(2) for the task's `fd` with the program's own struct epoll_event; return 0 or a negative errno."""
        try:
            ours = files.fetch(fd)
        except OSError as error:
            return -(error.errno or 0)
        try:
            return self._control_as(ours, key_of(fd), op, event)
        finally:
            os.close(ours)

    def _control_as(self, ours: int, key: int, op: int, event: bytes) -> int:
        try:
            number = fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, key)
        except OSError:
            return -errno.ENOSPC  # it would be below 0
        try:
            if number != key:
                return -errno.ENOSPC  # the supervisor's own fds have grown into the range
            result: int = _libc.epoll_ctl(self._fd, op, number, event)
        finally:
            os.close(number)
        if result != 0:
            return -ctypes.get_errno()
        self._count(op)
        return 0

    def _count(self, op: int) -> None:
        if op == EPOLL_CTL_ADD:
            self.most_events += 1
        elif op == EPOLL_CTL_DEL:
            self.most_events -= 1
        if self.most_events >= self._recount_at:
            self.most_events = count_watched(self._fd)
            self._recount_at = max(RECOUNT_FROM, 2 * self.most_events)

    def collect(self, room: int) -> list[tuple[int, int]]:
        """Take up to `room` (events, data) that are ready now, consuming edges and one-shots as epoll_wait(2) does.

        `room` is at least 1, and no more than there may be: the caller's count is a program's.
        """
        if (size := room * EPOLL_EVENT.size) > len(self._buffer):
            self._buffer = ctypes.create_string_buffer(size)
        count: int = _libc.epoll_wait(self._fd, self._buffer, room, 0)
        if count <= 0:
            return []
        return list(EPOLL_EVENT.iter_unpack(ctypes.string_at(self._buffer, count * EPOLL_EVENT.size)))

    def describe(self) -> str:
        """Its interests as fdinfo shows them, each under the task's number. proc_pid_fdinfo(5)"""
        lines = read_whole(f"/proc/self/fdinfo/{self._fd}").decode().splitlines(keepends=True)
        return "".join(WATCHED.sub(_as_the_tasks, line) for line in lines if line.startswith("tfd:"))

    def watched_sockets(self) -> list[int] | None:
        """The inodes of the sockets in it; None if there are other files."""
        return watched_sockets(self._fd)

    def has_events(self) -> bool:
        """Whether `collect` would return something; consumes nothing."""
        return bool(self._poll.poll(0))

    def close(self) -> None:
        self._master.unregister(self._fd)
        self._epoll.close()


def _pidfd_of(tid: int) -> int | None:
    """A pidfd of the task; None for a thread that Linux is too old to name. OSError: ESRCH."""
    for flags in (PIDFD_THREAD, 0):
        try:
            return os.pidfd_open(tid, flags)
        except OSError as error:
            _expect(error, errno.EINVAL)
    return None


def key_of(fd: int) -> int:
    """The number that a task's `fd` has in our shadows: from the middle of what we may have upwards, then downwards.

    Our own fds, which are few, stay at the bottom.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    middle = min(limit // 2, 1 << 16)
    above = limit - middle
    return middle + fd if fd < above else middle - 1 - (fd - above)


def _as_the_tasks(watched: re.Match[str]) -> str:
    """The beginning of an interest's line, with the number that `key_of` was made of."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    key, middle = int(watched[1]), key_of(0)
    return f"tfd: {key - middle if key >= middle else limit - 1 - key:8}"


def _expect(error: OSError, *expected: int) -> None:
    if error.errno not in expected:
        raise error
