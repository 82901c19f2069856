"""Calls that take only some of their arguments. What lies in the other registers is left over, differs from run to run,
and is not printed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tickless.abi.epoll import EPOLL_CTL_DEL
from tickless.abi.fcntl import (
    F_CREATED_QUERY,
    F_GET_SEALS,
    F_GETFD,
    F_GETFL,
    F_GETLEASE,
    F_GETOWN,
    F_GETPIPE_SZ,
    F_GETSIG,
    O_CREAT,
    O_TMPFILE,
)
from tickless.abi.futex import (
    FUTEX_CMD_MASK,
    FUTEX_CMP_REQUEUE,
    FUTEX_LOCK_PI,
    FUTEX_LOCK_PI2,
    FUTEX_REQUEUE,
    FUTEX_TRYLOCK_PI,
    FUTEX_UNLOCK_PI,
    FUTEX_WAIT,
    FUTEX_WAIT_BITSET,
    FUTEX_WAKE,
    FUTEX_WAKE_BITSET,
)
from tickless.abi.ioctl import FIOCLEX, FIONCLEX, TIOCEXCL, TIOCNOTTY, TIOCNXCL

Indices = Sequence[int]

ADDRESS, OPERATION, VALUE, TIMEOUT, SECOND_ADDRESS, VALUE_3 = range(6)
FUTEX_ARGUMENTS: dict[int, Indices] = {
    FUTEX_WAIT: (ADDRESS, OPERATION, VALUE, TIMEOUT),
    FUTEX_WAKE: (ADDRESS, OPERATION, VALUE),
    FUTEX_WAIT_BITSET: (ADDRESS, OPERATION, VALUE, TIMEOUT, VALUE_3),
    FUTEX_WAKE_BITSET: (ADDRESS, OPERATION, VALUE, VALUE_3),
    FUTEX_REQUEUE: (ADDRESS, OPERATION, VALUE, TIMEOUT, SECOND_ADDRESS),
    FUTEX_CMP_REQUEUE: (ADDRESS, OPERATION, VALUE, TIMEOUT, SECOND_ADDRESS, VALUE_3),
    FUTEX_LOCK_PI: (ADDRESS, OPERATION, TIMEOUT),
    FUTEX_LOCK_PI2: (ADDRESS, OPERATION, TIMEOUT),
    FUTEX_TRYLOCK_PI: (ADDRESS, OPERATION),
    FUTEX_UNLOCK_PI: (ADDRESS, OPERATION),
}
# The commands whose fourth argument is a time-out, not a number.
FUTEX_TIMED = frozenset({FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_LOCK_PI, FUTEX_LOCK_PI2})

LONE_FCNTL_COMMANDS = frozenset(
    {F_GETFD, F_GETFL, F_GETOWN, F_GETSIG, F_GETLEASE, F_GETPIPE_SZ, F_GET_SEALS, F_CREATED_QUERY}
)
LONE_IOCTL_REQUESTS = frozenset({FIOCLEX, FIONCLEX, TIOCEXCL, TIOCNXCL, TIOCNOTTY})


def _futex(values: Sequence[int]) -> Indices:
    return FUTEX_ARGUMENTS.get(values[OPERATION] & FUTEX_CMD_MASK, range(6))


def _without_last_if(condition: Callable[[Sequence[int]], bool]) -> Callable[[Sequence[int]], Indices]:
    return lambda values: range(len(values) - condition(values))


_USED: dict[str, Callable[[Sequence[int]], Indices]] = {
    "futex": _futex,
    "fcntl": _without_last_if(lambda values: values[1] in LONE_FCNTL_COMMANDS),
    "ioctl": _without_last_if(lambda values: values[1] in LONE_IOCTL_REQUESTS),
    "epoll_ctl": _without_last_if(lambda values: values[1] == EPOLL_CTL_DEL),
    "open": _without_last_if(lambda values: not values[1] & (O_CREAT | O_TMPFILE)),
    "openat": _without_last_if(lambda values: not values[2] & (O_CREAT | O_TMPFILE)),
    # The options that are ours have one argument.
    "prctl": lambda values: (0, 1),
    # The others are the memory and tid words of the new task's C library.
    "clone": lambda values: (0, 1),
}


def used_by(name: str, count: int) -> Callable[[Sequence[int]], Indices]:
    """A function that gives the places of the arguments that the call of `count` looks at, from their values."""
    every = range(count)
    return _USED.get(name, lambda values: every)
