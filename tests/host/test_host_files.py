"""Host files seen from the supervisor: readiness by every road, and no duplicate kept anywhere."""

import errno
import os
import platform
import resource
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

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
from tickless.abi.poll import POLLHUP, POLLIN, POLLNVAL, POLLOUT
from tickless.host.host_files import HostWatch, Kind, Shadow, TaskFiles, kind_of, shadow_base
from tickless.host.master import Master

DATA = 0xFEDCBA9876543210
CAN_NAME_THREADS = tuple(map(int, platform.release().split(".")[:2])) >= (6, 9)


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


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
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


def event(events: int, data: int = DATA) -> bytes:
    return EPOLL_EVENT.pack(events, data)


# --- the shadow epoll


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
    in_the_way = os.dup2(pair.peer.fileno(), shadow_base() + pair.fd, inheritable=False)
    result = shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN))
    still_there = os.path.sameopenfile(in_the_way, pair.peer.fileno())
    os.close(in_the_way)

    assert (result, still_there) == (-errno.ENOSPC, True)


def test_a_number_beyond_our_limit_is_refused(shadow: Shadow, files: TaskFiles, pair: Pair) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (shadow_base() + pair.fd, hard))
    result = shadow.control(files, EPOLL_CTL_ADD, pair.fd, event(EPOLLIN))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

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


# --- a parked call's watch


def test_a_watch_wakes_its_caller(master: Master, files: TaskFiles, pair: Pair, wakes: Wakes) -> None:
    watch = HostWatch(master, files, [(pair.fd, POLLIN)], wakes)
    master.poll(0)
    before = wakes.count
    pair.peer.send(b"x")
    master.poll(10)
    after = wakes.count
    watch.close()
    pair.peer.send(b"y")
    master.poll(0)

    assert (before, after, wakes.count) == (0, 1, 1)


def test_a_watch_of_something_ready_wakes_at_once(master: Master, files: TaskFiles, pair: Pair, wakes: Wakes) -> None:
    """What became ready between the last look and the watch isn't lost."""
    pair.peer.send(b"x")
    watch = HostWatch(master, files, [(pair.fd, POLLIN)], wakes)
    master.poll(10)
    watch.close()

    assert wakes.count == 1


def test_a_watch_knows_two_numbers_of_one_file_apart(master: Master, files: TaskFiles, wakes: Wakes) -> None:
    """poll(2) may name one description twice, for different events."""
    pair = Pair()
    pair.task.setblocking(False)
    full = b"x" * 65536
    while True:
        try:
            pair.task.send(full)
        except BlockingIOError:
            break
    duplicate = os.dup(pair.fd)
    watch = HostWatch(master, files, [(pair.fd, POLLOUT), (duplicate, POLLIN), (duplicate, POLLOUT)], wakes)
    master.poll(0)
    before = wakes.count
    pair.peer.send(b"x")
    master.poll(10)
    watch.close()
    os.close(duplicate)
    pair.close()

    assert (before, wakes.count) == (0, 1)


def test_a_watch_passes_over_closed_and_plain_files(
    master: Master, files: TaskFiles, pair: Pair, wakes: Wakes, tmp_path: Path
) -> None:
    """`poll` has found those ready, so nobody parks for them."""
    with (tmp_path / "regular").open("w") as regular:
        watch = HostWatch(master, files, [(700, POLLIN), (regular.fileno(), POLLIN), (pair.fd, POLLIN)], wakes)
        pair.peer.send(b"x")
        master.poll(10)
        watch.close()

    assert wakes.count == 1


# --- a task's files


def test_poll_finds_what_is_ready_now(files: TaskFiles, pair: Pair, tmp_path: Path) -> None:
    """poll(2): POLLNVAL for a closed number, plain files are always ready, a hang-up needs no asking."""
    hung_up = Pair()
    hung_up.peer.close()
    with (tmp_path / "regular").open("w+") as regular:
        wants = [(pair.fd, POLLIN), (regular.fileno(), POLLIN), (700, POLLIN), (hung_up.fd, 0)]
        found = files.poll(wants)
        expected = {regular.fileno(): POLLIN, 700: POLLNVAL, hung_up.fd: POLLHUP}
    hung_up.close()

    assert found == expected


def test_poll_merges_what_is_asked_twice(files: TaskFiles, pair: Pair) -> None:
    pair.peer.send(b"x")

    assert files.poll([(pair.fd, POLLIN), (pair.fd, POLLOUT)]) == {pair.fd: POLLIN | POLLOUT}


@pytest.mark.parametrize("nonblocking", [False, True])
def test_o_nonblock_is_the_descriptions(files: TaskFiles, pair: Pair, nonblocking: bool) -> None:
    pair.task.setblocking(not nonblocking)

    assert files.is_nonblocking(pair.fd) is nonblocking


def test_a_closed_number_is_ebadf(files: TaskFiles) -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        files.is_nonblocking(700)


@pytest.mark.skipif(not CAN_NAME_THREADS, reason="PIDFD_THREAD came with Linux 6.9")
def test_any_thread_stands_for_the_table(pair: Pair) -> None:
    """A leader that has called pthread_exit has no table any more; its threads do."""
    go, end = threading.Event(), threading.Event()
    tids: list[int] = []

    def run() -> None:
        tids.append(threading.get_native_id())
        go.set()
        end.wait()

    thread = threading.Thread(target=run)
    thread.start()
    go.wait()
    files = TaskFiles(tids[0])
    found = files.poll([(pair.fd, POLLOUT)])
    files.close()
    end.set()
    thread.join()

    assert found == {pair.fd: POLLOUT}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc/passwd", Kind.PLAIN),
        ("/etc", Kind.PLAIN),
        ("/dev/null", Kind.PLAIN),
        ("/dev/zero", Kind.PLAIN),
        ("/dev/tty", Kind.POLLABLE),
    ],
)
def test_kinds_of_files(path: str, kind: Kind) -> None:
    assert kind_of(os.stat(path)) is kind


def test_kinds_of_what_has_no_path(pair: Pair) -> None:
    read_end, write_end = os.pipe()
    with select.epoll() as anonymous:
        kinds = [kind_of(os.fstat(fd)) for fd in (pair.fd, read_end, anonymous.fileno())]
    os.close(read_end)
    os.close(write_end)

    assert kinds == [Kind.POLLABLE, Kind.FIFO, Kind.POLLABLE]
