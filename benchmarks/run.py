"""Measure calls, computing and starting under tickless, on one CPU, and set them against what is promised.

Everything is measured from outside: a program's loop of n rounds less the same program without a round. All of a
figure's parts are measured in each round of the benchmark, one after the other, and the median of the rounds' ratios
counts. What counts is the CPU time of everybody in a run, which on one CPU is the time that it takes where nobody else
wants that CPU; starting counts in real time.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "benchmarks"
SECONDS_A_DAY = 86_400
WATCHDOG_CALLS = 4  # a second

Prefix = list[str]
NATIVE: Prefix = []
BARE: Prefix = [sys.executable, "-m", "benchmarks.bare"]
TICKLESS: Prefix = [str(Path(sysconfig.get_path("scripts")) / "tickless"), "run", "-q", "--"]
STRACE: Prefix = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=getppid", "-o", "/dev/null"]


@dataclass(frozen=True)
class Loop:
    """A kind of call in calls.c: how many rounds are timed, and how many calls each makes."""

    kind: str
    rounds: int
    calls: int = 1

    def seconds_per_call(self, prefix: Prefix) -> float:
        command = [*prefix, str(BUILD / "calls"), self.kind]
        return (seconds([*command, str(self.rounds)]) - seconds([*command, "0"])) / (self.rounds * self.calls)


BARE_CALL = Loop("trapped", 200_000)
UNTRAPPED = Loop("untrapped", 20_000_000)
CLOCK = Loop("clock", 50_000_000)
COMPUTE = Loop("compute", 500_000_000)


@dataclass(frozen=True)
class Figure:
    """A line of the table: `measure` gets the bare cost of a call in seconds, and returns what `target` limits."""

    name: str
    unit: str
    target: float
    measure: Callable[[float], float]


def against_bare(loop: Loop, prefix: Prefix = TICKLESS) -> Callable[[float], float]:
    return lambda bare: loop.seconds_per_call(prefix) / bare


def against_native(loop: Loop) -> Callable[[float], float]:
    return lambda bare: loop.seconds_per_call(TICKLESS) / loop.seconds_per_call(NATIVE)


def watchdog_day(bare: float) -> float:
    command = [*TICKLESS, str(BUILD / "watchdog")]
    took = seconds([*command, str(SECONDS_A_DAY)]) - seconds([*command, "0"])
    return took / (SECONDS_A_DAY * WATCHDOG_CALLS * bare)


def start_over_native_ms(bare: float) -> float:
    return (real_seconds([*TICKLESS, "/bin/true"]) - real_seconds(["/bin/true"])) * 1000


FIGURES = [
    Figure("clock_gettime", "× native", 1.0, against_native(CLOCK)),
    Figure("eventfd write and read", "× bare", 1.6, against_bare(Loop("eventfd", 80_000, calls=2))),
    Figure("epoll_wait, one ready", "× bare", 1.7, against_bare(Loop("epoll_wait", 150_000))),
    Figure("timerfd_settime", "× bare", 2.3, against_bare(Loop("timerfd", 120_000))),
    Figure("epoll_ctl (MOD)", "× bare", 2.3, against_bare(Loop("epoll_ctl", 150_000))),
    Figure("eventfd ping-pong, a call", "× bare", 2.2, against_bare(Loop("ping_pong", 25_000, calls=4))),
    Figure("a passed-on read", "× bare", 1.4, against_bare(Loop("read", 200_000))),
    Figure("an untrapped call", "× native", 1.12, against_native(UNTRAPPED)),
    Figure("fork, exit and wait", "× native", 3.5, against_native(Loop("fork", 4_000))),
    Figure("thread create and join", "× native", 12.0, against_native(Loop("thread", 8_000))),
    Figure("spawn of /bin/true", "× native", 2.0, against_native(Loop("spawn", 1_000))),
    Figure("computing", "× native", 1.03, against_native(COMPUTE)),
    Figure("watchdog daemon, 24 h", "× its calls bare", 2.0, watchdog_day),
    Figure("start of /bin/true", "ms over native", 150.0, start_over_native_ms),
]
STRACE_FIGURE = Figure("strace --seccomp-bpf, a call", "× bare", float("inf"), against_bare(BARE_CALL, STRACE))


def seconds(command: list[str]) -> float:
    """The CPU time that a command and all its children take. It has to succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    real_seconds(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def real_seconds(command: list[str]) -> float:
    """How long a command takes. It has to succeed."""
    start = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def build() -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in ("calls", "watchdog"):
        subprocess.run(["gcc", "-O2", "-Wall", "-o", BUILD / name, HERE / "c" / f"{name}.c"], check=True)


def measure(figures: list[Figure], rounds: int) -> tuple[float, dict[str, float]]:
    """Return the median cost of a bare call in seconds, and each figure's median."""
    bare: list[float] = []
    values: dict[str, list[float]] = {figure.name: [] for figure in figures}
    for number in range(rounds):
        for figure in figures:
            progress(f"round {number + 1} of {rounds}: {figure.name}")
            if figure.unit.endswith("bare"):
                bare.append(BARE_CALL.seconds_per_call(BARE))
            values[figure.name].append(figure.measure(bare[-1] if bare else 0.0))
    progress("")
    return statistics.median(bare or [0.0]), {name: statistics.median(measured) for name, measured in values.items()}


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def table(figures: list[Figure], measured: dict[str, float]) -> str:
    lines = [f"{'':30} {'target':>8} {'measured':>9}"]
    for figure in figures:
        value = measured[figure.name]
        target = "" if figure.target == float("inf") else f"≤ {figure.target:g}"
        verdict = "" if value <= figure.target else "  over"
        lines.append(f"{figure.name:30} {target:>8} {value:9.2f} {figure.unit}{verdict}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="medians are taken over so many (default: 5)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only figures whose name contains TEXT")
    options = parser.parse_args()
    if not os.access(TICKLESS[0], os.X_OK):
        parser.error(f"{TICKLESS[0]} is missing: `make setup-test` installs it")
    cpu = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpu})
    build()
    figures = [*FIGURES, *([STRACE_FIGURE] if shutil.which("strace") else [])]
    figures = [figure for figure in figures if options.only in figure.name]
    bare, measured = measure(figures, options.rounds)
    print(f"CPU {cpu}, {options.rounds} rounds; bare, a call received and answered in Python: {bare * 1e6:.2f} µs\n")
    print(table(figures, measured))
    return 0
