"""What a program holds in place of a virtual file: one end of a host pipe, whose other end we keep.

The host then counts references for us. When the last one goes, anywhere (close, exec, exit, a message lost in
flight), our end reports EPOLLHUP or EPOLLERR, before the closing task makes its next call. Both ends have one inode, so
the inode of an fd names its open file description by whatever road the fd came.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import select
from typing import TYPE_CHECKING

from tickless.host.master import Master
from tickless.host.shortage import most_numbers

if TYPE_CHECKING:
    from tickless.kernel.file import File

# A page, the smallest a pipe can be. Beyond 1,024 full-sized ones an ordinary user's pipes shrink, other programs' too.
CAPACITY = 4096


class Placeholders:
    """All placeholders of a run: inode <-> open file description."""

    def __init__(self, master: Master) -> None:
        self._files: dict[int, File] = {}  # by inode
        self._inodes: dict[File, int] = {}
        self._kept: dict[int, int] = {}  # our end -> inode
        self.device = _device_of_pipes()  # a FIFO of another file system may have an inode of ours
        # An epoll of its own, so that draining last closes never runs what else the master watches.
        self._last_closes = select.epoll()
        self._most_numbers = most_numbers()
        self._master = master
        master.register(self._last_closes.fileno(), select.EPOLLIN, lambda _: self.drain())

    def __len__(self) -> int:
        return len(self._files)

    def make(self, file: File, *, writable: bool) -> int:
        """Return an fd for the program to hold, close-on-exec; the caller closes it when the program has it.

        `writable` says which end of the pipe that is: the write end of a virtual pipe has to be a write end to /proc.
        OSError: EMFILE when we have no more numbers ourselves.
        """
        read_end, write_end = os.pipe()
        if write_end >= self._most_numbers:
            os.close(read_end)
            os.close(write_end)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        handed, kept = (write_end, read_end) if writable else (read_end, write_end)
        fcntl.fcntl(kept, fcntl.F_SETPIPE_SZ, CAPACITY)
        status = os.fstat(kept)
        inode = status.st_ino
        self._files[inode] = file
        self._inodes[file] = inode
        self._kept[kept] = inode
        self._last_closes.register(kept, 0)  # EPOLLHUP and EPOLLERR need no asking
        return handed

    def file_of(self, inode: int) -> File | None:
        """Return the description that a pipe's inode names, None for a pipe of the host."""
        return self._files.get(inode)

    def file_at(self, status: os.stat_result) -> File | None:
        """Return the description behind what stat(2) says of an fd in a task, None for a file of the host."""
        return self._files.get(status.st_ino) if status.st_dev == self.device else None

    def inode_of(self, file: File) -> int:
        """Return the inode of a description that is still referred to. Raises: KeyError."""
        return self._inodes[file]

    def drain(self) -> None:
        """Release each description whose last reference has gone. A release may make others go, as an epoll's does."""
        while events := self._last_closes.poll(0):
            for kept, _ in events:
                os.close(kept)  # which takes it out of the epoll, too
                file = self._files.pop(self._kept.pop(kept))
                del self._inodes[file]
                file.let_go()

    def close(self) -> None:
        """End of the run: give up our ends without releasing anything."""
        self._master.unregister(self._last_closes.fileno())
        self._last_closes.close()
        for kept in self._kept:
            os.close(kept)
        self._files.clear()
        self._inodes.clear()
        self._kept.clear()


def _device_of_pipes() -> int:
    """The file system of all pipes without a name."""
    read_end, write_end = os.pipe()
    os.close(write_end)
    try:
        return os.fstat(read_end).st_dev
    finally:
        os.close(read_end)


def raise_descriptor_limit() -> None:
    """Let the supervisor, which keeps an fd for each placeholder, have as many as it may.

    What is launched later gets the limits that tickless inherited: `Inherited.open_files`.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
