"""redis' own tests, from Debian's source package, with Debian's redis: a server of tests, its clients, servers."""

from __future__ import annotations

import re
from pathlib import Path

from suites import sources
from suites.model import END, NOT_RUN, Difference, Family, Piece, Ran, Verdicts

BIN = Path("/usr/bin")
PROGRAMS = ("server", "cli", "benchmark", "check-aof", "check-rdb")
COLOUR = re.compile("\x1b\\[[0-9;]*m")
CASE = re.compile(r"^\[(ok|err|skip|ignore|exception)\]: (.*?)(?: \(\d+ ms\))?(?: in tests/\S+)?$", re.MULTILINE)
WORDS = {"ok": "passed", "skip": "skipped", "ignore": "skipped"}
DIFFERENCES: dict[str, Difference] = {}


def prepare() -> None:
    """Put Debian's programs where the tests look for those that were built."""
    for program in PROGRAMS:
        link = sources.unpacked("redis") / "src" / f"redis-{program}"
        if not link.is_symlink():
            link.symlink_to(BIN / link.name)


def pieces() -> list[Piece]:
    helper = (sources.unpacked("redis") / "tests" / "test_helper.tcl").read_text()
    _, _, listed = helper.partition("set ::all_tests {")
    return [_unit(unit) for unit in listed[: listed.index("}")].split()]


def _unit(unit: str) -> Piece:
    command = ("tclsh", "tests/test_helper.tcl", "--clients", "1", "--single", unit)
    folder = ("env", f"--chdir={sources.unpacked('redis')}")
    return Piece("redis", unit, command, read, limit_s=600, outside=folder)


def read(ran: Ran) -> Verdicts:
    """Lines of `[ok]: CASE (1 ms)`, in colours. A name that comes more than once has failed if it ever did."""
    verdicts: Verdicts = {}
    for word, case in CASE.findall(COLOUR.sub("", ran.log)):
        verdict = WORDS.get(word, "failed")
        verdicts[case] = "failed" if "failed" in (verdict, verdicts.get(case)) else verdict
    return {END: ran.end if verdicts or ran.end != "passed" else NOT_RUN, **verdicts}


FAMILY = Family("redis", ("redis-server", "tcl", "dpkg-dev"), pieces, DIFFERENCES, prepare)
