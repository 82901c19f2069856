"""What happens when tickless itself has no file descriptors left: calls fail as if the whole system had none.

It keeps one for each virtual file, two for each process, and some while calls are served. getrlimit(2), errno(3).
"""

from __future__ import annotations

import os
import resource
from errno import EMFILE, ENFILE
from typing import TYPE_CHECKING

from tickless.abi.errno import EAGAIN
from tickless.abi.errno import ENFILE as NO_MORE_FILES
from tickless.kernel.outcome import Result
from tickless.kernel.registry import Entry, unserved

if TYPE_CHECKING:
    from tickless.kernel.task import Task

# What is kept free of them for what calls need for a moment, or while they are parked.
RESERVE = 64

FILES = unserved("TL601", "more open files than tickless may have itself", NO_MORE_FILES)
PROCESSES = unserved("TL602", "more processes than tickless has file descriptors for", EAGAIN)


def most_numbers() -> int:
    """Our own fds below this are for what lasts."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - RESERVE, soft // 2)


def is_shortage(error: OSError) -> bool:
    """Whether we have run out of file descriptors."""
    return error.errno in (EMFILE, ENFILE)


def refusing_clone(entry: Entry | None, ours: int) -> Entry:
    """A call that makes a task: it fails while we have no fds left for what the task needs. `ours` is any of them."""
    assert entry is not None, "a call without an entry"
    most = most_numbers()

    def refusing(task: Task, a: int, b: int, c: int, d: int, e: int, f: int) -> Result:
        if not _is_below(ours, most):
            task.kernel.refuse(task, PROCESSES)
        return entry(task, a, b, c, d, e, f)

    return refusing


def _is_below(ours: int, most: int) -> bool:
    """Whether the lowest free fd is below `most`."""
    try:
        number = os.dup(ours)
    except OSError:
        return False
    os.close(number)
    return number < most
