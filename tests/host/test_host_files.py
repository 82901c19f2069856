"""Host files seen from the supervisor: readiness by every road, and no duplicate kept anywhere."""

import errno
import os
import platform
import select
import threading
from pathlib import Path

import pytest

from tests.host.conftest import Pair, Wakes
from tickless.abi.poll import POLLHUP, POLLIN, POLLNVAL, POLLOUT
from tickless.host.host_files import HostWatch, Kind, TaskFiles, kind_of
from tickless.host.master import Master

DATA = 0xFEDCBA9876543210
CAN_NAME_THREADS = tuple(map(int, platform.release().split(".")[:2])) >= (6, 9)
pytestmark = pytest.mark.usefixtures("nothing_leaks")


# --- a parked call's watch


def test_a_watch_wakes_its_caller(master: Master, files: TaskFiles, pair: Pair, wakes: Wakes) -> None:
    watch = HostWatch(master, files.fetch, [(pair.fd, POLLIN)], wakes)
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
    watch = HostWatch(master, files.fetch, [(pair.fd, POLLIN)], wakes)
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
    watch = HostWatch(master, files.fetch, [(pair.fd, POLLOUT), (duplicate, POLLIN), (duplicate, POLLOUT)], wakes)
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
        watch = HostWatch(master, files.fetch, [(700, POLLIN), (regular.fileno(), POLLIN), (pair.fd, POLLIN)], wakes)
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


def test_a_thread_that_cannot_be_named_is_out_of_reach(monkeypatch: pytest.MonkeyPatch, pair: Pair) -> None:
    """pidfd_open(2) before Linux 6.9: EINVAL for a thread that is no leader, and for PIDFD_THREAD."""

    def refuse(tid: int, flags: int = 0) -> int:
        raise OSError(errno.EINVAL, f"thread {tid}, {flags:#x}")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    found: list[bool] = []

    def run() -> None:
        files = TaskFiles(threading.get_native_id())
        with pytest.raises(PermissionError):
            files.fetch(pair.fd)
        found.append(files.is_pollable(pair.fd))
        files.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

    assert found == [True]


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
