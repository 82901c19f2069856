"""Host files in a virtual epoll: the host epoll that stands behind it. epoll(7)"""

import errno
import os
import platform
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host.conftest import Pair, Wakes
from tickless.abi.epoll import (
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLL_EVENT,
    EPOLLET,
    EPOLLHUP,
    EPOLLIN,
    EPOLLONESHOT,
    EPOLLRDHUP,
)
from tickless.host.host_files import Shadow, TaskFiles, key_of
from tickless.host.master import Master

DATA = 0xFEDCBA9876543210
CAN_NAME_THREADS = tuple(map(int, platform.release().split(".")[:2])) >= (6, 9)
pytestmark = pytest.mark.usefixtures("nothing_leaks")


def event(events: int, data: int = DATA) -> bytes:
    return EPOLL_EVENT.pack(events, data)


def test_a_ready_file_is_reported_with_the_programs_data(shadow: Shadow, files: TaskFiles, pair: Pair) -> None:
    """Level-triggered: as long as it is ready, and never before. All 64 bits of the data come back."""
    added = shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN))
    before = shadow.collect(8)
    pair.peer.send(b"x")
    first, second = shadow.collect(8), shadow.collect(8)
    pair.task.recv(1)

    assert (added, before) == (0, [])
    assert first == second == [(EPOLLIN, DATA)]
    assert shadow.collect(8) == []


def test_the_key_is_file_and_number(shadow: Shadow, files: TaskFiles, pair: Pair) -> None:
    """epoll(7): a duplicate may be added beside the original, the same number may not."""
    duplicate = os.dup(pair.fd)
    pair.peer.send(b"x")
    results = [
        shadow.control(files, EPOLL_CTL_MOD, pair.fd, event(EPOLLIN)),
        shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN, 1)),
        shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN, 2)),
        shadow.control(files, EPOLL_CTL_ADD, duplicate, event(EPOLLIN, 3)),
        shadow.control(files, EPOLL_CTL_MOD, pair.fd, event(EPOLLIN, 4)),
    ]
    reported = shadow.collect(8)
    results.append(shadow.control(files, EPOLL_CTL_DEL, pair.fd, event(0)))
    left = shadow.collect(8)
    os.close(duplicate)

    assert results == [-errno.ENOENT, 0, -errno.EEXIST, 0, 0, 0]
    assert sorted(reported) == [(EPOLLIN, 3), (EPOLLIN, 4)]
    assert left == [(EPOLLIN, 3)]


def test_errors_are_the_hosts(shadow: Shadow, files: TaskFiles, tmp_path: Path) -> None:
    """epoll_ctl(2): EBADF for a closed number, EPERM for a file that has no readiness."""
    with (tmp_path / "regular").open("w") as regular:
        assert shadow.control(files, EPOLL_CTL_ADD, regular.fileno(), event(EPOLLIN)) == -errno.EPERM
    assert shadow.control(files, EPOLL_CTL_ADD, 700, event(EPOLLIN)) == -errno.EBADF
    assert shadow.control(files, EPOLL_CTL_ADD, -1, event(EPOLLIN)) == -errno.EBADF


def test_edges_are_reported_once(shadow: Shadow, files: TaskFiles, pair: Pair) -> None:
    shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN | EPOLLET))
    pair.peer.send(b"x")
    looked, first, second = shadow.has_events(), shadow.collect(8), shadow.collect(8)
    pair.peer.send(b"y")

    assert looked
    assert (first, second) == ([(EPOLLIN, DATA)], [])
    assert shadow.collect(8) == [(EPOLLIN, DATA)]


def test_looking_consumes_nothing(shadow: Shadow, files: TaskFiles, pair: Pair) -> None:
    shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN | EPOLLET | EPOLLONESHOT))
    before = shadow.has_events()
    pair.peer.send(b"x")
    looked = [shadow.has_events() for _ in range(3)]

    assert (before, looked) == (False, [True, True, True])
    assert shadow.collect(8) == [(EPOLLIN, DATA)]
    assert not shadow.has_events()


def test_one_shots_are_armed_again_by_mod(shadow: Shadow, files: TaskFiles, pair: Pair) -> None:
    shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN | EPOLLONESHOT))
    pair.peer.send(b"x")
    first, disarmed = shadow.collect(8), shadow.collect(8)
    shadow.control(files, EPOLL_CTL_MOD, pair.fd, event(EPOLLIN | EPOLLONESHOT))

    assert (first, disarmed) == ([(EPOLLIN, DATA)], [])
    assert shadow.collect(8) == [(EPOLLIN, DATA)]


def test_no_more_than_there_is_room_for(shadow: Shadow, files: TaskFiles) -> None:
    """epoll_wait(2): what did not fit comes next; nobody starves."""
    pairs = [Pair() for _ in range(3)]
    for n, pair in enumerate(pairs):
        shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN, n))
        pair.peer.send(b"x")
    reported = [shadow.collect(1) for _ in range(3)]
    for pair in pairs:
        pair.close()

    assert reported == [[(EPOLLIN, 0)], [(EPOLLIN, 1)], [(EPOLLIN, 2)]]


