"""The demo daemon: a day of libsystemd's sd-event, a watchdog each second and a job each hour."""

import re
import subprocess
from pathlib import Path

from tests.programs.build import ROOT, compile_with_library
from tests.programs.harness import run_virtually

OPTIONS = ["--start", "2026-01-01 00:00:00", "--at", "12h:SIGHUP", "--at", "1d:SIGTERM", "--stats"]
JOBS = [
    f"2026-01-01 {hour:02}:31:30  a job ended with status 0, {hour + 1} are done" for hour in range(24)
]  # each starts at half past and takes a minute and a half
# The table says, in words: how long, how fast, why the daemon woke, which signals it got, and what the calls were.
ROWS = [
    *(
        "simulated time +1d",
        "real time .* times as fast",
        "a timer +86,4",
        "the end of a task +24",
        "a signal of --at +2",
    ),
    *("SIGCHLD +24", "SIGHUP +1", "SIGTERM +1", "calls served", "epoll_wait +86,4"),
]


def test_the_daemon_lives_a_day_and_ends_in_a_table(tmp_path: Path) -> None:
    ended = run_virtually([str(compile_with_library(ROOT / "examples/demo/daemon.c", "libsystemd"))], tmp_path, OPTIONS)

    assert ended.status == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "2026-01-01 00:00:00  the daemon starts",
        *JOBS[:12],
        "2026-01-01 12:00:00  SIGHUP: settings are read again",
        *JOBS[12:],
        "2026-01-02 00:00:00  SIGTERM: fed the watchdog 86399 times, 24 of 24 jobs are done, 1 reload",
    ]
    for row in ROWS:
        assert re.search(row, ended.stderr), f"{row} is not in\n{ended.stderr}"


def test_make_demo_runs_just_that() -> None:
    """What the README's command does, without doing it."""
    make = ["make", "--dry-run", "--no-print-directory", "demo"]
    shown = subprocess.run(make, cwd=ROOT, check=True, capture_output=True, text=True).stdout

    command = shown.splitlines()[-1].replace("'", "").split()
    assert command == [".venv/bin/tickless", "run", *" ".join(OPTIONS).split(), "--", "build/demo/daemon"]
