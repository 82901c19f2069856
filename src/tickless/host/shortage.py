"""What happens when tickless itself has no file descriptors or memory left: calls fail as if the system had none.

It keeps one descriptor for each virtual file, two for each process, and some while calls are served. getrlimit(2).
"""

from __future__ import annotations

import os
import resource
from errno import EMFILE, ENFILE, ENOMEM
from typing import TYPE_CHECKING

from tickless.abi.errno import EAGAIN, ENOSPC
from tickless.abi.errno import ENFILE as NO_MORE_FILES
from tickless.abi.errno import ENOMEM as NO_MORE_MEMORY
from tickless.host import notify
from tickless.kernel.outcome import Result
from tickless.kernel.registry import Entry, Unserved, unserved
from tickless.kernel.task import RUNNING

if TYPE_CHECKING:
    from tickless.host.supervisor import Supervisor
    from tickless.host.tracee import Tracee
    from tickless.kernel.task import Task

# What is kept free of them for what calls need for a moment, or while they are parked.
RESERVE = 64

FILES = unserved("TL601", "more open files than tickless may have itself", NO_MORE_FILES)
MEMORY = unserved("TL603", "more memory than tickless may have itself", NO_MORE_MEMORY)
WATCHES = unserved("TL604", "an epoll for a file whose number is more than tickless may have itself", ENOSPC)
PROCESSES = unserved("TL602", "more processes than tickless has file descriptors for", EAGAIN)


def most_numbers() -> int:
    """Our own fds below this are for what lasts."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - RESERVE, soft // 2)


def shortage_in(error: Exception) -> Unserved | None:
    """What we have run out of, by an error that it gave; None if the error is another."""
    if isinstance(error, MemoryError):
        return MEMORY
    if not isinstance(error, OSError):
        return None
    return {EMFILE: FILES, ENFILE: FILES, ENOMEM: MEMORY}.get(error.errno or 0)


def refuse_call(supervisor: Supervisor, task: Tracee, error: Exception) -> bool:
    """Let the task's call fail, whose serving has run out of something; False if that is not what has happened."""
    shortage = shortage_in(error)
    if shortage is None or task.state is not RUNNING or supervisor.runner not in (None, task):
        return False
    if supervisor.is_between_calls or not notify.is_valid(supervisor.listener, task.notification):
        return False  # what was left undone nobody would do
    supervisor.kernel.name_once(task, shortage)
    supervisor.kernel.abandon_call(task)
    supervisor.settle(task, -shortage.errno)
    return True


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
