"""What a check found out."""

from __future__ import annotations

import os
import pickle
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["works", "limited", "missing"]
LIMIT_S = 10.0  # a check that takes longer hangs


@dataclass(frozen=True)
class Finding:
    """`limited`: programs run, with what `detail` says; `missing`: they cannot. `remedy` is for the user."""

    name: str
    state: State
    detail: str
    remedy: str = ""


class Refused(Exception):
    """The host refused what a check tried."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror)
        self.errno = error.errno or 0


def in_child(attempt: Callable[[], str]) -> str:
    """Make `attempt` in a child, which may be killed or confined by it: what it returned.

    Raises: Refused if it raised an OSError, ChildProcessError if the child ended without a word.
    """
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        _report(attempt, theirs)
    os.close(theirs)
    try:
        return _heard(pid, ours)
    finally:
        os.close(ours)
        os.waitpid(pid, 0)


def _report(attempt: Callable[[], str], to: int) -> None:
    """In the child: tell how the attempt went, and end."""
    try:
        said: str | tuple[int, str] = attempt()
    except OSError as error:
        said = (error.errno or 0, error.strerror or "")
    finally:
        os.write(to, pickle.dumps(said))
        os._exit(0)


def _heard(pid: int, ours: int) -> str:
    poll = select.poll()
    poll.register(ours, select.POLLIN)
    if not poll.poll(LIMIT_S * 1000):
        os.kill(pid, signal.SIGKILL)
        raise ChildProcessError("no answer")
    data = os.read(ours, 1 << 16)
    if not data:
        raise ChildProcessError("killed")
    said = pickle.loads(data)
    if isinstance(said, str):
        return said
    raise Refused(OSError(*said))
