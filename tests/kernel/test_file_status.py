"""fstat(2), newfstatat(2), statx(2) of files that have no name."""

from __future__ import annotations

import struct

import pytest

from tests.kernel.fake_files import FakeFile, FakeHostFile, install, with_host_files
from tests.kernel.fake_host import FakeHost, call
from tests.kernel.pipe_ends import Ends
from tickless.abi.epoll import EPOLL_CTL_DEL
from tickless.abi.errno import EBADF, EFAULT, EINVAL, ENOTDIR, EOPNOTSUPP
from tickless.abi.fcntl import AT_EMPTY_PATH, AT_FDCWD, AT_STATX_SYNC_TYPE, O_PATH
from tickless.abi.stat import S_IFIFO, STAT_X86_64, STATX, STATX_BASIC_STATS, pack_stat
from tickless.abi.time import CLOCK_REALTIME
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.host_file import MerePath
from tickless.kernel.machine import Argument, Machine, OwnTask
from tickless.kernel.outcome import PASS_ON

BAD = 0x10  # no address
STAT_SIZE = STAT_X86_64.size
ANONYMOUS = {"mode": 0o600, "ino": 1038, "dev": 0x10}


def test_an_event_file_is_of_no_type(kernel: Machine, task: OwnTask) -> None:
    """Measured on Linux 6.18: mode 0600, one inode for all, which is root's."""
    install(task, FakeFile())
    kernel.host = host = FakeHost()
    host.uids["main"] = 7
    kernel.handle_timer_irq(kernel.clock.now_ns + SECOND)
    shown = bytearray(STAT_SIZE)
    began_ns = kernel.clock.read(CLOCK_REALTIME) - SECOND

    assert call(task, "fstat", 0, shown) == 0
    assert bytes(shown) == pack_stat(**ANONYMOUS, time_ns=began_ns)
    assert call(task, "newfstatat", 0, b"\0", shown, AT_EMPTY_PATH) == 0
    assert bytes(shown) == pack_stat(**ANONYMOUS, time_ns=began_ns)


def test_a_pipe_is_a_fifo_with_an_inode_of_its_own(kernel: Machine, ends: Ends) -> None:
    shown = bytearray(STAT_SIZE)
    kernel.host = FakeHost()
    kernel.host.uids["main"] = 7

    assert call(ends.task, "fstat", ends.read_fd, shown) == 0
    assert bytes(shown) == pack_stat(
        mode=S_IFIFO | 0o600, ino=ends.reader.inode, dev=0xF, uid=7, time_ns=kernel.clock.read(CLOCK_REALTIME)
    )


def test_a_number_of_o_path_shows_the_file_behind_it(task: OwnTask) -> None:
    """open(2), O_PATH: fstat works."""
    file = FakeFile()
    install(task, file)
    mere_path = install(task, MerePath(file))
    shown, of_path = bytearray(STAT_SIZE), bytearray(STAT_SIZE)

    assert call(task, "fstat", 0, shown) == 0
    assert call(task, "fstat", mere_path, of_path) == 0
    assert of_path == shown


@pytest.mark.parametrize("opened", [pytest.param(0, id="another file"), pytest.param(O_PATH, id="a mere path")])
def test_a_file_of_the_wrong_kind_is_no_file_if_it_is_a_mere_path(opened: int, kernel: Machine, task: OwnTask) -> None:
    """open(2), O_PATH: other calls fail with EBADF, before they look what kind of file it is."""
    with_host_files(task)
    kernel.host = host = FakeHost()
    fd = install(task, FakeHostFile(pollable=False))
    host.status_of = {fd: opened}
    room = bytearray(32)
    wrong = -EBADF if opened else -EINVAL

    assert call(task, "timerfd_settime", fd, 0, room, 0) == wrong
    assert call(task, "timerfd_gettime", fd, room) == wrong
    assert call(task, "signalfd4", fd, bytes(8), 8, 0) == wrong
    assert call(task, "epoll_wait", fd, room, 1, 0) == wrong
    assert call(task, "epoll_ctl", fd, EPOLL_CTL_DEL, install(task, FakeFile()), 0) == wrong


