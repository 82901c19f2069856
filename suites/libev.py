"""libev's tests: those of EV, libev for Perl, from Debian's source package. libev's own holds none."""

from __future__ import annotations

import re

from suites import sources
from suites.model import END, NOT_RUN, Family, Piece, Ran, Verdicts

# LIBEV_FLAGS: its ways to wait, and to take signals. ev.h
METHODS = {"select": 0x1, "poll": 0x2, "epoll": 0x4, "signalfd": 0x200004, "no-timerfd": 0x800004}
REFUSED = "refused by name: {}, docs/coverage.md."
LEFT_OUT = {
    "the backend linuxaio": "Asynchronous polls of files of tickless are " + REFUSED.format("TL131"),
    "the backend io_uring": "It is " + REFUSED.format("TL130"),
}
TAP = re.compile(r"^(not )?ok (\d+)", re.MULTILINE)


def pieces() -> list[Piece]:
    tests = sorted((sources.unpacked("libev-perl") / "t").glob("*.t"))
    return [
        Piece("libev", f"{method}-{test.stem}", ("perl", str(test)), read, environment={"LIBEV_FLAGS": str(flags)})
        for method, flags in METHODS.items()
        for test in tests
    ]


def read(ran: Ran) -> Verdicts:
    """Lines of `ok` and `not ok`, each with a number alone."""
    verdicts = {number: "failed" if not_ok else "passed" for not_ok, number in TAP.findall(ran.log)}
    return {END: ran.end if verdicts or ran.end != "passed" else NOT_RUN, **verdicts}


FAMILY = Family("libev", ("perl", "libev-perl", "dpkg-dev"), pieces, left_out=LEFT_OUT)
