"""open(2), readlink(2): what a host cannot do alone, because it would wait, or knows our files only as placeholders.

Every open comes by here, so what is no concern of ours has to be told apart cheaply: by its flags, in the filter, and
then by one look at what is there.
"""

from __future__ import annotations

import os
from struct import Struct
from typing import TYPE_CHECKING, cast

from tickless.abi.capability import CAP_DAC_OVERRIDE
from tickless.abi.errno import EACCES, EINVAL, EMFILE, ENXIO
from tickless.abi.fcntl import (
    AT_FDCWD,
    O_ACCMODE,
    O_CLOEXEC,
    O_CREAT,
    O_DIRECT,
    O_DIRECTORY,
    O_EXCL,
    O_LARGEFILE,
    O_NOFOLLOW,
    O_NONBLOCK,
    O_PATH,
    O_RDONLY,
    O_RDWR,
    O_TRUNC,
    O_WRONLY,
)
from tickless.abi.stat import S_IFIFO, S_IFMT
from tickless.abi.types import S32, Address, BufferOut, Fd, Hex32, Mode, OpenFlags, PathPtr, SignedFd, Size
from tickless.host import notify
from tickless.host.fifos import open_fifo
from tickless.host.namespaces import moved
from tickless.host.paths import PATH_MAX, locate
from tickless.host.proc_files import link_text, made_file
from tickless.host.terminals import MULTIPLEXER
from tickless.kernel.capability import has_capability
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.pipe import PipeEnd, PipeReader, PipeWriter
from tickless.kernel.registry import ArgumentTest, syscall, unserved

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee
    from tickless.kernel.file import File
    from tickless.kernel.task import Task

OPEN_HOW = Struct("QQQ")  # flags, mode, resolve
# With these an open neither waits nor reaches a file of ours; O_EXCL needs O_CREAT to mean something.
NEVER_OURS = O_DIRECTORY | O_PATH
CREATION = O_CREAT | O_EXCL
MAYBE_OURS = (0, O_CREAT, O_EXCL)
# A FIFO is opened at once with these.
NEVER_WAITS = O_NONBLOCK | O_RDWR

BOTH_ENDS = unserved("TL510", "opening both ends of a pipe through /proc", EINVAL)


@syscall(when=ArgumentTest(1, NEVER_OURS | CREATION, MAYBE_OURS))
def open_(task: Task, filename: PathPtr, flags: OpenFlags, mode: Mode) -> Result:
    """Open what `filename` names."""
    return _open(cast("Tracee", task), AT_FDCWD, filename, flags)


@syscall(when=ArgumentTest(2, NEVER_OURS | CREATION, MAYBE_OURS))
def openat(task: Task, dfd: SignedFd, filename: PathPtr, flags: OpenFlags, mode: Mode) -> Result:
    """`open` relative to the directory `dfd`."""
    return _open(cast("Tracee", task), dfd, filename, flags)


@syscall
def openat2(task: Task, dfd: SignedFd, filename: PathPtr, how: Address, size: Size) -> Result:
    """`openat` with rules for the way to the file, which only the host can follow."""
    if size < OPEN_HOW.size:
        return PASS_ON
    flags, _, resolve = OPEN_HOW.unpack(task.memory.copy_in(how, OPEN_HOW.size))
    if resolve or flags & NEVER_OURS or flags & CREATION == CREATION:
        return PASS_ON
    return _open(cast("Tracee", task), dfd, filename, flags)


@syscall
def creat(task: Task, pathname: PathPtr, mode: Mode) -> Result:
    """`open` for writing, of an empty file."""
    return _open(cast("Tracee", task), AT_FDCWD, pathname, O_CREAT | O_WRONLY | O_TRUNC)


def _open(task: Tracee, dfd: int, filename: int, flags: int) -> Result:
    try:
        path = task.memory.read_string(filename, PATH_MAX)
    except Errno:
        return PASS_ON  # the host says so as well
    location = locate(task, dfd, path)
    if path.startswith(b"/proc/") or path.isdigit():
        made = None if flags & O_ACCMODE else made_file(task, path, location)
        if made is not None:
            return _install(task, made, flags)
    elif flags & NEVER_WAITS and not path.startswith(b"/dev/"):
        return _pass_on(task)
    try:
        status = os.stat(location, follow_symlinks=not flags & O_NOFOLLOW)
    except OSError:
        return PASS_ON
    if status.st_rdev == MULTIPLEXER:
        task.supervisor.idle.in_flight.has_terminals = True
    if status.st_mode & S_IFMT != S_IFIFO:
        return PASS_ON
    return _open_pipe(task, location, status, flags)


