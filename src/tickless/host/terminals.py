"""pty(7): what is written to one end of a pseudo-terminal comes to the other by a worker of the host, a moment later.

Nobody may run meanwhile, and the clock may not jump. A poll of an end waits for that worker, if nothing is there to be
read: so, after a write to one, all ends are polled that tasks of the run have open.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from select import POLLIN
from typing import TYPE_CHECKING

from tickless.host.master import poll_one
from tickless.host.tracee import Tracee

if TYPE_CHECKING:
    from tickless.kernel.task import Task

# Documentation/admin-guide/devices.txt: /dev/tty and /dev/ptmx, which makes terminals; and what is in /dev/pts.
ALTERNATE_MAJOR, SLAVE_MAJORS = 5, range(136, 144)
MULTIPLEXER = os.makedev(ALTERNATE_MAJOR, 2)
# What is typed at one end is echoed at it, by a second worker.
ROUNDS = 2


def is_terminal(status: os.stat_result) -> bool:
    """Whether a file is an end of a pseudo-terminal."""
    major = os.major(status.st_rdev)
    return stat.S_ISCHR(status.st_mode) and (major in SLAVE_MAJORS or major == ALTERNATE_MAJOR)


def settle(tasks: Iterable[Task]) -> None:
    """Wait until everything that was written has come to the other end."""
    tables = {task.fds: task for task in tasks if isinstance(task, Tracee)}
    ends = [end for task in tables.values() for end in _terminals_of(task)]
    try:
        for end in ends * ROUNDS:
            poll_one(end, POLLIN)
    finally:
        for end in ends:
            os.close(end)


def _terminals_of(task: Tracee) -> list[int]:
    """Duplicates of the terminals that a task has open, for the caller to close."""
    ends: list[int] = []
    directory = f"/proc/{task.tid}/fd"
    with suppress(OSError):  # it is on its way out, or not dumpable
        for number in map(int, os.listdir(directory)):
            if is_terminal(os.stat(f"{directory}/{number}")):
                ends.append(task.fds.task_files().fetch(number))
    return ends
