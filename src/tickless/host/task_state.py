"""What the host's scheduler says of a task. proc_pid_stat(5)."""

import contextlib
import glob
import os
from collections.abc import Iterator


def state_of(tid: int) -> str:
    """The state letter, X if the task is gone."""
    fields = fields_of(tid)
    return chr(fields[0][0]) if fields else "X"


def cpu_time_ns(tid: int) -> int:
    """The CPU time that the task has used; 0 if it is gone. /proc/PID/schedstat."""
    try:
        with open(f"/proc/{tid}/schedstat", "rb", buffering=0) as file:
            return int(file.read(64).split()[0])
    except OSError:
        return 0


def is_traced(tid: int) -> bool:
    """Whether we hear of the task: it is there, and we have not reaped it. proc_pid_status(5)."""
    try:
        with open(f"/proc/{tid}/status", "rb", buffering=0) as file:
            return b"\nTracerPid:\t%d\n" % os.getpid() in file.read(1024)
    except OSError:
        return False


def pending_of(tid: int) -> int:
    """The signals that are pending for the task alone; none if it is gone. proc_pid_status(5)."""
    try:
        with open(f"/proc/{tid}/status", "rb") as file:
            return next(int(line.split()[1], 16) for line in file if line.startswith(b"SigPnd:"))
    except OSError:
        return 0


def fields_of(tid: int) -> list[bytes]:
    """The fields behind the name, which may hold blanks and parentheses; the state is the first."""
    try:
        with open(f"/proc/{tid}/stat", "rb", buffering=0) as file:
            return file.read(1024).rpartition(b")")[2].split()
    except OSError:
        return []


def status_of(tid: int, field: str) -> list[str]:
    """A line of a task's status, by its beginning, as words. Raises: OSError. proc_pid_status(5)."""
    return words_of(f"/proc/{tid}/status", field)


def words_of(status: str | int, field: str) -> list[str]:
    """`status_of` by the path of the file, or by an fd, which is closed."""
    with open(status) as file:
        return next(line.split()[1:] for line in file if line.startswith(field))


def tracees_of(tracer: int) -> Iterator[int]:
    """Every task that `tracer` traces. proc_pid_status(5)."""
    for folder in glob.iglob("/proc/[0-9]*/task/[0-9]*"):
        tid = int(folder.rpartition("/")[2])
        with contextlib.suppress(OSError):  # it has ended
            if status_of(tid, "TracerPid:") == [str(tracer)]:
                yield tid
