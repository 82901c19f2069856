"""`tickless conform`: try the rules of the manual pages natively and under tickless, or under another command."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import IO

import click

from tickless.cli.say import say
from tickless.conform.building import CannotRun, build, cache_folder, compiler
from tickless.conform.reporting import Asked, as_json, as_junit, differences, table
from tickless.conform.rules import Contract, chosen
from tickless.conform.running import Verdict, compare, recorded, run, this_kernel, under_tickless

AGREED, DIFFERS, FAILED = 0, 1, 125


def conform(
    patterns: Sequence[str], *, clock: str, against: str | None, as_object: bool, junit: IO[bytes] | None
) -> int:
    """Try them, print what came out, and return the exit status."""
    contracts = chosen(patterns)
    if not contracts:
        raise click.UsageError(f"no rule is called {' or '.join(patterns)}; docs/contracts.md lists them")
    try:
        asked, verdicts = _try(contracts, clock, against)
    except CannotRun as error:
        say(str(error))
        return FAILED
    if junit is not None:
        junit.write(as_junit(asked, verdicts))
    if as_object:
        print(as_json(asked, verdicts))
    else:
        _print(asked, verdicts)
    return DIFFERS if any(verdict.outcome == "differs" for verdict in verdicts) else AGREED


def _try(contracts: Sequence[Contract], clock: str, against: str | None) -> tuple[Asked, list[Verdict]]:
    """Raises: CannotRun."""
    if against is None:
        asked = Asked(this_kernel(), f"tickless run --clock {clock}")
        return asked, list(_against_this_kernel(contracts, under_tickless(clock)))
    kernels = sorted({recorded(contract)[0] for contract in contracts} - {""})
    return Asked(", ".join(kernels), against), list(_against_the_record(contracts, shlex.split(against)))


def _against_this_kernel(contracts: Sequence[Contract], prefix: Sequence[str]) -> Iterator[Verdict]:
    folder, cc = cache_folder(), compiler()
    for contract in contracts:
        program = build(contract, folder, cc)
        yield from compare(contract, run(contract, program), run(contract, program, prefix))


def _against_the_record(contracts: Sequence[Contract], prefix: Sequence[str]) -> Iterator[Verdict]:
    folder, cc = cache_folder(), compiler()
    for contract in contracts:
        seen = run(contract, build(contract, folder, cc), prefix)
        yield from compare(contract, recorded(contract)[1], seen)


def _print(asked: Asked, verdicts: Sequence[Verdict]) -> None:
    for line in differences(verdicts):
        print(line)
    if any(verdict.outcome == "differs" for verdict in verdicts):
        print(f"(- {asked.linux}, + {asked.other})\n")
    print(table(verdicts))
