"""syscalls(2): the committed numbers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tickless.abi import numbers_aarch64, numbers_x86_64
from tickless.abi.arch import ARCH, Arch
from tickless.abi.numbers import name_of, number_of

GENERATE = Path(__file__).parents[2] / "scripts" / "generate_abi.py"


def test_tables_are_what_the_script_generates() -> None:
    """Changed by hand, or left behind by newer headers, they would differ."""
    done = subprocess.run([sys.executable, GENERATE, "--check"], capture_output=True, text=True, timeout=60)

    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("arch", "name", "number"),
    [
        ("x86_64", "read", 0),
        ("x86_64", "epoll_wait", 232),
        ("x86_64", "eventfd2", 290),
        ("x86_64", "clone3", 435),
        ("x86_64", "futex_wait", 455),
        ("aarch64", "read", 63),
        ("aarch64", "epoll_wait", None),
        ("aarch64", "epoll_pwait", 22),
        ("aarch64", "eventfd2", 19),
        ("aarch64", "clone3", 435),
        ("aarch64", "fstat", 80),
        ("aarch64", "newfstatat", 79),
        ("aarch64", "futex_wait", 455),
    ],
)
def test_a_name_has_its_number_on_each_architecture(arch: Arch, name: str, number: int | None) -> None:
    assert number_of(arch, name) == number
    assert number is None or name_of(arch, number) == name


def test_a_number_without_a_name_prints_as_strace_prints_it() -> None:
    assert name_of("x86_64", 511) == "syscall_0x1ff"
    assert name_of("x86_64", 2**64 - 1) == "syscall_0xffffffffffffffff"


@pytest.mark.parametrize("numbers", [numbers_x86_64.NUMBERS, numbers_aarch64.NUMBERS], ids=["x86_64", "aarch64"])
def test_no_two_calls_share_a_number(numbers: dict[str, int]) -> None:
    assert len(set(numbers.values())) == len(numbers)


def test_numbers_of_this_machine_agree_with_the_c_library() -> None:
    """sys/syscall.h is the C library's own list; the tables come from the kernel's headers."""
    command = ["gcc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"]
    macros = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    names = set(re.findall(r"^#define SYS_(\w+) __NR_", macros, re.MULTILINE)) - {"arch_specific_syscall", "syscalls"}

    unknown = {name for name in names if number_of(ARCH, name) is None}

    assert len(names) > 250
    assert not unknown
