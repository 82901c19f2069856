"""Nothing hangs, nothing crashes, nothing is left behind: programs that do at random what they should not do at all.

The quick runs are for every day; `make test-all` makes each of them many times, and the large ones.
"""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.programs.build import compile_c
from tests.programs.harness import Ended, processes_of, run, running

HERE = Path(__file__).resolve().parent
CHECKED = str(HERE / "checked.py")


@dataclass(frozen=True)
class Storm:
    """A program, what it prints and how it ends. `{seed}` in its arguments is the number of the run."""

    program: str
    arguments: str
    prints: str | None  # None: it depends on the run
    status: int = 0
    limit_s: float = 60


def chaos(processes: int, threads: int, span_s: int, limit_s: float) -> Storm:
    return Storm("chaos", f"{processes} {threads} {span_s} {{seed}}", "all gone\n", limit_s=limit_s)


QUICK = {
    "a storm of SIGKILL": Storm("kill_storm", "30 {seed}", "killed 30 of 30\n"),
    "exec beside threads that end": Storm("execs", "15 {seed}", "15 rounds\n"),
    "leaders that leave": Storm("leaders", "1", None),
    "clones of all kinds": Storm("clones", "", None),
    "ends while in vfork": Storm("vforks", "1", None),
    "a call that nobody foresaw": Storm("unforeseen", "", None),
    "stops and continues": Storm("stops", "10 200 {seed}", "all work: 1\nreaped 10\n"),
    "signals to the dying": Storm("late_signals", "30 {seed}", "failed 0, some handled 1\n"),
    "orphans of a subreaper": Storm("orphans", "subreaper 3", None),
    "orphans of nobody": Storm("orphans", "init 3", None, status=9),
    "a fork bomb": Storm("forkbomb", "60", "many made: 1, refused: 1\n"),
    "chaos": chaos(20, 50, 60, 60),
}
LARGE = {
    "a storm of SIGKILL": Storm("kill_storm", "60 {seed}", "killed 60 of 60\n"),
    "exec beside threads that end": Storm("execs", "100 {seed}", "100 rounds\n"),
    "stops and continues": Storm("stops", "30 1000 {seed}", "all work: 1\nreaped 30\n"),
    "signals to the dying": Storm("late_signals", "200 {seed}", "failed 0, some handled 1\n"),
    "a fork bomb": Storm("forkbomb", "300", "many made: 1, refused: 1\n"),
}
# What is waited for while spinning on something; of the last three tickless sees nothing.
UNSEEN = ("compute", "getpid", "stat")
SEEN = ("yield", "clock", "flag-and-clock", "coarse-clock", "time", "cpu-clock", "pipe", "socket", "eventfd", "kill")
SPINS = (*SEEN, "child", "wait", *UNSEEN)
LARGE_RUNS = int(os.environ.get("STORMS", "10"))  # of each program, with another seed each time
ODD = ("leaders that leave", "clones of all kinds", "ends while in vfork", "a call that nobody foresaw")

Told = Callable[[str, object], None]  # of pytest's record_property: for docs/slow-tests.md


def play(storm: Storm, folder: Path, seed: int = 1, options: Sequence[str] = ()) -> Ended:
    """Run it; nothing is left of it, inside tickless or outside."""
    program = [str(compile_c(HERE / f"{storm.program}.c")), *storm.arguments.format(seed=seed).split()]
    ended = run([sys.executable, CHECKED, "run", *options, "--", *program], folder, limit_s=storm.limit_s)
    assert processes_of(folder) == []
    assert ended.status == storm.status, ended.stderr
    if storm.prints is not None:
        assert ended.stdout == storm.prints, ended.stderr
    return ended


@pytest.mark.parametrize("name", QUICK)
def test_a_storm_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    play(QUICK[name], tmp_path / "run")


@pytest.mark.parametrize("name", ODD)
def test_odd_ends_are_those_of_linux(name: str, tmp_path: Path) -> None:
    storm = QUICK[name]
    linux = run([str(compile_c(HERE / f"{storm.program}.c")), *storm.arguments.split()], tmp_path / "linux")

    assert play(storm, tmp_path / "run").stdout == linux.stdout


