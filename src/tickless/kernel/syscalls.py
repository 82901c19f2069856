"""Every mechanism with system calls: importing this declares them all."""

from tickless.kernel import (
    clone,
    eventfd,
    pidfd,
    prctl,
    process,
    process_groups,
    read_write,
    signal_calls,
    wait,
)

__all__ = [
    "clone",
    "eventfd",
    "pidfd",
    "prctl",
    "process",
    "process_groups",
    "read_write",
    "signal_calls",
    "wait",
]
