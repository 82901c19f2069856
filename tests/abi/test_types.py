"""How registers become values, and how these print."""

from typing import get_args

import pytest

from tickless.abi import types
from tickless.abi.types import Decode, Pointed

ALL_ONES = 2**64 - 1

TYPES: dict[str, Decode] = {
    name: decode for name, alias in vars(types).items() for decode in get_args(alias)[1:] if isinstance(decode, Decode)
}


def decoded(name: str, register: int) -> int:
    value = eval(TYPES[name].expression.format("register"), {"register": register})
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize(
    ("name", "register", "value"),
    [
        ("U32", ALL_ONES, 2**32 - 1),
        ("U32", 2**32 + 5, 5),
        ("S32", ALL_ONES, -1),
        ("S32", 2**32 - 1, -1),
        ("S32", 2**31 - 1, 2**31 - 1),
        ("S32", 2**31, -(2**31)),
        ("U64", ALL_ONES, ALL_ONES),
        ("S64", ALL_ONES, -1),
        ("S64", 2**63 - 1, 2**63 - 1),
        ("Size", ALL_ONES, ALL_ONES),
        ("Mode", 0o200644, 0o644),
        ("Fd", ALL_ONES, 2**32 - 1),
        ("SignedFd", 2**32 - 100, -100),
        ("Pid", 2**32 - 1, -1),
        ("Signal", 2**32 + 9, 9),
        ("Address", ALL_ONES, ALL_ONES),
        ("CloneFlags", 2**33, 2**33),
        ("EfdFlags", 2**40 + 1, 1),
    ],
)
def test_a_register_becomes_the_value_of_its_c_type(name: str, register: int, value: int) -> None:
    """syscall(2): a register holds 64 bits; what the call takes are the bits of its argument's type."""
    assert decoded(name, register) == value


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("U32", 5, "5"),
        ("S32", -1, "-1"),
        ("Mode", 0o644, "0644"),
        ("SignedFd", -100, "AT_FDCWD"),
        ("SignedFd", 3, "3"),
        ("Address", 0, "NULL"),
        ("Address", 0x7F0012345678, "ptr"),
        ("TimespecPtr", 0x7F0012345678, "ptr"),
        ("Signal", 15, "SIGTERM"),
        ("Signal", 0, "0"),
        ("SignalMask", 0x4002, "[INT TERM]"),
        ("SignalMask", 0, "[]"),
        ("SignalMask", ALL_ONES, "~[]"),
        ("SignalMask", ALL_ONES & ~0x40100, "~[KILL STOP]"),
        ("ClockId", 1, "CLOCK_MONOTONIC"),
        ("ClockId", 0, "CLOCK_REALTIME"),
        ("ClockId", -6, "-6"),
        ("EpollOp", 3, "EPOLL_CTL_MOD"),
        ("EpollOp", 9, "0x9"),
        ("FcntlCommand", 1030, "F_DUPFD_CLOEXEC"),
        ("WhichTimer", 0, "ITIMER_REAL"),
        ("SigHow", 2, "SIG_SETMASK"),
        ("PrctlOption", 36, "PR_SET_CHILD_SUBREAPER"),
        ("IdType", 3, "P_PIDFD"),
        ("IoctlRequest", 0x5421, "FIONBIO"),
        ("EfdFlags", 0, "0"),
        ("EfdFlags", 0o2004001, "EFD_SEMAPHORE|EFD_NONBLOCK|EFD_CLOEXEC"),
        ("EfdFlags", 0o2000020, "EFD_CLOEXEC|0x10"),
        ("TfdSettimeFlags", 3, "TFD_TIMER_ABSTIME|TFD_TIMER_CANCEL_ON_SET"),
        ("EpollEvents", 0x80000001, "EPOLLIN|EPOLLET"),
        ("PollEvents", 0x2001, "POLLIN|POLLRDHUP"),
        ("OpenFlags", 0, "O_RDONLY"),
        ("OpenFlags", 0o2000101, "O_WRONLY|O_CREAT|O_CLOEXEC"),
        ("OpenFlags", 0o4010000, "O_RDONLY|O_SYNC"),
        ("OpenFlags", 0o10000, "O_RDONLY|O_DSYNC"),
        ("PipeFlags", 0o2004000, "O_NONBLOCK|O_CLOEXEC"),
        ("CloneFlags", 0x1200011, "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD"),
        ("CloneFlags", 0x4100, "CLONE_VM|CLONE_VFORK"),
        ("CloneFlags", 17, "SIGCHLD"),
        ("WaitOptions", 0x40000003, "WNOHANG|WUNTRACED|__WALL"),
        ("FutexOp", 0, "FUTEX_WAIT"),
        ("FutexOp", 0x189, "FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME"),
        ("FutexOp", 0x81, "FUTEX_WAKE_PRIVATE"),
        ("Futex2Flags", 0x82, "FUTEX2_SIZE_U32|FUTEX2_PRIVATE"),
        ("MsgFlags", 0x4040, "MSG_DONTWAIT|MSG_NOSIGNAL"),
    ],
)
def test_a_value_prints_as_strace_prints_it(name: str, value: int, text: str) -> None:
    assert TYPES[name].show(value) == text


def test_pointers_never_print_an_address() -> None:
    pointers = [decode for decode in TYPES.values() if decode.kind == "address"]

    assert len(pointers) > 30
    assert {pointer.show(0xDEADBEEF000) for pointer in pointers} == {"ptr"}


@pytest.mark.parametrize("name", [name for name, decode in TYPES.items() if isinstance(decode, Pointed)])
def test_any_bytes_print(name: str) -> None:
    """What a program points to may be anything; a trace must not fall over it."""
    pointed = TYPES[name]
    assert isinstance(pointed, Pointed)
    if pointed.show_bytes is None:
        return

    for elements in (1,) if pointed.extent == "one" else (0, 1, 40):
        for byte in (0, 0x7F, 0x80, 0xFF):
            assert isinstance(pointed.show_bytes(bytes([byte]) * pointed.size * elements), str)
