"""Who waits for what when nothing can happen any more: `main.2 waits in read of 5<pipe>, whose only writer is main.1`.

All of it is read from the tasks, their memory and their files when the run has come to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import TYPE_CHECKING

from tickless.abi.futex import FUTEX_PRIVATE_FLAG, FUTEX_TID_MASK
from tickless.abi.numbers import name_of
from tickless.abi.poll import POLLFD
from tickless.abi.signal import SIGSET, signal_name, signals_in
from tickless.kernel.epoll import Epoll
from tickless.kernel.errors import Errno
from tickless.kernel.futex_queue import futex_key, read_word
from tickless.kernel.pipe import PipeEnd, PipeReader, PipeWriter
from tickless.kernel.signalfd import SignalFd
from tickless.kernel.task import BLOCKED
from tickless.kernel.timerfd import TimerFd
from tickless.kernel.wait import awaited_children

if TYPE_CHECKING:
    from tickless.kernel.file import File
    from tickless.kernel.futex_queue import Key
    from tickless.kernel.kernel import Kernel
    from tickless.kernel.task import Task

# Calls whose first argument is the file that they wait for.
OF_A_FILE = (
    *("read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2"),
    *("recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg", "accept", "accept4", "connect"),
    *("epoll_wait", "epoll_pwait", "epoll_pwait2", "flock", "fcntl", "mq_timedsend", "mq_timedreceive"),
)
# Where a pthread_mutex_t of glibc, or of musl, has its owner's tid: next to the word that its waiters sleep on.
OWNER_OFFSET = 8
# How much of a file's name is told.
LONGEST_NAME = 200
# How much of a list of fds is looked at.
MOST_FDS = 64
FD_WORD = Struct("<Q")


def describe_blocked(kernel: Kernel) -> list[str]:
    """A line for each task: what it waits in, and on what."""
    report = _Report(kernel)
    return [f"{task.name} {report.describe(task)}" for task in kernel.tasks.values()]


class _Report:
    """One look at all tasks: words that several of them wait on have one name in it."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.words: dict[Key, int] = {}  # numbers of futex words, in order of appearance
        self.objects: dict[str, Callable[[Task], str]] = {
            **dict.fromkeys(OF_A_FILE, self._file),
            **dict.fromkeys(("poll", "ppoll"), self._polled),
            **dict.fromkeys(("select", "pselect6"), self._selected),
            **dict.fromkeys(("wait4", "waitid"), self._children),
            **dict.fromkeys(("pause", "rt_sigsuspend"), lambda task: "for a signal"),
            "rt_sigtimedwait": self._signals,
            "futex": self._word,
            "open": lambda task: self._path(task, task.args[0]),
            **dict.fromkeys(("openat", "openat2"), lambda task: self._path(task, task.args[1])),
            **dict.fromkeys(("semop", "semtimedop"), lambda task: f"of semaphore set {task.args[0]}"),
            **dict.fromkeys(("msgsnd", "msgrcv"), lambda task: f"of message queue {task.args[0]}"),
        }

    def describe(self, task: Task) -> str:
        """What the task does."""
        if task.group.stopped_by:
            return f"is stopped by {signal_name(task.group.stopped_by)}"
        call = self._call(task)
        if task.state is not BLOCKED:
            return f"is {task.state} after {call}" if call else f"is {task.state}"
        return f"waits in {call} {self._object(task, call)}".rstrip()

    def _call(self, task: Task) -> str:
        return "" if task.call is None else name_of(self.kernel.architecture, task.call)

    def _object(self, task: Task, call: str) -> str:
        find = self.objects.get(call)
        if find is None:
            return ""
        try:
            return find(task)
        except Errno:
            return ""  # memory that is gone, an fd that another thread has closed

    # Files

    def _file(self, task: Task) -> str:
        fd = _u32(task.args[0])
        return f"of {self._named(task, fd)}{self._about(task, task.fds.get(fd))}"

    def _named(self, task: Task, fd: int) -> str:
        return f"{fd}<{task.fds.get(fd).name}>"

    def _about(self, task: Task, file: File) -> str:
        """What would make the file ready."""
        if isinstance(file, SignalFd):
            return f", for {_signal_names(file.mask)}"
        if isinstance(file, TimerFd):
            return ", which is not armed" if file.deadline_ns is None else ""
        if isinstance(file, Epoll):
            return self._watched(file)
        if isinstance(file, PipeEnd):
            return self._other_ends(task, file)
        if file.host:
            return self._held_by(task)
        others = [owner for owner in self._who_has(lambda other: other is file) if owner.fds is not task.fds]
        return f", which {_join(owner.name for owner in others)} could change" if others else ", which nobody else has"

    def _held_by(self, task: Task) -> str:
        """Who has the other end of a socket, or the lock that the call waits for."""
        if self.kernel.host is None:
            return ""
        what, tids = self.kernel.host.held_by(task, _u32(task.args[0]))
        names = [other.name for tid in tids if (other := self.kernel.tasks.get(tid)) is not None]
        return f", {what} of which is held by {_join(names)}" if names else ""

    def _watched(self, epoll: Epoll) -> str:
        """The interest list; what is in the host's part of it is not told."""
        names = [f"{interest.fd}<{interest.file.name}>" for interest in epoll.interest_list.values()]
        if epoll.host_interests is not None:
            names.append("files of the host")
        return f", which watches {_join(names)}" if names else ", which watches nothing"

    def _other_ends(self, task: Task, end: PipeEnd) -> str:
        """Who could write to the pipe, or read from it."""
        kind, role = (PipeWriter, "writer") if isinstance(end, PipeReader) else (PipeReader, "reader")
        owners = self._who_has(lambda other: isinstance(other, kind) and other.pipe is end.pipe)
        names = ["itself" if owner.fds is task.fds else owner.name for owner in owners]
        if not names:
            return ""
        return f", whose only {role} is {names[0]}" if len(names) == 1 else f", whose {role}s are {_join(names)}"

    def _who_has(self, is_it: Callable[[File], bool]) -> list[Task]:
        """Who has such a file open, as far as is known: the oldest task of each fd table."""
        tables = {id(task.fds): task for task in reversed(self.kernel.tasks.values())}
        return [task for task in reversed(tables.values()) if any(map(is_it, task.fds.files.values()))]

    def _polled(self, task: Task) -> str:
        address, count = task.args[0], min(task.args[1], MOST_FDS)
        entries = POLLFD.iter_unpack(task.memory.copy_in(address, count * POLLFD.size))
        return self._list_of_fds(task, [fd for fd, _, _ in entries if fd >= 0])

    def _selected(self, task: Task) -> str:
        count = min(_u32(task.args[0]), MOST_FDS)
        asked = 0
        for address in task.args[1:4]:
            if address and count:
                asked |= FD_WORD.unpack(task.memory.copy_in(address, FD_WORD.size))[0]
        return self._list_of_fds(task, [fd for fd in range(count) if asked >> fd & 1])

    def _list_of_fds(self, task: Task, fds: Sequence[int]) -> str:
        return f"of {_join(self._named(task, fd) for fd in fds)}" if fds else ""

    # Other things

    def _path(self, task: Task, address: int) -> str:
        """A file as the call names it."""
        name = bytearray()
        while len(name) < LONGEST_NAME and (byte := task.memory.copy_in(address + len(name), 1)) != b"\0":
            name += byte
        return f"of {name.decode(errors='backslashreplace')}"

    def _children(self, task: Task) -> str:
        """The living children that the wait is for."""
        children = awaited_children(task, waitid=self._call(task) == "waitid")
        return f"for {_join(child.name for child in children)}"

    def _signals(self, task: Task) -> str:
        (mask,) = SIGSET.unpack(task.memory.copy_in(task.args[0], SIGSET.size))
        return f"for {_signal_names(mask)}"

    def _word(self, task: Task) -> str:
        """A futex word by a number, and what can be guessed of it."""
        address = task.args[0]
        for other in self.kernel.tasks.values():
            if other.clear_child_tid == address and other.memory is task.memory:
                return f"for the end of {other.name}"
        key = futex_key(task, address, private=bool(task.args[1] & FUTEX_PRIVATE_FLAG))
        number = self.words.setdefault(key, len(self.words) + 1)
        owner = self._owner(task, address)
        return f"on word {number}" + (f", a lock that {owner.name} seems to hold" if owner else "")

    def _owner(self, task: Task, address: int) -> Task | None:
        """The task whose tid is in the word, or where a mutex has its owner."""
        for candidate in (address, address + OWNER_OFFSET):
            owner = self.kernel.tasks.get(read_word(task, candidate) & FUTEX_TID_MASK)
            if owner is not None:
                return owner
        return None


def _u32(register: int) -> int:
    return register & 0xFFFFFFFF


def _join(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _signal_names(mask: int) -> str:
    return _join(map(signal_name, signals_in(mask))) if mask else "no signal"
