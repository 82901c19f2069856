"""readv(2), preadv2(2), sendfile(2), recv(2), io_uring(7): bytes by other roads than read and write."""

from __future__ import annotations

import pytest

from tests.kernel.fake_files import FakeFile, FakeHostFile, install, with_host_files
from tests.kernel.fake_host import FakeHost, call
from tests.kernel.pipe_ends import Ends
from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import EAGAIN, EBADF, EFAULT, EINVAL, ENOSYS, ENOTSOCK, EOPNOTSUPP, EPIPE, ESPIPE
from tickless.abi.fcntl import (
    IOVEC,
    MAX_RW_COUNT,
    RWF_APPEND,
    RWF_HIPRI,
    RWF_NOAPPEND,
    RWF_NOSIGNAL,
    RWF_NOWAIT,
    SPLICE_F_NONBLOCK,
    UIO_MAXIOV,
)
from tickless.abi.signal import SIGPIPE
from tickless.abi.socket import MSG_DONTWAIT, MSG_ERRQUEUE, MSG_OOB, MSG_WAITALL
from tickless.abi.stat import S_IFIFO, S_IFREG
from tickless.kernel.machine import Machine, OwnTask
from tickless.kernel.outcome import PASS_ON
from tickless.kernel.socket_calls import CONTROL, MMSGHDR_SIZE, MSGHDR_CONTROL

BAD = 0x10  # no address


def iovecs(task: OwnTask, *sizes: int) -> tuple[bytes, list[int]]:
    """An array of fresh buffers, and their addresses."""
    addresses = [task.own_memory.allocate(max(size, 1)) for size in sizes]
    return b"".join(IOVEC.pack(*piece) for piece in zip(addresses, sizes, strict=True)), addresses


def test_readv_and_writev_take_their_pieces_in_order(ends: Ends) -> None:
    """readv(2): each piece is filled before the next one is begun."""
    vector, addresses = iovecs(ends.task, 3, 0, 4)
    ends.task.memory.copy_out(addresses[0], b"abc")
    ends.task.memory.copy_out(addresses[2], b"defg")
    assert call(ends.task, "writev", ends.write_fd, vector, 3) == 7
    assert ends.read(2) == b"ab"

    assert call(ends.task, "readv", ends.read_fd, vector, 3) == 5
    assert ends.task.memory.copy_in(addresses[0], 3) == b"cde"
    assert ends.task.memory.copy_in(addresses[2], 2) == b"fg"


@pytest.mark.parametrize(
    ("vector", "count", "errno"),
    [
        pytest.param(BAD, 1, EFAULT, id="address"),
        pytest.param(BAD, UIO_MAXIOV + 1, EINVAL, id="too many"),
        pytest.param(IOVEC.pack(BAD, 1 << 63), 1, EINVAL, id="negative length"),
    ],
)
def test_readv_refuses(ends: Ends, vector: int | bytes, count: int, errno: int) -> None:
    assert call(ends.task, "readv", ends.read_fd, vector, count) == -errno


def test_no_pieces_are_nothing(ends: Ends) -> None:
    assert call(ends.task, "readv", ends.read_fd, 0, 0) == 0


# With flags


def test_preadv2_at_no_position_is_readv(ends: Ends) -> None:
    """readv(2): with -1 the current position is used, so files without any can be read."""
    vector, addresses = iovecs(ends.task, 4)
    ends.task.memory.copy_out(addresses[0], b"data")

    assert call(ends.task, "pwritev2", ends.write_fd, vector, 1, -1, 0, RWF_APPEND) == 4
    assert call(ends.task, "preadv2", ends.read_fd, vector, 1, -1, 0, RWF_HIPRI) == 4


def test_rwf_nowait_never_waits(kernel: Machine, ends: Ends) -> None:
    """readv(2), RWF_NOWAIT: EAGAIN; the file goes on blocking other calls."""
    ends.reader.nonblock = False
    vector, _ = iovecs(ends.task, 4)

    assert call(ends.task, "preadv2", ends.read_fd, vector, 1, -1, 0, RWF_NOWAIT) == -EAGAIN
    assert call(ends.task, "preadv2", ends.read_fd, vector, 1, -1, 0, 0) is None


