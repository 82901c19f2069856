"""A call at a time under tickless, beside strace and gVisor: `python -m benchmarks.compare [--docs]`.

Everything runs on one CPU and is measured in real time from outside: a loop of n rounds less the same program without
a round. Each round of the comparison measures all of them one after the other; medians count. `--docs` writes the
table and the plot into docs/performance.md.
"""

from __future__ import annotations

import argparse
import datetime
import math
import os
import platform
import re
import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path

from benchmarks.run import BARE, BARE_CALL, BUILD, TICKLESS, Loop, Prefix, build, progress, real_seconds

DOCS = Path(__file__).parent.parent / "docs"
PAGE, PLOT = DOCS / "performance.md", DOCS / "performance.svg"
BEGIN, END = "<!-- measured: python -m benchmarks.compare --docs -->", "<!-- end of what was measured -->"
STRACE = ("strace", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e")
RUNSC: Prefix = ["runsc", "--network=none", "--platform=ptrace", "do"]
TRACED: Prefix = [*TICKLESS[:-1], "-o", "/dev/null", "--"]


@dataclass(frozen=True)
class Row:
    """A kind of call; `traced` is what strace traces of it."""

    name: str
    loop: Loop
    traced: str


ROWS = [
    Row("eventfd write, read", Loop("eventfd", 20_000, calls=2), "read,write"),
    Row("epoll_wait, one ready", Loop("epoll_wait", 30_000), "epoll_wait"),
    Row("timerfd_settime", Loop("timerfd", 30_000), "timerfd_settime"),
    Row("epoll_ctl (MOD)", Loop("epoll_ctl", 30_000), "epoll_ctl"),
    Row("eventfd ping-pong", Loop("ping_pong", 6_000, calls=4), "read,write"),
    Row("read of a host file", Loop("read", 30_000), "read"),
    Row("clock_gettime", Loop("clock", 2_000_000), "clock_gettime"),
    Row("getuid, untrapped", Loop("untrapped", 500_000), "read"),
]


def prefixes(row: Row) -> dict[str, Prefix]:
    """How the row's program is run, by the column's name."""
    found: dict[str, Prefix] = {"native": [], "tickless": TICKLESS, "tickless -o": TRACED}
    if shutil.which("strace"):
        found["strace"] = [*STRACE, f"trace={row.traced}"]
    if shutil.which("runsc"):
        found["runsc"] = RUNSC
    return found


def seconds_per_call(loop: Loop, prefix: Prefix) -> float:
    command = [*prefix, str(BUILD / "calls"), loop.kind]
    took = real_seconds([*command, str(loop.rounds)]) - real_seconds([*command, "0"])
    return max(took, 1e-12) / (loop.rounds * loop.calls)


def measure(rounds: int) -> tuple[float, dict[str, dict[str, float]]]:
    """The bare call's microseconds, and each row's by column."""
    bare: list[float] = []
    times: dict[str, dict[str, list[float]]] = {row.name: {} for row in ROWS}
    for number in range(rounds):
        bare.append(seconds_per_call(BARE_CALL, BARE))
        for row in ROWS:
            for column, prefix in prefixes(row).items():
                progress(f"round {number + 1} of {rounds}: {row.name}, {column}")
                times[row.name].setdefault(column, []).append(seconds_per_call(row.loop, prefix))
    progress("")
    medians = {
        name: {column: statistics.median(values) * 1e6 for column, values in columns.items()}
        for name, columns in times.items()
    }
    return statistics.median(bare) * 1e6, medians


def table(bare_us: float, medians: dict[str, dict[str, float]]) -> str:
    """Markdown: microseconds natively, and multiples of a bare call."""
    columns = list(next(iter(medians.values())))
    lines = [
        f"| a call | native, µs | {' | '.join(f'{column}, × bare' for column in columns[1:])} |",
        f"|---|{'---:|' * len(columns)}",
    ]
    for name, times in medians.items():
        cells = [f"{times[column] / bare_us:.2f}" for column in columns[1:]]
        lines.append(f"| {name} | {times['native']:.3f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(bare_us: float, medians: dict[str, dict[str, float]]) -> None:
    """Bars on a logarithmic scale: how many bare calls each call takes."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "tickless"  # the same file from the same figures
    from matplotlib import pyplot

    columns = list(next(iter(medians.values())))
    figure, axes = pyplot.subplots(figsize=(9, 5.5), layout="constrained")
    height = 0.8 / len(columns)
    for place, column in enumerate(columns):
        widths = [times[column] / bare_us for times in medians.values()]
        offsets = [row + place * height for row in range(len(medians))]
        axes.barh(offsets, widths, height, label=column)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(medians))], list(medians))
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("time of a call, in bare calls (received and answered in Python, and nothing else)")
    figure.legend(loc="outside upper center", ncols=len(columns))
    figure.savefig(PLOT, metadata={"Date": None})


def write_docs(bare_us: float, medians: dict[str, dict[str, float]], rounds: int) -> None:
    """Put the table between its marks."""
    today = datetime.datetime.now(datetime.UTC).date()
    where = f"{today}, Linux {platform.release()}, Python {platform.python_version()}"
    how = f"one CPU, medians of {rounds} rounds; a bare call took {bare_us:.1f} µs"
    said = f"{where}, {how}.\n\n{table(bare_us, medians)}"
    page = PAGE.read_text()
    PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{said}\n{END}", page, flags=re.DOTALL))
    plot(bare_us, medians)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="medians are taken over so many (default: 5)")
    parser.add_argument("--docs", action="store_true", help="write docs/performance.md and its plot")
    options = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    build()
    bare_us, medians = measure(options.rounds)
    if options.docs:
        write_docs(bare_us, medians, options.rounds)
    print(f"a bare call: {bare_us:.2f} µs\n\n{table(bare_us, medians)}")
    slower = [name for name, times in medians.items() if times["tickless"] > times.get("strace", math.inf)]
    print(f"\nslower than strace: {', '.join(slower) or 'none'}")


if __name__ == "__main__":
    main()
