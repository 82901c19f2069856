"""The same run twice: what it prints and its whole trace are equal, byte for byte."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs.build import HERE, compile_c, compile_go
from tests.programs.harness import run_virtually

SCRIPT = "sleep 1h & seq 2000 | sort -n | tail -n 1; trap 'echo usr1' USR1; kill -USR1 $$; timeout 2h sleep 3h; wait"


def c_program(name: str) -> Callable[[], list[str]]:
    return lambda: [str(compile_c(HERE / "c" / f"{name}.c"))]


PROGRAMS = {
    "threads": c_program("threads"),
    "processes": c_program("processes"),
    "handlers": c_program("handlers"),
    "jobcontrol": c_program("jobcontrol"),
    "parked": c_program("parked"),
    "interrupted": c_program("interrupted"),
    "bash": lambda: ["bash", "-c", SCRIPT],
    "asyncio": lambda: [sys.executable, str(HERE / "clients" / "asy.py"), "3600"],
    "go": lambda: [str(compile_go(HERE / "clients" / "tick.go")), "1h"],
}


def traced(command: list[str], folder: Path, *options: str) -> tuple[str, str]:
    """What a run prints, and its trace."""
    folder.mkdir()
    trace = folder / "trace"
    ended = run_virtually(command, folder, ["-o", str(trace), *options])
    assert ended.status == 0, ended.stderr
    return ended.stdout, trace.read_text()


@pytest.mark.parametrize("command", PROGRAMS.values(), ids=PROGRAMS)
def test_a_run_repeats_itself(command: Callable[[], list[str]], tmp_path: Path) -> None:
    first = traced(command(), tmp_path / "first")
    second = traced(command(), tmp_path / "second")

    assert first == second
    assert len(first[1].splitlines()) > 10


def test_a_seed_repeats_itself_too(tmp_path: Path) -> None:
    """With a seed the order of ready tasks is drawn, not first come, first served."""
    runs = {
        seed: [traced(c_program("threads")(), tmp_path / f"{seed}-{turn}", "--seed", seed) for turn in (1, 2)]
        for seed in ("1", "2")
    }

    assert runs["1"][0] == runs["1"][1]
    assert runs["2"][0] == runs["2"][1]
    assert runs["1"][0][1] != runs["2"][0][1]