@pytest.mark.parametrize(
    ("fd", "position", "flags", "errno"),
    [
        pytest.param(99, -5, 0, EINVAL, id="negative position before the file"),
        pytest.param(99, -1, 0, EBADF, id="no file"),
        pytest.param(0, 5, 0, ESPIPE, id="a position"),
        pytest.param(0, -1, 0x1000, EOPNOTSUPP, id="unknown flag"),
    ],
)
def test_preadv2_refuses(ends: Ends, fd: int, position: int, flags: int, errno: int) -> None:
    vector, _ = iovecs(ends.task, 4)

    assert call(ends.task, "preadv2", fd, vector, 1, position, 0, flags) == -errno
    fd = ends.write_fd if fd == ends.read_fd else fd
    assert call(ends.task, "pwritev2", fd, vector, 1, position, 0, flags) == -errno


def test_rwf_nosignal_sends_no_sigpipe(ends: Ends) -> None:
    """readv(2), RWF_NOSIGNAL: EPIPE all the same; the next write without it sends one."""
    vector, _ = iovecs(ends.task, 4)
    call(ends.task, "rt_sigaction", SIGPIPE, bytes(32), 0, 8)
    call(ends.task, "close", ends.read_fd)

    assert call(ends.task, "pwritev2", ends.write_fd, vector, 1, -1, 0, RWF_NOSIGNAL) == -EPIPE
    assert not ends.task.pending.mask
    assert call(ends.task, "pwritev2", ends.write_fd, vector, 1, -1, 0, 0) == -EPIPE
    assert ends.task.pending.mask == 1 << (SIGPIPE - 1)


def test_append_and_not_append_is_a_contradiction(ends: Ends) -> None:
    vector, _ = iovecs(ends.task, 4)

    assert call(ends.task, "pwritev2", ends.write_fd, vector, 1, -1, 0, RWF_APPEND | RWF_NOAPPEND) == -EINVAL


@pytest.mark.parametrize("name", ["pread64", "pwrite64", "preadv", "pwritev"])
def test_files_without_a_position_have_none(ends: Ends, name: str) -> None:
    with_host_files(ends.task)
    host_fd = install(ends.task, FakeHostFile())

    answers = [call(ends.task, name, fd, BAD, 1, position) for fd, position in ((0, -1), (99, 0), (0, 0), (host_fd, 0))]

    assert answers == [-EINVAL, -EBADF, -ESPIPE, PASS_ON]


# Files of the host


@pytest.mark.parametrize(
    ("name", "args", "events"),
    [
        ("read", (BAD, 1), EPOLLIN),
        ("write", (BAD, 1), EPOLLOUT),
        ("readv", (BAD, 1), EPOLLIN),
        ("writev", (BAD, 1), EPOLLOUT),
        ("preadv2", (BAD, 1, -1, 0, 0), EPOLLIN),
        ("pwritev2", (BAD, 1, -1, 0, 0), EPOLLOUT),
        ("sendfile", (1, 0, 1), EPOLLOUT),
        ("accept", (0, 0), EPOLLIN),
        ("accept4", (0, 0, 0), EPOLLIN),
        ("recvfrom", (BAD, 1, 0, 0, 0), EPOLLIN),
        ("recvmsg", (BAD, 0), EPOLLIN),
        ("recvmmsg", (BAD, 1, 0, 0), EPOLLIN),
        ("sendto", (BAD, 1, 0, 0, 0), EPOLLOUT),
        ("sendmsg", (BAD, 0), EPOLLOUT),
        ("sendmmsg", (BAD, 1, 0), EPOLLOUT),
    ],
)
def test_the_host_does_what_cannot_block(task: OwnTask, name: str, args: tuple[int, ...], events: int) -> None:
    host = with_host_files(task)
    fds = [install(task, FakeHostFile(mode=mode)) for mode in (S_IFIFO, S_IFREG)]

    assert call(task, name, fds[0], *args) is PASS_ON
    assert host.waits == [(fds[0], events)]


