"""What tickless inherited and owes to the program, while Python and the supervisor change it for themselves."""

from __future__ import annotations

import os
import resource
import signal
from dataclasses import dataclass

# Python ignores these at its start and forgets what they were; every shell starts programs with the default.
PYTHON_IGNORES = frozenset({signal.SIGPIPE, signal.SIGXFSZ})


@dataclass(frozen=True)
class Inherited:
    """Taken once, with `capture`, before anything changes it."""

    environment: dict[str, str]
    blocked: frozenset[int]  # signal numbers
    ignored: frozenset[int]
    cpus: frozenset[int]  # what the program is told by sched_getaffinity(2)
    open_files: tuple[int, int]  # RLIMIT_NOFILE, soft and hard

    @classmethod
    def capture(cls) -> Inherited:
        ignored = {number for number in signal.valid_signals() if signal.getsignal(number) is signal.SIG_IGN}
        return cls(
            environment=_environment(),
            blocked=frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
            ignored=frozenset(ignored - PYTHON_IGNORES),
            cpus=frozenset(os.sched_getaffinity(0)),
            open_files=resource.getrlimit(resource.RLIMIT_NOFILE),
        )

    @property
    def signal_mask(self) -> int:
        """The blocked signals as a sigset: bit N - 1 is signal N."""
        return sum(1 << number - 1 for number in self.blocked)

    def restore(self) -> None:
        """In the child, before exec: dispositions and limits. Handlers would be reset there anyway."""
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN if number in self.ignored else signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_NOFILE, self.open_files)


def _environment() -> dict[str, str]:
    """The environment of our own exec: in the C locale Python adds LC_CTYPE to `os.environ` (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().split(b"\0")
    return dict(os.fsdecode(entry).split("=", 1) for entry in entries if b"=" in entry)
