"""splice(2), tee(2), vmsplice(2), sendfile(2), copy_file_range(2): bytes from file to file without the program.

With a pipe or an event file of ours they are refused as Linux refuses files that cannot do it, so that programs read
and write instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import EBADF, EINVAL
from tickless.abi.fcntl import O_RDONLY, O_WRONLY, SPLICE_F_NONBLOCK
from tickless.abi.types import Address, Fd, Hex32, IovecPtr, Size, SpliceFlags
from tickless.kernel.errors import Errno
from tickless.kernel.host_file import HostFile
from tickless.kernel.outcome import PASS_ON, Blocked, PassOn, Result
from tickless.kernel.registry import syscall, unserved

if TYPE_CHECKING:
    from tickless.kernel.registry import Unserved
    from tickless.kernel.task import Task

SPLICE = unserved("TL120", "splice with a pipe", EINVAL)
TEE = unserved("TL121", "tee", EINVAL)
VMSPLICE = unserved("TL122", "vmsplice", EINVAL)
SENDFILE = unserved("TL123", "sendfile with a pipe or an event file", EINVAL)


@syscall
def splice(
    task: Task, fd_in: Fd, off_in: Address, fd_out: Fd, off_out: Address, length: Size, flags: SpliceFlags
) -> Result:
    """The host's between files of its own, once there is something and room for it."""
    return _move(task, SPLICE, fd_in, fd_out, flags)


@syscall
def tee(task: Task, fdin: Fd, fdout: Fd, length: Size, flags: SpliceFlags) -> Result:
    """The host's between FIFOs of its own, as `splice`."""
    return _move(task, TEE, fdin, fdout, flags)


@syscall
def vmsplice(task: Task, fd: Fd, iov: IovecPtr, nr_segs: Size, flags: SpliceFlags) -> Result:
    """The host's to and from FIFOs of its own: which of the two the FIFO's end decides."""
    (file,) = _host_files(task, VMSPLICE, fd)
    return PASS_ON if flags & SPLICE_F_NONBLOCK else file.pass_on(task, fd, EPOLLIN | EPOLLOUT)


@syscall
def sendfile(task: Task, out_fd: Fd, in_fd: Fd, offset: Address, count: Size) -> Result:
    """The host's between files of its own, once the one that is written to has room."""
    _check_directions(task, in_fd, out_fd)
    _, out = _host_files(task, SENDFILE, in_fd, out_fd)
    return out.pass_on(task, out_fd, EPOLLOUT)


@syscall
def copy_file_range(
    task: Task, fd_in: Fd, off_in: Address, fd_out: Fd, off_out: Address, length: Size, flags: Hex32
) -> Result:
    """The host's; Linux itself copies only between regular files."""
    source, target = task.fds.get(fd_in), task.fds.get(fd_out)
    if not (source.host and target.host):
        raise Errno(EINVAL)
    return PASS_ON


def _move(task: Task, refused: Unserved, fd_in: int, fd_out: int, flags: int) -> Result:
    _check_directions(task, fd_in, fd_out)
    source, target = _host_files(task, refused, fd_in, fd_out)
    if flags & SPLICE_F_NONBLOCK:
        return PASS_ON
    readable = source.pass_on(task, fd_in, EPOLLIN)
    if isinstance(readable, int | PassOn):
        return target.pass_on(task, fd_out, EPOLLOUT)
    return _move_later(task, readable, target, fd_out)


def _move_later(task: Task, readable: Blocked, target: HostFile, fd_out: int) -> Blocked:
    answer = yield from readable
    if answer is not PASS_ON:
        return answer
    writable = target.pass_on(task, fd_out, EPOLLOUT)
    return writable if isinstance(writable, int | PassOn) else (yield from writable)


def _check_directions(task: Task, fd_in: int, fd_out: int) -> None:
    """Raises: Errno(EBADF). Of the host's files the host says so."""
    if task.fds.get(fd_in).access_mode == O_WRONLY or task.fds.get(fd_out).access_mode == O_RDONLY:
        raise Errno(EBADF)


def _host_files(task: Task, refused: Unserved, *fds: int) -> list[HostFile]:
    """Raises: Errno(EBADF), Errno(EINVAL) for a file of ours."""
    files = [task.fds.get(fd) for fd in fds]
    of_host = [file for file in files if isinstance(file, HostFile)]
    if len(of_host) < len(files):
        task.kernel.refuse(task, refused)
    return of_host
