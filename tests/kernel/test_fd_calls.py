"""close(2), dup(2), close_range(2), ioctl(2), lseek(2), fcntl(2): calls on any number."""

from __future__ import annotations

import pytest

from tests.kernel.fake_files import FakeFile, FakeHostFile, install, with_host_files
from tests.kernel.fake_host import FakeHost, call
from tests.kernel.pipe_ends import Ends
from tickless.abi.errno import EBADF, EFAULT, EINVAL, EMFILE, ENOTDIR, ENOTTY, EPERM, ESPIPE
from tickless.abi.fcntl import (
    CLOSE_RANGE_CLOEXEC,
    CLOSE_RANGE_UNSHARE,
    F_ADD_SEALS,
    F_CREATED_QUERY,
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_DUPFD_QUERY,
    F_GETFD,
    F_GETFL,
    F_GETLEASE,
    F_GETOWN,
    F_GETOWN_EX,
    F_GETPIPE_SZ,
    F_GETSIG,
    F_NOTIFY,
    F_SETFD,
    F_SETFL,
    F_SETLK,
    F_UNLCK,
    FD_CLOEXEC,
    O_APPEND,
    O_ASYNC,
    O_CLOEXEC,
    O_DIRECT,
    O_NOATIME,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
)
from tickless.abi.ioctl import FIOASYNC, FIOCLEX, FIONBIO, FIONCLEX, FIONREAD
from tickless.kernel.file import File
from tickless.kernel.machine import Argument, Machine, OwnTask
from tickless.kernel.outcome import PASS_ON

BAD = 0x10  # no address
ON = (1).to_bytes(4, "little")
OFF = bytes(4)


@pytest.fixture
def file(task: OwnTask) -> File:
    """An open file of the task, under number 0."""
    file = FakeFile()
    install(task, file)
    return file


# Numbers


def test_a_duplicate_gets_the_lowest_free_number(task: OwnTask, file: File) -> None:
    """dup(2); and it is not close-on-exec, whatever the original is."""
    task.own_fds.install_from(2, FakeFile(), cloexec=True)

    assert call(task, "dup", 2) == 1
    assert task.fds.get(1) is task.fds.get(2)
    assert task.own_fds.cloexec == {2}
    assert call(task, "dup", 99) == -EBADF


def test_a_file_is_released_with_its_last_number(task: OwnTask, file: File) -> None:
    released = []
    file.released = lambda: released.append(True)  # type: ignore[method-assign]
    call(task, "dup", 0)

    assert call(task, "close", 0) == 0
    assert released == []
    assert call(task, "close", 1) == 0
    assert released == [True]
    assert call(task, "close", 1) == -EBADF


def test_dup2_replaces_what_a_number_names(task: OwnTask, file: File) -> None:
    """dup(2): closed silently first if it was open."""
    other = FakeFile()
    install(task, other)
    call(task, "fcntl", 1, F_SETFD, FD_CLOEXEC)

    assert call(task, "dup2", 0, 1) == 1
    assert task.fds.get(1) is file
    assert other.references == 0
    assert task.own_fds.cloexec == set()
    assert call(task, "dup2", 0, 7) == 7


def test_dup2_onto_a_number_of_the_same_file_changes_nothing(task: OwnTask, file: File) -> None:
    call(task, "dup", 0)

    assert call(task, "dup2", 0, 1) == 1
    assert call(task, "dup2", 0, 0) == 0
    assert file.references == 2


def test_dup3_can_mark_the_new_number(task: OwnTask, file: File) -> None:
    assert call(task, "dup3", 0, 5, O_CLOEXEC) == 5
    assert task.own_fds.cloexec == {5}


@pytest.mark.parametrize(
    ("name", "args", "errno"),
    [
        pytest.param("dup2", (99, 1), EBADF, id="dup2 of nothing"),
        pytest.param("dup2", (99, 99), EBADF, id="dup2 of nothing onto itself"),
        pytest.param("dup2", (0, 1024), EBADF, id="dup2 beyond the limit"),
        pytest.param("dup3", (0, 1, 1), EINVAL, id="dup3 with an unknown flag"),
        pytest.param("dup3", (99, 99, 0), EINVAL, id="dup3 onto itself"),
        pytest.param("dup3", (99, 1, 0), EBADF, id="dup3 of nothing"),
        pytest.param("fcntl", (99, F_DUPFD, 0), EBADF, id="F_DUPFD of nothing"),
        pytest.param("fcntl", (0, F_DUPFD, 1024), EINVAL, id="F_DUPFD beyond the limit"),
    ],
)
def test_duplicates_refuse(task: OwnTask, file: File, name: str, args: tuple[int, ...], errno: int) -> None:
    assert call(task, name, *args) == -errno


