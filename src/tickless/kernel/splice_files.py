"""splice(2), tee(2), sendfile(2): bytes between a pipe and a file of a host."""

from __future__ import annotations

from collections.abc import Callable, Generator
from itertools import islice
from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.errno import EAGAIN, EBADF, EINVAL, ESPIPE
from tickless.abi.fcntl import O_NONBLOCK, O_RDONLY, O_WRONLY, PIPE_DEF_BUFFERS, SPLICE_F_MORE, SPLICE_F_NONBLOCK
from tickless.kernel.errors import Errno
from tickless.kernel.host_file import HostFile
from tickless.kernel.memory import PAGE_SIZE
from tickless.kernel.outcome import Blocked, Result
from tickless.kernel.pipe import PipeEnd
from tickless.kernel.pipe_pages import Pipe, break_pipe
from tickless.kernel.splice import consume, copy_pages, move_pages, sealed, splice_pipes

if TYPE_CHECKING:
    from tickless.kernel.file import File
    from tickless.kernel.host_file import HostSource, HostTarget
    from tickless.kernel.task import Task
    from tickless.kernel.wait_queue import WaitQueue

OFFSET = Struct("<q")


class End:
    """One file of a splice: a pipe of ours, a FIFO of the host, or another file."""

    def __init__(self, task: Task, fd: int, offset_address: int = 0) -> None:
        self.file = task.fds.get(fd)
        self.fd = fd
        self.offset_address = offset_address  # 0 for the file's own offset
        self.status = self.file.status(task, fd) if isinstance(self.file, HostFile) else None

    @property
    def is_pipe(self) -> bool:
        return isinstance(self.file, PipeEnd) or (self.status is not None and self.status.is_fifo)

    @property
    def nonblock(self) -> bool:
        """O_NONBLOCK of a pipe; that of other files the host looks at."""
        if isinstance(self.file, PipeEnd):
            return self.file.nonblock
        return self.status is not None and self.status.is_fifo and bool(self.status.flags & O_NONBLOCK)

    def offset(self, task: Task) -> int | None:
        """Raises: Errno(ESPIPE), Errno(EFAULT)."""
        if not self.offset_address:
            return None
        if self.is_pipe:
            raise Errno(ESPIPE)
        (offset,) = OFFSET.unpack(task.memory.copy_in(self.offset_address, OFFSET.size))
        return int(offset)


def splice_ends(task: Task, source: End, target: End, length: int, flags: int) -> Result:
    """splice(2) where one of the two is a pipe of ours. Raises: Errno."""
    source_offset, target_offset = source.offset(task), target.offset(task)
    check_directions(source.file, target.file)
    nonblock = bool(flags & SPLICE_F_NONBLOCK) or source.nonblock or target.nonblock
    if isinstance(source.file, PipeEnd) and isinstance(target.file, PipeEnd):
        return _between_pipes(task, source.file, target.file, length, move_pages, nonblock=nonblock)
    if isinstance(source.file, PipeEnd):
        more = bool(flags & SPLICE_F_MORE)
        file = _of_host(target).splice_to(task, target.fd, target_offset, nonblock=nonblock, more=more)
        moving = _pipe_to_file(task, source.file.pipe, file, length, nonblock=nonblock)
        return _and_tell_offset(task, target, target_offset, moving)
    assert isinstance(target.file, PipeEnd), "neither is a pipe of ours"
    from_file = _of_host(source).splice_from(task, source.fd, source_offset, call="splice", nonblock=nonblock)
    moving = _file_to_pipe(task, from_file, target.file.pipe, length, nonblock=nonblock)
    return _and_tell_offset(task, source, source_offset, moving)


def tee_ends(task: Task, source: End, target: End, length: int, flags: int) -> Result:
    """tee(2) where one of the two is a pipe of ours. Raises: Errno."""
    check_directions(source.file, target.file)
    if not (source.is_pipe and target.is_pipe):
        raise Errno(EINVAL)
    nonblock = bool(flags & SPLICE_F_NONBLOCK) or source.nonblock or target.nonblock
    if isinstance(source.file, PipeEnd) and isinstance(target.file, PipeEnd):
        return _between_pipes(task, source.file, target.file, length, copy_pages, nonblock=nonblock)
    if isinstance(source.file, PipeEnd):
        fifo = _of_host(target).splice_to(task, target.fd, None, nonblock=nonblock, more=False)
        return _copy_to_fifo(task, source.file.pipe, fifo, length, nonblock=nonblock)
    assert isinstance(target.file, PipeEnd), "neither is a pipe of ours"
    from_fifo = _of_host(source).splice_from(task, source.fd, None, call="tee", nonblock=nonblock)
    return _file_to_pipe(task, from_fifo, target.file.pipe, length, nonblock=nonblock)


