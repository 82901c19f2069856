"""File descriptors: a protocol that the host implements for real programs, and the kernel's own table without one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tickless.abi.errno import EBADF, EINVAL, EMFILE
from tickless.abi.fcntl import CLOSE_RANGE_CLOEXEC, FD_CLOEXEC
from tickless.kernel.errors import Errno

if TYPE_CHECKING:
    from tickless.kernel.file import File
    from tickless.kernel.host_file import HostReadiness
    from tickless.kernel.outcome import Result
    from tickless.kernel.task import Task


class FdTable(Protocol):
    """The open files of one or more tasks, by number."""

    host: HostReadiness | None  # how host files are asked and watched; None where there are none
    files: dict[int, File]  # by number, as far as they are known

    def get(self, fd: int, /) -> File:
        """The open file description that `fd` names. Raises: Errno(EBADF)."""

    def install(self, file: File, *, cloexec: bool) -> int:
        """Give `file` the lowest free number. Raises: Errno(EMFILE)."""

    def check_room(self, task: Task, count: int) -> None:
        """Raises: Errno(EMFILE) if fewer than `count` numbers are free."""

    def limit_of(self, task: Task) -> int:
        """How many open files the task may have: its soft RLIMIT_NOFILE. getrlimit(2)."""

    def names(self, fd: int, file: File) -> bool:
        """Whether `fd` names `file` now: another thread may have closed or reused it."""

    def close(self, fd: int) -> Result:
        """Drop a number. Raises: Errno(EBADF). close(2)."""

    def duplicate(self, fd: int, lowest: int, *, cloexec: bool) -> Result:
        """Give the file of `fd` the lowest free number from `lowest` on. dup(2), F_DUPFD."""

    def replace(self, fd: int, new: int, *, cloexec: bool) -> Result:
        """Let `new` name the file of `fd`, closing what it named before. dup3(2)."""

    def close_range(self, first: int, last: int, flags: int) -> Result:
        """close_range(2)."""

    def fd_flags(self, fd: int) -> Result:
        """F_GETFD."""

    def set_fd_flags(self, fd: int, flags: int) -> Result:
        """F_SETFD."""


class OwnFdTable:
    """The kernel's own fd table: lowest number first, close-on-exec, RLIMIT_NOFILE."""

    def __init__(self, limit: int = 1024) -> None:
        self.host: HostReadiness | None = None
        self.limit = limit  # RLIMIT_NOFILE
        self.files: dict[int, File] = {}
        self.cloexec: set[int] = set()

    def get(self, fd: int) -> File:
        file = self.files.get(fd)
        if file is None:
            raise Errno(EBADF)
        return file

    def install(self, file: File, *, cloexec: bool) -> int:
        return self.install_from(0, file, cloexec=cloexec)

    def install_from(self, lowest: int, file: File, *, cloexec: bool) -> int:
        """Give `file` the lowest free number from `lowest` on. Raises: Errno(EMFILE)."""
        fd = next((fd for fd in range(lowest, self.limit) if fd not in self.files), None)
        if fd is None:
            raise Errno(EMFILE)
        self._put(fd, file, cloexec=cloexec)
        return fd

    def duplicate(self, fd: int, lowest: int, *, cloexec: bool) -> int:
        """Raises: Errno(EBADF), Errno(EINVAL) for a `lowest` out of reach, Errno(EMFILE)."""
        file = self.get(fd)
        if lowest >= self.limit:
            raise Errno(EINVAL)
        return self.install_from(lowest, file, cloexec=cloexec)

    def replace(self, fd: int, new: int, *, cloexec: bool) -> int:
        """Raises: Errno(EBADF)."""
        file = self.get(fd)
        if new >= self.limit:
            raise Errno(EBADF)
        old = self.files.get(new)
        self._put(new, file, cloexec=cloexec)
        if old is not None:
            self._drop(old)
        return new

    def close(self, fd: int) -> int:
        """Drop a number; the last reference releases the file. Raises: Errno(EBADF). close(2)."""
        file = self.get(fd)
        del self.files[fd]
        self.cloexec.discard(fd)
        self._drop(file)
        return 0

    def close_range(self, first: int, last: int, flags: int) -> int:
        for fd in sorted(fd for fd in self.files if first <= fd <= last):
            if flags & CLOSE_RANGE_CLOEXEC:
                self.cloexec.add(fd)
            else:
                self.close(fd)
        return 0

    def fd_flags(self, fd: int) -> int:
        self.get(fd)
        return FD_CLOEXEC if fd in self.cloexec else 0

    def set_fd_flags(self, fd: int, flags: int) -> int:
        self.get(fd)
        self._mark(fd, cloexec=bool(flags & FD_CLOEXEC))
        return 0

    def check_room(self, task: Task, count: int) -> None:
        if sum(fd < self.limit for fd in self.files) + count > self.limit:
            raise Errno(EMFILE)

    def limit_of(self, task: Task) -> int:
        return self.limit

    def names(self, fd: int, file: File) -> bool:
        return self.files.get(fd) is file

    def forked(self) -> OwnFdTable:
        """A copy that names the same open file descriptions. fork(2)."""
        copy = OwnFdTable(self.limit)
        for fd, file in self.files.items():
            copy._put(fd, file, cloexec=fd in self.cloexec)
        return copy

    def exec(self) -> None:
        """execve(2): what is close-on-exec goes."""
        for fd in tuple(self.cloexec):
            self.close(fd)

    def close_all(self) -> None:
        """The last task that used the table has gone."""
        for fd in tuple(self.files):
            self.close(fd)

    def _put(self, fd: int, file: File, *, cloexec: bool) -> None:
        self.files[fd] = file
        file.references += 1
        self._mark(fd, cloexec=cloexec)

    def _mark(self, fd: int, *, cloexec: bool) -> None:
        if cloexec:
            self.cloexec.add(fd)
        else:
            self.cloexec.discard(fd)

    def _drop(self, file: File) -> None:
        file.references -= 1
        if file.references == 0:
            file.let_go()