def test_numbers_run_out(task: OwnTask, file: File) -> None:
    """dup(2), EMFILE: the limit of open files."""
    task.own_fds.limit = 2

    assert [call(task, "dup", 0), call(task, "dup", 0)] == [1, -EMFILE]
    assert call(task, "fcntl", 0, F_DUPFD, 1) == -EMFILE


@pytest.mark.parametrize(("command", "marked"), [(F_DUPFD, set()), (F_DUPFD_CLOEXEC, {10})])
def test_a_duplicate_may_begin_at_a_number(task: OwnTask, file: File, command: int, marked: set[int]) -> None:
    """fcntl(2): the lowest free number that is not below the argument."""
    assert call(task, "fcntl", 0, command, 10) == 10
    assert task.own_fds.cloexec == marked


def test_close_range_closes_what_is_open(task: OwnTask) -> None:
    for _ in range(5):
        install(task, FakeFile())

    assert call(task, "close_range", 1, 3, 0) == 0
    assert sorted(task.own_fds.files) == [0, 4]
    assert call(task, "close_range", 3, 0xFFFFFFFF, CLOSE_RANGE_CLOEXEC) == 0
    assert sorted(task.own_fds.files) == [0, 4]
    assert task.own_fds.cloexec == {4}


@pytest.mark.parametrize(
    ("first", "last", "flags"), [(5, 3, 0), (0, 9, 8), (0, 9, CLOSE_RANGE_UNSHARE)], ids=["order", "flag", "unshare"]
)
def test_close_range_refuses(task: OwnTask, first: int, last: int, flags: int) -> None:
    assert call(task, "close_range", first, last, flags) == -EINVAL


def test_a_host_unshares_its_own_table(kernel: Machine, task: OwnTask, file: File) -> None:
    kernel.host = FakeHost()

    assert call(task, "close_range", 0, 9, CLOSE_RANGE_UNSHARE) == 0


# Flags


def test_close_on_exec_belongs_to_the_number(task: OwnTask, file: File) -> None:
    """fcntl(2), F_SETFD: unknown flags are ignored, as on Linux."""
    call(task, "dup", 0)

    assert call(task, "fcntl", 0, F_SETFD, 0xFF) == 0
    assert [call(task, "fcntl", fd, F_GETFD, 0) for fd in (0, 1)] == [FD_CLOEXEC, 0]
    assert call(task, "fcntl", 0, F_SETFD, 0) == 0
    assert call(task, "fcntl", 0, F_GETFD, 0) == 0
    assert call(task, "fcntl", 99, F_GETFD, 0) == -EBADF
    assert call(task, "ioctl", 1, FIOCLEX, 0) == 0
    assert call(task, "fcntl", 1, F_GETFD, 0) == FD_CLOEXEC
    assert call(task, "ioctl", 1, FIONCLEX, 0) == 0
    assert call(task, "fcntl", 1, F_GETFD, 0) == 0


def test_status_flags_belong_to_the_description(task: OwnTask, file: File) -> None:
    """fcntl(2), F_SETFL: of what open(2) knows, only some flags change. Measured on Linux 6.18 with an eventfd."""
    call(task, "dup", 0)

    assert call(task, "fcntl", 0, F_SETFL, O_APPEND | O_NOATIME | O_NONBLOCK | O_CLOEXEC | O_WRONLY) == 0
    assert call(task, "fcntl", 1, F_GETFL, 0) == O_RDWR | O_APPEND | O_NOATIME | O_NONBLOCK
    assert call(task, "fcntl", 0, F_SETFL, O_ASYNC) == 0
    assert call(task, "fcntl", 1, F_GETFL, 0) == O_RDWR
    assert call(task, "fcntl", 0, F_SETFL, O_DIRECT) == -EINVAL


def test_noatime_of_an_event_file_is_for_root(kernel: Machine, task: OwnTask, file: File) -> None:
    """fcntl(2), F_SETFL, EPERM: root owns the inode that all event files share."""
    kernel.host = FakeHost()
    kernel.host.has_capability = lambda task, capability: False  # type: ignore[method-assign]

    assert call(task, "fcntl", 0, F_SETFL, O_NOATIME) == -EPERM
    assert call(task, "fcntl", 0, F_SETFL, O_APPEND) == 0


def test_the_ends_of_a_pipe_have_their_access_modes(ends: Ends) -> None:
    modes = [call(ends.task, "fcntl", fd, F_GETFL, 0) for fd in (ends.read_fd, ends.write_fd)]

    assert modes == [O_RDONLY | O_NONBLOCK, O_WRONLY | O_NONBLOCK]
    assert call(ends.task, "fcntl", ends.write_fd, F_SETFL, O_DIRECT) == 0
    assert call(ends.task, "fcntl", ends.write_fd, F_GETFL, 0) == O_WRONLY | O_DIRECT


@pytest.mark.parametrize(("value", "nonblock"), [(ON, True), (OFF, False)])
def test_fionbio_sets_o_nonblock(task: OwnTask, file: File, value: bytes, *, nonblock: bool) -> None:
    file.nonblock = not nonblock

    assert call(task, "ioctl", 0, FIONBIO, value) == 0
    assert file.nonblock is nonblock


