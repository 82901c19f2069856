"""What a trace names in the data that programs move, because it differs from run to run: addresses and pids."""

from __future__ import annotations

from struct import Struct

import pytest

from tests.trace.traced import calls_of
from tickless.kernel.machine import FIRST_PID, Calls, Machine, Program
from tickless.kernel.memory import OwnMemory
from tickless.trace.names import Names

POINTER_AND_NUMBER = Struct("<QQ")


def written(data: bytes) -> str:
    """How a write of `data` to a pipe shows it."""

    def program(sys: Calls) -> Program:
        yield sys.pipe2(bytearray(8), 0)
        yield sys.write(1, data, len(data))

    return calls_of(program)[1].removeprefix("write(1<pipe>, ").rpartition(", ")[0]


def test_an_address_among_bytes_is_named() -> None:
    """libuv tells itself of signals by a pointer and a number that go through a pipe."""
    address = OwnMemory().base + 64

    assert written(POINTER_AND_NUMBER.pack(address, 12)) == '[&1, "\\f\\0\\0\\0\\0\\0\\0\\0"]'
    assert written(POINTER_AND_NUMBER.pack(12, address)) == '["\\f\\0\\0\\0\\0\\0\\0\\0", &1]'
    assert written(POINTER_AND_NUMBER.pack(address, address + 8)) == "[&1, &2]"
    assert written(POINTER_AND_NUMBER.pack(address, 12) * 9) == (
        '[&1, "\\f\\0\\0\\0\\0\\0\\0\\0", &1, "\\f\\0\\0\\0\\0\\0\\0\\0"]...'
    )


def test_numbers_that_are_no_address_are_bytes() -> None:
    """Too small for one, or nothing is there."""
    assert written(POINTER_AND_NUMBER.pack(12, 0x1000)) == '"\\f\\0\\0\\0\\0\\0\\0\\0\\0\\20\\0\\0\\0\\0\\0\\0"'
    assert written(POINTER_AND_NUMBER.pack(0x7000_0000_0000, 1)) == '"\\0\\0\\0\\0\\0p\\0\\0\\1\\0\\0\\0\\0\\0\\0\\0"'


PLACES = {
    "a path": (b"/proc/%d/fd/3", "/proc/main/fd/3"),
    "the end of a path": (b"/proc/%d", "/proc/main"),
    "a thread's path": (b"/proc/self/task/%d/stat", "/proc/self/task/main/stat"),
    "syslog": (b"cron[%d]: started", "cron[main]: started"),
    "an assignment": (b"version=7, pid=%d, started", "version=7, pid=main, started"),
    "redis": (b"%d:M 01 Jan", "main:M 01 Jan"),
    "bash": (b"bash: line 6: %d Killed", "bash: line 6: main Killed"),
    "bash, further on": (b"x.sh: line 123:   %d Killed", "x.sh: line 123: main Killed"),
    "redis, second line": (b"one\n%d:C 01 Jan", "one\\nmain:C 01 Jan"),
}


@pytest.mark.parametrize(("text", "shown"), PLACES.values(), ids=PLACES)
def test_a_pid_is_named_where_only_a_pid_can_be(text: bytes, shown: str) -> None:
    assert written(text % FIRST_PID) == f'"{shown}"'


def test_a_pid_counts_as_one_whatever_its_digits() -> None:
    """The size of a line that a daemon logs differs from run to run, or does not, by its pid alone."""

    def program(sys: Calls) -> Program:
        yield sys.pipe2(bytearray(8), 0)
        yield sys.write(1, b"%d:M here pid=%d, not pid=4242" % (FIRST_PID, FIRST_PID), 32)
        yield sys.write(1, b"/proc/%d" % FIRST_PID, 9)
        yield sys.read(0, bytearray(100), 100)

    assert calls_of(program)[1:] == [
        'write(1<pipe>, "main:M here pid=main, not pid=42"..., 26+2pid) = 26+2pid',
        'write(1<pipe>, "/proc/main", 6+pid) = 6+pid',
        'read(0<pipe>, "main:M here pid=main, not pid=42"..., 100) = 32+3pid',
    ]


OTHER_PLACES = {
    "a number": b"%d",
    "a line": b"99\n%d\n101\n",
    "part of a longer one": b"/proc/%d0/fd",
    "part of a word": b"stupid=%d",
    "an index": b"list[%d] = 5",
}


@pytest.mark.parametrize("text", OTHER_PLACES.values(), ids=OTHER_PLACES)
def test_elsewhere_it_is_a_number(text: bytes) -> None:
    assert b"main" not in written(text % FIRST_PID).encode()


def test_a_pid_of_nobody_is_a_number() -> None:
    assert written(b"/proc/4242/fd/3") == '"/proc/4242/fd/3"'


def test_ids_of_the_host_are_numbered_by_kind() -> None:
    names = Names(Machine())

    assert names.host_id("semid", 3276840) == "semid#1"
    assert names.host_id("msqid", 3276840) == "msqid#1"
    assert names.host_id("semid", 7) == "semid#2"
    assert names.host_id("semid", 3276840) == "semid#1"
    assert names.host_id("semid", -1) == "-1"
