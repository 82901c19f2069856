"""Which CPU a run is pinned to: supervisor and tasks share one, or each call would cost a wake-up across CPUs."""

from __future__ import annotations

import errno
import os
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, socket  # `import socket` takes 20 times as long
from collections.abc import Iterable


class CpuClaim:
    """A CPU that no other run beside us takes while there are others. It is ours until `close`, or until we end."""

    def __init__(self, cpu: int, claim: socket | None) -> None:
        self.cpu = cpu
        self._claim = claim  # None: every CPU was taken, so this one is shared

    def close(self) -> None:
        if self._claim is not None:
            self._claim.close()


def choose_cpu(cpus: Iterable[int]) -> CpuClaim:
    """Claim one of `cpus`: a free one if there is one, and not the same every time.

    The claim is the name of an abstract unix socket, so it needs no file and ends with its process. unix(7).
    """
    candidates = sorted(cpus)
    first = os.getpid() % len(candidates)
    candidates = candidates[first:] + candidates[:first]
    for cpu in candidates:
        claim = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)
        try:
            claim.bind(f"\0tickless-cpu-{cpu}".encode())
        except OSError as error:
            claim.close()
            if error.errno != errno.EADDRINUSE:
                break  # no unix sockets here: then there is nothing to go by
        else:
            return CpuClaim(cpu, claim)
    return CpuClaim(candidates[0], None)