@pytest.mark.parametrize(
    ("fd", "request_", "argument", "errno"),
    [
        pytest.param(99, FIONBIO, ON, EBADF, id="no file"),
        pytest.param(0, FIONBIO, BAD, EFAULT, id="FIONBIO"),
        pytest.param(0, FIOASYNC, BAD, EFAULT, id="FIOASYNC"),
        pytest.param(0, FIOASYNC, ON, ENOTTY, id="nobody is told by a signal"),
        pytest.param(0, FIOASYNC, OFF, 0, id="which may be said"),
        pytest.param(0, FIONREAD, BAD, ENOTTY, id="nothing to count"),
    ],
)
def test_ioctl_refuses(task: OwnTask, file: File, fd: int, request_: int, argument: Argument, errno: int) -> None:
    assert call(task, "ioctl", fd, request_, argument) == -errno


def test_an_epoll_knows_no_request(task: OwnTask) -> None:
    """Measured on Linux 6.18: EINVAL, not ENOTTY."""
    call(task, "epoll_create1", 0)

    assert call(task, "ioctl", 0, FIONREAD, BAD) == -EINVAL


# Other commands of fcntl


def test_two_numbers_may_name_one_description(task: OwnTask, file: File) -> None:
    """fcntl(2), F_DUPFD_QUERY."""
    call(task, "dup", 0)
    install(task, FakeFile())

    assert [call(task, "fcntl", 0, F_DUPFD_QUERY, fd) for fd in (0, 1, 2, 99)] == [1, 1, 0, -EBADF]


@pytest.mark.parametrize(
    ("command", "result"),
    [
        pytest.param(F_CREATED_QUERY, 0, id="F_CREATED_QUERY"),
        pytest.param(F_GETLEASE, F_UNLCK, id="F_GETLEASE"),
        pytest.param(F_NOTIFY, -ENOTDIR, id="F_NOTIFY"),
        pytest.param(F_GETOWN, 0, id="F_GETOWN"),
        pytest.param(F_GETSIG, 0, id="F_GETSIG"),
        pytest.param(F_GETPIPE_SZ, -EBADF, id="F_GETPIPE_SZ"),
        pytest.param(F_ADD_SEALS, -EINVAL, id="F_ADD_SEALS"),
        pytest.param(999, -EINVAL, id="unknown command"),
        pytest.param(F_SETLK, -EINVAL, id="locks are refused"),
    ],
)
def test_event_files_answer_to_fcntl(task: OwnTask, file: File, command: int, result: int) -> None:
    """Measured on Linux 6.18 with an eventfd, but for what is refused."""
    assert call(task, "fcntl", 0, command, 0) == result


def test_nobody_owns_an_event_file(task: OwnTask, file: File) -> None:
    """fcntl(2), F_GETOWN_EX; the C library uses it for F_GETOWN."""
    owner = bytearray(b"\xff" * 8)

    assert call(task, "fcntl", 0, F_GETOWN_EX, owner) == 0
    assert owner == bytes(8)
    assert call(task, "fcntl", 0, F_GETOWN_EX, BAD) == -EFAULT


# Positions


def test_an_event_file_is_at_0_wherever_it_is_sent(task: OwnTask, file: File) -> None:
    """fs/read_write.c, noop_llseek."""
    assert [call(task, "lseek", 0, 5, whence) for whence in (0, 1, 2, 3, 4, 5)] == [0, 0, 0, 0, 0, -EINVAL]
    assert call(task, "lseek", 99, 0, 9) == -EBADF
    assert [call(task, "fadvise64", 0, 0, 0, advice) for advice in (0, 5, 6)] == [0, 0, -EINVAL]
    assert call(task, "fadvise64", 0, 0, -1, 0) == -EINVAL


def test_a_pipe_has_no_position(ends: Ends) -> None:
    assert call(ends.task, "lseek", ends.read_fd, 0, 0) == -ESPIPE
    assert call(ends.task, "fadvise64", ends.read_fd, 0, 0, 77) == -ESPIPE


@pytest.mark.parametrize("name", ["fsync", "fdatasync"])
def test_nothing_is_written_back(task: OwnTask, file: File, name: str) -> None:
    assert [call(task, name, fd) for fd in (0, 99)] == [-EINVAL, -EBADF]


@pytest.mark.parametrize(
    ("name", "args"),
    [("ioctl", (FIONREAD, BAD)), ("fcntl", (F_GETFL, 0)), ("lseek", (0, 0)), ("fadvise64", (0, 0, 0))],
)
def test_files_of_the_host_are_the_hosts(task: OwnTask, name: str, args: tuple[int, ...]) -> None:
    with_host_files(task)
    fd = install(task, FakeHostFile())

    assert call(task, name, fd, *args) is PASS_ON
