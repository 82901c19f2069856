"""redis' own tests, from Debian's source package, with Debian's redis: a server of tests, its clients, servers."""

from __future__ import annotations

import re
from pathlib import Path

from suites import sources
from suites.model import END, NOT_RUN, SPINS, Difference, Family, Piece, Ran, Reader, Verdicts

BIN = Path("/usr/bin")
PROGRAMS = ("server", "cli", "benchmark", "check-aof", "check-rdb", "sentinel")
COLOUR = re.compile("\x1b\\[[0-9;]*m")
CASE = re.compile(r"^\[(ok|err|skip|ignore|exception)\]: (.*?)(?: \(\d+ ms\))?(?: in tests/\S+)?$", re.MULTILINE)
# Of the tests of sentinels and clusters: the time, the case, and OK if it has ended well.
TIMED_CASE = re.compile(r"^\d\d:\d\d:\d\d> (?:(.*): OK$|(.*?): )", re.MULTILINE)
# Which servers are taken and what they have come to is chance, and some names tell it.
CHANCE = re.compile(r"(?:\d+\.){3}\d+:\d+|#\d+|(?<=epoch )\d+|(?<=x = )\d+")
WORDS = {"ok": "passed", "skip": "skipped", "ignore": "skipped"}
# Tests of several servers that work together.
SEVERAL = ("sentinel", "cluster")
NOTE = f"redis' with `{SPINS}`: many of its tests write as fast as they can for some seconds."
COMPUTES = "A script is to compute for longer than redis lets it, and computing takes no virtual time."
MEASURES = "It measures how long a deletion computes, and computing takes no virtual time."
EXPIRE = "LATENCY of expire events are correctly collected"
DIFFERENCES = {
    "integration/aof EVAL timeout with slow verbatim Lua script from AOF": Difference("passed", "failed", COMPUTES),
    f"unit/latency-monitor {EXPIRE}": Difference("passed", "failed", MEASURES),
}


def prepare() -> None:
    """Put Debian's programs where the tests look for those that were built."""
    for program in PROGRAMS:
        link = sources.unpacked("redis") / "src" / f"redis-{program}"
        if not link.is_symlink():
            link.symlink_to(BIN / link.name)


def pieces() -> list[Piece]:
    tests = sources.unpacked("redis") / "tests"
    _, _, listed = (tests / "test_helper.tcl").read_text().partition("set ::all_tests {")
    units = listed[: listed.index("}")].split()
    several = [(way, path.stem) for way in SEVERAL for path in sorted((tests / way / "tests").glob("*.tcl"))]
    several.remove(("sentinel", "04-slave-selection"))  # holds no case
    return [
        *(_piece(unit, read, "tests/test_helper.tcl", "--clients", "1", "--single", unit) for unit in units),
        *(_piece(f"{way}-{unit}", read_timed, f"tests/{way}/run.tcl", "--single", unit) for way, unit in several),
    ]


def _piece(name: str, reader: Reader, *arguments: str) -> Piece:
    folder = ("env", f"--chdir={sources.unpacked('redis')}")
    return Piece("redis", name, ("tclsh", *arguments), reader, limit_s=600, outside=folder, options=(SPINS,))


def read(ran: Ran) -> Verdicts:
    """Lines of `[ok]: CASE (1 ms)`, in colours. A name that comes more than once has failed if it ever did."""
    verdicts: Verdicts = {}
    for word, name in CASE.findall(COLOUR.sub("", ran.log)):
        verdict = WORDS.get(word, "failed")
        case = CHANCE.sub("N", name)
        verdicts[case] = "failed" if "failed" in (verdict, verdicts.get(case)) else verdict
    return {END: ran.end if verdicts or ran.end != "passed" else NOT_RUN, **verdicts}


def read_timed(ran: Ran) -> Verdicts:
    """Lines of `12:00:00> CASE: OK`, in colours. What comes behind a case that failed is not run."""
    verdicts: Verdicts = {}
    for passed, failed in TIMED_CASE.findall(COLOUR.sub("", ran.log)):
        case = CHANCE.sub("N", passed or failed)
        verdicts[case] = "failed" if failed or verdicts.get(case) == "failed" else "passed"
    return {END: ran.end if verdicts or ran.end != "passed" else NOT_RUN, **verdicts}


FAMILY = Family("redis", ("redis-server", "redis-sentinel", "tcl", "dpkg-dev"), pieces, DIFFERENCES, prepare, (NOTE,))
