"""eventfd(2): flags and the counter."""

from struct import Struct

EFD_SEMAPHORE = 0o1
EFD_NONBLOCK = 0o4000
EFD_CLOEXEC = 0o2000000

EFD_FLAGS = EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC

COUNT = Struct("<Q")
COUNT_MAX = 2**64 - 2