def test_a_daemon_keeps_the_run_going(tmp_path: Path) -> None:
    """The status is PROGRAM's, the end is that of the last task: a virtual day later."""
    told = tmp_path / "told"

    play(Storm("daemon", str(told), "", status=4), tmp_path / "run")

    assert told.read_text().startswith("a day later")


@pytest.mark.parametrize("way", SPINS)
def test_a_loop_that_waits_without_sleeping_ends(way: str, tmp_path: Path) -> None:
    """Each call and each read of the clock takes time, and so does a second of computing."""
    ended = play(Storm("spins", way, f"{way}: over\n"), tmp_path / "run")

    assert ("TL503" in ended.stderr) == (way in UNSEEN)


ENDLESS = [way for way in SPINS if way not in ("clock", "time", "cpu-clock")]  # which wait for the clock alone
ENDS = {"--until": ("20ms", 0, ""), "--timeout": ("200ms", 124, "the run took longer than --timeout allows")}


@pytest.mark.parametrize("option", ENDS)
@pytest.mark.parametrize("way", ENDLESS)
def test_a_loop_that_waits_for_ever_ends_when_it_is_told_to(way: str, option: str, tmp_path: Path) -> None:
    span, status, said = ENDS[option]
    program = [str(compile_c(HERE / "spins.c")), way, "never"]

    ended = run([sys.executable, CHECKED, "run", option, span, "--", *program], tmp_path / "run")

    assert (ended.stdout, ended.status) == ("", status), ended.stderr
    assert said in ended.stderr
    assert processes_of(tmp_path / "run") == []


def test_sigkill_from_outside_hits_every_stage_of_clone_and_exec(tmp_path: Path) -> None:
    """Whoever is killed, in the middle of whatever: the others go on, and the run comes to its end."""
    folder = tmp_path / "run"
    command = [sys.executable, CHECKED, "run", "--", str(compile_c(HERE / "makers.c")), "600"]
    sniper = str(compile_c(HERE / "sniper.c"))
    with running(command, folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        program = min(pid for pid in processes_of(folder) if pid != process.pid)
        shots = subprocess.run([sniper, str(process.pid), str(program)], timeout=60, capture_output=True, check=True)
        told = process.communicate(timeout=10)

    assert told == ("done\n", "")
    assert process.returncode == 0
    assert int(shots.stdout.split()[0]) > 10


@pytest.mark.parametrize("name", ["chaos", "exec beside threads that end", "ends while in vfork"])
def test_no_process_outlives_a_tickless_that_is_killed_in_a_storm(name: str, tmp_path: Path) -> None:
    storm = QUICK[name]
    program = [str(compile_c(HERE / f"{storm.program}.c")), *storm.arguments.format(seed=1).split()]
    for round_ in range(4):
        folder = tmp_path / str(round_)
        with running([sys.executable, CHECKED, "run", "--", *program], folder) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2 + round_ * 0.05)
            process.kill()
            process.wait()
            assert_empty_soon(folder)


def assert_empty_soon(folder: Path, limit_s: float = 5) -> None:
    """The host ends the tasks of a dead tracer at once, but not before it tells of the death."""
    end = time.monotonic() + limit_s
    while processes_of(folder):
        assert time.monotonic() < end
        os.sched_yield()


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_a_large_storm_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    play(LARGE[name], tmp_path / "run")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_hour_of_chaos_is_as_large_as_it_says(tmp_path: Path, record_property: Told) -> None:
    ended = play(chaos(200, 500, 3600, 500), tmp_path / "run", options=["--stats"])

    found = re.search(r"(\d+) actions, at most (\d+) processes and (\d+) threads", ended.stderr)
    assert found, ended.stderr
    record_property("told", f"{found[0]} at a time")
    actions, processes, threads = map(int, found.groups())
    assert (processes, threads) == (200, 500)
    assert actions > 10_000
    assert re.search(r"simulated time +1h \d", ended.stderr)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", QUICK)
def test_no_storm_hangs_in_many_runs(name: str, tmp_path: Path, record_property: Told) -> None:
    record_property("told", f"{LARGE_RUNS} runs")
    for seed in range(LARGE_RUNS):
        play(QUICK[name], tmp_path / str(seed), seed)
