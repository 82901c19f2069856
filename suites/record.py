"""What a family came to, when it last ran as a whole: a file for each, from which docs/suites.md is written."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from suites.model import END, Difference, Family
from suites.running import ROOT, Compared

RECORDED = Path(__file__).parent / "recorded"
PAGE = ROOT / "docs" / "suites.md"

INTRODUCTION = """\
# Suites that nobody here wrote

Written by `make suites`, which runs each suite natively and under tickless and compares case by case.
`make suites ONLY=cpython` runs one family; `make suites ONLY=cpython PIECE=test_signal` a part of it, unrecorded.
A case that differs is an error, unless it is listed below with a cause that is Linux' own; one that is listed and does
not differ is an error, too.
"""


@dataclass
class Row:
    """A suite's line of the table. Seconds are of real time."""

    suite: str
    cases: int = 0
    same: int = 0
    skipped: int = 0  # of those that are the same: neither run has tried them
    native_s: float = 0.0
    tickless_s: float = 0.0


def rows_of(compared: Iterable[Compared]) -> list[Row]:
    rows: dict[str, Row] = {}
    for one in compared:
        row = rows.setdefault(one.piece.suite, Row(one.piece.suite))
        cases = [case for case in one.cases if case != END] or [END]
        same = [case for case in cases if one.natively.get(case) == one.under_tickless.get(case)]
        row.cases += len(cases)
        row.same += len(same)
        row.skipped += sum(one.natively[case] == "skipped" for case in same)
        row.native_s += one.native_s
        row.tickless_s += one.tickless_s
    return list(rows.values())


def unexpected(family: Family, compared: Sequence[Compared]) -> list[str]:
    """In words: what differs and is not in the family's list, and what is in its list and does not differ."""
    told: list[str] = []
    for one in compared:
        differing = one.differing()
        for case, (natively, virtually) in differing.items():
            known = family.differences.get(case)
            if known is None or (known.natively, known.under_tickless) != (natively, virtually):
                told.append(f"{case}: natively {natively}, under tickless {virtually}")
        listed = [case for case in family.differences if case.split(" ", 1)[0] == one.piece.name]
        told += [f"{case}: is listed as a difference, and is none" for case in listed if case not in differing]
    return told


def write(family: Family, compared: Sequence[Compared]) -> None:
    """Keep what a whole family came to, and write the page anew."""
    RECORDED.mkdir(exist_ok=True)
    record = {
        "date": datetime.date.today().isoformat(),
        "kernel": platform.release(),
        "rows": [asdict(row) for row in rows_of(compared)],
    }
    (RECORDED / f"{family.name}.json").write_text(json.dumps(record, indent=1) + "\n")


def write_page(families: Iterable[Family]) -> None:
    PAGE.write_text(page(families))


def page(families: Iterable[Family]) -> str:
    table = [
        "| suite | cases | the same | of them skipped | natively | under tickless | |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    causes = []
    for family in families:
        path = RECORDED / f"{family.name}.json"
        if path.exists():
            record = json.loads(path.read_text())
            table.append(f"| **{family.name}**, {record['date']} | | | | | | |")
            table += [_line(Row(**row)) for row in record["rows"]]
            causes += [_cause(case, known) for case, known in family.differences.items()]
    seconds = "\nSeconds are of real time; the last column is what virtual time saves, natively over under tickless.\n"
    differences = ["\n## What differs\n", *causes] if causes else []
    return "\n".join([INTRODUCTION, *table, seconds, *differences]).rstrip() + "\n"


def _line(row: Row) -> str:
    ratio = f"{row.native_s / row.tickless_s:.1f}" if row.tickless_s else ""
    seconds = f"{row.native_s:.1f} s | {row.tickless_s:.1f} s"
    return f"| {row.suite} | {row.cases} | {row.same} | {row.skipped} | {seconds} | {ratio} |"


def _cause(case: str, known: Difference) -> str:
    return f"- `{case}`: natively {known.natively}, under tickless {known.under_tickless}. {known.cause}"
