"""What a suite is: families of pieces, the verdicts of their cases, and the differences that are expected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Verdicts = dict[str, str]
"""What each case came to: passed, failed, skipped, hung or died."""

# The case that stands for a piece as a whole: that it came to its end.
END = "(its end)"
# Its verdict where no case has begun: something is missing.
NOT_RUN = "not run"


@dataclass(frozen=True)
class Ran:
    """A piece that has run, once."""

    folder: Path  # `report`, where its cases were written, and `log`, all that it printed
    status: int  # as subprocess gives it: -N for a death by signal N
    hung: bool  # it was still running after its limit
    real_s: float

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="backslashreplace")

    @property
    def report(self) -> str:
        path = self.folder / "report"
        return path.read_text(errors="backslashreplace") if path.exists() else ""

    @property
    def end(self) -> str:
        """The verdict of END: a piece that ran to its end has passed, whatever its cases came to."""
        if self.hung:
            return "hung"
        return "died" if self.status < 0 else "passed"


# Options of tickless for pieces that would say more of real time than of tickless without them.
# What answers from outside of the run, a name server, does so in real time: the clock waits for it.
ANSWERED_FROM_OUTSIDE = "--grace=1s"
# What makes calls without waiting, until a span has passed, makes as many as natively, and not a million in a second.
SPINS = "--call-cost=10us"

Reader = Callable[[Ran], Verdicts]


@dataclass(frozen=True)
class Piece:
    """One command, of which many cases may be told."""

    suite: str  # the line of the table that it counts for
    name: str  # unlike any other in its family
    argv: tuple[str, ...]
    read: Reader
    limit_s: float = 300  # of real time, natively and under tickless
    outside: tuple[str, ...] = ()  # starts what follows it; stays outside of tickless
    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()  # of tickless


@dataclass(frozen=True)
class Difference:
    """Verdicts that are known to differ, for a reason of Linux' own."""

    natively: str
    under_tickless: str
    cause: str
    # What it comes to natively depends on real time: a busy machine, a quick network. Else nothing differs.
    sometimes: bool = False


@dataclass(frozen=True)
class Family:
    """Suites that are prepared and listed together."""

    name: str
    packages: tuple[str, ...]  # Debian's
    pieces: Callable[[], list[Piece]]
    # By "PIECE CASE". One that no longer happens is an error, like one that is not here.
    differences: Mapping[str, Difference] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None  # what is to be done once more than to install the packages
    notes: tuple[str, ...] = ()  # which pieces run with options of tickless, and why
    # Cases that no run tries, by name, with the reason: they tell nothing about tickless.
    left_out: Mapping[str, str] = field(default_factory=dict)


def cases_of_lines(ran: Ran) -> Verdicts:
    """What a reporter of ours has written: lines of CASE, tab, VERDICT. What only began was on its way at the end."""
    verdicts: Verdicts = {END: ran.end}
    if not ran.report and ran.status and ran.end == "passed":
        verdicts[END] = NOT_RUN
    for line in ran.report.splitlines():
        case, _, verdict = line.rpartition("\t")
        if verdict != "began":
            # A fixture's failure is told after its case's own verdict, and counts.
            verdicts[case] = "failed" if "failed" in (verdict, verdicts.get(case)) else verdict
        else:
            verdicts.setdefault(case, "hung" if ran.hung else "died")
    return verdicts


def whole(skipped: int | None = None) -> Reader:
    """A program that is one case; `skipped` is the status by which it says that it was not tried."""

    def read(ran: Ran) -> Verdicts:
        if ran.end != "passed":
            return {END: ran.end}
        return {END: "skipped" if ran.status == skipped else "failed" if ran.status else "passed"}

    return read
