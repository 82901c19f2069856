"""Values that a trace has to look behind: they hold pids, or mean more than their bytes."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.futex import FUTEX_CMD_MASK, FUTEX_TID_MASK, FUTEX_WAITERS
from tickless.abi.integers import signed_32
from tickless.abi.names import name_or_number
from tickless.abi.show import LOWEST_ADDRESS, MAX_SHOWN, quoted, show_timespec
from tickless.abi.siginfo import SIGNALFD_SIGINFO
from tickless.abi.signal import signal_name
from tickless.abi.tables import OWN_CODES, SI_CODES
from tickless.abi.time import TIMESPEC
from tickless.kernel.errors import Errno
from tickless.kernel.eventfd import EventFd
from tickless.kernel.signalfd import SignalFd
from tickless.kernel.timerfd import TimerFd
from tickless.trace.varied import FUTEX_TIMED

if TYPE_CHECKING:
    from tickless.abi.show import ShowValue
    from tickless.kernel.task import Task
    from tickless.trace.names import Names

COUNT = Struct("<Q")
# Files of which all that is read or written is a count.
COUNTERS = frozenset({EventFd, TimerFd})


def show_futex_value(task: Task, address: int, value: int, names: Names, show: ShowValue) -> str:
    """Print what a futex word is expected to be: the name of a task, if it is the tid of one.

    A join waits for the word that the thread's end clears; the word of a lock that knows its owner has a tid in it
    and says that somebody waits.
    """
    tid = value & FUTEX_TID_MASK
    joined = task.kernel.tasks.get(value)
    if joined is not None and joined.clear_child_tid == address:
        return joined.name
    owner = names.known_pid(tid) if value & FUTEX_WAITERS and tid else None
    return f"FUTEX_WAITERS|{owner}" if owner else show(value)


def show_futex_timeout(task: Task, operation: int, register: int) -> str:
    """Print what is a time-out to some commands and a number to others."""
    if operation & FUTEX_CMD_MASK not in FUTEX_TIMED:
        return str(signed_32(register))
    if not register:
        return "NULL"
    try:
        return show_timespec(task.memory.copy_in(register, TIMESPEC.size))
    except Errno:
        return "ptr"


def holds_count(task: Task, fd: int, size: int) -> bool:
    """Whether so much of the file's data is a count, and no text."""
    return size == COUNT.size and type(task.fds.files.get(fd)) in COUNTERS


def is_of_records(task: Task, fd: int) -> bool:
    """Whether the file gives structures, which are shown whole."""
    return isinstance(task.fds.files.get(fd), SignalFd)


def show_buffer(task: Task, fd: int, data: bytes, names: Names) -> str:
    """Print what was read from a file, or written to one."""
    file = task.fds.files.get(fd)
    if type(file) in COUNTERS and len(data) == COUNT.size:
        return f"[{COUNT.unpack(data)[0]}]"
    if isinstance(file, SignalFd):
        records = range(0, len(data) - SIGNALFD_SIGINFO.size + 1, SIGNALFD_SIGINFO.size)
        return f"[{', '.join(_signal_record(data[start:], names) for start in records)}]"
    return _show_data(task, names.pids_named(data), names)


def _show_data(task: Task, data: bytes, names: Names) -> str:
    """Print bytes, and addresses among them by name: libuv, for one, sends itself pointers through a pipe."""
    parts, start = [], 0
    for at in range(0, min(len(data), MAX_SHOWN) - COUNT.size + 1, COUNT.size) if b"\0\0" in data else ():
        (word,) = COUNT.unpack_from(data, at)
        if word >= LOWEST_ADDRESS and _is_mapped(task, word):
            parts += [quoted(data[start:at])] if at > start else []
            parts.append(names.pointer(task, word))
            start = at + COUNT.size
    if not parts:
        return quoted(data)
    parts += [quoted(data[start:MAX_SHOWN])] if start < min(len(data), MAX_SHOWN) else []
    return f"[{', '.join(parts)}]{'...' if len(data) > MAX_SHOWN else ''}"


def _is_mapped(task: Task, address: int) -> bool:
    try:
        task.memory.copy_in(address, 1)
    except Errno:
        return False
    return True


def _signal_record(data: bytes, names: Names) -> str:
    """struct signalfd_siginfo: signalfd(2)."""
    signo, _, code, pid = SIGNALFD_SIGINFO.unpack_from(data)[:4]
    codes = OWN_CODES.get(signo, {}) if 0 < code < 0x80 else SI_CODES
    sender = f", from {names.known_pid(pid) or 'outside'}" if pid else ""
    return f"{{ssi_signo={signal_name(signo)}, ssi_code={name_or_number(code, codes)}{sender}}}"
