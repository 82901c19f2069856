"""Which calls are trapped: the filter, made of the registry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.host import (  # noqa: F401  they declare calls
    affinity,
    aio,
    inotify,
    locks,
    message_queues,
    opens,
    own_filters,
    posix_queues,
    semaphores,
    tracing,
)
from tickless.host.clock_reads import ClockReads
from tickless.host.host_calls import MEMORY_CALLS  # and declares the calls that only a host has
from tickless.host.seccomp import build_filter
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import BY_ARGUMENT, SERVED, UNTRAPPED, ArgumentTest, Entry, Registry
from tickless.kernel.task import Task


def trapped_filter(also: Iterable[str] = ()) -> bytes:
    """The filter for this architecture; it traps the calls named in `also` as well."""
    always, conditional = [number for name in also if (number := number_of(ARCH, name)) is not None], []
    for number, declaration in Registry.entries(ARCH):
        if declaration.trap == SERVED:
            always.append(number)
        elif declaration.trap == BY_ARGUMENT:
            assert declaration.when is not None, f"{declaration.name} has no test"
            test = declaration.when
            conditional.append((number, test))
    return build_filter(always, conditional)


def pass_on_unserved(table: list[Entry | None], also: Iterable[str]) -> None:
    """Calls that are trapped only to be seen are the host's, whatever the kernel would do with them without a host."""
    for name in also:
        number, declaration = number_of(ARCH, name), Registry.declarations.get(name)
        if declaration is None or number is None:
            continue
        if declaration.trap == UNTRAPPED:
            table[number] = None
        elif declaration.when is not None:
            table[number] = _only_if(declaration.when, declaration.entry)


def _only_if(test: ArgumentTest, entry: Entry) -> Entry:
    """An entry for the registers that the filter would have trapped."""

    def tested(task: Task, a: int, b: int, c: int, d: int, e: int, f: int) -> Result:
        masked = (a, b, c, d, e, f)[test.register] & test.mask
        wanted = masked in test.values if test.values else masked != 0
        return entry(task, a, b, c, d, e, f) if wanted else PASS_ON

    return tested


def trapped_numbers(also: Iterable[str] = ()) -> frozenset[int]:
    """Every call that may be trapped."""
    declared = (number for number, declaration in Registry.entries(ARCH) if declaration.trap in (SERVED, BY_ARGUMENT))
    return frozenset(declared) | {number for name in also if (number := number_of(ARCH, name)) is not None}


def memory_numbers() -> frozenset[int]:
    """The calls that only move memory: they count for nothing, neither time nor turn.

    How many a program makes depends on where its memory lies, which differs from run to run: glibc cuts the heaps of
    threads to their alignment.
    """
    return frozenset(number for name in MEMORY_CALLS if (number := number_of(ARCH, name)) is not None)


def clock_read_numbers() -> Iterator[int]:
    """The calls that read a clock."""
    return (number for number, declaration in Registry.entries(ARCH) if declaration.clock_read)


def noting_reads(entry: Entry | None, reads: ClockReads) -> Entry:
    """A clock read that is counted: for the task, since who reads often is given the clock, and for what it costs."""
    assert entry is not None, "a clock read without an entry"

    def noting(task: Task, a: int, b: int, c: int, d: int, e: int, f: int) -> Result:
        task.clock.note_trapped_read()  # type: ignore[attr-defined]
        reads.charge()
        return entry(task, a, b, c, d, e, f)

    return noting
