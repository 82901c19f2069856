"""stat(2), statx(2), chmod(2): what our files, which have no name, show of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.errno import EINVAL, ENOTDIR, EOPNOTSUPP
from tickless.abi.fcntl import AT_EMPTY_PATH, AT_FDCWD, AT_STATX_SYNC_TYPE
from tickless.abi.stat import makedev, pack_stat, pack_statx
from tickless.abi.time import CLOCK_REALTIME
from tickless.abi.types import Address, AtFlags, Fd, Mode, PathPtr, SignedFd, StatxMask
from tickless.kernel.errors import Errno
from tickless.kernel.host_file import MerePath
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.pipe import PipeEnd
from tickless.kernel.registry import ArgumentTest, syscall

if TYPE_CHECKING:
    from tickless.kernel.file import File
    from tickless.kernel.task import Task

STATX_RESERVED = 0x80000000
PERMISSIONS = 0o7777


@syscall
def fstat(task: Task, fd: Fd, statbuf: Address) -> Result:
    """A struct stat: a pipe is a FIFO, an event file is of no type at all."""
    file = _looked_at(task, fd)
    if file.host:
        return PASS_ON
    task.memory.copy_out(statbuf, pack_stat(**_status_of(task, file)))
    return 0


@syscall(when=ArgumentTest(register=3, mask=AT_EMPTY_PATH))
def newfstatat(task: Task, dfd: SignedFd, filename: PathPtr, statbuf: Address, flag: AtFlags) -> Result:
    """`fstat` of `dfd` if the path is empty, with AT_EMPTY_PATH."""
    file = _file_of_empty_path(task, dfd, filename, flag)
    if file is None:
        return PASS_ON
    task.memory.copy_out(statbuf, pack_stat(**_status_of(task, file)))
    return 0


@syscall(when=ArgumentTest(register=2, mask=AT_EMPTY_PATH))
def statx(task: Task, dfd: SignedFd, filename: PathPtr, flags: AtFlags, mask: StatxMask, buffer: Address) -> Result:
    """`newfstatat` with more fields; all that we know are given, whatever is asked for."""
    file = _file_of_empty_path(task, dfd, filename, flags)
    if file is None:
        return PASS_ON
    if mask & STATX_RESERVED or flags & AT_STATX_SYNC_TYPE == AT_STATX_SYNC_TYPE:
        raise Errno(EINVAL)
    task.memory.copy_out(buffer, pack_statx(**_status_of(task, file)))
    return 0


@syscall
def fchmod(task: Task, fd: Fd, mode: Mode) -> Result:
    """Change a pipe's permissions, which both ends show. An event file has none of its own, since Linux 6.16."""
    file = task.fds.get(fd)
    if file.host:
        return PASS_ON
    if not isinstance(file, PipeEnd):
        raise Errno(EOPNOTSUPP)
    file.pipe.permissions = mode & PERMISSIONS
    return 0


def _file_of_empty_path(task: Task, dfd: int, filename: int, flags: int) -> File | None:
    """The file of ours that is meant; None if it is the host's. Raises: Errno(EBADF), Errno(ENOTDIR)."""
    if not flags & AT_EMPTY_PATH or dfd == AT_FDCWD:
        return None
    file = _looked_at(task, dfd & 0xFFFFFFFF)
    if file.host:
        return None
    if filename:
        first = task.memory.copy_in(filename, 1)
        if first == b"/":
            return None
        if first != b"\0":
            raise Errno(ENOTDIR)
    return file


def _looked_at(task: Task, fd: int) -> File:
    """The file behind `fd`, also of a number of O_PATH. Raises: Errno(EBADF)."""
    file = task.fds.get(fd)
    return file.file if isinstance(file, MerePath) else file


def _status_of(task: Task, file: File) -> dict[str, int]:
    clock = task.kernel.clock
    host = task.kernel.host
    return {
        "mode": file.mode,
        "ino": file.inode,
        "dev": makedev(0, file.device),
        # All event files share one inode, which is root's.
        "uid": host.real_uid(task) if host is not None and isinstance(file, PipeEnd) else 0,
        # When the run began; Linux shows when the pipe was made, or the system started.
        "time_ns": clock.read(CLOCK_REALTIME) - (clock.now_ns - clock.start_ns),
    }
