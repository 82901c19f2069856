"""fifo(7): an open that waits for the other end.

The host must not wait, so we open the FIFO in the task's place, without waiting, and hand the open file over when the
other end has been opened. A reader counts as one for the host from the start; a writer only when there is a reader,
which somebody outside who waits for a writer notices when we next look.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.errno import EAGAIN, ENXIO
from tickless.abi.fcntl import O_ACCMODE, O_APPEND, O_CLOEXEC, O_NOATIME, O_NONBLOCK, O_RDONLY, SPLICE_F_NONBLOCK
from tickless.abi.numbers import number_of
from tickless.host import notify
from tickless.host.namespaces import as_user_of
from tickless.kernel.errors import Errno

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee
    from tickless.kernel.outcome import Blocked, Result

_libc = ctypes.PyDLL(None, use_errno=True)
_TEE = ctypes.c_long(number_of(ARCH, "tee") or 0)
# What the open file keeps of the flags of its open.
KEPT_FLAGS = O_ACCMODE | O_APPEND | O_NOATIME


def open_fifo(task: Tracee, location: bytes, flags: int) -> Result:
    """Open the FIFO at `location` for reading or for writing: the new number, now or when the other end is open."""
    opening = _Opening(task, location, flags)
    # A parked open for the other end can go on now.
    task.supervisor.retries.look()
    error = opening.attempt()
    if error is None:
        return _finish_later(task, opening)
    try:
        return opening.finish(error)
    finally:
        opening.close()


def _finish_later(task: Tracee, opening: _Opening) -> Blocked:
    try:
        error = yield from task.supervisor.retries.sleep_until(task, opening.attempt)
        assert error is not None, "an open without a deadline"
        return opening.finish(error)
    finally:
        opening.close()


class _Opening:
    """One open of a FIFO that waits for the other end."""

    def __init__(self, task: Tracee, location: bytes, flags: int) -> None:
        """Raises: Errno, for what the task may not open."""
        self.task = task
        self.flags = flags
        self.is_reader = flags & O_ACCMODE == O_RDONLY
        self.end = -1  # our open file, that the task is to have; a writer has one only when there is a reader
        # The inode, whatever happens to its name meanwhile.
        self.inode = -1
        try:
            with as_user_of(task):
                self.inode = os.open(location, os.O_PATH | os.O_CLOEXEC)
                if self.is_reader:
                    self.end = self._open()
        except OSError as error:
            self.close()
            raise Errno(error.errno or ENXIO) from None

    def attempt(self) -> int | None:
        """0 when the other end has been opened, -errno if it cannot be, else None."""
        if self.is_reader:
            return 0 if _had_writer(self.end) else None
        if self.end < 0:
            try:
                with as_user_of(self.task):
                    self.end = self._open()
            except OSError as error:
                return None if error.errno == ENXIO else -(error.errno or ENXIO)
        return 0

    def finish(self, error: int) -> int:
        """Give the task its open file: the number. Raises: Errno(EMFILE)."""
        if error:
            return error
        supervisor = self.task.supervisor
        fcntl.fcntl(self.end, fcntl.F_SETFL, self.flags & KEPT_FLAGS)
        supervisor.may_release = True  # a reader that waits for this writer can go on
        try:
            return notify.add_fd(
                supervisor.listener,
                supervisor.notification,
                self.end,
                0,
                cloexec=bool(self.flags & O_CLOEXEC),
            )
        except OSError as refusal:
            raise Errno(refusal.errno or ENXIO) from None

    def close(self) -> None:
        for fd in (self.inode, self.end):
            if fd >= 0:
                os.close(fd)

    def _open(self) -> int:
        return os.open(f"/proc/self/fd/{self.inode}", self.flags & KEPT_FLAGS | O_NONBLOCK | O_CLOEXEC)


def _had_writer(read_end: int) -> bool:
    """Whether a FIFO has been opened for writing since `read_end` was opened, even if it is closed again."""
    poll = select.poll()
    poll.register(read_end, select.POLLIN)
    return bool(poll.poll(0)) or has_writer(read_end)


def has_writer(read_end: int) -> bool:
    """Whether an empty FIFO is open for writing: only then tee(2) would wait for data."""
    scratch_read, scratch_write = os.pipe()
    try:
        copied = _libc.syscall(_TEE, read_end, scratch_write, ctypes.c_size_t(1), SPLICE_F_NONBLOCK)
        return copied > 0 or (copied < 0 and ctypes.get_errno() == EAGAIN)
    finally:
        os.close(scratch_read)
        os.close(scratch_write)
