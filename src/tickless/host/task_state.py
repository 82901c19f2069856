"""What the host's scheduler says of a task. proc_pid_stat(5)."""


def state_of(tid: int) -> str:
    """The state letter, X if the task is gone."""
    fields = _fields(tid)
    return chr(fields[0][0]) if fields else "X"


def cpu_ticks(tid: int) -> int:
    """The CPU time that the task has used, user's and system's, in clock ticks of 10 ms; 0 if it is gone."""
    fields = _fields(tid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def _fields(tid: int) -> list[bytes]:
    """The fields behind the name, which may hold blanks and parentheses; the state is the first."""
    try:
        with open(f"/proc/{tid}/stat", "rb", buffering=0) as file:
            return file.read(1024).rpartition(b")")[2].split()
    except OSError:
        return []
