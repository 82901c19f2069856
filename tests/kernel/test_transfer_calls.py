"""splice(2), tee(2), vmsplice(2), sendfile(2), copy_file_range(2): bytes from file to file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tests.kernel.fake_files import FakeFile, FakeHostFile, install, with_host_files
from tests.kernel.fake_host import call
from tests.kernel.pipe_ends import Ends
from tests.kernel.test_moving_bytes import iovecs
from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import EBADF, EFAULT, EINVAL
from tickless.abi.fcntl import (
    O_APPEND,
    O_NONBLOCK,
)
from tickless.abi.stat import S_IFIFO, S_IFREG, S_IFSOCK
from tickless.kernel.machine import OwnTask
from tickless.kernel.outcome import PASS_ON

BAD = 0x10  # no address


@pytest.mark.parametrize(("name", "args"), [("splice", (0, 0, 1, 0, 1, 0)), ("tee", (0, 1, 1, 0))])
def test_bytes_are_moved_when_both_files_are_ready(task: OwnTask, name: str, args: tuple[int, ...]) -> None:
    host = with_host_files(task)
    for _ in range(2):
        install(task, FakeHostFile())

    assert call(task, name, *args) is PASS_ON
    assert host.waits == [(0, EPOLLIN), (1, EPOLLOUT)]


def test_vmsplice_waits_for_whichever_end_it_has(task: OwnTask) -> None:
    """vmsplice(2): to a FIFO's write end, from its read end."""
    host = with_host_files(task)
    install(task, FakeHostFile())
    vector, _ = iovecs(task, 4)

    assert call(task, "vmsplice", 0, vector, 1, 0) is PASS_ON
    assert host.waits == [(0, EPOLLIN | EPOLLOUT)]


FIFO, SOCKET, FILE, LOG, READY_OR_NOT = (
    {"mode": S_IFIFO},
    {"mode": S_IFSOCK},
    {"mode": S_IFREG, "pollable": False},
    {"mode": S_IFREG, "pollable": False, "flags": O_APPEND},
    {"mode": S_IFIFO, "flags": O_NONBLOCK},
)


@pytest.mark.parametrize(
    ("name", "kinds", "args"),
    [
        ("splice", (FIFO, FIFO), (0, 0, 0, 0, 1, 0)),
        ("splice", (FIFO, FIFO), (0, BAD, 1, 0, 1, 0)),
        ("splice", (FIFO, FIFO), (0, 0, 1, BAD, 1, 0)),
        ("splice", (SOCKET, FIFO), (0, 0, 1, BAD, 1, 0)),
        ("splice", (SOCKET, FILE), (0, 0, 1, 0, 1, 0)),
        ("splice", (FIFO, LOG), (0, 0, 1, 0, 1, 0)),
        ("splice", (FIFO, READY_OR_NOT), (0, 0, 1, 0, 1, 0)),
        ("splice", (READY_OR_NOT, SOCKET), (0, 0, 1, 0, 1, 0)),
        ("tee", (FIFO, FIFO), (0, 0, 1, 0)),
        ("tee", (FIFO, SOCKET), (0, 1, 1, 0)),
        ("tee", (FILE, FIFO), (0, 1, 1, 0)),
        ("vmsplice", (SOCKET, FIFO), (0, BAD, 1, 0)),
        ("sendfile", (SOCKET, FIFO), (0, 1, 0, 1)),
        ("sendfile", (SOCKET, SOCKET), (0, 1, 0, 1)),
        ("sendfile", (SOCKET, FILE), (0, 1, 0, 0)),
    ],
)
def test_what_linux_refuses_is_not_waited_for(
    task: OwnTask, name: str, kinds: Sequence[Mapping[str, int]], args: tuple[int, ...]
) -> None:
    """splice(2), EINVAL and ESPIPE, tee(2), vmsplice(2), sendfile(2): of files that are never ready."""
    host = with_host_files(task)
    for kind in kinds:
        install(task, FakeHostFile(**kind))  # type: ignore[arg-type]

    assert call(task, name, *args) is PASS_ON
    assert host.waits == []


@pytest.mark.parametrize(
    ("name", "args", "result"),
    [
        ("splice", (99, 0, 99, 0, 0, 64), 0),
        ("splice", (99, 0, 99, 0, 1, 64), -EINVAL),
        ("splice", (99, 0, 99, 0, 1, 0), -EBADF),
        ("tee", (99, 99, 0, 64), -EINVAL),
        ("tee", (99, 99, 0, 0), 0),
        ("tee", (99, 99, 1, 0), -EBADF),
        ("vmsplice", (99, BAD, 1, 64), -EINVAL),
        ("vmsplice", (99, BAD, 1, 0), -EBADF),
        ("vmsplice", (1, BAD, 1, 0), -EBADF),
        ("vmsplice", (0, BAD, 1025, 0), -EINVAL),
        ("vmsplice", (0, BAD, 1, 0), -EFAULT),
        ("vmsplice", (0, BAD, 0, 0), 0),
        ("splice", (0, 0, 1, 0, 1, 0), -EINVAL),
        ("sendfile", (1, 0, 0, 1), -EINVAL),
        ("sendfile", (99, 99, BAD, 1), -EFAULT),
        ("sendfile", (99, 99, 0, 1), -EBADF),
    ],
)
def test_the_order_of_checks(task: OwnTask, name: str, args: tuple[int, ...], result: int) -> None:
    """The contracts of splice: lengths and flags come before the files, but for sendfile's offset."""
    host = with_host_files(task)
    install(task, FakeHostFile())
    install(task, FakeFile())

    assert call(task, name, *args) == result
    assert host.waits == []


def test_only_regular_files_are_copied_in_the_kernel(ends: Ends) -> None:
    """copy_file_range(2), EINVAL: Linux itself says so of pipes."""
    assert call(ends.task, "copy_file_range", 0, 0, 1, 0, 1, 0) == -EINVAL
    assert [call(ends.task, "copy_file_range", *fds, 0, 1, 0) for fds in ((0, 0, 99), (99, 0, 1))] == [-EBADF, -EBADF]
