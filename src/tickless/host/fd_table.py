"""The fd table of real tasks. The host is the truth; this remembers which number is which file, filled when asked.

A number that was found open stays known: opens are untrapped, but only close, dup2, dup3, close_range, exec and unshare
change what a number means. A closed number is never remembered.
"""

from __future__ import annotations

import errno
import os
import resource
from typing import TYPE_CHECKING

from tickless.abi.errno import EBADF
from tickless.host import notify, pinned
from tickless.host.host_files import Kind, TaskFiles, is_made_up, is_mere_path, kind_of
from tickless.kernel.errors import Errno
from tickless.kernel.host_file import HostFile, MerePath
from tickless.kernel.outcome import PASS_ON, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickless.host.supervisor import Supervisor
    from tickless.kernel.file import File
    from tickless.kernel.host_file import HostReadiness
    from tickless.kernel.task import Task

# The limit that a program has unless somebody raised or lowered it.
FEWEST_FILES = 1024
PLAIN = HostFile(pollable=False)
POLLABLE = HostFile(pollable=True)
LOG = HostFile(pollable=True, never_full=True)


class _Files(dict[int, "File"]):
    """Files by number; one that is asked for and missing is looked up."""

    def __init__(self, look_up: Callable[[int], File]) -> None:
        super().__init__()
        self._look_up = look_up

    def __missing__(self, fd: int) -> File:
        return self._look_up(fd)


class HostFdTable:
    """The open files of the tasks that share a table."""

    def __init__(self, supervisor: Supervisor, tid: int) -> None:
        self.supervisor = supervisor
        self.host: HostReadiness | None = supervisor.readiness
        self.tids = [tid]  # the tasks that share it, the oldest first; any of them shows it in /proc
        self.files: dict[int, File] = _Files(self._look_up)
        # The dictionary's own method: nearly every call asks for a file.
        self.get: Callable[[int], File] = self.files.__getitem__
        self._task_files: TaskFiles | None = None  # opened when first needed, by way of tids[0]

    def install(self, file: File, *, cloexec: bool) -> int:
        supervisor = self.supervisor
        placeholder = supervisor.placeholders.make(file, writable=file.is_write_end)
        try:
            fd = notify.add_fd(supervisor.listener, supervisor.notification, placeholder, 0, cloexec=cloexec)
        except OSError as error:
            supervisor.may_release = True  # nobody has it
            raise Errno(error.errno or errno.EMFILE) from None
        finally:
            os.close(placeholder)
        self.files[fd] = file
        return fd

    def check_room(self, task: Task, count: int) -> None:
        limit, folder = self.limit_of(task), f"/proc/{task.tid}/fd"
        try:
            opened = os.stat(folder).st_size  # how many there are, from Linux 6.2 on
            if not opened or opened + count > limit:
                opened = sum(int(name) < limit for name in os.listdir(folder))
        except OSError:  # it dies, or does not let us look
            return
        if opened + count > limit:
            raise Errno(errno.EMFILE)

    def limit_of(self, task: Task) -> int:
        try:
            return resource.prlimit(task.tid, resource.RLIMIT_NOFILE)[0]
        except OSError:  # it dies, or has another user's privileges
            return FEWEST_FILES

    def names(self, fd: int, file: File) -> bool:
        return self.files.get(fd) is file

    def close(self, fd: int) -> Result:
        return self._changed(fd)

    def duplicate(self, fd: int, lowest: int, *, cloexec: bool) -> Result:
        return PASS_ON

    def replace(self, fd: int, new: int, *, cloexec: bool) -> Result:
        return self._changed(new)

    def close_range(self, first: int, last: int, flags: int) -> Result:
        for fd in [fd for fd in self.files if first <= fd <= last]:
            del self.files[fd]
        self.supervisor.may_release = True
        self.supervisor.idle.collecting.note_close()
        return PASS_ON

    def fd_flags(self, fd: int) -> Result:
        return PASS_ON

    def set_fd_flags(self, fd: int, flags: int) -> Result:
        return PASS_ON

    def status(self, fd: int) -> os.stat_result:
        """What the host says of the number. Raises: Errno(EBADF)."""
        try:
            return os.stat(f"/proc/{self.tids[0]}/fd/{fd}")
        except OSError:
            raise Errno(EBADF) from None

    def still_names(self, fd: int, ours: int) -> bool:
        """Whether the number names the file that `ours` is a duplicate of."""
        try:
            return pinned.same_file(ours, self.status(fd))
        except Errno:
            return False

    def task_files(self) -> TaskFiles:
        """The table as the host has it."""
        if self._task_files is None:
            self._task_files = TaskFiles(self.tids[0])
        return self._task_files

    def forked(self, tid: int) -> HostFdTable:
        """The copy that clone(2) made for `tid` without CLONE_FILES."""
        copy = HostFdTable(self.supervisor, tid)
        copy.files.update(self.files)
        return copy

    def join(self, tid: int) -> None:
        """One more task shares the table: CLONE_FILES."""
        self.tids.append(tid)

    def leave(self, tid: int) -> None:
        """A task has died, or has a table of its own now."""
        if tid == self.tids[0] and self._task_files is not None:
            self._task_files.close()
            self._task_files = None
        self.tids.remove(tid)

    def _look_up(self, fd: int) -> File:
        status = self.status(fd)
        file = self.supervisor.placeholders.file_at(status)
        if file is None:
            file = self._host_file(fd, status)
        elif self._is_mere_path(fd):
            file = MerePath(file)
        self.files[fd] = file
        return file

    def _is_mere_path(self, fd: int) -> bool:
        return is_mere_path(f"/proc/{self.tids[0]}/fd/{fd}")

    def _host_file(self, fd: int, status: os.stat_result) -> HostFile:
        kind = kind_of(status)
        if (kind is Kind.PLAIN and not self._tells_of_changes(fd, status)) or self._is_mere_path(fd):
            return PLAIN
        return LOG if kind is Kind.LOG else POLLABLE

    def _tells_of_changes(self, fd: int, status: os.stat_result) -> bool:
        """Whether what looks like a file on disk is one that the host makes up, and that can be polled."""
        return is_made_up(status) and self.task_files().is_pollable(fd)

    def _changed(self, fd: int) -> Result:
        """The host is about to change what a number means; the last reference to a file may go."""
        self.files.pop(fd, None)
        self.supervisor.may_release = True
        self.supervisor.idle.collecting.note_close()
        return PASS_ON
