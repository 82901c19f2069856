"""Where the words of shared futexes lie: the mappings of an address space, as /proc/PID/maps has them. futex(7)."""

from __future__ import annotations

import bisect
from collections.abc import Hashable

from tickless.abi.errno import EFAULT
from tickless.kernel.errors import Errno


class Mappings:
    """The mappings of one address space, read when an address is asked for that is not among them."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._regions: list[tuple[int, Hashable, int]] = []  # end, (device, inode) or None if private, file offset

    def forget(self) -> None:
        """A call that may unmap is about to run."""
        self._starts.clear()
        self._regions.clear()

    def key(self, tid: int, address: int) -> Hashable:
        """(device and inode, offset) of a word in a shared mapping, None in a private one. Raises: Errno(EFAULT)."""
        region = self._region(address)
        if region is None:
            self._read(tid)
            region = self._region(address)
        if region is None:
            raise Errno(EFAULT)
        start, file, offset = region
        return None if file is None else (file, offset + address - start)

    def _region(self, address: int) -> tuple[int, Hashable, int] | None:
        at = bisect.bisect_right(self._starts, address) - 1
        if at < 0 or address >= self._regions[at][0]:
            return None
        return self._starts[at], self._regions[at][1], self._regions[at][2]

    def _read(self, tid: int) -> None:
        self.forget()
        try:
            with open(f"/proc/{tid}/maps") as file:
                lines = file.readlines()
        except OSError:
            return
        for line in lines:
            addresses, permissions, offset, device, inode, *_ = line.split(None, 5)
            start, end = (int(word, 16) for word in addresses.split("-"))
            shared: Hashable = (device, inode) if permissions[3] == "s" else None
            self._starts.append(start)
            self._regions.append((end, shared, int(offset, 16)))