def test_a_watched_file_still_hangs_up(shadow: Shadow, files: TaskFiles, pair: Pair) -> None:
    """A duplicate of ours would hide the peer's end from the task, and the task's from the peer."""
    shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN | EPOLLRDHUP))
    pair.peer.close()
    hung_up = shadow.collect(8)
    other = Pair()
    shadow.control(files, EPOLL_CTL_ADD, other.fd, event(EPOLLIN))
    other.task.close()

    assert hung_up == [(EPOLLIN | EPOLLRDHUP | EPOLLHUP, DATA)]
    assert other.peer.recv(1) == b""
    other.close()


def test_the_last_close_ends_the_interest(shadow: Shadow, files: TaskFiles) -> None:
    """epoll(7), question 6: not the close of the number, but that of the description."""
    pair = Pair()
    duplicate = os.dup(pair.fd)
    shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN))
    pair.peer.send(b"x")
    number = pair.fd
    pair.task.close()
    orphan = shadow.collect(8)
    deleted = shadow.control(files, EPOLL_CTL_DEL, number, event(0))
    os.close(duplicate)

    assert orphan == [(EPOLLIN, DATA)]
    assert deleted == -errno.EBADF
    assert shadow.collect(8) == []
    pair.close()


def test_a_reused_number_is_a_new_interest(shadow: Shadow, files: TaskFiles, pair: Pair) -> None:
    other = Pair()
    number = os.dup(pair.fd)
    first = shadow.control(files, EPOLL_CTL_ADD, number, event(EPOLLIN, 1))
    os.dup2(other.fd, number, inheritable=False)
    second = shadow.control(files, EPOLL_CTL_ADD, number, event(EPOLLIN, 2))
    other.peer.send(b"x")
    reported = shadow.collect(8)
    os.close(number)
    other.close()

    assert (first, second) == (0, 0)
    assert reported == [(EPOLLIN, 2)]


def test_new_events_wake_through_the_master(
    master: Master, shadow: Shadow, files: TaskFiles, pair: Pair, wakes: Wakes
) -> None:
    """Once an edge: a file that stays ready doesn't keep the supervisor busy."""
    shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN))
    quiet = master.poll(0)
    pair.peer.send(b"x")
    woken = master.poll(10)
    still_ready = master.poll(0)
    pair.peer.send(b"y")
    again = master.poll(10)

    assert (quiet, woken, still_ready, again) == (0, 1, 0, 1)
    assert wakes.count == 2


def test_a_number_in_our_own_way_is_refused(shadow: Shadow, files: TaskFiles, pair: Pair) -> None:
    """And never replaced: it may be the end of a placeholder."""
    in_the_way = os.dup2(pair.peer.fileno(), key_of(pair.fd), inheritable=False)
    result = shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN))
    still_there = os.path.sameopenfile(in_the_way, pair.peer.fileno())
    os.close(in_the_way)

    assert (result, still_there) == (-errno.ENOSPC, True)


def test_it_knows_how_many_events_there_can_be(shadow: Shadow, files: TaskFiles, pair: Pair) -> None:
    """Not less than interests, and not many more: those of closed files are left out from time to time."""
    shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN))
    first = shadow.most_events
    for _ in range(1500):
        with socket.socket() as passing:
            shadow.control(files, EPOLL_CTL_ADD, passing.fileno(), event(EPOLLIN))
    after_many = shadow.most_events
    shadow.control(files, EPOLL_CTL_DEL, pair.fd, event(0))

    assert first == 1
    assert 1 <= after_many < 1024
    assert shadow.most_events == after_many - 1


def test_each_number_has_a_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as tickless may have itself, but for the lowest, which are its own. getrlimit(2)."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1000, 1000))
    keys = [key_of(fd) for fd in range(1000)]

    assert sorted(keys) == list(range(1000))
    assert min(keys[:900]) == 100


def test_a_number_for_which_we_have_none_is_refused(
    shadow: Shadow, files: TaskFiles, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (pair.fd, pair.fd))
    result = shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN))

    assert result == -errno.ENOSPC


def test_a_file_of_another_process(shadow: Shadow) -> None:
    """What the supervisor watches is never in its own table: the number is the task's."""
    program = "import socket, os, sys; s = socket.create_server(('127.0.0.1', 0)); os.dup2(s.fileno(), 77)\n"
    program += "print(s.getsockname()[1], flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        files = TaskFiles(child.pid)
        added = shadow.control(files, EPOLL_CTL_ADD, 77, event(EPOLLIN))
        before = shadow.has_events()
        with socket.create_connection(("127.0.0.1", port)):
            after = shadow.collect(8)
        child.kill()
        child.wait()
        left = shadow.collect(8)
        files.close()

    assert (added, before, after, left) == (0, False, [(EPOLLIN, DATA)], [])