def _open_pipe(task: Tracee, location: bytes, status: os.stat_result, flags: int) -> Result:
    """A FIFO, a pipe of the host, or a placeholder."""
    placeholders = task.supervisor.placeholders
    file = placeholders.file_at(status)
    if file is not None:
        return _reopen(task, file, flags)
    if flags & NEVER_WAITS or status.st_dev == placeholders.device:
        return _pass_on(task)
    return open_fifo(task, location, flags)


def _pass_on(task: Tracee) -> Result:
    """Let the host do an open that does not wait. It may be the other end of a FIFO that somebody waits for."""
    if task.supervisor.retries:
        task.supervisor.may_release = True
    return PASS_ON


def _reopen(task: Tracee, file: File, flags: int) -> Result:
    """Open a file of ours through a link in /proc: a new open file description of the same pipe.

    Raises: Errno(ENXIO) for all others, which have no open of their own, Errno(EACCES) since these are root's.
    """
    if not isinstance(file, PipeEnd):
        raise Errno(ENXIO if has_capability(task, CAP_DAC_OVERRIDE) else EACCES)
    nonblock = bool(flags & O_NONBLOCK)
    access = flags & O_ACCMODE
    if access == O_RDONLY:
        new: PipeEnd = PipeReader(file.pipe, nonblock=nonblock)
    elif access == O_WRONLY:
        new = PipeWriter(file.pipe, nonblock=nonblock, packets=bool(flags & O_DIRECT))
    else:
        task.kernel.refuse(task, BOTH_ENDS)
    new.other_flags |= O_LARGEFILE  # which every open sets
    return task.fds.install(new, cloexec=bool(flags & O_CLOEXEC))


def _install(task: Tracee, ours: int, flags: int) -> int:
    """Give the task our open file: the number. Raises: Errno(EMFILE)."""
    supervisor = task.supervisor
    try:
        return notify.add_fd(supervisor.listener, supervisor.notification, ours, 0, cloexec=bool(flags & O_CLOEXEC))
    except OSError as error:
        raise Errno(error.errno or EMFILE) from None
    finally:
        os.close(ours)


@syscall
def readlink(task: Task, path: PathPtr, buf: BufferOut, bufsiz: S32) -> Result:
    """Read where a symbolic link points."""
    return _readlink(cast("Tracee", task), AT_FDCWD, path, buf, bufsiz)


@syscall
def readlinkat(task: Task, dfd: SignedFd, pathname: PathPtr, buf: BufferOut, bufsiz: S32) -> Result:
    """`readlink` relative to the directory `dfd`."""
    return _readlink(cast("Tracee", task), dfd, pathname, buf, bufsiz)


def _readlink(task: Tracee, dfd: int, path_address: int, buf: int, size: int) -> Result:
    """Links in /proc/PID/fd to files of ours show what they are to the program."""
    try:
        path = task.memory.read_string(path_address, PATH_MAX)
    except Errno:
        return PASS_ON
    if size <= 0 or not path[-1:].isdigit():
        return PASS_ON
    text = link_text(task, path, locate(task, dfd, path))
    return PASS_ON if text is None else task.memory.copy_out(buf, text[:size])


@syscall
def chroot(task: Task, filename: PathPtr) -> Result:
    """From now on the task's paths may mean something else than ours."""
    return _moves_root(task)


@syscall
def pivot_root(task: Task, new_root: PathPtr, put_old: PathPtr) -> Result:
    """As `chroot`, with the mounts."""
    return _moves_root(task)


@syscall
def setns(task: Task, fd: Fd, flags: Hex32) -> Result:
    """As `chroot`, if it is a namespace of mounts that is entered; the numbers of System V IPC may mean others, too."""
    return _moves_root(task)


def _moves_root(task: Task) -> Result:
    moved(cast("Tracee", task))
    return PASS_ON
