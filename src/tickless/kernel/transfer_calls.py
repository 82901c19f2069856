"""splice(2), tee(2), vmsplice(2), sendfile(2), copy_file_range(2): bytes from file to file without the program.

With a pipe or an event file of ours they are refused as Linux refuses files that cannot do it, so that programs read
and write instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.epoll import EPOLLOUT
from tickless.abi.errno import EINVAL
from tickless.abi.types import Address, Fd, Hex32, IovecPtr, Size, SpliceFlags
from tickless.kernel.errors import Errno
from tickless.kernel.host_file import HostFile
from tickless.kernel.outcome import PASS_ON, Result
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
    """The host's between files of its own."""
    return _host_only(task, SPLICE, fd_in, fd_out)


@syscall
def tee(task: Task, fdin: Fd, fdout: Fd, length: Size, flags: SpliceFlags) -> Result:
    """The host's between FIFOs of its own."""
    return _host_only(task, TEE, fdin, fdout)


@syscall
def vmsplice(task: Task, fd: Fd, iov: IovecPtr, nr_segs: Size, flags: SpliceFlags) -> Result:
    """The host's to and from FIFOs of its own."""
    return _host_only(task, VMSPLICE, fd)


@syscall
def sendfile(task: Task, out_fd: Fd, in_fd: Fd, offset: Address, count: Size) -> Result:
    """The host's between files of its own, once the one that is written to has room."""
    _host_only(task, SENDFILE, in_fd, out_fd)
    out = task.fds.get(out_fd)
    assert isinstance(out, HostFile), "only the host's files are left"
    return out.pass_on(task, out_fd, EPOLLOUT)


@syscall
def copy_file_range(
    task: Task, fd_in: Fd, off_in: Address, fd_out: Fd, off_out: Address, length: Size, flags: Hex32
) -> Result:
    """The host's; Linux itself copies only between regular files."""
    if not (task.fds.get(fd_in).host and task.fds.get(fd_out).host):
        raise Errno(EINVAL)
    return PASS_ON


def _host_only(task: Task, refused: Unserved, *fds: int) -> Result:
    """Raises: Errno(EBADF), Errno(EINVAL) for a file of ours."""
    files = [task.fds.get(fd) for fd in fds]
    if not all(file.host for file in files):
        task.kernel.refuse(task, refused)
    return PASS_ON
