"""What each piece came to when it last ran: a file for each family, from which docs/suites.md is written."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from suites.model import END, NOT_RUN, Difference, Family
from suites.running import ROOT, Compared

RECORDED = Path(__file__).parent / "recorded"
PAGE = ROOT / "docs" / "suites.md"

INTRODUCTION = """\
# Suites that nobody here wrote

Written by `make suites`, which runs each suite natively and under tickless and compares case by case.
`make suites ONLY=cpython` runs one family, and `make suites ONLY=cpython PIECE=test_signal` a part of it. A case that
differs is an error, unless it is listed below with its cause; one that is listed and does not differ is an error, too.
"""
HEAD = "| suite | cases | the same | of them skipped | natively | under tickless | times as fast | last run |"


@dataclass
class Row:
    """What a piece came to, or all pieces of a suite. Seconds are of real time."""

    suite: str
    date: str
    cases: int = 0
    same: int = 0
    skipped: int = 0  # of those that are the same: neither run has tried them
    native_s: float = 0.0
    tickless_s: float = 0.0

    def add(self, other: Row) -> None:
        self.date = min(self.date, other.date)
        self.cases += other.cases
        self.same += other.same
        self.skipped += other.skipped
        self.native_s += other.native_s
        self.tickless_s += other.tickless_s


def row_of(one: Compared) -> Row:
    cases = [case for case in one.cases if case != END] or [END]
    same = [case for case in cases if one.natively.get(case) == one.under_tickless.get(case)]
    skipped = sum(one.natively[case] == "skipped" for case in same)
    seconds = (round(one.native_s, 2), round(one.tickless_s, 2))
    return Row(one.piece.suite, datetime.date.today().isoformat(), len(cases), len(same), skipped, *seconds)


def unexpected(family: Family, compared: Sequence[Compared]) -> list[str]:
    """In words: what differs and is not in the family's list, and what is in its list and does not differ."""
    told: list[str] = []
    for one in compared:
        differing = one.differing()
        for case, (natively, virtually) in differing.items():
            known = family.differences.get(case)
            if known is None or (known.natively, known.under_tickless) != (natively, virtually):
                told.append(f"{case}: natively {natively}, under tickless {virtually}")
        listed = [case for case, known in family.differences.items() if _must_happen(case, known, one)]
        if one.natively.get(END) == NOT_RUN:
            told.append(f"{one.piece.name}: no case was run")
        told += [f"{case}: is listed as a difference, and is none" for case in listed if case not in differing]
    return told


def _must_happen(case: str, known: Difference, one: Compared) -> bool:
    return case.split(" ", 1)[0] == one.piece.name and not known.sometimes


def keep(family: Family, one: Compared) -> None:
    """Record what a piece came to."""
    rows = _recorded(family)
    rows[one.piece.name] = row_of(one)
    _write(family, rows)


def forget_others(family: Family, names: Iterable[str]) -> None:
    """Drop what is recorded of pieces that there are no longer."""
    wanted = set(names)
    _write(family, {name: row for name, row in _recorded(family).items() if name in wanted})


def write_page(families: Iterable[Family]) -> None:
    PAGE.write_text(page(families))


def page(families: Iterable[Family]) -> str:
    families = list(families)
    table = [HEAD, "|---|--:|--:|--:|--:|--:|--:|---|"]
    causes = []
    notes = []
    for family in families:
        recorded = _recorded(family)
        suites: dict[str, Row] = {}
        for row in recorded.values():
            suites.setdefault(row.suite, Row(row.suite, row.date)).add(row)
        table += [_line(row) for row in suites.values()]
        causes += [_cause(case, known) for case, known in family.differences.items() if case.split(" ")[0] in recorded]
        notes += [f"- {note}" for note in family.notes if recorded]
    note = "\nThe times are real ones, and the date is that of the suite's oldest part.\n"
    options = ["\n## What runs with options\n", *notes] if notes else []
    differences = ["\n## What differs\n", *causes] if causes else []
    left_out = [f"- `{case}` of {family.name}: {why}" for family in families for case, why in family.left_out.items()]
    untried = ["\n## What is not tried\n", *left_out] if left_out else []
    return "\n".join([INTRODUCTION, *table, note, *options, *differences, *untried]).rstrip() + "\n"


def _recorded(family: Family) -> dict[str, Row]:
    path = RECORDED / f"{family.name}.json"
    return {name: Row(**row) for name, row in json.loads(path.read_text()).items()} if path.exists() else {}


def _write(family: Family, rows: dict[str, Row]) -> None:
    RECORDED.mkdir(exist_ok=True)
    lines = [f"{json.dumps(name)}: {json.dumps(asdict(row))}" for name, row in sorted(rows.items())]
    (RECORDED / f"{family.name}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _line(row: Row) -> str:
    ratio = f"{row.native_s / row.tickless_s:.1f}" if row.tickless_s else ""
    seconds = f"{row.native_s:.1f} s | {row.tickless_s:.1f} s"
    return f"| {row.suite} | {row.cases} | {row.same} | {row.skipped} | {seconds} | {ratio} | {row.date} |"


def _cause(case: str, known: Difference) -> str:
    where = ", sometimes" if known.sometimes else ""
    return f"- `{case}`: natively {known.natively}{where}, under tickless {known.under_tickless}. {known.cause}"
