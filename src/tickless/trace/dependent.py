"""Arguments that mean what another argument of the call says: fcntl's by its command, ioctl's by its request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tickless.abi.fcntl import (
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_GETFD,
    F_GETFL,
    F_GETLK,
    F_OFD_GETLK,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_SETFD,
    F_SETFL,
    F_SETLK,
    F_SETLKW,
    F_SETOWN,
    F_SETPIPE_SZ,
    F_SETSIG,
    FLOCK,
)
from tickless.abi.integers import signed_32
from tickless.abi.ioctl import FIOASYNC, FIONBIO, FIONREAD
from tickless.abi.prctl import PR_SET_PDEATHSIG
from tickless.abi.show import (
    show_decimal,
    show_fd_flags,
    show_flock,
    show_int,
    show_number_or_pointer,
    show_open_flags,
    show_signal,
)
from tickless.abi.wait import P_PIDFD
from tickless.kernel.errors import Errno
from tickless.trace.values import show_futex_timeout

if TYPE_CHECKING:
    from tickless.abi.show import ShowBytes, ShowValue
    from tickless.kernel.outcome import Answer
    from tickless.kernel.task import Task
    from tickless.trace.names import Names

# The text of an argument, of all arguments' values; None: it is filled, and only known when the call returns.
ShowDependent = Callable[["Task", "Names", Sequence[int]], str | None]

FCNTL_NUMBERS: dict[int, ShowValue] = {
    F_DUPFD: show_decimal,
    F_DUPFD_CLOEXEC: show_decimal,
    F_SETPIPE_SZ: show_decimal,
    F_SETFD: show_fd_flags,
    F_SETFL: show_open_flags,
    F_SETSIG: show_signal,
}
FCNTL_LOCKS = frozenset({F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW})
FCNTL_FLAGS: dict[int, ShowValue] = {F_GETFD: show_fd_flags, F_GETFL: show_open_flags}
INT_SIZE = 4


def _fcntl(task: Task, names: Names, values: Sequence[int]) -> str:
    _, command, argument = values
    if command == F_SETOWN:
        return names.pid(signed_32(argument))
    if command in FCNTL_LOCKS:
        return _read(task, argument, FLOCK.size, show_flock)
    show = FCNTL_NUMBERS.get(command)
    return show_number_or_pointer(argument) if show is None else show(argument & 0xFFFFFFFF)


def _ioctl(task: Task, names: Names, values: Sequence[int]) -> str | None:
    _, request, argument = values
    if request == FIONREAD and argument:
        return None
    if request in (FIONBIO, FIOASYNC):
        return _read(task, argument, INT_SIZE, show_int)
    return show_number_or_pointer(argument)


def _prctl(task: Task, names: Names, values: Sequence[int]) -> str:
    option, argument = values[:2]
    return show_signal(signed_32(argument)) if option == PR_SET_PDEATHSIG else show_number_or_pointer(argument)


def _waitid(task: Task, names: Names, values: Sequence[int]) -> str:
    kind, number = values[:2]
    return names.fd(task, number) or str(number) if kind == P_PIDFD else names.pid(signed_32(number))


# By call and parameter.
DEPENDENT: dict[tuple[str, str], ShowDependent] = {
    ("fcntl", "arg"): _fcntl,
    ("futex", "timeout"): lambda task, names, values: show_futex_timeout(task, values[1], values[3]),
    ("ioctl", "argument"): _ioctl,
    ("prctl", "arg2"): _prctl,
    ("waitid", "id"): _waitid,
}


def show_filled(task: Task, values: Sequence[int], answer: Answer) -> str:
    """The text of an int that ioctl has filled."""
    return _read(task, values[2], INT_SIZE, show_int) if answer == 0 else "ptr"


def show_fcntl_result(task: Task, names: Names, command: int, answer: int) -> str:
    """What follows `= ` for fcntl: `0x802 (flags O_RDWR|O_NONBLOCK)`."""
    if command in (F_DUPFD, F_DUPFD_CLOEXEC):
        return names.fd(task, answer) or str(answer)
    show = FCNTL_FLAGS.get(command)
    if show is None or (command == F_GETFD and not answer):
        return str(answer)
    return f"{answer:#x} (flags {show(answer)})"


def _read(task: Task, address: int, size: int, show: ShowBytes) -> str:
    if not address:
        return "NULL"
    try:
        return show(task.memory.copy_in(address, size))
    except Errno:
        return "ptr"
