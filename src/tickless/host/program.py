"""proc_pid_exe(5): the file that a task runs."""

from __future__ import annotations

import os

ELF_MAGIC = b"\x7fELF"
ELFCLASS32 = 1


def name_of(tid: int) -> str:
    """The file's name."""
    try:
        return os.path.basename(os.readlink(f"/proc/{tid}/exe"))
    except OSError:
        return "a program that we may not look at"


def is_32_bit(tid: int) -> bool:
    """Whether the task makes the calls of another architecture, i386 or x32, which are refused. elf(5)."""
    try:
        fd = os.open(f"/proc/{tid}/exe", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # it dies
        return False
    try:
        return os.pread(fd, len(ELF_MAGIC) + 1, 0) == ELF_MAGIC + bytes([ELFCLASS32])
    finally:
        os.close(fd)
