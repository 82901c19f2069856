"""Every mechanism with system calls: importing this declares them all."""

from tickless.kernel import (
    eventfd,
    process,
    read_write,
)

__all__ = [
    "eventfd",
    "process",
    "read_write",
]
