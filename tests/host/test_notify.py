"""User notifications: each ioctl on calls of a thread of ours that has a filter of its own."""

import ctypes
import errno
import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.host import notify, seccomp

GETPPID = number_of(ARCH, "getppid") or 0
# CDLL lets go of the interpreter during the call, so that we can answer it.
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class Caller:
    """A thread that makes trapped calls, one for each `call`."""

    def __init__(self) -> None:
        self._arguments: SimpleQueue[tuple[int, ...] | None] = SimpleQueue()
        self.results: SimpleQueue[int] = SimpleQueue()  # of the calls, -errno if they failed
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.listener = self.results.get()

    def call(self, *arguments: int) -> notify.Notification:
        """Let the thread call getppid with registers that it doesn't look at; return what the listener gets."""
        self._arguments.put(arguments)
        return notify.receive_uninterrupted(self.listener)

    def close(self) -> None:
        self._arguments.put(None)
        self._thread.join()
        os.close(self.listener)

    def _run(self) -> None:
        self.results.put(seccomp.install(seccomp.build_filter([GETPPID])))
        while (arguments := self._arguments.get()) is not None:
            result = libc.syscall(ctypes.c_long(GETPPID), *map(ctypes.c_ulong, arguments))
            self.results.put(result if result >= 0 else -ctypes.get_errno())


@pytest.fixture
def storm() -> Iterator[list[int]]:
    """Signals to us, 10,000 in a second."""
    received: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda signo, frame: received.append(signo))
    signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
    yield received
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def caller() -> Iterator[Caller]:
    caller = Caller()
    yield caller
    caller.close()


def test_a_notification_has_the_whole_call(caller: Caller) -> None:
    received = caller.call(1, 2**64 - 1, 3, 4, 5, 2**32)
    notify.answer(caller.listener, received[0], 0, 0)
    caller.results.get()

    assert received[2] == GETPPID
    assert received[4:] == (1, 2**64 - 1, 3, 4, 5, 2**32)


@pytest.mark.parametrize(
    ("value", "error", "result"),
    [(2**40, 0, 2**40), (0, 0, 0), (0, -errno.EXDEV, -errno.EXDEV)],
    ids=["value", "zero", "error"],
)
def test_an_answer_is_what_the_caller_gets(caller: Caller, value: int, error: int, result: int) -> None:
    notify.answer(caller.listener, caller.call()[0], value, error)

    assert caller.results.get() == result


def test_what_is_passed_on_is_the_hosts(caller: Caller) -> None:
    notify.pass_on(caller.listener, caller.call()[0])

    assert caller.results.get() == os.getppid()


def test_a_call_is_valid_until_it_is_answered(caller: Caller) -> None:
    note = caller.call()[0]
    before = notify.is_valid(caller.listener, note)
    notify.answer(caller.listener, note, 0, 0)
    caller.results.get()
    after = notify.is_valid(caller.listener, note)

    assert (before, after) == (True, False)
    with pytest.raises(FileNotFoundError):
        notify.answer(caller.listener, note, 0, 0)


@pytest.mark.parametrize("cloexec", [False, True])
def test_an_fd_is_the_answer(caller: Caller, cloexec: bool) -> None:
    """With ADD_FD_SEND: the lowest free number, as open(2) would give it."""
    ours = os.open("/dev/null", os.O_RDONLY)
    lowest = os.dup(ours)
    os.close(lowest)
    number = notify.add_fd(caller.listener, caller.call()[0], ours, notify.ADD_FD_SEND, cloexec=cloexec)
    result = caller.results.get()
    flags = fcntl.fcntl(number, fcntl.F_GETFD)
    same = os.path.sameopenfile(number, ours)
    os.close(number)
    os.close(ours)

    assert number == result == lowest
    assert flags == (fcntl.FD_CLOEXEC if cloexec else 0)
    assert same


def test_an_fd_at_a_given_number_leaves_the_call_open(caller: Caller) -> None:
    """As dup2(2) needs it: what is there already is replaced."""
    ours, there = os.open("/dev/null", os.O_RDONLY), os.open("/dev/zero", os.O_RDONLY)
    note = caller.call()[0]
    number = notify.add_fd(caller.listener, note, ours, 0, number=there, cloexec=True)
    still_waiting = notify.is_valid(caller.listener, note)
    notify.answer(caller.listener, note, 7, 0)
    same = os.path.samestat(os.fstat(there), os.stat("/dev/null"))
    os.close(there)
    os.close(ours)

    assert (number, still_waiting, same) == (there, True, True)
    assert caller.results.get() == 7


def test_an_fd_arrives_in_spite_of_signals_to_us(caller: Caller, storm: list[int]) -> None:
    """The ioctl waits until the caller has taken the fd, which a signal cuts short: whether it has is unknown then."""
    ours = os.open("/dev/null", os.O_RDONLY)
    there = os.dup(ours)
    note = caller.call()[0]
    try:
        numbers = {notify.add_fd(caller.listener, note, ours, 0, number=there, cloexec=True) for _ in range(5000)}
    finally:
        notify.answer(caller.listener, note, 0, 0)
        os.close(there)
        os.close(ours)

    assert numbers == {there}
    assert storm


def test_a_wake_up_can_stay_on_this_cpu(caller: Caller) -> None:
    """Linux 6.6; older ones say that they don't know the request."""
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])

    assert notify.set_sync_wake_up(caller.listener) is (release >= (6, 6))
