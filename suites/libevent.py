"""libevent's own tests, built from Debian's source package, with each of its ways to wait."""

from __future__ import annotations

import os
import re
import subprocess

from suites import sources
from suites.model import ANSWERED_FROM_OUTSIDE, END, NOT_RUN, Family, Piece, Ran, Verdicts
from suites.running import BUILD

FOLDER = BUILD / "libevent"
REGRESS = FOLDER / "bin" / "regress"
OPTIONS = ("-DCMAKE_BUILD_TYPE=Release", "-DEVENT__LIBRARY_TYPE=STATIC")
WITHOUT = tuple(f"-DEVENT__DISABLE_{what}=ON" for what in ("OPENSSL", "BENCHMARK", "SAMPLES"))
# What its own test target sets for them.
METHODS = {
    "epoll": {},
    "changelist": {"EVENT_EPOLL_USE_CHANGELIST": "yes"},
    "precise": {"EVENT_PRECISE_TIMER": "1"},
    "poll": {"EVENT_NOEPOLL": "1"},
    "select": {"EVENT_NOEPOLL": "1", "EVENT_NOPOLL": "1"},
}
OUTSIDE = "dns/bufferevent_connect_hostname"
NOTE = f"libevent's `{OUTSIDE}` with `{ANSWERED_FROM_OUTSIDE}`: a name server answers in real time."
RACE = "It fails where 1,000 lookups take less than 10 ms of real time: natively now and then."
LEFT_OUT = {"dns/getaddrinfo_cancel_stress": RACE}
CASE = re.compile(r"^([\w-]+/[\w-]+): ", re.MULTILINE)
WORD = re.compile(r"(OK|SKIPPED|DISABLED| FAILED\])$", re.MULTILINE)
VERDICTS = {"OK": "passed", "SKIPPED": "skipped", "DISABLED": "skipped", " FAILED]": "failed"}


def prepare() -> None:
    """Build them; quick when that was done."""
    if REGRESS.exists():
        return
    source = sources.unpacked("libevent")
    FOLDER.mkdir(parents=True, exist_ok=True)
    sources.run(["cmake", "-S", str(source), "-B", str(FOLDER), *OPTIONS, *WITHOUT], FOLDER)
    jobs = str(os.cpu_count())
    sources.run(["cmake", "--build", str(FOLDER), "--parallel", jobs, "--target", "regress"], FOLDER)


def pieces() -> list[Piece]:
    listed = subprocess.run([str(REGRESS), "--list-tests"], check=True, capture_output=True, text=True).stdout
    groups = sorted(set(re.findall(r"^\s*([\w-]+)/\S+$", listed, re.MULTILINE)))
    return [piece for method in METHODS for group in groups for piece in _group(method, group)]


def _group(method: str, group: str) -> list[Piece]:
    left_out = [f":{case}" for case in (OUTSIDE, *LEFT_OUT) if case.startswith(f"{group}/")]
    piece = _piece(method, group, f"{group}/..", *left_out)
    outside = [_piece(method, "outside", OUTSIDE, options=(ANSWERED_FROM_OUTSIDE,))] if group == "dns" else []
    return [piece, *outside]


def _piece(method: str, name: str, *tests: str, options: tuple[str, ...] = ()) -> Piece:
    command = (str(REGRESS), *tests)
    return Piece("libevent", f"{method}-{name}", command, read, environment=METHODS[method], options=options)


def read(ran: Ran) -> Verdicts:
    """Each case tells its name when it begins, and how it came out when it has ended."""
    verdicts: Verdicts = {}
    _, *told = CASE.split(ran.log)
    for case, text in zip(told[::2], told[1::2], strict=True):
        words = WORD.findall(text)
        verdicts[case] = VERDICTS[words[-1]] if words else "hung" if ran.hung else "died"
    return {END: ran.end if verdicts or ran.end != "passed" else NOT_RUN, **verdicts}


FAMILY = Family("libevent", sources.PACKAGES, pieces, {}, prepare, (NOTE,), LEFT_OUT)
