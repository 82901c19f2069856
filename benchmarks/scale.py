"""What many tasks and files cost: `python -m benchmarks.scale`. The supervisor's memory, and what a call takes then."""

from __future__ import annotations

import os
import re
import statistics
import subprocess

from benchmarks.run import BUILD, HERE, TICKLESS, progress, seconds

TASKS, FDS = 100, 100  # files of each task
ROUNDS, CALLS = 200_000, 2  # two calls a round
MEMORY_MB, SLOWER = 60, 1.2  # what is promised
REPEATS = 3


def memory_mb() -> float:
    """Resident memory of the supervisor, with all tasks and files there."""
    command = ["setsid", *TICKLESS, str(BUILD / "scale"), str(TASKS), str(FDS), "0"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"VmRSS:\s+(\d+) kB", ended.stderr)
    assert found is not None, ended.stderr
    return int(found[1]) / 1024


def seconds_per_call(tasks: int) -> float:
    command = ["setsid", "-w", *TICKLESS, str(BUILD / "scale"), str(tasks), str(FDS)]
    return (seconds([*command, str(ROUNDS)]) - seconds([*command, "0"])) / (ROUNDS * CALLS)


def main() -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-O2", "-Wall", "-o", BUILD / "scale", HERE / "c" / "scale.c"], check=True)
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    ratios = []
    for number in range(REPEATS):
        progress(f"round {number + 1} of {REPEATS}")
        ratios.append(seconds_per_call(TASKS) / seconds_per_call(0))
    progress("")
    memory, slower = memory_mb(), statistics.median(ratios)
    print(f"{TASKS} tasks, {TASKS * FDS} virtual files")
    print(f"supervisor's memory  ≤ {MEMORY_MB} MB   {memory:.0f} MB{'' if memory <= MEMORY_MB else '  over'}")
    print(f"a call               ≤ {SLOWER} ×   {slower:.2f} × that of one task{'' if slower <= SLOWER else '  over'}")


if __name__ == "__main__":
    main()