@pytest.mark.parametrize(
    ("name", "args", "size"),
    [
        pytest.param("write", (BAD, 5000), 5000, id="write"),
        pytest.param("writev", (BAD, 2), MAX_RW_COUNT, id="writev, its pieces unread"),
        pytest.param("sendto", (BAD, 5000, 0, 0, 0), 5000, id="sendto"),
        pytest.param("sendmsg", (BAD, 0), MAX_RW_COUNT, id="sendmsg, its pieces unread"),
        pytest.param("read", (BAD, 5000), 0, id="read"),
        pytest.param("recvfrom", (BAD, 5000, 0, 0, 0), 0, id="recvfrom"),
        pytest.param("recvfrom", (BAD, 8, MSG_WAITALL, 0, 0), MAX_RW_COUNT, id="recvfrom, MSG_WAITALL"),
    ],
)
def test_the_host_is_told_how_much_a_call_may_wait_for(
    task: OwnTask, name: str, args: tuple[int, ...], size: int
) -> None:
    """tests/linux/long_transfers.c: it may block after a part of that."""
    host = with_host_files(task)
    call(task, name, install(task, FakeHostFile()), *args)

    assert host.sizes == [size]


def test_the_host_is_told_of_ancillary_data(task: OwnTask) -> None:
    """unix(7), SCM_RIGHTS: what is sent is in nobody's table until it is received."""
    with_host_files(task)
    task.kernel.host = host = FakeHost()
    fd = install(task, FakeHostFile())
    control = task.own_memory.allocate(24)
    task.memory.copy_out(control, b"rights".ljust(24))
    messages = task.own_memory.allocate(2 * MMSGHDR_SIZE)
    task.memory.copy_out(messages + MMSGHDR_SIZE + MSGHDR_CONTROL, CONTROL.pack(control, 24))

    call(task, "sendmsg", fd, messages, 0)
    assert (host.ancillary, host.sent) == (0, [])
    call(task, "sendmmsg", fd, messages, 2, 0)
    assert (host.ancillary, host.sent) == (1, [b"rights".ljust(24)])
    call(task, "recvmsg", fd, messages + MMSGHDR_SIZE, 0)
    call(task, "recvmmsg", fd, BAD, 1, 0)
    call(task, "sendmsg", fd, BAD, 0)
    assert (host.ancillary, len(host.sent)) == (3, 1)


def test_the_host_knows_how_to_connect(task: OwnTask) -> None:
    host = with_host_files(task)
    fd = install(task, FakeHostFile())

    assert call(task, "connect", fd, BAD, 16) is PASS_ON
    assert host.connected == [fd]
    assert host.waits == []


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("preadv2", (BAD, 1, -1, 0, RWF_NOWAIT)),
        ("pwritev2", (BAD, 1, -1, 0, RWF_NOWAIT)),
        ("recvfrom", (BAD, 1, MSG_DONTWAIT, 0, 0)),
        ("recvmsg", (BAD, MSG_DONTWAIT)),
        ("recvfrom", (BAD, 1, MSG_OOB, 0, 0)),
        ("recvmsg", (BAD, MSG_ERRQUEUE)),
        ("sendto", (BAD, 1, MSG_DONTWAIT, 0, 0)),
        ("copy_file_range", (0, 0, 0, 1, 0)),
        ("splice", (0, 0, 0, 1, SPLICE_F_NONBLOCK)),
        ("tee", (0, 1, SPLICE_F_NONBLOCK)),
        ("vmsplice", (BAD, 1, SPLICE_F_NONBLOCK)),
    ],
)
def test_what_never_waits_is_the_hosts_at_once(task: OwnTask, name: str, args: tuple[int, ...]) -> None:
    host = with_host_files(task)
    fd = install(task, FakeHostFile())

    assert call(task, name, fd, *args) is PASS_ON
    assert host.waits == []


def test_plain_files_are_passed_on_at_once(task: OwnTask) -> None:
    host = with_host_files(task)
    fd = install(task, FakeHostFile(pollable=False))

    assert call(task, "read", fd, BAD, 1) is PASS_ON
    assert host.waits == []


# Refusals


@pytest.mark.parametrize(
    "name", ["recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg", "sendmmsg", "accept", "connect"]
)
def test_our_files_are_no_sockets(task: OwnTask, name: str) -> None:
    install(task, FakeFile())

    assert [call(task, name, fd, BAD, 1, 0) for fd in (0, 99)] == [-ENOTSOCK, -EBADF]


@pytest.mark.parametrize("name", ["io_uring_setup", "io_uring_enter", "io_uring_register"])
def test_io_uring_is_not_there(kernel: Machine, task: OwnTask, name: str) -> None:
    refused = []
    kernel.on_refused = lambda task, unserved: refused.append(unserved.id)

    assert call(task, name, 0, 0, 0, 0) == -ENOSYS
    assert refused == ["TL130"]
