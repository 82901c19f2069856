"""An epoll and the task that uses it, for tests that make its calls one by one."""

from __future__ import annotations

from dataclasses import dataclass

from tests.kernel.fake_files import install
from tests.kernel.fake_host import call
from tickless.abi.epoll import (
    EPOLL_CTL_ADD,
    EPOLL_EVENT,
)
from tickless.kernel.epoll import Epoll
from tickless.kernel.file import File
from tickless.kernel.machine import Machine, OwnTask


@dataclass
class Watcher:
    """A task and its epoll."""

    kernel: Machine
    task: OwnTask
    epfd: int

    @property
    def epoll(self) -> Epoll:
        epoll = self.task.fds.get(self.epfd)
        assert isinstance(epoll, Epoll)
        return epoll

    def open(self, file: File) -> int:
        return install(self.task, file)

    def control(self, op: int, fd: int, events: int = 0, data: int | None = None) -> object:
        event = EPOLL_EVENT.pack(events, fd if data is None else data)
        return call(self.task, "epoll_ctl", self.epfd, op, fd, event)

    def watch(self, file: File, events: int) -> int:
        fd = self.open(file)
        assert self.control(EPOLL_CTL_ADD, fd, events) == 0
        return fd

    def wait(self, room: int = 8) -> list[tuple[int, int]]:
        """(events, data) of what is ready now."""
        buffer = bytearray(room * EPOLL_EVENT.size)
        count = call(self.task, "epoll_wait", self.epfd, buffer, room, 0)
        assert isinstance(count, int)
        return list(EPOLL_EVENT.iter_unpack(buffer))[:count]


def new_watcher(kernel: Machine, task: OwnTask) -> Watcher:
    epfd = call(task, "epoll_create1", 0)
    assert isinstance(epfd, int)
    return Watcher(kernel, task, epfd)


def start_waiting(watcher: Watcher) -> None:
    assert call(watcher.task, "epoll_wait", watcher.epfd, bytearray(12), 1, -1) is None
