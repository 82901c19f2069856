"""`tickless conform`: try the rules of the manual pages natively and under tickless, or under another command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO

import click

from tickless.cli.say import say
from tickless.conform.building import CannotRun, DoesNotCompile, build, cache_folder, compiler
from tickless.conform.reporting import Asked, as_json, as_junit, differences, table
from tickless.conform.rules import Contract, chosen
from tickless.conform.running import Verdict, compare, not_built, recorded, run, this_kernel, under_tickless

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
    return DIFFERS if any(verdict.outcome in ("differs", "not built") for verdict in verdicts) else AGREED


def _try(contracts: Sequence[Contract], clock: str, against: str | None) -> tuple[Asked, list[Verdict]]:
    """Raises: CannotRun, where no file could be tried."""
    if against is None:
        asked, judge = Asked(this_kernel(), f"tickless run --clock {clock}"), partial(_natively, under_tickless(clock))
    else:
        kernels = sorted({recorded(contract)[0] for contract in contracts} - {""})
        asked, judge = Asked(", ".join(kernels), against), partial(_by_record, shlex.split(against))
    folder, cc = cache_folder(), compiler()
    verdicts: list[Verdict] = []
    refusals: list[DoesNotCompile] = []
    for contract in contracts:
        try:
            verdicts += judge(contract, build(contract, folder, cc))
        except DoesNotCompile as error:
            refusals.append(error)
            verdicts += not_built(contract, str(error))
    if len(refusals) == len(contracts):
        raise refusals[0]
    return asked, verdicts


def _natively(prefix: Sequence[str], contract: Contract, program: Path) -> list[Verdict]:
    return compare(contract, run(contract, program), run(contract, program, prefix))


def _by_record(prefix: Sequence[str], contract: Contract, program: Path) -> list[Verdict]:
    return compare(contract, recorded(contract)[1], run(contract, program, prefix))


def _print(asked: Asked, verdicts: Sequence[Verdict]) -> None:
    for line in differences(verdicts):
        print(line)
    if any(verdict.outcome == "differs" for verdict in verdicts):
        print(f"(- {asked.linux}, + {asked.other})\n")
    print(table(verdicts))