def test_statx_shows_the_basic_fields(task: OwnTask) -> None:
    install(task, FakeFile())
    shown = bytearray(STATX.size)

    assert call(task, "statx", 0, 0, AT_EMPTY_PATH, STATX_BASIC_STATS, shown) == 0
    mask, _, _, _, _, _, mode, inode, *_ = STATX.unpack(shown)
    assert (mask, mode, inode) == (STATX_BASIC_STATS, 0o600, 1038)


@pytest.mark.parametrize(
    ("name", "args", "answer"),
    [
        pytest.param("fstat", (99, BAD), -EBADF, id="fstat of nothing"),
        pytest.param("fstat", (0, BAD), -EFAULT, id="fstat to nowhere"),
        pytest.param("fstat", (1, BAD), PASS_ON, id="fstat of a host file"),
        pytest.param("newfstatat", (99, b"\0", BAD, AT_EMPTY_PATH), -EBADF, id="no file"),
        pytest.param("newfstatat", (0, BAD, BAD, AT_EMPTY_PATH), -EFAULT, id="a bad path"),
        pytest.param("newfstatat", (0, b"name\0", BAD, AT_EMPTY_PATH), -ENOTDIR, id="a name below our file"),
        pytest.param("newfstatat", (0, b"/name\0", BAD, AT_EMPTY_PATH), PASS_ON, id="an absolute name"),
        pytest.param("newfstatat", (1, b"\0", BAD, AT_EMPTY_PATH), PASS_ON, id="a host file"),
        pytest.param("newfstatat", (AT_FDCWD, b"\0", BAD, AT_EMPTY_PATH), PASS_ON, id="the working directory"),
        pytest.param("newfstatat", (0, b"\0", BAD, 0), PASS_ON, id="without AT_EMPTY_PATH"),
        pytest.param("statx", (1, b"\0", AT_EMPTY_PATH, 0, BAD), PASS_ON, id="statx of a host file"),
        pytest.param("statx", (0, b"\0", AT_EMPTY_PATH, 0x80000000, BAD), -EINVAL, id="a reserved field"),
        pytest.param("statx", (0, b"\0", AT_EMPTY_PATH | AT_STATX_SYNC_TYPE, 0, BAD), -EINVAL, id="two ways to sync"),
        pytest.param("statx", (0, b"\0", AT_EMPTY_PATH, 0, BAD), -EFAULT, id="statx to nowhere"),
    ],
)
def test_what_is_asked_of_what(task: OwnTask, name: str, args: tuple[Argument, ...], answer: object) -> None:
    with_host_files(task)
    install(task, FakeFile())
    install(task, FakeHostFile())

    assert call(task, name, *args) == answer


def test_both_ends_of_a_pipe_show_its_permissions(ends: Ends) -> None:
    """chmod(2)."""
    shown = bytearray(STAT_SIZE)

    assert call(ends.task, "fchmod", ends.read_fd, S_IFIFO | 0o2640) == 0
    assert call(ends.task, "fstat", ends.write_fd, shown) == 0
    (mode,) = struct.unpack_from("<I", shown, 24)
    assert mode == S_IFIFO | 0o2640


def test_an_event_file_has_no_permissions_of_its_own(task: OwnTask) -> None:
    """Since Linux 6.16; before, root could change those of all event files at once."""
    install(task, FakeFile())
    with_host_files(task)
    host_fd = install(task, FakeHostFile())

    assert [call(task, "fchmod", fd, 0o600) for fd in (0, 99)] == [-EOPNOTSUPP, -EBADF]
    assert call(task, "fchmod", host_fd, 0o600) is PASS_ON
