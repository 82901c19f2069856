"""syscalls(2): which number a call has on which architecture."""

from collections.abc import Mapping

from tickless.abi import numbers_aarch64, numbers_x86_64
from tickless.abi.arch import Arch

_NUMBERS: dict[Arch, dict[str, int]] = {
    "x86_64": numbers_x86_64.NUMBERS,
    "aarch64": numbers_aarch64.NUMBERS,
}
_NAMES: dict[Arch, dict[int, str]] = {
    arch: {number: name for name, number in numbers.items()} for arch, numbers in _NUMBERS.items()
}


def names_of(arch: Arch) -> Mapping[int, str]:
    """Return the names of all calls by number."""
    return _NAMES[arch]


def number_of(arch: Arch, name: str) -> int | None:
    """Return the number of the call `name`, or None where `arch` has no such call (aarch64: fork, poll, pipe...)."""
    return _NUMBERS[arch].get(name)


def name_of(arch: Arch, nr: int) -> str:
    """Return the name of the call `nr`, or `syscall_0x1ff` as strace writes a number that nobody knows."""
    return _NAMES[arch].get(nr) or f"syscall_{nr:#x}"
