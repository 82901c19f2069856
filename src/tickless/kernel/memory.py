"""Task memory: a protocol that the host implements for real programs, and the kernel's own bytes without one."""

from collections.abc import Hashable
from struct import Struct
from typing import Protocol

from tickless.abi.errno import EFAULT, EINVAL
from tickless.kernel.errors import Errno

IOVEC = Struct("QQ")
UIO_MAXIOV = 1024
PAGE_SIZE = 4096
# No process has memory from here on: refused before anything else is looked at. access_ok() of Linux.
USER_SPACE_END = 1 << 56


class Memory(Protocol):
    """An address space, shared by the tasks that share memory."""

    def copy_in(self, address: int, length: int) -> bytes:
        """Read exactly `length` bytes. Raises: Errno(EFAULT) where Linux faults."""

    def copy_out(self, address: int, data: bytes) -> int:
        """Write all of `data`, return its length. Raises: Errno(EFAULT) where Linux faults."""

    def shared_key(self, address: int) -> Hashable:
        """What all mappings of the word at `address` have in common, for shared futexes. futex(7).

        (inode, offset) of a file or of shared memory; (memory, address) of a private mapping. Raises: Errno(EFAULT).
        """


class OwnMemory:
    """The kernel's own address space: `size` bytes from address `base` on, allocated by `allocate`."""

    def __init__(self, size: int = 1 << 20, base: int = 0x10000) -> None:
        self.base = base
        self.bytes = bytearray(size)
        self.used = 0  # 0 .. size

    def copy_in(self, address: int, length: int) -> bytes:
        start = self._offset(address, length)
        return bytes(self.bytes[start : start + length])

    def copy_out(self, address: int, data: bytes) -> int:
        start = self._offset(address, len(data))
        self.bytes[start : start + len(data)] = data
        return len(data)

    def shared_key(self, address: int) -> Hashable:
        self._offset(address, 4)
        return self, address

    def allocate(self, length: int) -> int:
        """Return the address of `length` fresh bytes, aligned to 16; when all is used, it begins again."""
        if self.used + length > len(self.bytes):
            self.used = 0
        address = self.base + self.used
        self.used += (length + 15) & ~15
        return address

    def forked(self) -> "OwnMemory":
        """A copy for a child process."""
        copy = OwnMemory(0, self.base)
        copy.bytes = bytearray(self.bytes)
        copy.used = self.used
        return copy

    def _offset(self, address: int, length: int) -> int:
        start = address - self.base
        if start < 0 or start + length > len(self.bytes):
            raise Errno(EFAULT)
        return start


class UserBuffer:
    """A piece of task memory that a call reads from or writes to: `size` bytes at `address`."""

    __slots__ = ("address", "memory", "size")

    def __init__(self, memory: Memory, address: int, size: int) -> None:
        self.memory = memory
        self.address = address
        self.size = size

    def copy_in(self, length: int, offset: int = 0) -> bytes:
        """Read `length` bytes from `offset` on. Raises: Errno(EFAULT)."""
        return self.memory.copy_in(self.address + offset, length)

    def copy_out(self, data: bytes, offset: int = 0) -> int:
        """Write `data` from `offset` on, return its length. Raises: Errno(EFAULT)."""
        return self.memory.copy_out(self.address + offset, data)


class ScatteredBuffer(UserBuffer):
    """The pieces of an iovec array as one buffer. readv(2)."""

    __slots__ = ("pieces",)

    def __init__(self, memory: Memory, pieces: list[tuple[int, int]]) -> None:
        super().__init__(memory, pieces[0][0] if pieces else 0, sum(length for _, length in pieces))
        self.pieces = pieces

    def copy_in(self, length: int, offset: int = 0) -> bytes:
        return b"".join(self.memory.copy_in(address, size) for address, size in self._cut(length, offset))

    def copy_out(self, data: bytes, offset: int = 0) -> int:
        done = 0
        for address, size in self._cut(len(data), offset):
            self.memory.copy_out(address, data[done : done + size])
            done += size
        return done

    def _cut(self, length: int, offset: int) -> list[tuple[int, int]]:
        """The pieces that hold `length` bytes from `offset` on."""
        cut = []
        for address, size in self.pieces:
            skip = min(offset, size)
            offset -= skip
            take = min(size - skip, length)
            length -= take
            if take:
                cut.append((address + skip, take))
        return cut


def read_iovec(memory: Memory, address: int, count: int) -> ScatteredBuffer:
    """The buffer that `count` iovecs at `address` describe. Raises: Errno(EINVAL), Errno(EFAULT). readv(2)."""
    if count > UIO_MAXIOV:
        raise Errno(EINVAL)
    raw = memory.copy_in(address, IOVEC.size * count) if count else b""
    pieces = list(IOVEC.iter_unpack(raw))
    if any(length >= 1 << 63 for _, length in pieces):
        raise Errno(EINVAL)
    # A single piece is cut to what one call moves first.
    if count > 1 and any(start + length > USER_SPACE_END for start, length in pieces):
        raise Errno(EFAULT)
    return ScatteredBuffer(memory, pieces)
