"""Who has the other end of a socket, or a lock: the run alone, or somebody outside as well."""

import fcntl
import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tickless.host.reach import Reach, inodes_of, watched_sockets

US = (os.getpid(),)


def inode_of(file: socket.socket) -> int:
    return os.fstat(file.fileno()).st_ino


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_a_pair_is_held_by_who_has_its_other_end(pair: tuple[socket.socket, socket.socket]) -> None:
    inode = inode_of(pair[0])

    assert Reach(US).other_holders(inode) == list(US)
    assert Reach(US).is_held_inside(inode)
    assert not Reach(()).is_held_inside(inode)


def test_what_others_may_have_as_well_is_not_held_inside(pair: tuple[socket.socket, socket.socket]) -> None:
    """Either end: who has our own can shut it down. shutdown(2)."""
    inode = inode_of(pair[0])

    assert not Reach(US, inherited={inode}).is_held_inside(inode)
    assert not Reach(US, inherited={inode_of(pair[1])}).is_held_inside(inode)
    assert not Reach(US, files_may_travel=True).is_held_inside(inode)


def test_a_socket_whose_other_end_is_gone_is_held_by_nobody(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()

    assert not Reach(US).is_held_inside(inode_of(pair[0]))


def test_a_tcp_connection_within_the_machine_has_two_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert not Reach(US).is_held_inside(inode_of(client))  # not yet accepted: nobody has it
        accepted, _ = server.accept()
        with accepted:
            assert Reach(US).is_held_inside(inode_of(client))
            assert Reach(US).is_held_inside(inode_of(accepted))
        assert not Reach(US).is_held_inside(inode_of(server))


def test_a_lock_is_inside_if_all_of_the_file_are(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as mine, (tmp_path / "file").open("w") as other:
        status = os.fstat(mine.fileno())
        assert not Reach(US).is_lock_inside(status)  # there is none
        fcntl.flock(mine, fcntl.LOCK_SH)
        assert Reach(US).is_lock_inside(status)
        assert Reach(US).lock_holders(status) == list(US)
        assert not Reach(US, inherited={status.st_ino}).is_lock_inside(status)
        assert not Reach(()).is_lock_inside(status)
        fcntl.flock(other, fcntl.LOCK_SH)
        # They look alike, and the other one's owner may be out of sight.
        assert not Reach(US).is_lock_inside(status)


def test_an_epoll_of_sockets_tells_which(pair: tuple[socket.socket, socket.socket]) -> None:
    with select.epoll() as epoll:
        assert watched_sockets(epoll.fileno()) == []
        epoll.register(pair[0])
        epoll.register(pair[1])
        assert sorted(watched_sockets(epoll.fileno()) or ()) == sorted(map(inode_of, pair))


def test_an_epoll_of_other_files_tells_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    read_end, write_end = os.pipe()
    with select.epoll() as epoll:
        epoll.register(pair[0])
        epoll.register(read_end)
        assert watched_sockets(epoll.fileno()) is None
    os.close(read_end)
    os.close(write_end)


def test_the_files_of_a_task(pair: tuple[socket.socket, socket.socket]) -> None:
    assert set(map(inode_of, pair)) <= inodes_of(os.getpid())


def test_a_task_that_is_gone_has_no_files() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)

    assert inodes_of(pid) == frozenset()
