"""fcntl(2), signal-driven I/O: O_ASYNC, F_SETOWN, F_SETSIG."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.pipe_ends import CAPACITY, Ends
from tickless.abi.errno import EAGAIN, EFAULT, EINVAL, ENOTTY, EPIPE, ESRCH
from tickless.abi.fcntl import (
    F_GETFL,
    F_GETOWN,
    F_GETOWN_EX,
    F_GETSIG,
    F_OWNER_EX,
    F_OWNER_PGRP,
    F_OWNER_PID,
    F_OWNER_TID,
    F_SETFL,
    F_SETOWN,
    F_SETOWN_EX,
    F_SETSIG,
    O_ASYNC,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
)
from tickless.abi.ioctl import FIOASYNC
from tickless.abi.siginfo import POLL_IN, POLL_OUT, SI_KERNEL, SI_SIGIO, SigInfo
from tickless.abi.signal import SIGCHLD, SIGIO, SIGRTMIN, SIGUSR1, SIGUSR2
from tickless.kernel.machine import Calls, Machine, Program
from tickless.kernel.pipe import PipeReader
from tickless.kernel.process import exit_group
from tickless.kernel.task import Task, ThreadGroup

BAD = 0x10  # no address
ON, OFF = (value.to_bytes(4, "little") for value in (1, 0))
READABLE, WRITABLE = 0x41, 0x304


def tell(ends: Ends, fd: int, signo: int = 0, owner: int = 0) -> None:
    """Let the task's process be told of an end, or `owner` as F_SETOWN has it."""
    for command, argument in ((F_SETOWN, owner or ends.task.tid), (F_SETSIG, signo), (F_SETFL, O_ASYNC | O_NONBLOCK)):
        assert call(ends.task, "fcntl", fd, command, argument) == 0


def told(target: Task | ThreadGroup) -> list[tuple[int, int, int, int]]:
    """Signal, code, number and band of what is pending, which is taken: nobody has delivered it."""
    taken: list[SigInfo] = []
    while (info := target.pending.pop(-1)) is not None:
        taken.append(info)
    return [(info.signo, info.code, info.fd, info.band) for info in taken]


IN, OUT = (SIGRTMIN, POLL_IN, 0, READABLE), (SIGRTMIN, POLL_OUT, 1, WRITABLE)


def test_sigio_says_nothing_more(ends: Ends) -> None:
    """F_SETSIG(2const): 0 is SIGIO, from the kernel."""
    tell(ends, ends.read_fd)
    ends.write(b"x")

    assert told(ends.task.group) == [(SIGIO, SI_KERNEL, 0, 0)]


@pytest.mark.parametrize(
    ("signo", "code"), [(SIGRTMIN, POLL_IN), (SIGIO, POLL_IN), (SIGUSR1, POLL_IN), (SIGCHLD, SI_SIGIO)]
)
def test_another_signal_says_which_file_is_ready_for_what(ends: Ends, signo: int, code: int) -> None:
    """F_SETSIG(2const): si_fd and si_band; SI_SIGIO where the codes of the signal mean something else."""
    ends.task.own_signals.mask = 1 << (SIGCHLD - 1)
    tell(ends, ends.read_fd, signo)
    ends.write(b"x")

    assert told(ends.task.group) == [(signo, code, ends.read_fd, READABLE)]


def test_every_write_tells_the_reader(ends: Ends) -> None:
    """pipe_write in fs/pipe.c: also one that fails, but not one of nothing."""
    tell(ends, ends.read_fd, SIGRTMIN)

    assert [ends.write(b"x"), ends.write(b"x"), ends.write(b"")] == [1, 1, 0]
    assert told(ends.task.group) == [IN, IN]
    assert call(ends.task, "write", ends.write_fd, BAD, 1) == -EFAULT
    assert told(ends.task.group) == [IN]
    ends.write(bytes(CAPACITY))
    assert ends.write(bytes(CAPACITY)) == -EAGAIN
    assert told(ends.task.group) == [IN, IN]
    ends.read(100)
    assert told(ends.task.group) == []


def test_every_read_tells_the_writer(ends: Ends) -> None:
    """pipe_read in fs/pipe.c, likewise."""
    tell(ends, ends.write_fd, SIGRTMIN)
    ends.write(b"xyz")
    assert told(ends.task.group) == []

    assert ends.read(2) == b"xy"
    assert call(ends.task, "read", ends.read_fd, BAD, 1) == -EFAULT
    assert told(ends.task.group) == [OUT, OUT]
    assert ends.read(0) == b""
    assert told(ends.task.group) == []
    assert [ends.read(2), ends.read(2)] == [b"z", -EAGAIN]
    assert told(ends.task.group) == [OUT, OUT]


