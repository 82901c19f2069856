"""epoll_create(2), epoll_ctl(2), epoll_wait(2): what is refused, in Linux's order of checks."""

from __future__ import annotations

import pytest

from tests.kernel.epoll_watcher import Watcher
from tests.kernel.fake_files import FakeFile, FakeHostFile
from tests.kernel.fake_host import call
from tickless.abi.epoll import (
    EP_MAX_EVENTS,
    EPOLL_CLOEXEC,
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLL_EVENT,
    EPOLLEXCLUSIVE,
    EPOLLIN,
    EPOLLONESHOT,
    EPOLLRDHUP,
)
from tickless.abi.errno import EBADF, EEXIST, EFAULT, EINVAL, ENOENT, EPERM
from tickless.abi.time import TIMESPEC
from tickless.kernel.machine import Argument, Machine, OwnTask

BAD = 0x10  # no address
COUNT_OF_1 = (1).to_bytes(8, "little")


@pytest.mark.parametrize(
    ("name", "argument", "errno"),
    [("epoll_create1", 1, EINVAL), ("epoll_create", 0, EINVAL), ("epoll_create", -1, EINVAL)],
)
def test_create_refuses(task: OwnTask, name: str, argument: int, errno: int) -> None:
    assert call(task, name, argument) == -errno


def test_create_takes_any_size(task: OwnTask) -> None:
    assert call(task, "epoll_create", 1) == 0
    assert call(task, "epoll_create1", EPOLL_CLOEXEC) == 1
    assert task.own_fds.cloexec == {1}


EVENT = EPOLL_EVENT.pack(EPOLLIN, 0)
EPOLL, EVENTFD, SECOND_EPOLL, PLAIN, WATCHED, EXCLUSIVE = range(6)


@pytest.fixture
def table(kernel: Machine, watcher: Watcher) -> Watcher:
    """An fd table with a file of each kind, by the numbers above."""
    watcher.open(FakeFile())
    call(watcher.task, "epoll_create1", 0)
    watcher.open(FakeHostFile(pollable=False))
    watcher.watch(FakeFile(), EPOLLIN)
    watcher.watch(FakeFile(), EPOLLIN | EPOLLEXCLUSIVE)
    return watcher


@pytest.mark.parametrize(
    ("epfd", "op", "fd", "event", "errno"),
    [
        pytest.param(99, EPOLL_CTL_ADD, 98, BAD, EFAULT, id="the event is read first"),
        pytest.param(99, EPOLL_CTL_ADD, EVENTFD, EVENT, EBADF, id="no epoll"),
        pytest.param(EPOLL, EPOLL_CTL_ADD, 99, EVENT, EBADF, id="no file"),
        pytest.param(EVENTFD, EPOLL_CTL_ADD, PLAIN, EVENT, EPERM, id="a plain file before the epoll"),
        pytest.param(EPOLL, EPOLL_CTL_ADD, EPOLL, EVENT, EINVAL, id="itself"),
        pytest.param(EVENTFD, EPOLL_CTL_ADD, EPOLL, EVENT, EINVAL, id="not an epoll"),
        pytest.param(EPOLL, 9, EVENTFD, EVENT, EINVAL, id="unknown operation"),
        pytest.param(EPOLL, 9, EVENTFD, BAD, EFAULT, id="unknown operation, but the event is read"),
        pytest.param(EPOLL, EPOLL_CTL_DEL, EVENTFD, BAD, ENOENT, id="DEL reads no event"),
        pytest.param(EPOLL, EPOLL_CTL_MOD, EVENTFD, EVENT, ENOENT, id="MOD of what is not watched"),
        pytest.param(EPOLL, EPOLL_CTL_ADD, WATCHED, EVENT, EEXIST, id="ADD of what is watched"),
        pytest.param(EPOLL, EPOLL_CTL_MOD, EXCLUSIVE, EVENT, EINVAL, id="MOD of an exclusive interest"),
    ],
)
def test_control_refuses(table: Watcher, epfd: int, op: int, fd: int, event: bytes | int, errno: int) -> None:
    assert call(table.task, "epoll_ctl", epfd, op, fd, event) == -errno


@pytest.mark.parametrize(
    ("op", "fd", "events"),
    [
        pytest.param(EPOLL_CTL_ADD, EVENTFD, EPOLLEXCLUSIVE | EPOLLONESHOT, id="one-shot"),
        pytest.param(EPOLL_CTL_ADD, EVENTFD, EPOLLEXCLUSIVE | EPOLLRDHUP, id="half-closed"),
        pytest.param(EPOLL_CTL_ADD, SECOND_EPOLL, EPOLLEXCLUSIVE | EPOLLIN, id="an epoll"),
        pytest.param(EPOLL_CTL_MOD, WATCHED, EPOLLEXCLUSIVE | EPOLLIN, id="MOD"),
        pytest.param(9, EVENTFD, EPOLLEXCLUSIVE | EPOLLIN, id="unknown operation"),
    ],
)
def test_exclusive_is_for_few(table: Watcher, op: int, fd: int, events: int) -> None:
    assert table.control(op, fd, events) == -EINVAL


@pytest.mark.parametrize(
    ("epfd", "events", "room", "errno"),
    [
        pytest.param(99, -1, 0, EBADF, id="no file"),
        pytest.param(EPOLL, -1, 0, EINVAL, id="no room"),
        pytest.param(EPOLL, -1, EP_MAX_EVENTS + 1, EINVAL, id="too much room"),
        pytest.param(EVENTFD, -1, 1, EFAULT, id="an address of the kernel"),
        pytest.param(EVENTFD, 0, 1, EINVAL, id="not an epoll"),
        pytest.param(EPOLL, BAD, 1, 0, id="a bad address that nothing is written to"),
    ],
)
def test_wait_refuses(table: Watcher, epfd: int, events: int, room: int, errno: int) -> None:
    assert call(table.task, "epoll_wait", epfd, events, room, 0) == -errno


@pytest.mark.parametrize(
    ("name", "timeout", "mask", "size", "errno"),
    [
        pytest.param("epoll_pwait", 0, BAD, 4, EINVAL, id="size of the mask"),
        pytest.param("epoll_pwait", 0, BAD, 8, EFAULT, id="the mask"),
        pytest.param("epoll_pwait", 0, 0, 4, EBADF, id="without a mask its size means nothing"),
        pytest.param("epoll_pwait2", TIMESPEC.pack(0, 10**9), BAD, 4, EINVAL, id="the time-out before the mask"),
        pytest.param("epoll_pwait2", BAD, BAD, 4, EFAULT, id="address of the time-out"),
    ],
)
def test_pwait_refuses(task: OwnTask, name: str, timeout: Argument, mask: int, size: int, errno: int) -> None:
    assert call(task, name, 99, bytearray(12), 1, timeout, mask, size) == -errno
