"""splice(2), tee(2), vmsplice(2): pages of a pipe that go elsewhere without a read or a write. fs/splice.c"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tickless.abi.errno import EAGAIN
from tickless.kernel.errors import Errno
from tickless.kernel.memory import PAGE_SIZE
from tickless.kernel.outcome import Result
from tickless.kernel.pipe_pages import READABLE, WRITABLE, Pipe, Slot, break_pipe
from tickless.kernel.wait_queue import WaitQueue, sleep_until

if TYPE_CHECKING:
    from tickless.kernel.memory import ScatteredBuffer
    from tickless.kernel.task import Task


def splice_pipes(
    task: Task, source: Pipe, target: Pipe, length: int, *, nonblock: bool, move: Callable[[Pipe, Pipe, int], int]
) -> Result:
    """Let `move` take pages from `source` to `target` once there are some, and room: 0 when no writer is left."""

    def attempt() -> int | None:
        if not source.slots and source.writers:
            return None
        # Linux waits for room even at the end of `source`.
        if target.readers and target.is_full:
            return None
        if not target.readers:
            break_pipe(task)
        return move(source, target, length)

    return _attempt_or_sleep(task, (source.read_queue, target.write_queue), attempt, nonblock=nonblock)


def move_pages(source: Pipe, target: Pipe, length: int) -> int:
    """Move up to `length` bytes. A page that goes whole is still written to at its new place. splice(2)"""
    moved, pages = 0, len(source.slots)
    while moved < length and source.slots and not target.is_full:
        slot, wanted = source.slots[0], length - moved
        if len(slot.data) <= wanted:
            target.slots.append(source.slots.popleft())
        else:
            target.slots.append(sealed(slot.data[:wanted], is_packet=slot.is_packet))
            slot.data = slot.data[wanted:]
        moved += len(target.slots[-1].data)
    if moved:
        target.wake_readers()
    if len(source.slots) < pages:
        source.wake_writers()
    return moved


def copy_pages(source: Pipe, target: Pipe, length: int) -> int:
    """Copy up to `length` bytes, which stay in `source`. tee(2)"""
    copied = 0
    for slot in source.slots:
        if copied == length or target.is_full:
            break
        target.slots.append(sealed(slot.data[: length - copied], is_packet=slot.is_packet))
        copied += len(target.slots[-1].data)
    if copied:
        target.wake_readers()
    return copied


def memory_to_pipe(task: Task, source: ScatteredBuffer, pipe: Pipe, *, nonblock: bool) -> Result:
    """Give the pipe pages of the task's, as many as there is room for; each has what was in it at this moment."""

    def attempt() -> int | None:
        if not pipe.readers:
            break_pipe(task)
        return None if pipe.is_full else _fill(pipe, source)

    return _attempt_or_sleep(task, (pipe.write_queue,), attempt, nonblock=nonblock)


def _fill(pipe: Pipe, source: ScatteredBuffer) -> int:
    """Raises: Errno(EFAULT), with nothing moved."""
    moved = 0
    for address, size in _cut_at_pages(source.pieces):
        if pipe.is_full:
            break
        try:
            data = source.memory.copy_in(address, size)
        except Errno:
            if not moved:
                raise
            break
        pipe.slots.append(sealed(data))
        moved += size
    pipe.wake_readers()
    return moved


def _cut_at_pages(pieces: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for address, size in pieces:
        end = address + size
        while address < end:
            length = min(PAGE_SIZE - address % PAGE_SIZE, end - address)
            yield address, length
            address += length


def pipe_to_memory(task: Task, pipe: Pipe, target: ScatteredBuffer, *, nonblock: bool) -> Result:
    """Fill the buffer from the pipe, which packets do not end: 0 when no writer is left."""

    def attempt() -> int | None:
        if not pipe.slots:
            return None if pipe.writers else 0
        copied = _copy_out(pipe, target)
        consume(pipe, copied)
        return copied

    return _attempt_or_sleep(task, (pipe.read_queue,), attempt, nonblock=nonblock)


def _copy_out(pipe: Pipe, target: ScatteredBuffer) -> int:
    """Raises: Errno(EFAULT) if not even the first page can be told."""
    copied = 0
    for slot in pipe.slots:
        if copied == target.size:
            break
        piece = bytes(slot.data[: target.size - copied])
        try:
            copied += target.copy_out(piece, copied)
        except Errno:
            if not copied:
                raise
            break
    return copied


def consume(pipe: Pipe, count: int) -> None:
    """Take `count` bytes out of the pipe; writers are woken when a page has become free."""
    pages = len(pipe.slots)
    while count:
        slot = pipe.slots[0]
        if len(slot.data) > count:
            slot.data = slot.data[count:]
            break
        count -= len(slot.data)
        pipe.slots.popleft()
    if len(pipe.slots) < pages:
        pipe.wake_writers()


def sealed(data: bytes | memoryview, *, is_packet: bool = False) -> Slot:
    """A page that no write adds to: it is somebody else's, too."""
    slot = Slot(data, is_packet=is_packet)
    slot.filled = PAGE_SIZE
    return slot


def _attempt_or_sleep(
    task: Task, queues: tuple[WaitQueue, ...], attempt: Callable[[], int | None], *, nonblock: bool
) -> Result:
    result = attempt()
    if result is not None:
        return result
    if nonblock:
        return -EAGAIN
    return sleep_until(task, queues, attempt, events=READABLE | WRITABLE, looked=True)  # type: ignore[return-value]
