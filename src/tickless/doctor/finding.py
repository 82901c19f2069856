"""What a check found out."""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn

from tickless.abi.signal import signal_name

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

    Raises: Refused if it raised an OSError, or there can be no child; ChildProcessError if that ended without a word.
    """
    try:
        ours, theirs = os.pipe()
        pid = os.fork()
    except OSError as error:
        raise Refused(error) from None
    if pid == 0:
        _report(attempt, theirs)
    os.close(theirs)
    data = _heard(pid, ours)
    os.close(ours)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not data:
        raise ChildProcessError(f"killed by {signal_name(-status)}" if status < 0 else "ended without an answer")
    said = pickle.loads(data)
    if isinstance(said, str):
        return said
    raise Refused(OSError(*said))


def _report(attempt: Callable[[], str], to: int) -> NoReturn:
    """In the child: tell how the attempt went, and end."""
    try:
        os.write(to, pickle.dumps(_attempted(attempt)))
    except Exception:
        sys.excepthook(*sys.exc_info())  # a mistake of ours
    finally:
        os._exit(1)


def _attempted(attempt: Callable[[], str]) -> str | tuple[int, str]:
    try:
        return attempt()
    except OSError as error:
        return error.errno or 0, error.strerror or ""


def _heard(pid: int, ours: int) -> bytes:
    """What the child says; nothing if it ends without a word, or has to be killed because it says nothing."""
    poll = select.poll()
    poll.register(ours, select.POLLIN)
    if not poll.poll(LIMIT_S * 1000):
        os.kill(pid, signal.SIGKILL)
    return os.read(ours, 1 << 16)
