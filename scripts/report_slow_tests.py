"""Write docs/slow-tests.md from what pytest tells of the slow tier: scripts/report_slow_tests.py JUNIT_XML.

A test that failed, or was left out, is in the page as such; `make test-all` writes it whatever has come of the tests.
"""

from __future__ import annotations

import datetime
import importlib
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from tickless import __version__

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "slow-tests.md"

INTRODUCTION = """\
# What the slow tests have found

Written by `make test-all`: every test that takes long or needs large packages, on this machine at this day. A case
holds if its test has passed; the seconds are its real time, with others running beside it; what it told comes last. How
fast calls are is measured afterwards: [performance.md](performance.md).
"""


@dataclass(frozen=True)
class Case:
    """One test of the slow tier."""

    module: str  # tests.stress.test_stress
    function: str
    parameters: str  # the id that pytest gives them; empty without
    verdict: str
    told: str
    seconds: float


def cases_in(report: ElementTree.Element) -> Iterator[Case]:
    """The tests of a JUnit report, in its order."""
    for element in report.iter("testcase"):
        function, _, parameters = element.attrib["name"].partition("[")
        told = [found.attrib["value"] for found in element.iter("property") if found.attrib["name"] == "told"]
        yield Case(
            module=element.attrib["classname"],
            function=function,
            parameters=parameters.removesuffix("]"),
            verdict=_verdict(element),
            told="; ".join(told),
            seconds=float(element.attrib["time"]),
        )


def _verdict(element: ElementTree.Element) -> str:
    for kind, words in (("failure", "**failed**"), ("error", "**failed**"), ("skipped", "left out")):
        if (found := element.find(kind)) is not None:
            return f"{words}: {found.attrib.get('message', '').splitlines()[0]}" if kind == "skipped" else words
    return "holds"


def page_of(cases: Iterable[Case], where: str) -> str:
    """The page: a part for each file of tests, a table for each test."""
    parts = [INTRODUCTION, where]
    for module, of_module in groupby(sorted(cases, key=_place), key=lambda case: case.module):
        parts.append(f"## {_first_line_of(module)}")
        for function, of_function in groupby(of_module, key=lambda case: case.function):
            parts.append(_table(function, list(of_function)))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _place(case: Case) -> tuple[str, str, str]:
    return case.module, case.function, case.parameters


def _first_line_of(module: str) -> str:
    lines = (importlib.import_module(module).__doc__ or module).splitlines()
    return lines[0].removesuffix(".")


def _table(function: str, cases: list[Case]) -> str:
    """A row for each case that has something to tell, or is not as it should be; the others are counted."""
    own = [case for case in cases if case.told or case.verdict != "holds"]
    quiet = [case for case in cases if case not in own]
    rows = [_row(case.parameters or "it", case.verdict, case.seconds, case.told) for case in own]
    if quiet:
        many = "it" if len(cases) == 1 else f"{len(quiet)} cases"
        rows.append(_row(many, "holds", sum(case.seconds for case in quiet), ""))
    name = function.removeprefix("test_").replace("_", " ")
    return "\n".join([f"| {name} | | s | |", "|---|---|---|---|", *rows])


def _row(what: str, verdict: str, seconds: float, told: str) -> str:
    return f"| {what} | {verdict} | {seconds:.1f} | {told} |".replace("  |", " |")


def where_and_when() -> str:
    """The day and the machine."""
    today = datetime.datetime.now(datetime.UTC).date()
    machine = f"Linux {platform.release()}, {platform.machine()}, {len(os.sched_getaffinity(0))} CPUs"
    return f"{today}, tickless {__version__}, {machine}, Python {platform.python_version()}."


def main() -> None:
    report = ElementTree.parse(sys.argv[1]).getroot()
    sys.path.insert(0, str(ROOT))
    cases = list(cases_in(report))
    PAGE.write_text(page_of(cases, where_and_when()))
    failed = sum(case.verdict.startswith("**") for case in cases)
    print(f"{PAGE.relative_to(ROOT)}: {len(cases)} cases, {failed} failed")


if __name__ == "__main__":
    main()
