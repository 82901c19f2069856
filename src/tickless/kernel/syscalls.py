"""Every mechanism with system calls: importing this declares them all."""

from tickless.kernel import (
    adjtimex,
    clone,
    eventfd,
    futex,
    itimers,
    pidfd,
    posix_timers,
    prctl,
    process,
    process_groups,
    read_write,
    signal_calls,
    sleep_calls,
    time_calls,
    wait,
)

__all__ = [
    "adjtimex",
    "clone",
    "eventfd",
    "futex",
    "itimers",
    "pidfd",
    "posix_timers",
    "prctl",
    "process",
    "process_groups",
    "read_write",
    "signal_calls",
    "sleep_calls",
    "time_calls",
    "wait",
]
