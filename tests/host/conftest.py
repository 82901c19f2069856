"""A task's files, its sockets, and what watches them: our own process is the task."""

import os
import socket
from collections.abc import Iterator

import pytest

from tickless.host.host_files import Shadow, TaskFiles
from tickless.host.master import Master


class Wakes:
    """Counts how often something was woken."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


class Pair:
    """Two connected sockets: what the task holds, and what its peer does."""

    def __init__(self) -> None:
        self.task, self.peer = socket.socketpair()
        self.fd = self.task.fileno()

    def close(self) -> None:
        self.task.close()
        self.peer.close()


@pytest.fixture
def nothing_leaks() -> Iterator[None]:
    before = os.listdir("/proc/self/fd")
    yield
    assert os.listdir("/proc/self/fd") == before


@pytest.fixture
def master() -> Iterator[Master]:
    master = Master()
    yield master
    master.close()


@pytest.fixture
def files() -> Iterator[TaskFiles]:
    """Our own process is the task."""
    files = TaskFiles(os.getpid())
    yield files
    files.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


@pytest.fixture
def wakes() -> Wakes:
    return Wakes()


@pytest.fixture
def shadow(master: Master, wakes: Wakes) -> Iterator[Shadow]:
    shadow = Shadow(master, wakes)
    yield shadow
    shadow.close()
