"""stat(2) with virtual times: `--file-times virtual`. utimensat(2), inode(7).

Linux stamps files by its own clock. What it stamped during the run is told as the virtual instant at which that was:
files are changed in epochs, between two jumps of the clock, and no two epochs share an instant of Linux's coarse
clock. So a stamp tells its epoch, and the epoch the time. Stamps from before the run, and times that a program has
given to a file, are told as they are.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.fcntl import O_CREAT, O_TRUNC
from tickless.abi.numbers import number_of
from tickless.abi.stat import STAT_TIMES, STATX_TIMES
from tickless.abi.time import CLOCK_REALTIME, CLOCK_REALTIME_COARSE
from tickless.kernel.host_file import HostFile
from tickless.kernel.outcome import PASS_ON, PassOn, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tickless.host.idle import Idle
    from tickless.kernel.clock import Clock
    from tickless.kernel.registry import Entry
    from tickless.kernel.task import Task

# Calls that tell times, with the argument that says where, and where the times are there.
TELLING = {
    **dict.fromkeys(("stat", "lstat", "fstat"), (1, STAT_TIMES)),
    "newfstatat": (2, STAT_TIMES),
    "statx": (4, STATX_TIMES),
}
# Calls that change the times of files that they name, or of the folders these are in.
CHANGING_NAMED = (
    *("creat", "mkdir", "mkdirat", "mknod", "mknodat", "symlink", "symlinkat", "link", "linkat", "unlink", "unlinkat"),
    *("rename", "renameat", "renameat2", "rmdir", "truncate", "utime", "utimes", "futimesat", "utimensat"),
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchown", "fchownat"),
    *("ftruncate", "fallocate", "memfd_create", "openat2"),
)
# Calls that change a file, with the argument that is its number.
CHANGING_OPEN = {
    **dict.fromkeys(("write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile"), 0),
    **dict.fromkeys(("splice", "copy_file_range"), 2),
}
# Calls that open a file, with the argument that has the flags.
OPENING = {"open": 1, "openat": 2}
TRAPPED = frozenset((*TELLING, *CHANGING_NAMED, *CHANGING_OPEN, *OPENING))

TIME = Struct("<qI")  # s and ns, as both structures begin a time
# How long to wait before another look at the coarse clock, s. It ticks every 1 to 10 ms.
LOOK_S = 0.0002
REASON = "stamps of files"


class FileTimes:
    """When the files of a run were changed."""

    def __init__(self, clock: Clock, idle: Idle) -> None:
        self._clock = clock
        self._idle = idle
        self._speed = idle.pace.speed if idle.pace is not None else 0.0  # of the virtual clock while an epoch lasts
        self._real_ns: list[int] = []  # when each epoch began, by Linux's coarse clock
        self._virtual_ns: list[int] = []
        self._is_open = False
        self.note_change()
        clock.on_step.append(self.settle)
        idle.before_jump = self.settle

    def attend(self, table: list[Entry | None]) -> None:
        """See every call that changes or tells a time."""
        for name, (index, offsets) in TELLING.items():
            _wrap(table, name, partial(self._amending, index=index, offsets=offsets))
        for name in CHANGING_NAMED:
            _wrap(table, name, partial(self._noting, changes=_always))
        for name, index in CHANGING_OPEN.items():
            _wrap(table, name, partial(self._noting, changes=partial(_writes, index=index)))
        for name, index in OPENING.items():
            _wrap(table, name, partial(self._noting, changes=partial(_creates, index=index)))

    def note_change(self) -> None:
        """A file is about to be changed."""
        if not self._is_open:
            self._is_open = True
            self._real_ns.append(time.clock_gettime_ns(CLOCK_REALTIME_COARSE))
            self._virtual_ns.append(self._clock.read(CLOCK_REALTIME))

    def settle(self) -> None:
        """The virtual clock is about to jump: what comes later gets other stamps."""
        if not self._is_open:
            return
        self._is_open = False
        start, last_stamp_ns = time.monotonic(), time.time_ns()
        while time.clock_gettime_ns(CLOCK_REALTIME_COARSE) <= last_stamp_ns:
            time.sleep(LOOK_S)
        self._idle.note_held(REASON, start)

    def virtual_ns(self, real_ns: int) -> int:
        """What CLOCK_REALTIME showed when Linux set the stamp `real_ns`."""
        epoch = bisect_right(self._real_ns, real_ns) - 1
        if epoch < 0 or real_ns > time.time_ns():
            return real_ns
        return self._virtual_ns[epoch] + int((real_ns - self._real_ns[epoch]) * self._speed)

    def _noting(self, entry: Entry | None, *, changes: Callable[[Task, Sequence[int]], bool]) -> Entry:
        def noting(task: Task, *args: int) -> Result:
            if changes(task, args):
                self.note_change()
            return PASS_ON if entry is None else entry(task, *args)

        return noting

    def _amending(self, entry: Entry | None, *, index: int, offsets: tuple[int, ...]) -> Entry:
        amended = PassOn(lambda task: self._amend(task, task.args[index], offsets))

        def amending(task: Task, *args: int) -> Result:
            result = PASS_ON if entry is None else entry(task, *args)
            return amended if result is PASS_ON else result

        return amending

    def _amend(self, task: Task, address: int, offsets: tuple[int, ...]) -> None:
        """Change the times in a structure that Linux has just filled in."""
        for offset in offsets:
            seconds, ns = TIME.unpack(task.memory.copy_in(address + offset, TIME.size))
            told = divmod(self.virtual_ns(seconds * 10**9 + ns), 10**9)
            if told != (seconds, ns):
                task.memory.copy_out(address + offset, TIME.pack(*told))


def _wrap(table: list[Entry | None], name: str, wrapper: Callable[[Entry | None], Entry]) -> None:
    number = number_of(ARCH, name)
    if number is not None:
        table[number] = wrapper(table[number])


def _always(_task: Task, _args: Sequence[int]) -> bool:
    return True


def _writes(task: Task, args: Sequence[int], *, index: int) -> bool:
    """Whether the call's file is one that has times: a file on disk, not a socket or one of ours."""
    file = task.fds.files.get(args[index] & 0xFFFFFFFF)
    return file is None or (isinstance(file, HostFile) and not file.pollable)


def _creates(_task: Task, args: Sequence[int], *, index: int) -> bool:
    return bool(args[index] & (O_CREAT | O_TRUNC))
