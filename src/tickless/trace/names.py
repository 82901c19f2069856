"""How a trace names what differs from run to run: tasks, pointers, open files, the host's ids. None is ever printed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tickless.abi.numbers import name_of
from tickless.abi.show import show_siginfo
from tickless.abi.siginfo import SigInfo, siginfo_layout
from tickless.abi.tables import CLOCKS
from tickless.kernel.pidfd import PidFd
from tickless.kernel.timerfd import TimerFd

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickless.kernel.file import File
    from tickless.kernel.kernel import Kernel
    from tickless.kernel.memory import Memory
    from tickless.kernel.task import Task

CLOCK_NAMES = {number: name.removeprefix("CLOCK_") for name, number in reversed(CLOCKS.items())}
# Names are kept for that many pointers of an address space; later ones are all `ptr`.
MOST_POINTERS = 10_000
# Where text has pids: paths in /proc, syslog's `name[PID]: `, `pid=PID`, the beginning of redis's log lines, `PID:M `,
# and what bash says of a job, `line 6:   PID Killed`, padded. Elsewhere a number that happens to be a pid is more often
# something else.
PID_MARKS = (b"/proc/", b"/task/", b"]: ", b"pid=", b":M ", b":C ", b": line ")
PIDS = re.compile(
    rb"(?<=/proc/)\d+(?![^/])|(?<=/task/)\d+(?![^/])|(?<=\w\[)\d+(?=\]: )|(?<=\bpid=)\d+|^\d+(?=:[CM] )"
    rb"|(?:(?<=: line \d:)|(?<=: line \d\d:)|(?<=: line \d\d\d:)) +\d+(?= [A-Z])",
    re.MULTILINE,
)


class Names:
    """The names of one run."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._ever: dict[int, str] = {}  # by tid, of all tasks that there were
        # Each address space's pointers are numbered as they appear.
        self._pointers: WeakKeyDictionary[Memory, dict[int, int]] = WeakKeyDictionary()
        self._host_ids: dict[tuple[str, int], int] = {}  # by kind and id, numbered as they appear

    def started(self, task: Task) -> None:
        """From now on its tid means this task."""
        self._ever[task.tid] = task.name

    def pid(self, pid: int) -> str:
        """A process, a thread, or (below -1) a process group; `?` is none of the run's."""
        if pid in (0, -1):
            return str(pid)
        return f"-{self._task(-pid)}" if pid < 0 else self._task(pid)

    def _task(self, pid: int) -> str:
        return self.known_pid(pid) or "?"

    def known_pid(self, pid: int) -> str | None:
        """The name of the task that has, or had last, this pid."""
        alive = self.kernel.tasks.get(pid) or self.kernel.groups.get(pid)
        return self._ever.get(pid) if alive is None else alive.name

    def pids_named(self, text: bytes) -> bytes:
        """`text` with the names of tasks in place of their pids."""
        if not _may_hold_pids(text):
            return text
        return PIDS.sub(lambda found: self._pid_in_text(found[0]), text)

    def _pid_in_text(self, digits: bytes) -> bytes:
        name = self.known_pid(int(digits))
        return digits if name is None else digits[: digits.startswith(b" ")] + name.encode()

    def size(self, text: bytes, size: int) -> str:
        """The size of data that begins with `text`: `76+pid`, since not all pids have the same number of digits."""
        if not _may_hold_pids(text):
            return str(size)
        pids = [digits for digits in PIDS.findall(text) if self.known_pid(int(digits))]
        if not pids:
            return str(size)
        return f"{size - len(b''.join(pids))}+{len(pids) if len(pids) > 1 else ''}pid"

    def host_id(self, kind: str, number: int) -> str:
        """`semid#1`: the first of its kind that the trace has seen."""
        known = self._host_ids
        of_kind = sum(other == kind for other, _ in known)
        return f"{kind}#{known.setdefault((kind, number), of_kind + 1)}" if number >= 0 else str(number)

    def pointer(self, task: Task, address: int) -> str:
        """`&N`: the N-th address that the trace has seen in the task's memory."""
        if not address:
            return "NULL"
        known = self._pointers.setdefault(task.memory, {})
        if address not in known and len(known) >= MOST_POINTERS:
            return "ptr"
        return f"&{known.setdefault(address, len(known) + 1)}"

    def fd(self, task: Task, fd: int) -> str | None:
        """An fd and what it stands for, `5<eventfd>`; None if it is a file of the host, or not known yet."""
        file = task.fds.files.get(fd)
        return None if file is None or file.host else f"{fd}<{self._described(file)}>"

    def _described(self, file: File) -> str:
        if isinstance(file, TimerFd):
            return f"{file.name}:{CLOCK_NAMES.get(file.clock_id, '')}"
        if isinstance(file, PidFd):
            return f"{file.name}:{file.group.name}"
        return file.name

    def siginfo(self, info: SigInfo) -> str:
        """A signal's fields, its sender by name."""
        shown = show_siginfo(info.pack())
        if siginfo_layout(info.signo, info.code) not in ("kill", "rt", "chld") or not info.pid:
            return shown
        return f"{shown[:-1]}, from {self.known_pid(info.pid) or 'outside'}}}"

    def cause(self, of: Task | None = None) -> str:
        """What happens now: a call of somebody, seen by `of`, or what the kernel says."""
        kernel = self.kernel
        maker = kernel.current
        if kernel.cause == "timer":
            return self.deadline(kernel.clock.met, of)
        if kernel.cause or maker is None or maker.call is None:
            return kernel.cause or "start"
        call = name_of(kernel.architecture, maker.call)
        return f"its own {call}" if maker is of else f"{maker.name}'s {call}"

    def deadline(self, callback: Callable[[], object] | None, of: Task | None = None) -> str:
        """Whose deadline calls `callback`, seen by `of`."""
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, TimerFd):
            return self._holder(owner)
        if task := getattr(owner, "task", None):
            return "its deadline" if task is of else f"{task.name}'s {name_of(self.kernel.architecture, task.call)}"
        if group := getattr(owner, "group", None):
            timer_id = getattr(owner, "timer_id", None)
            return f"{group.name}'s {'interval timer' if timer_id is None else f'timer {timer_id}'}"
        return "the scenario"

    def _holder(self, file: File) -> str:
        """`main's 5<timerfd:MONOTONIC>`: the oldest task that has it, under the lowest number."""
        for task in self.kernel.tasks.values():
            fds = [fd for fd, other in task.fds.files.items() if other is file]
            if fds:
                return f"{task.name}'s {min(fds)}<{self._described(file)}>"
        return f"a {self._described(file)}"


def _may_hold_pids(text: bytes) -> bool:
    """Whether a search is worth its time."""
    if b"/" not in text and b":" not in text and b"=" not in text:  # each of PID_MARKS has one of them
        return False
    return any(mark in text for mark in PID_MARKS)