def test_a_write_that_waits_tells_the_reader_before(kernel: Machine, ends: Ends) -> None:
    other = kernel.spawn(idle)
    tell(ends, ends.read_fd, SIGRTMIN, owner=other.tid)
    ends.writer.nonblock = False

    assert call(ends.task, "write", ends.write_fd, bytes(CAPACITY + 1), CAPACITY + 1) is None
    assert told(other.group) == [IN]


def test_the_side_that_is_left_is_told(ends: Ends) -> None:
    """pipe_release in fs/pipe.c; an end that has gone is told no more."""
    tell(ends, ends.read_fd, SIGRTMIN)
    tell(ends, ends.write_fd, SIGRTMIN)
    writer = ends.writer

    call(ends.task, "close", ends.read_fd)
    assert told(ends.task.group) == [OUT]
    assert ends.write(b"x") == -EPIPE
    assert told(ends.task.group) == []
    call(ends.task, "close", ends.write_fd)
    assert writer.pipe.async_writers == []


def test_ends_are_told_the_last_first(ends: Ends) -> None:
    """fasync_add_entry in fs/fcntl.c; several open files may be one end."""
    ends.task.own_fds.install(PipeReader(ends.reader.pipe, nonblock=True), cloexec=False)
    tell(ends, ends.read_fd, SIGRTMIN)
    tell(ends, 2, SIGRTMIN)
    tell(ends, ends.read_fd, SIGRTMIN)

    ends.write(b"x")

    assert [fd for _, _, fd, _ in told(ends.task.group)] == [2, ends.read_fd]


def test_a_thread_may_be_told_alone(kernel: Machine, ends: Ends) -> None:
    """F_SETOWN_EX(2const), F_OWNER_TID."""
    thread = kernel.spawn(idle, ends.task, same_group=True)
    tell(ends, ends.read_fd, SIGRTMIN)
    assert call(ends.task, "fcntl", ends.read_fd, F_SETOWN_EX, F_OWNER_EX.pack(F_OWNER_TID, thread.tid)) == 0
    ends.write(b"x")

    assert [told(ends.task), told(ends.task.group), told(thread)] == [[], [], [IN]]


def test_a_process_is_known_by_any_of_its_threads(kernel: Machine, ends: Ends) -> None:
    """F_SETOWN(2const): whatever thread is named, the process is told."""
    thread = kernel.spawn(idle, ends.task, same_group=True)
    tell(ends, ends.read_fd, SIGRTMIN, owner=thread.tid)
    ends.write(b"x")

    assert [told(ends.task.group), told(thread)] == [[IN], []]


def test_all_processes_of_a_group_are_told(kernel: Machine, ends: Ends) -> None:
    """F_SETOWN(2const): a negative number."""
    child = kernel.spawn(idle, ends.task)
    stranger = kernel.spawn(idle)
    tell(ends, ends.read_fd, SIGRTMIN, owner=-ends.task.tid)
    ends.write(b"x")

    assert [told(task.group) for task in (ends.task, child, stranger)] == [[IN], [IN], []]
    assert call(ends.task, "fcntl", ends.read_fd, F_GETOWN, 0) == -ends.task.tid


@pytest.mark.parametrize("kind", [F_OWNER_TID, F_OWNER_PID])
def test_who_has_ended_is_not_told(kernel: Machine, ends: Ends, kind: int) -> None:
    child = kernel.spawn(idle, ends.task)
    tell(ends, ends.read_fd, SIGRTMIN)
    call(ends.task, "fcntl", ends.read_fd, F_SETOWN_EX, F_OWNER_EX.pack(kind, child.tid))
    exit_group(kernel, child.group, 0)
    child.group.reaped = True
    ends.write(b"x")

    assert told(child.group) == told(child) == []
    assert call(ends.task, "fcntl", ends.read_fd, F_GETOWN, 0) == 0
    assert call(ends.task, "fcntl", ends.read_fd, F_SETOWN, child.tid) == -ESRCH


def test_a_user_tells_only_processes_of_theirs(kernel: Machine, ends: Ends) -> None:
    """sigio_perm in fs/fcntl.c: of who has named them, root tells everybody."""
    child = kernel.spawn(idle, ends.task)
    kernel.host = host = FakeHost()
    host.uids = {ends.task.name: 1000, child.name: 1001}
    tell(ends, ends.read_fd, SIGRTMIN, owner=child.tid)
    ends.write(b"x")
    assert told(child.group) == []

    host.uids[child.name] = 1000
    ends.write(b"x")
    assert told(child.group) == [IN]
    host.uids = {child.name: 1001}
    tell(ends, ends.read_fd, SIGRTMIN, owner=child.tid)
    ends.write(b"x")
    assert told(child.group) == [IN]


