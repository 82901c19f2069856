"""The same program, seed and options: the same output and the same trace, byte for byte. docs/determinism.md.

Each program runs five times, from folders with names of other lengths and with other pids, twice on a loaded machine.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.programs.build import HERE, compile_c, compile_cpp, compile_go
from tests.programs.harness import run_virtually

SHELL = """
sleep 1h & seq 2000 | sort -n | tail -n 1
trap 'echo usr1' USR1; kill -USR1 $$
timeout 2h sleep 3h; echo $?
for n in 3 1 2; do (sleep $n; echo $n) & done; wait
(trap '' TERM; sleep 100) & sleep 1; kill $!; sleep 1; kill -9 $!; wait $!; echo $?
set -m; (sleep 50 & sleep 60 & wait) & sleep 1; kill -9 -$!; wait; cat < <(echo substituted)
seq 12 | xargs -P 4 -n 3 sh -c 'sleep 0.$1; echo $*' sh
"""
FOLDERS = ("first", "the second", "3", "number four", "five")
LOADED = ("number four", "five")
LOAD_LIMIT_S = 30  # nothing of ours burns a CPU for longer, whatever happens to the test

Program = Callable[[Path], list[str]]  # the command, to be run in that folder


def c_program(name: str) -> Program:
    return lambda folder: [str(compile_c(HERE / "c" / f"{name}.c"))]


def python(path: str, *arguments: str) -> Program:
    return lambda folder: [sys.executable, str(HERE / path), *arguments]


@cache
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def redis(folder: Path) -> list[str]:
    """A server on loopback and its clients. Its log lines begin with its pid."""
    script = str(HERE / "clients" / "daemons.sh")
    return ["env", f"PORT={free_port()}", "bash", script, "redis", str(folder / "data"), "10"]


PROGRAMS: dict[str, Program] = {
    "shell": lambda folder: ["bash", "-c", SHELL],
    "c-threads": c_program("threads"),
    "c-processes": c_program("processes"),
    "c-handlers": c_program("handlers"),
    "c-job-control": c_program("jobcontrol"),
    "c-parked-calls": c_program("parked"),
    "c-interrupted-calls": c_program("interrupted"),
    "c++": lambda folder: [str(compile_cpp(HERE / "clients" / "cv.cpp")), "3600000"],
    "python-threads": python("repeated/threads.py"),
    "asyncio": python("clients/asy.py", "3600"),
    "network": python("repeated/network.py"),
    "terminals": python("repeated/terminals.py"),
    "go": lambda folder: [str(compile_go(HERE / "clients" / "tick.go")), "1h"],
    "node": lambda folder: ["node", str(HERE / "clients" / "timers.js"), "3600000"],
    "redis": redis,
}
# Where the order of ready tasks, or of those that wait for one thing, decides what is printed.
RACES: dict[str, Program] = {
    "shell": lambda folder: ["sh", "-c", "for n in 1 2 3 4 5; do (echo $n) & done; wait"],
    "c": lambda folder: [str(compile_c(HERE / "virtual" / "race.c"))],
}


def traced(program: Program, folder: Path, *options: str) -> tuple[str, str]:
    """What a run prints, and its trace."""
    folder.mkdir(parents=True)
    trace = folder / "trace"
    ended = run_virtually(program(folder), folder, ["-o", str(trace), *options])
    assert ended.status == 0, ended.stderr
    return ended.stdout, trace.read_text()


@contextmanager
def load() -> Iterator[None]:
    """Keep every CPU busy, twice over."""
    loop = ["timeout", str(LOAD_LIMIT_S), sys.executable, "-S", "-c", "while True: pass"]
    loops = [subprocess.Popen(loop) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for process in loops:
            process.terminate()  # timeout(1) passes it on
        for process in loops:
            process.wait()


def runs_of(program: Program, directory: Path, *options: str) -> list[tuple[str, str]]:
    quiet = [traced(program, directory / name, *options) for name in FOLDERS if name not in LOADED]
    with load():
        return quiet + [traced(program, directory / name, *options) for name in LOADED]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_run_repeats_itself(name: str, tmp_path: Path) -> None:
    first, *others = runs_of(PROGRAMS[name], tmp_path)

    for output, trace in others:
        assert output == first[0]
        assert trace.splitlines() == first[1].splitlines()  # pytest says which line differs
    assert len(first[1].splitlines()) > 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "7", "4711"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_run_with_a_seed_repeats_itself(
    name: str, seed: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Then the order of ready tasks is drawn, and so is the order of exclusive waiters."""
    first, *others = runs_of(PROGRAMS[name], tmp_path, "--seed", seed)
    record_property("told", f"{1 + len(others)} runs, {len(first[1].splitlines())} lines of trace each")

    assert all(other == first for other in others)


@pytest.mark.parametrize("name", RACES)
def test_another_seed_gives_another_order(name: str, tmp_path: Path) -> None:
    """The seed decides what a program prints that leaves the order of its tasks to chance; twice the same seed, not."""
    seeds = [str(seed) for seed in range(1, 7)]
    first = {seed: traced(RACES[name], tmp_path / "one" / seed, "--seed", seed) for seed in seeds}
    second = {seed: traced(RACES[name], tmp_path / "two" / seed, "--seed", seed) for seed in seeds}

    assert first == second
    assert len({output for output, _ in first.values()}) > 1
    lines = {tuple(sorted(output.splitlines())) for output, _ in first.values()}
    assert len(lines) == 1


def test_without_a_seed_who_came_first_has_the_first_turn(tmp_path: Path) -> None:
    assert traced(RACES["shell"], tmp_path / "shell")[0] == "1\n2\n3\n4\n5\n"
    assert traced(RACES["c"], tmp_path / "c")[0] == "pipe 1\npipe 2\npipe 3\npipe 4\n"
