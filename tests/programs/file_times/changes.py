"""Changes files in every way, an hour apart, and prints how old the change then seems: `changes.py WAY...`, in s."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path


def opened(flags: int = os.O_WRONLY) -> int:
    return os.open("file", flags)


def appended() -> None:
    os.write(opened(os.O_WRONLY | os.O_APPEND), b"x")


def sent() -> None:
    os.sendfile(opened(), opened(os.O_RDONLY | os.O_CREAT), 0, 1)


def replaced() -> None:
    Path("new").write_text("x")
    Path("new").rename("file")


WAYS: dict[str, tuple[str, Callable[[], object]]] = {
    "write": ("file", lambda: os.write(opened(), b"x")),
    "append": ("file", appended),
    "writev": ("file", lambda: os.writev(opened(), [b"x"])),
    "pwrite": ("file", lambda: os.pwrite(opened(), b"x", 0)),
    "pwritev": ("file", lambda: os.pwritev(opened(), [b"x"], 0)),
    "sendfile": ("file", sent),
    "copy_file_range": ("file", lambda: os.copy_file_range(opened(os.O_RDONLY), opened(), 1, None, 8)),
    "truncate": ("file", lambda: os.truncate("file", 5)),
    "ftruncate": ("file", lambda: os.ftruncate(opened(), 4)),
    "fallocate": ("file", lambda: os.posix_fallocate(opened(), 0, 64)),
    "open_truncated": ("file", lambda: opened(os.O_WRONLY | os.O_TRUNC)),
    "create": ("created", lambda: Path("created").touch(exist_ok=False)),
    "mkdir": ("folder", lambda: Path("folder").mkdir()),
    "mkfifo": ("fifo", lambda: os.mkfifo("fifo")),
    "symlink": ("symlink", lambda: Path("symlink").symlink_to("nowhere")),
    "touch": ("file", lambda: os.utime("file")),
    "link": (".", lambda: os.link("file", "second")),
    "rename": (".", replaced),
    "unlink": (".", lambda: Path("second").unlink()),
    "rmdir": (".", lambda: Path("folder").rmdir()),
}


def ages(name: str) -> list[float]:
    """By lstat, and by fstat where the file can be opened without more ado."""
    seen = [os.lstat(name)]
    if name in ("file", ".", "created"):
        seen.append(os.fstat(os.open(name, os.O_RDONLY)))
    return [time.time() - status.st_mtime for status in seen]


if __name__ == "__main__":
    Path("file").write_text("12345678")
    for way in sys.argv[1:]:
        name, change = WAYS[way]
        time.sleep(3600)
        change()
        now = ages(name)
        time.sleep(60)
        print(way, *(round(age, 2) for age in (*now, *ages(name))))