def test_nobody_is_told_without_an_owner_or_the_flag(ends: Ends) -> None:
    call(ends.task, "fcntl", ends.read_fd, F_SETFL, O_ASYNC | O_NONBLOCK)
    ends.write(b"x")
    tell(ends, ends.read_fd)
    call(ends.task, "fcntl", ends.read_fd, F_SETFL, O_NONBLOCK)
    ends.write(b"x")

    assert told(ends.task.group) == []


def test_the_flag_is_a_pipes(ends: Ends) -> None:
    """F_SETFL(2const) and FIOASYNC: an event file drops it."""
    task = ends.task
    assert call(task, "eventfd2", 0, 0) == 2

    assert call(task, "ioctl", ends.read_fd, FIOASYNC, ON) == 0
    assert call(task, "fcntl", ends.read_fd, F_GETFL, 0) == O_RDONLY | O_NONBLOCK | O_ASYNC
    assert call(task, "ioctl", ends.read_fd, FIOASYNC, OFF) == 0
    assert call(task, "fcntl", ends.read_fd, F_GETFL, 0) == O_RDONLY | O_NONBLOCK
    assert call(task, "ioctl", 2, FIOASYNC, ON) == -ENOTTY
    assert call(task, "fcntl", 2, F_SETFL, O_ASYNC) == 0
    assert call(task, "fcntl", 2, F_GETFL, 0) == O_RDWR


@pytest.mark.parametrize(
    ("command", "argument", "error"),
    [
        pytest.param(F_SETOWN, 99999, ESRCH, id="no process"),
        pytest.param(F_SETOWN, -99999, ESRCH, id="no process group"),
        pytest.param(F_SETOWN, 1 << 31, EINVAL, id="no number"),
        pytest.param(F_SETOWN_EX, BAD, EFAULT, id="F_SETOWN_EX, bad address"),
        pytest.param(F_GETOWN_EX, BAD, EFAULT, id="F_GETOWN_EX, bad address"),
        pytest.param(F_SETOWN_EX, F_OWNER_EX.pack(3, 0), EINVAL, id="no type"),
        pytest.param(F_SETOWN_EX, F_OWNER_EX.pack(F_OWNER_TID, 99999), ESRCH, id="no thread"),
        pytest.param(F_SETOWN_EX, F_OWNER_EX.pack(F_OWNER_PID, -1), ESRCH, id="a negative process"),
        pytest.param(F_SETSIG, 65, EINVAL, id="no signal"),
        pytest.param(F_SETSIG, -1, EINVAL, id="a negative signal"),
    ],
)
def test_what_fcntl_refuses(ends: Ends, command: int, argument: int | bytes, error: int) -> None:
    assert call(ends.task, "fcntl", ends.read_fd, command, argument) == -error


def test_what_was_set_can_be_had(ends: Ends) -> None:
    """F_GETOWN(2const), F_GETOWN_EX(2const), F_GETSIG(2const)."""
    task, fd = ends.task, ends.read_fd
    owner = bytearray(8)

    def had() -> tuple[object, ...]:
        assert call(task, "fcntl", fd, F_GETOWN_EX, owner) == 0
        return F_OWNER_EX.unpack(owner)

    assert had() == (F_OWNER_TID, 0)
    call(task, "fcntl", fd, F_SETOWN, task.tid)
    assert had() == (F_OWNER_PID, task.tid)
    call(task, "fcntl", fd, F_SETOWN_EX, F_OWNER_EX.pack(F_OWNER_PGRP, task.tid))
    assert had() == (F_OWNER_PGRP, task.tid)
    call(task, "fcntl", fd, F_SETSIG, SIGUSR2)
    call(task, "fcntl", fd, F_SETOWN, 0)
    assert had() == (F_OWNER_PID, 0)
    assert call(task, "fcntl", fd, F_GETSIG, 0) == SIGUSR2


def test_a_signal_reaches_a_handler(kernel: Machine) -> None:
    """The program that asked for it goes on in its handler."""
    seen: list[str] = []

    def main(sys: Calls) -> Program:
        def on_sigio(signo: int) -> Program:
            seen.append(f"signal {signo}")
            yield sys.getpid()

        yield sys.pipe(bytearray(8))
        yield sys.sigaction(SIGIO, on_sigio)
        yield sys.fcntl(0, F_SETOWN, (yield sys.getpid()))
        yield sys.fcntl(0, F_SETFL, O_ASYNC)
        seen.append(f"written {(yield sys.write(1, b'x', 1))}")

    kernel.spawn(main)
    kernel.run()

    assert seen == [f"signal {SIGIO}", "written 1"]
