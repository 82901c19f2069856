"""Placeholders: the host counts references for us, on every road an fd can take."""

import array
import fcntl
import os
import resource
import select
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tickless.host.master import Master
from tickless.host.placeholder import CAPACITY, Placeholders, raise_descriptor_limit
from tickless.kernel.file import File

F_GETPIPE_SZ = 1032


class Recorder(File):
    """A file that only notes its release."""

    name = "recorder"

    def __init__(self, released: list["Recorder"]) -> None:
        super().__init__(nonblock=False)
        self._released = released

    def released(self) -> None:
        self._released.append(self)


@pytest.fixture
def released() -> list[Recorder]:
    return []


@pytest.fixture
def master() -> Iterator[Master]:
    master = Master()
    yield master
    master.close()


@pytest.fixture
def placeholders(master: Master) -> Iterator[Placeholders]:
    placeholders = Placeholders(master)
    yield placeholders
    placeholders.close()


@pytest.mark.parametrize("writable", [False, True], ids=["read end", "write end"])
def test_the_last_close_releases(placeholders: Placeholders, released: list[Recorder], writable: bool) -> None:
    file = Recorder(released)
    fd = placeholders.make(file, writable=writable)
    duplicate = os.dup(fd)

    os.close(fd)
    placeholders.drain()
    after_first_close = list(released)
    os.close(duplicate)
    placeholders.drain()

    assert after_first_close == []
    assert released == [file]
    assert len(placeholders) == 0


@pytest.mark.parametrize("writable", [False, True], ids=["read end", "write end"])
def test_the_end_that_is_handed_out(placeholders: Placeholders, released: list[Recorder], writable: bool) -> None:
    fd = placeholders.make(Recorder(released), writable=writable)
    mode = "w" if writable else "r"

    with os.fdopen(fd, mode + "b", buffering=0) as pipe:
        assert (pipe.writable(), pipe.readable()) == (writable, not writable)
        assert not os.get_inheritable(fd)


def test_the_inode_names_the_description(placeholders: Placeholders, released: list[Recorder]) -> None:
    """By whatever number: duplicates and /proc show the same one."""
    files = [Recorder(released) for _ in range(3)]
    fds = [placeholders.make(file, writable=False) for file in files]
    duplicate = os.dup(fds[1])

    assert [placeholders.file_of(placeholders.inode_of(file)) for file in files] == files
    assert placeholders.file_at(os.stat(f"/proc/self/fd/{duplicate}")) is files[1]
    assert placeholders.file_of(os.fstat(fds[2]).st_ino) is files[2]
    for fd in (*fds, duplicate):
        os.close(fd)


def test_a_file_of_the_host_is_nobodys(placeholders: Placeholders, released: list[Recorder]) -> None:
    """A FIFO of another file system may have the inode of a placeholder, so its device counts, too."""
    fd = placeholders.make(Recorder(released), writable=False)
    ours = os.fstat(fd)
    elsewhere = os.stat_result([ours.st_mode, ours.st_ino, ours.st_dev + 1, *ours[3:]])
    read_end, write_end = os.pipe()

    assert placeholders.file_at(elsewhere) is None
    assert placeholders.file_at(os.fstat(read_end)) is None
    for each in (fd, read_end, write_end):
        os.close(each)


def test_an_exit_releases(placeholders: Placeholders, released: list[Recorder]) -> None:
    file = Recorder(released)
    fd = placeholders.make(file, writable=False)
    with subprocess.Popen([sys.executable, "-c", "input()"], pass_fds=(fd,), stdin=subprocess.PIPE) as child:
        os.close(fd)
        placeholders.drain()
        while_it_lives = list(released)
        child.kill()
    placeholders.drain()

    assert while_it_lives == []
    assert released == [file]


def test_a_reference_in_flight_counts(placeholders: Placeholders, released: list[Recorder]) -> None:
    """unix(7): a description in an SCM_RIGHTS message lives as long as the message."""
    file = Recorder(released)
    fd = placeholders.make(file, writable=False)
    sender, receiver = socket.socketpair()
    sender.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    os.close(fd)
    placeholders.drain()
    in_flight = list(released)
    sender.close()
    receiver.close()
    placeholders.drain()

    assert in_flight == []
    assert released == [file]


def test_a_release_may_release_more(placeholders: Placeholders, released: list[Recorder]) -> None:
    """As when an epoll goes that held the last interest: one drain is enough."""
    inner = Recorder(released)
    inner_fd = placeholders.make(inner, writable=False)

    class Outer(Recorder):
        def released(self) -> None:
            super().released()
            os.close(inner_fd)

    outer = Outer(released)
    os.close(placeholders.make(outer, writable=False))
    placeholders.drain()

    assert released == [outer, inner]


def test_a_waiting_master_drains(master: Master, placeholders: Placeholders, released: list[Recorder]) -> None:
    file = Recorder(released)
    os.close(placeholders.make(file, writable=False))

    assert master.poll(10) == 1
    assert released == [file]
    assert master.poll(0) == 0


def test_a_placeholder_takes_one_page(placeholders: Placeholders, released: list[Recorder]) -> None:
    fd = placeholders.make(Recorder(released), writable=False)
    assert fcntl.fcntl(fd, F_GETPIPE_SZ) == CAPACITY
    os.close(fd)


def test_making_and_closing_leaks_nothing(placeholders: Placeholders, released: list[Recorder]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3000):
        os.close(placeholders.make(Recorder(released), writable=False))
        placeholders.drain()

    assert len(released) == 3000
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_end_of_the_run_gives_everything_back(released: list[Recorder]) -> None:
    before = len(os.listdir("/proc/self/fd"))
    master = Master()
    placeholders = Placeholders(master)
    fd = placeholders.make(Recorder(released), writable=False)
    placeholders.close()
    master.close()
    os.close(fd)

    assert released == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_supervisor_may_have_as_many_fds_as_the_hard_limit() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[0]), before[1]))
    raise_descriptor_limit()
    after = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert after == (before[1], before[1])


def test_the_master_forgets_what_a_callback_unregistered(master: Master) -> None:
    """Both fds are ready in one round; whoever comes first takes the other away."""
    ends = [os.pipe(), os.pipe()]
    called: list[int] = []

    def unregister_the_other(mine: int, other: int) -> None:
        called.append(mine)
        master.unregister(other)

    (first, first_write), (second, second_write) = ends
    master.register(first, select.EPOLLIN, lambda _: unregister_the_other(first, second))
    master.register(second, select.EPOLLIN, lambda _: unregister_the_other(second, first))
    os.write(first_write, b"x")
    os.write(second_write, b"x")
    master.poll(0)

    assert len(called) == 1
    assert len(master) == 1
    for fd in (first, first_write, second, second_write):
        os.close(fd)