def sendfile_to_pipe(task: Task, source: End, offset: int | None, target: PipeEnd, count: int) -> Result:
    """sendfile(2), once the pipe has room. Raises: Errno."""
    file = _of_host(source).splice_from(task, source.fd, offset, call="sendfile", nonblock=False)
    moving = _file_to_pipe(task, file, target.pipe, count, nonblock=target.nonblock)
    return _and_tell_offset(task, source, offset, moving)


def check_directions(source: File, target: File) -> None:
    """Raises: Errno(EBADF). Of the host's files the host says so."""
    if source.access_mode == O_WRONLY or target.access_mode == O_RDONLY:
        raise Errno(EBADF)


def _of_host(end: End) -> HostFile:
    """Raises: Errno(EINVAL) for an event file, as Linux does."""
    if not isinstance(end.file, HostFile):
        raise Errno(EINVAL)
    return end.file


def _between_pipes(
    task: Task,
    source: PipeEnd,
    target: PipeEnd,
    length: int,
    move: Callable[[Pipe, Pipe, int], int],
    *,
    nonblock: bool,
) -> Result:
    """Raises: Errno(EINVAL) for the two ends of one pipe."""
    if source.pipe is target.pipe:
        raise Errno(EINVAL)
    return splice_pipes(task, source.pipe, target.pipe, length, nonblock=nonblock, move=move)


def _and_tell_offset(task: Task, end: End, offset: int | None, moving: Blocked) -> Blocked:
    """The offset that was given is moved, in place of the file's own."""
    moved = yield from moving
    if offset is not None and isinstance(moved, int):
        task.memory.copy_out(end.offset_address, OFFSET.pack(offset + moved))
    return moved


def _file_to_pipe(task: Task, source: HostSource, pipe: Pipe, length: int, *, nonblock: bool) -> Blocked:
    """Fill the pipe once it has room, with what the file has, or what it gets to give."""

    def has_room() -> int | None:
        if not pipe.readers:
            break_pipe(task)
        return None if pipe.is_full else 0

    try:
        while True:
            yield from _wait(task, pipe.write_queue, has_room, nonblock=nonblock)
            data = source.take(min(length, (pipe.capacity - len(pipe.slots)) * PAGE_SIZE))
            if data is not None:
                break
            yield from source.sleep()
    finally:
        source.close()
    pipe.slots.extend(sealed(data[start : start + PAGE_SIZE]) for start in range(0, len(data), PAGE_SIZE))
    if data:
        pipe.wake_readers()
    return len(data)


def _pipe_to_file(task: Task, pipe: Pipe, target: HostTarget, length: int, *, nonblock: bool) -> Blocked:
    """Give the file what is in the pipe, waiting for the first of it only: 0 when no writer is left."""
    moved = 0
    try:
        while moved < length and (pipe.slots or not moved):
            yield from _wait_for_bytes(task, pipe, nonblock=nonblock)
            count = target.put(_first_bytes(pipe, length - moved)) if pipe.slots else 0
            if count is None:
                # A FIFO is a pipe, too: what has moved is enough.
                if moved and target.is_fifo:
                    break
                yield from target.sleep()
                continue
            consume(pipe, count)
            moved += count
            if not count:
                break
    except Errno:
        if not moved:
            raise
    finally:
        target.close()
    return moved


def _copy_to_fifo(task: Task, pipe: Pipe, target: HostTarget, length: int, *, nonblock: bool) -> Blocked:
    try:
        while True:
            yield from _wait_for_bytes(task, pipe, nonblock=nonblock)
            count = target.put(_first_bytes(pipe, length)) if pipe.slots else 0
            if count is not None:
                return count
            yield from target.sleep()
    finally:
        target.close()


def _wait_for_bytes(task: Task, pipe: Pipe, *, nonblock: bool) -> Generator[None, None, None]:
    """Return at the end, too."""
    return _wait(task, pipe.read_queue, lambda: 0 if pipe.slots or not pipe.writers else None, nonblock=nonblock)


def _wait(
    task: Task, queue: WaitQueue, condition: Callable[[], int | None], *, nonblock: bool
) -> Generator[None, None, None]:
    """Raises: Errno(EAGAIN) with `nonblock`."""
    if condition() is None:
        if nonblock:
            raise Errno(EAGAIN)
        yield from queue.sleep_signalable_until(task, condition)


def _first_bytes(pipe: Pipe, limit: int) -> bytes:
    """As much as Linux gives to a file or a socket at once."""
    return b"".join(slot.data for slot in islice(pipe.slots, PIPE_DEF_BUFFERS))[:limit]
