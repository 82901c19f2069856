"""Every mechanism with system calls: importing this declares them all."""

from tickless.kernel import eventfd, read_write

__all__ = ["eventfd", "read_write"]
