"""A host that answers what the kernel asks from tables, for the parts that differ where there is one."""

from __future__ import annotations

from typing import cast

from tickless.abi.errno import EBADF
from tickless.abi.numbers import number_of
from tickless.kernel.errors import Errno
from tickless.kernel.machine import Argument, Calls, Machine, OwnTask, Program
from tickless.kernel.outcome import Answer
from tickless.kernel.task import Task, ThreadGroup


class FakeHost:
    """HostKernel: process groups and sessions are those of the kernel itself, everything may be signalled."""

    def __init__(self) -> None:
        self.reaped: set[ThreadGroup] = set()
        self.pidfds: dict[int, int] = {}  # pid by number
        self.directories: dict[int, int] = {}  # of /proc: pid by number
        self.status_of: dict[int, int] = {}  # F_GETFL by number
        self.protected: set[ThreadGroup] = set()  # nobody may signal them
        self.connected_outside: set[ThreadGroup] = set()
        self.uids: dict[str, int] = {}  # by name of the task
        self.cpu_ns: dict[Task | ThreadGroup, int] = {}  # CPU time that was used
        self.ancillary = 0  # messages with ancillary data
        self.sent: list[bytes] = []  # such data
        self.filters: list[tuple[Task, int, int]] = []  # task, mode, address
        self.masked_calls: list[tuple[Task, int, int]] = []

    def process_group(self, group: ThreadGroup) -> int:
        return group.process_group

    def session(self, group: ThreadGroup) -> int:
        return group.session

    def real_uid(self, task: Task) -> int:
        return self.uids.get(task.name, 0)

    def may_signal(self, sender: Task, target: ThreadGroup, signo: int) -> bool:
        return target not in self.protected

    def has_capability(self, task: Task, capability: int) -> bool:
        return True

    def sysinfo(self) -> bytes:
        return bytes(112)

    def cpu_times(self, group: ThreadGroup) -> tuple[int, int, int, int]:
        return 1, 2, 3, 4

    def cpu_time_ns(self, group: ThreadGroup, thread: Task | None, kind: int) -> int:
        return self.cpu_ns.get(thread or group, 0)

    def is_reaped(self, child: ThreadGroup) -> bool:
        return child in self.reaped

    def note_stop(self, group: ThreadGroup) -> None:
        pass

    def is_connected_outside(self, group: ThreadGroup) -> bool:
        return group in self.connected_outside

    def pid_of_pidfd(self, task: Task, fd: int) -> int:
        if fd not in self.pidfds:
            raise Errno(EBADF)
        return self.pidfds[fd]

    def pid_of_directory(self, task: Task, fd: int) -> int | None:
        return self.directories.get(fd)

    def held_by(self, task: Task, fd: int) -> tuple[str, list[int]]:
        return "", []

    def note_filter(self, task: Task, mode: int, address: int) -> None:
        self.filters.append((task, mode, address))

    def note_ancillary(self, task: Task, sent: list[bytes]) -> None:
        self.ancillary += 1
        self.sent += sent

    def status_flags(self, task: Task, fd: int) -> int:
        return self.status_of.get(fd, 0)

    def needs_dumpable(self) -> bool:
        return False

    def kill_group(self, group: ThreadGroup) -> None:
        raise AssertionError("nobody is killed here")

    def end_masked_call(self, task: Task, mask: int, error: int) -> Answer:
        self.masked_calls.append((task, mask, error))
        return -error


def idle(sys: Calls) -> Program:
    """A program for tasks whose calls a test makes itself."""
    yield sys.getpid()


def call(task: Task, name: str, *args: Argument) -> Answer | None:
    """Make a call for a task that does not run: its answer, None if it blocks."""
    kernel = task.kernel
    assert isinstance(kernel, Machine)
    own = cast(OwnTask, task)
    number = number_of(kernel.architecture, name)
    assert number is not None, f"no call {name}"
    answer = kernel.begin_call(task, number, kernel._registers(own, args))
    for buffer, address in own.frames[-1].copied_back:
        buffer[:] = own.own_memory.copy_in(address, len(buffer))
    return answer
