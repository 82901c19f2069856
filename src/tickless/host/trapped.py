"""Which calls are trapped: the filter, made of the registry."""

from __future__ import annotations

from collections.abc import Iterator

from tickless.abi.arch import ARCH
from tickless.host import host_calls as _host_calls  # noqa: F401  declares the calls that only a host has
from tickless.host.seccomp import build_filter
from tickless.kernel.registry import BY_ARGUMENT, SERVED, Registry


def trapped_filter() -> bytes:
    """The filter for this architecture."""
    always, conditional = [], []
    for number, declaration in Registry.entries(ARCH):
        if declaration.trap == SERVED:
            always.append(number)
        elif declaration.trap == BY_ARGUMENT:
            assert declaration.when is not None, f"{declaration.name} has no test"
            test = declaration.when
            conditional.append((number, test))
    return build_filter(always, conditional)


def trapped_numbers() -> frozenset[int]:
    """Every call that may be trapped."""
    return frozenset(
        number for number, declaration in Registry.entries(ARCH) if declaration.trap in (SERVED, BY_ARGUMENT)
    )


def clock_read_numbers() -> Iterator[int]:
    """The calls that read a clock."""
    return (number for number, declaration in Registry.entries(ARCH) if declaration.clock_read)
