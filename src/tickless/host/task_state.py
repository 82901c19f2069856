"""What the host's scheduler says of a task. proc_pid_stat(5)."""

import contextlib
import glob
import os
from collections.abc import Iterator

PIECE = 8192  # bytes of a file of /proc that are read at once: nearly all have less


def state_of(tid: int) -> str:
    """The state letter, X if the task is gone."""
    fields = fields_of(tid)
    return chr(fields[0][0]) if fields else "X"


def cpu_time_ns(tid: int) -> int:
    """The CPU time that the task has used; 0 if it is gone. /proc/PID/schedstat."""
    try:
        return int(read_whole(f"/proc/{tid}/schedstat").split()[0])
    except OSError:
        return 0


def is_traced(tid: int) -> bool:
    """Whether we hear of the task: it is there, and we have not reaped it. proc_pid_status(5)."""
    try:
        return b"\nTracerPid:\t%d\n" % os.getpid() in read_whole(f"/proc/{tid}/status")
    except OSError:
        return False


def fields_of(tid: int) -> list[bytes]:
    """The fields behind the name, which may hold blanks and parentheses; the state is the first. None of one gone."""
    try:
        return read_whole(f"/proc/{tid}/stat").rpartition(b")")[2].split()
    except OSError:
        return []


def status_of(tid: int, field: str) -> list[str]:
    """A line of a task's status, by its beginning, as words. Raises: OSError. proc_pid_status(5)."""
    return words_of(f"/proc/{tid}/status", field)


def words_of(status: str | int, field: str) -> list[str]:
    """`status_of` by the path of the file, or by an fd, which is closed."""
    return read_whole(status).partition(b"\n%s" % field.encode())[2].partition(b"\n")[0].decode().split()


def read_whole(file: str | int) -> bytes:
    """A file of /proc, by its path or by an fd, which is closed. It costs half of what a file object does.

    Raises: OSError.
    """
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC) if isinstance(file, str) else file
    try:
        text = piece = os.read(fd, PIECE)
        while len(piece) == PIECE:
            piece = os.read(fd, PIECE)
            text += piece
        return text
    finally:
        os.close(fd)


def tracees_of(tracer: int) -> Iterator[int]:
    """Every task that `tracer` traces. proc_pid_status(5)."""
    for folder in glob.iglob("/proc/[0-9]*/task/[0-9]*"):
        tid = int(folder.rpartition("/")[2])
        with contextlib.suppress(OSError):  # it has ended
            if status_of(tid, "TracerPid:") == [str(tracer)]:
                yield tid
