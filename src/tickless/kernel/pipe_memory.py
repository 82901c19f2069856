"""pipe(7): between the pages of a pipe and a task's memory, which may end before the data does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.kernel.errors import Errno
from tickless.kernel.memory import PAGE_SIZE

if TYPE_CHECKING:
    from tickless.kernel.memory import UserBuffer


def copy_out(dst: UserBuffer, pieces: list[bytes | memoryview]) -> int:
    """Copy to the buffer and return how many pieces are there. Raises: Errno(EFAULT) if not even the first."""
    try:
        dst.copy_out(b"".join(pieces))
    except Errno:
        return _copy_out_singly(dst, pieces)
    return len(pieces)


def _copy_out_singly(dst: UserBuffer, pieces: list[bytes | memoryview]) -> int:
    offset = 0
    for index, piece in enumerate(pieces):
        try:
            offset += dst.copy_out(bytes(piece), offset)
        except Errno:
            if index:
                return index
            raise
    return len(pieces)


def copy_in(src: UserBuffer, length: int, offset: int) -> bytes:
    """Up to `length` bytes: as many whole pages as can be read. Raises: Errno(EFAULT) if not even the first."""
    try:
        return src.copy_in(length, offset)
    except Errno:
        pages: list[bytes] = []
        for start in range(0, length, PAGE_SIZE):
            try:
                pages.append(src.copy_in(min(PAGE_SIZE, length - start), offset + start))
            except Errno:
                break
        return b"".join(pages)
