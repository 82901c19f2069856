"""Small computations beside the constants: times, status words, device numbers, errno's names."""

import errno as python_errno
import os
import stat as python_stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickless.abi import errno, wait
from tickless.abi.stat import (
    S_IFCHR,
    S_IFREG,
    STAT_AARCH64,
    STAT_X86_64,
    STATX,
    major,
    makedev,
    minor,
    pack_stat,
    pack_statx,
)
from tickless.abi.time import (
    ITIMERSPEC,
    ITIMERVAL,
    TIMESPEC,
    TIMEVAL,
    ns_to_timespec,
    ns_to_timeval,
    pack_itimerspec,
    pack_itimerval,
    pack_timespec,
    pack_timeval,
    timespec_to_ns,
    timeval_to_ns,
)

instants = st.integers(-(2**62), 2**62)


@given(instants)
def test_timespec_and_nanoseconds_convert_both_ways(ns: int) -> None:
    seconds, nanoseconds = ns_to_timespec(ns)

    assert timespec_to_ns(seconds, nanoseconds) == ns
    assert 0 <= nanoseconds < 1_000_000_000
    assert TIMESPEC.unpack(pack_timespec(ns)) == (seconds, nanoseconds)


@given(instants)
def test_timeval_drops_what_is_below_a_microsecond(ns: int) -> None:
    seconds, microseconds = ns_to_timeval(ns)

    assert 0 <= ns - timeval_to_ns(seconds, microseconds) < 1000
    assert TIMEVAL.unpack(pack_timeval(ns)) == (seconds, microseconds)


def test_interval_comes_before_value() -> None:
    assert ITIMERSPEC.unpack(pack_itimerspec(1_000_000_002, 3_000_000_004)) == (1, 2, 3, 4)
    assert ITIMERVAL.unpack(pack_itimerval(1_000_002_000, 3_000_004_000)) == (1, 2, 3, 4)


@pytest.mark.parametrize("code", [0, 1, 255, 256, 257, -1])
def test_exit_status_keeps_eight_bits(code: int) -> None:
    status = wait.exit_status(code)

    assert os.WIFEXITED(status)
    assert os.WEXITSTATUS(status) == code & 0xFF


def test_status_words_are_those_of_the_macros() -> None:
    """wait(2): WIFSIGNALED, WTERMSIG, WCOREDUMP, WIFSTOPPED, WSTOPSIG, WIFCONTINUED."""
    killed = wait.signal_status(15, core=False)
    dumped = wait.signal_status(3, core=True)
    stopped = wait.stop_status(19)

    assert (os.WIFSIGNALED(killed), os.WTERMSIG(killed), os.WCOREDUMP(killed)) == (True, 15, False)
    assert (os.WIFSIGNALED(dumped), os.WTERMSIG(dumped), os.WCOREDUMP(dumped)) == (True, 3, True)
    assert (os.WIFSTOPPED(stopped), os.WSTOPSIG(stopped)) == (True, 19)
    assert os.WIFCONTINUED(wait.W_CONTINUED)


@given(st.integers(0, 0xFFFFF), st.integers(0, 0xFFFFF))
def test_device_numbers_are_those_of_the_c_library(major_number: int, minor_number: int) -> None:
    """makedev(3)."""
    dev = makedev(major_number, minor_number)

    assert dev == os.makedev(major_number, minor_number)
    assert (major(dev), minor(dev)) == (major_number, minor_number)


def test_stat_of_a_file_reads_as_the_host_reads_it() -> None:
    """stat(2), on whichever architecture this runs."""
    real = os.stat("/dev/null")
    packed = pack_stat(mode=S_IFCHR | 0o666, ino=real.st_ino, dev=real.st_dev, rdev=real.st_rdev, time_ns=7_000_000_009)

    layout = {STAT_X86_64.size: STAT_X86_64, STAT_AARCH64.size: STAT_AARCH64}[len(packed)]
    fields = layout.unpack(packed)
    assert python_stat.S_ISCHR(fields[3 if layout is STAT_X86_64 else 2])
    assert fields[-6:] == (7, 9) * 3
    assert fields[0:2] == (real.st_dev, real.st_ino)
    assert real.st_rdev in fields


def test_size_counts_in_blocks_of_512() -> None:
    mask, blksize, *_, size, blocks, _ = STATX.unpack(pack_statx(mode=S_IFREG | 0o600, ino=3, size=513))[:11]

    assert (mask, blksize, size, blocks) == (0x7FF, 4096, 513, 2)


def test_every_errno_has_a_name_that_python_has_too() -> None:
    """Where Linux has two names (EDEADLK, EDEADLOCK), the one of POSIX prints."""
    names = {number: errno.errno_name(number) for number in python_errno.errorcode}

    assert {number: getattr(python_errno, name) for number, name in names.items()} == {n: n for n in names}
    assert (names[11], names[35]) == ("EAGAIN", "EDEADLK")


def test_restart_codes_and_unknown_numbers_print() -> None:
    assert errno.errno_name(512) == "ERESTARTSYS"
    assert errno.errno_name(4000) == "errno 4000"
