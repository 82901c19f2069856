"""splice(2), tee(2), sendfile(2): bytes between a pipe and a file of a host."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.kernel.fake_files import FakeEnd, FakeHostFile, FakeReadiness, install, with_host_files
from tests.kernel.fake_host import call
from tests.kernel.pipe_ends import CAPACITY, Ends, new_pipe
from tickless.abi.errno import EAGAIN, EBADF, EFAULT, EINVAL, EIO, EPIPE, ESPIPE
from tickless.abi.fcntl import F_SETFL, O_NONBLOCK, O_RDONLY, O_RDWR, SPLICE_F_MORE, SPLICE_F_NONBLOCK
from tickless.abi.stat import S_IFIFO, S_IFREG
from tickless.kernel.machine import Machine
from tickless.kernel.memory import UserBuffer
from tickless.kernel.outcome import Answer

FILE = 2  # its number: those of the pipe are 0 and 1
BAD = 0x10  # no address


@dataclass
class Spliced:
    """A pipe and a file of a host."""

    ends: Ends
    host: FakeReadiness

    @property
    def end(self) -> FakeEnd:
        return self.host.end

    def to_pipe(self, length: int, flags: int = 0, offset: int = 0) -> Answer | None:
        return call(self.ends.task, "splice", FILE, offset, 1, 0, length, flags)

    def to_file(self, length: int, flags: int = 0, offset: int = 0) -> Answer | None:
        return call(self.ends.task, "splice", 0, 0, FILE, offset, length, flags)

    def go_on(self) -> Answer | None:
        return self.ends.kernel.resume_call(self.ends.task)


def with_file(kernel: Machine, *, flags: int = 0, mode: int = S_IFREG, file_flags: int = O_RDWR) -> Spliced:
    ends = new_pipe(kernel, flags)
    host = with_host_files(ends.task)
    host.end = FakeEnd(is_fifo=mode == S_IFIFO)
    install(ends.task, FakeHostFile(mode=mode, flags=file_flags))
    return Spliced(ends, host)


@pytest.fixture
def spliced(kernel: Machine) -> Spliced:
    return with_file(kernel)


@pytest.fixture
def fifo(kernel: Machine) -> Spliced:
    return with_file(kernel, mode=S_IFIFO)


def test_a_file_fills_the_pipe(spliced: Spliced) -> None:
    """splice(2): as much as there is room for; 0 at the end of the file."""
    spliced.end.content = bytes(CAPACITY) + b"rest"

    assert spliced.to_pipe(2 * CAPACITY) == CAPACITY
    spliced.ends.read(CAPACITY)
    assert spliced.to_pipe(2 * CAPACITY) == 4
    assert spliced.to_pipe(1) == 0
    assert spliced.host.spliced == [(FILE, None, "splice", False)] * 3
    assert spliced.end.closed == 3


def test_a_page_of_a_file_is_not_added_to(spliced: Spliced) -> None:
    spliced.end.content = b"file"
    spliced.to_pipe(4)
    spliced.ends.write(b"!")

    assert len(spliced.ends.reader.pipe.slots) == 2


def test_a_pipe_is_emptied_into_a_file(spliced: Spliced) -> None:
    """splice(2): what there is, and 0 when no writer is left."""
    spliced.end.room = CAPACITY
    spliced.ends.write(b"pipe")

    assert spliced.to_file(3, SPLICE_F_MORE) == 3
    assert spliced.to_file(100) == 1
    call(spliced.ends.task, "close", 1)
    assert spliced.to_file(100) == 0
    assert spliced.end.put_bytes == b"pipe"
    assert spliced.host.spliced == [(FILE, None, call, False) for call in ("more", "to", "to")]


def test_an_offset_is_moved(spliced: Spliced) -> None:
    """splice(2), sendfile(2): by as much as has been moved."""
    task = spliced.ends.task
    address = task.own_memory.allocate(8)
    task.memory.copy_out(address, (7).to_bytes(8, "little"))
    spliced.end.content, spliced.end.room = b"some more", 2

    assert spliced.to_pipe(4, offset=address) == 4
    assert spliced.to_file(2, offset=address) == 2
    assert call(task, "sendfile", 1, FILE, address, 100) == 5
    assert [moved[1:3] for moved in spliced.host.spliced] == [(7, "splice"), (11, "to"), (13, "sendfile")]
    assert int.from_bytes(task.memory.copy_in(address, 8), "little") == 18


def test_a_file_is_waited_for(spliced: Spliced) -> None:
    """It is kept open until its bytes have come."""
    assert spliced.to_pipe(10) is None
    assert spliced.end.closed == 0
    spliced.end.content = b"late"

    assert spliced.go_on() == 4
    assert spliced.end.closed == 1


def test_a_call_that_dies_lets_go_of_its_file(spliced: Spliced) -> None:
    assert spliced.to_pipe(10) is None

    spliced.ends.kernel.abandon_call(spliced.ends.task)

    assert spliced.end.closed == 1


def test_room_comes_before_the_file(spliced: Spliced) -> None:
    """fs/splice.c: a full pipe is waited for; EAGAIN, or EPIPE without a reader."""
    spliced.ends.write(bytes(CAPACITY))
    spliced.end.content = b"more"

    assert spliced.to_pipe(1, SPLICE_F_NONBLOCK) == -EAGAIN
    assert spliced.to_pipe(1) is None
    spliced.ends.kernel.abandon_call(spliced.ends.task)
    call(spliced.ends.task, "close", 0)
    assert spliced.to_pipe(1) == -EPIPE


def test_the_pipe_is_looked_at_again_when_the_file_is_ready(spliced: Spliced) -> None:
    """Another may have filled it meanwhile."""
    assert spliced.to_pipe(1) is None
    spliced.ends.writer.write(spliced.ends.task, full(spliced))
    spliced.end.content = b"x"

    assert spliced.go_on() is None
    spliced.ends.reader.pipe.slots.popleft()
    assert spliced.go_on() == 1


def full(spliced: Spliced) -> UserBuffer:
    task = spliced.ends.task
    return UserBuffer(task.memory, task.own_memory.allocate(CAPACITY), CAPACITY)


def test_a_socket_takes_all_that_was_there(spliced: Spliced) -> None:
    """fs/splice.c: it waits for room, but not for more bytes."""
    spliced.ends.write(b"some more")
    spliced.end.room = 4

    assert spliced.to_file(100) is None
    assert spliced.end.put_bytes == b"some"
    spliced.end.room = 100
    assert spliced.go_on() == 9


def test_a_fifo_takes_what_fits(fifo: Spliced) -> None:
    """Two pipes: whatever has moved is enough."""
    fifo.ends.write(b"some more")
    fifo.end.room = 4

    assert fifo.to_file(100) == 4
    assert fifo.to_file(100) is None


def test_an_error_after_some_bytes_is_not_told(spliced: Spliced) -> None:
    spliced.ends.write(b"some more")
    spliced.end.room = 4
    assert spliced.to_file(100) is None
    spliced.end.error = EIO

    assert spliced.go_on() == 4
    assert spliced.to_file(100) == -EIO
    assert spliced.end.closed == 2


def test_tee_leaves_the_bytes_of_the_pipe(fifo: Spliced) -> None:
    fifo.ends.write(b"some")
    task = fifo.ends.task

    assert call(task, "tee", 0, FILE, 3, 0) is None
    fifo.end.room = 100
    assert fifo.go_on() == 3
    fifo.end.content = b"fifo"
    assert call(task, "tee", FILE, 1, 100, 0) == 4
    assert fifo.ends.reader.pipe.unread() == 8
    assert [moved[2] for moved in fifo.host.spliced] == ["to", "tee"]


@pytest.mark.parametrize("which", ["flag", "pipe", "fifo"])
def test_who_does_not_wait(kernel: Machine, which: str) -> None:
    """splice(2): SPLICE_F_NONBLOCK, and O_NONBLOCK of a pipe, be it a FIFO."""
    spliced = with_file(kernel, mode=S_IFIFO, file_flags=O_NONBLOCK if which == "fifo" else O_RDWR)
    if which == "pipe":
        for fd in (0, 1):
            call(spliced.ends.task, "fcntl", fd, F_SETFL, O_NONBLOCK)
    flags = SPLICE_F_NONBLOCK if which == "flag" else 0

    assert spliced.to_file(1, flags) == -EAGAIN
    assert call(spliced.ends.task, "tee", 0, FILE, 1, flags) == -EAGAIN
    spliced.end.content = b"x"
    assert spliced.to_pipe(1, flags) == 1
    assert [moved[3] for moved in spliced.host.spliced] == [True, True, True]


def test_o_nonblock_of_a_file_is_the_hosts_to_look_at(kernel: Machine) -> None:
    spliced = with_file(kernel, file_flags=O_NONBLOCK)
    spliced.end.content = b""

    assert spliced.to_pipe(1) == 0
    assert spliced.host.spliced == [(FILE, None, "splice", False)]


@pytest.mark.parametrize(
    ("name", "args", "error"),
    [
        ("splice", (FILE, 0, 1, BAD, 1, 0), ESPIPE),
        ("splice", (FILE, BAD, 0, 0, 1, 0), EFAULT),
        ("splice", (FILE, 0, 0, 0, 1, 0), EBADF),
        ("splice", (1, 0, FILE, 0, 1, 0), EBADF),
        ("tee", (1, FILE, 1, 0), EBADF),
        ("tee", (0, FILE, 1, 0), EINVAL),
        ("tee", (FILE, 1, 1, 0), EINVAL),
        ("sendfile", (1, FILE, BAD, 1), EFAULT),
        ("sendfile", (99, 1, 0, 1), EBADF),
        ("sendfile", (0, FILE, 0, 1), EBADF),
        ("sendfile", (FILE, 1, 0, 1), EBADF),
        ("sendfile", (FILE, 0, 0, 1), EINVAL),
        ("sendfile", (1, 3, 0, 1), EINVAL),
    ],
)
def test_the_order_of_checks(spliced: Spliced, name: str, args: tuple[int, ...], error: int) -> None:
    """The contracts of splice_files; number 3 is an eventfd."""
    assert call(spliced.ends.task, "eventfd2", 0, 0) == 3

    assert call(spliced.ends.task, name, *args) == -error
    assert spliced.host.spliced == []


def test_an_offset_of_a_pipe_is_a_mistake_of_sendfile(spliced: Spliced) -> None:
    """sendfile(2), ESPIPE: before the other file is looked at."""
    task = spliced.ends.task
    address = task.own_memory.allocate(8)

    assert call(task, "sendfile", 99, 0, address, 1) == -ESPIPE


def test_what_may_not_be_written_to_is_no_target_of_sendfile(kernel: Machine) -> None:
    """sendfile(2): EBADF comes before EINVAL for what is read from a pipe."""
    spliced = with_file(kernel, file_flags=O_RDONLY)

    assert call(spliced.ends.task, "sendfile", FILE, 0, 0, 1) == -EBADF
