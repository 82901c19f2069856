"""Where a trace's lines go: each is written at once, so that a killed run leaves a readable file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress


class LineWriter:
    """Lines to an open file. The first one that fails is said to `complain`, and ends the file but not the digest."""

    def __init__(self, fd: int, complain: Callable[[str], object]) -> None:
        self.fd: int | None = fd  # None: it failed, or is closed
        self.complain = complain
        self._hash = hashlib.sha256()

    @classmethod
    def create(cls, path: str, complain: Callable[[str], object]) -> LineWriter:
        """Write to a new file, or over an old one. Raises: OSError."""
        return cls(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666), complain)

    def write(self, line: str) -> None:
        """Write `line` and its newline."""
        data = line.encode(errors="backslashreplace") + b"\n"
        self._hash.update(data)
        if self.fd is None:
            return
        left = data
        try:
            while left:
                left = left[os.write(self.fd, left) :]
        except OSError as error:
            if len(left) < len(data):
                take_back(self.fd, len(data) - len(left))
            self.close()
            self.complain(f"the trace ends here: {error.strerror}")

    def digest(self) -> str:
        """What all lines so far come down to, in sha256sum's digits: that of the file, if there was room for it."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Nothing more is written."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def take_back(fd: int, count: int) -> None:
    """Let a file end before the `count` bytes that were written last. What is no file has passed them on already."""
    with suppress(OSError):
        os.ftruncate(fd, os.lseek(fd, -count, os.SEEK_CUR))
