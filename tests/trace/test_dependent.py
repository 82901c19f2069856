"""Arguments that mean what another argument of their call says, and print so."""

from __future__ import annotations

import pytest

from tests.trace.traced import calls_of
from tickless.abi.fcntl import (
    F_DUPFD,
    F_GETFD,
    F_GETFL,
    F_SETFD,
    F_SETFL,
    F_SETLK,
    F_SETPIPE_SZ,
    F_SETSIG,
    F_WRLCK,
    FD_CLOEXEC,
    FLOCK,
    O_NONBLOCK,
)
from tickless.abi.ioctl import FIONBIO, FIONREAD
from tickless.abi.signal import SIGUSR1
from tickless.abi.wait import P_PIDFD, WEXITED
from tickless.kernel.machine import Argument, Calls, Program

NOWHERE = 8  # an address that nothing is at
LEFT_OVER = 0x7FFC_1234_5678  # what lies in a register that a call does not look at

FCNTL = {
    "F_SETFL": (F_SETFL, O_NONBLOCK, "F_SETFL, O_RDONLY|O_NONBLOCK) = 0"),
    "F_GETFL": (F_GETFL, LEFT_OVER, "F_GETFL) = 0x802 (flags O_RDWR|O_NONBLOCK)"),
    "F_SETFD": (F_SETFD, FD_CLOEXEC, "F_SETFD, FD_CLOEXEC) = 0"),
    "F_GETFD": (F_GETFD, LEFT_OVER, "F_GETFD) = 0"),
    "F_DUPFD": (F_DUPFD, 10, "F_DUPFD, 10) = 10<eventfd>"),
    "F_SETPIPE_SZ": (F_SETPIPE_SZ, 8192, "F_SETPIPE_SZ, 8192) = -1 EBADF (Bad file descriptor)"),
    "F_SETSIG": (F_SETSIG, SIGUSR1, "F_SETSIG, SIGUSR1) = 0"),
    "F_SETLK": (
        F_SETLK,
        FLOCK.pack(F_WRLCK, 2, -5, 5, 0),
        "F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_END, l_start=-5, l_len=5}) = -1 EINVAL (Invalid argument)",
    ),
    "F_SETLK of nothing": (F_SETLK, NOWHERE, "F_SETLK, ptr) = -1 EINVAL (Invalid argument)"),
}


@pytest.mark.parametrize(("command", "argument", "shown"), FCNTL.values(), ids=FCNTL)
def test_an_argument_of_fcntl_is_what_its_command_says(command: int, argument: Argument, shown: str) -> None:
    def program(sys: Calls) -> Program:
        yield sys.eventfd2(0, O_NONBLOCK)
        yield sys.fcntl(0, command, argument)

    assert calls_of(program)[1] == f"fcntl(0<eventfd>, {shown}"


def test_the_flag_of_a_number_is_told() -> None:
    def program(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0o2000000)
        yield sys.fcntl(0, F_GETFD, LEFT_OVER)

    assert calls_of(program)[1] == "fcntl(0<eventfd>, F_GETFD) = 0x1 (flags FD_CLOEXEC)"


def test_an_argument_of_ioctl_is_what_its_request_says() -> None:
    def program(sys: Calls) -> Program:
        yield sys.pipe2(bytearray(8), 0)
        yield sys.write(1, b"three", 5)
        yield sys.ioctl(0, FIONREAD, bytearray(4))
        yield sys.ioctl(0, FIONREAD, NOWHERE)
        yield sys.ioctl(0, FIONBIO, b"\1\0\0\0")

    assert calls_of(program)[2:] == [
        "ioctl(0<pipe>, FIONREAD, [5]) = 0",
        "ioctl(0<pipe>, FIONREAD, ptr) = -1 EFAULT (Bad address)",
        "ioctl(0<pipe>, FIONBIO, [1]) = 0",
    ]


def test_a_pidfd_that_is_waited_for_is_a_number() -> None:
    def program(sys: Calls) -> Program:
        yield sys.waitid(P_PIDFD, 9, 0, WEXITED, 0)

    assert calls_of(program) == ["waitid(P_PIDFD, 9, NULL, WEXITED, NULL) = -1 EBADF (Bad file descriptor)"]
