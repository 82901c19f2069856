"""flock(2), fcntl(2): locks on files, which belong to the host; but nobody may wait for one there.

A lock of an open file description is taken on a duplicate of it, without waiting, whenever it may have become free. A
lock of a process only the process can take, so we look whether it would have to wait.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, cast

from tickless.abi.errno import EAGAIN, EDEADLK
from tickless.abi.fcntl import (
    F_GETLK,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_RDLCK,
    F_SETLK,
    F_SETLKW,
    F_UNLCK,
    F_WRLCK,
    FLOCK,
    O_ACCMODE,
    O_RDONLY,
    O_WRONLY,
)
from tickless.abi.flock import LOCK_EX, LOCK_NB, LOCK_SH
from tickless.abi.types import Fd, FlockOperation
from tickless.host.retries import Taking
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Blocked, Result
from tickless.kernel.registry import syscall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tickless.host.retries import Attempt
    from tickless.host.tracee import Tracee
    from tickless.kernel.task import Task

LOCK_COMMANDS = frozenset((F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW))
OFFSET_MAX = (1 << 63) - 1
# How far a chain of processes that wait for each other's locks is followed, as in fs/locks.c.
LONGEST_CHAIN = 10


@syscall
def flock(task: Task, fd: Fd, cmd: FlockOperation) -> Result:
    """Take, or let go of, a lock of an open file description."""
    tracee = cast("Tracee", task)
    # A lock is also let go of by a change from one kind to the other.
    tracee.supervisor.may_release = True
    if cmd not in (LOCK_SH, LOCK_EX):
        return PASS_ON
    return _lock_description(tracee, fd, lambda ours: fcntl.flock(ours, cmd | LOCK_NB))


def lock_record(task: Task, fd: int, command: int, argument: int) -> Result:
    """fcntl(2) with one of LOCK_COMMANDS, on a file of the host."""
    tracee = cast("Tracee", task)
    tracee.supervisor.may_release = True
    if command not in (F_SETLKW, F_OFD_SETLKW):
        return PASS_ON
    lock = task.memory.copy_in(argument, FLOCK.size)
    if FLOCK.unpack(lock)[0] not in (F_RDLCK, F_WRLCK):
        return PASS_ON
    if command == F_OFD_SETLKW:
        return _lock_description(tracee, fd, lambda ours: fcntl.fcntl(ours, F_OFD_SETLK, lock))
    return _lock_process(tracee, fd, lock)


# Locks of open file descriptions


def _lock_description(task: Tracee, fd: int, lock: Callable[[int], object]) -> Result:
    """Lock the file `fd` by `lock`, which does not wait: it gets a duplicate. The host says why it cannot be."""
    try:
        ours = task.fds.task_files().fetch(fd)
    except OSError:
        return PASS_ON
    attempt = Taking(lambda: _try_to_lock(ours, lock))
    result = attempt()
    if result is None:
        return _sleep_for_description(task, ours, attempt)
    os.close(ours)
    return result


def _try_to_lock(ours: int, lock: Callable[[int], object]) -> int | None:
    try:
        lock(ours)
    except OSError as error:
        return None if error.errno == EAGAIN else -(error.errno or EAGAIN)
    return 0


def _sleep_for_description(task: Tracee, ours: int, attempt: Attempt) -> Blocked:
    # The duplicate keeps the file open meanwhile, as a waiting call does.
    try:
        status = os.fstat(ours)
        result = yield from task.supervisor.retries.sleep_until(
            task, attempt, ends_inside=lambda reach: reach.is_lock_inside(status)
        )
        assert result is not None, "a lock without a deadline"
        return result
    finally:
        os.close(ours)


# Locks of processes


def _lock_process(task: Tracee, fd: int, lock: bytes) -> Result:
    """Let the host lock when it need not wait. Raises: Errno(EDEADLK) where it would wait for ever."""
    try:
        ours = task.fds.task_files().fetch(fd)
    except OSError:
        return PASS_ON
    try:
        wait = _ProcessLock(task, ours, lock)
        if not wait.is_valid() or wait.attempt() is not None:
            wait.close()
            return PASS_ON
        if wait.is_deadlock():
            raise Errno(EDEADLK)
    except BaseException:
        os.close(ours)
        raise
    return _sleep_for_process(task, wait)


def _sleep_for_process(task: Tracee, wait: _ProcessLock) -> Blocked:
    try:
        status = os.fstat(wait.ours)
        yield from task.supervisor.retries.sleep_until(
            task, wait.attempt, ends_inside=lambda reach: reach.is_lock_inside(status)
        )
        return PASS_ON
    finally:
        wait.close()


class _ProcessLock:
    """A lock that a process wants, and who is in the way."""

    def __init__(self, task: Tracee, ours: int, lock: bytes) -> None:
        self.ours = ours
        self._lock = lock
        self._tgid = task.group.tgid
        self._waits = task.supervisor.lock_waits  # by process: the one whose lock it waits for

    def is_valid(self) -> bool:
        """Whether the host would wait at all, and not fail with EBADF."""
        access = fcntl.fcntl(self.ours, fcntl.F_GETFL) & O_ACCMODE
        return access != (O_RDONLY if FLOCK.unpack(self._lock)[0] == F_WRLCK else O_WRONLY)

    def attempt(self) -> int | None:
        """0 if nobody is in the way, or if the host has something to say against the lock."""
        try:
            found = FLOCK.unpack(fcntl.fcntl(self.ours, F_GETLK, self._lock))
        except OSError:
            return 0
        kind, holder = found[0], found[4]
        if kind != F_UNLCK and holder == self._tgid:
            # Our own process is never in the way, but may hide others.
            holder = next(self._others(*self._wanted()), 0)
            kind = F_WRLCK if holder else F_UNLCK
        if kind == F_UNLCK:
            self._waits.pop(self._tgid, None)
            return 0
        self._waits[self._tgid] = holder
        return None

    def is_deadlock(self) -> bool:
        """Whether the holder waits, perhaps by way of others, for a lock of this process."""
        holder = self._tgid
        for _ in range(LONGEST_CHAIN):
            holder = self._waits.get(holder, 0)
            if holder in (0, self._tgid):
                return holder != 0
        return False

    def close(self) -> None:
        self._waits.pop(self._tgid, None)
        os.close(self.ours)

    def _wanted(self) -> tuple[int, int, int]:
        """(kind, first byte, last byte) of the lock that is wanted."""
        kind, whence, start, length, _ = FLOCK.unpack(self._lock)
        if whence == os.SEEK_CUR:
            start += os.lseek(self.ours, 0, os.SEEK_CUR)
        elif whence == os.SEEK_END:
            start += os.fstat(self.ours).st_size
        if length < 0:
            return kind, start + length, start - 1
        return kind, start, start + length - 1 if length else OFFSET_MAX

    def _others(self, kind: int, first: int, last: int) -> Iterator[int]:
        """The other processes whose locks of this file are in the way: -1 for a lock of an open file description."""
        inode = os.fstat(self.ours).st_ino
        with open("/proc/locks") as table:
            entries = [line.split() for line in table if ": POSIX " in line or ": OFDLCK " in line]
        # Its device may be another one than stat tells, as on an overlay; but our own process has a lock of it.
        own = [entry[5] for entry in entries if int(entry[4]) == self._tgid]
        files = {file for file in own if int(file.rpartition(":")[2]) == inode}
        for entry in entries:
            if entry[5] not in files:
                continue
            holder, end = int(entry[4]), OFFSET_MAX if entry[7] == "EOF" else int(entry[7])
            overlaps = int(entry[6]) <= last and end >= first
            if holder != self._tgid and overlaps and (kind == F_WRLCK or entry[3] == "WRITE"):
                yield holder
