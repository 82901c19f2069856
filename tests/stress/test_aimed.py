"""SIGKILL at every stage: of a task, of who makes it, of tickless itself. The others go on, and nothing is left."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.programs.build import ROOT, compile_c
from tests.programs.harness import Ended, processes_of, run, running

HERE = Path(__file__).resolve().parent
# A call is received, served, answered; a ptrace stop comes and is handled. With a trace there is a stop behind calls.
STAGES = {
    "received": (),
    "served": (),
    "answered": ("-o", "/dev/null"),
    "stopped": ("-o", "/dev/null"),
    "handled": (),
}
ROUNDS = 75  # a few more than a round has events
SHOTS = {"received": 60, "served": 60, "answered": 60, "stopped": 35, "handled": 20}
DIED, CANNOT_RUN_HERE = -signal.SIGKILL, 125


def aimed(target: str, stage: str, folder: Path, *options: str, rounds: int = ROUNDS) -> Ended:
    """Run programs that make others, while somebody shoots."""
    program = [str(compile_c(HERE / "aimed.c")), str(rounds)]
    command = [sys.executable, str(HERE / "aimed.py"), target, stage, "run", *options, "--", *program]
    return run(["env", f"PYTHONPATH={ROOT}", *command], folder)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("target", ["child", "actor"])
def test_who_is_killed_at_any_stage_leaves_nothing_and_the_others_go_on(
    target: str, stage: str, tmp_path: Path
) -> None:
    """clone(2), vfork(2), execve(2): `child` makes tasks and is killed meanwhile, `actor` is any of them all."""
    ended = aimed(target, stage, tmp_path / "run", *STAGES[stage])

    assert ended.stdout == f"{ROUNDS} rounds\n", ended.stderr
    assert ended.status == 0, ended.stderr
    assert processes_of(tmp_path / "run") == []
    assert int(ended.stderr.split()[0]) > SHOTS[stage]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("options", [(), ("-o", "/dev/null")], ids=["untraced", "traced"])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("target", ["child", "actor"])
def test_in_another_order_it_is_the_same(
    target: str, stage: str, options: tuple[str, ...], seed: int, tmp_path: Path
) -> None:
    ended = aimed(target, stage, tmp_path / "run", *options, "--seed", str(seed))

    assert (ended.stdout, ended.status) == (f"{ROUNDS} rounds\n", 0), ended.stderr
    assert processes_of(tmp_path / "run") == []


WAYS = 40  # of waits.c


def test_who_is_killed_by_its_parent_in_any_wait_leaves_nothing(tmp_path: Path) -> None:
    """In files of tickless and of the host, futexes, sleeps, waits, locks, queues; in vfork, stopped, computing."""
    program = [str(compile_c(HERE / "waits.c")), "inside"]
    ended = run([sys.executable, str(HERE / "checked.py"), "run", "-q", "--", *program], tmp_path / "run")

    ends = [line.split() for line in ended.stdout.splitlines()]
    assert [way for way, signo in ends if signo != "9"] == []
    assert (len(ends), ended.status) == (WAYS, 0), ended.stderr
    assert processes_of(tmp_path / "run") == []


def test_who_is_killed_from_outside_in_any_wait_leaves_nothing(tmp_path: Path) -> None:
    program = [str(compile_c(HERE / "waits.c")), "outside"]
    command = [sys.executable, str(HERE / "checked.py"), "run", "-q", "--", *program]
    with running(command, tmp_path / "run") as process:
        assert process.stdout is not None
        ends = []
        for line in process.stdout:
            if line.strip().isdigit():
                os.kill(int(line), signal.SIGKILL)
            else:
                ends.append(line.split())
        status = process.wait(20)
        assert process.stderr is not None
        left = process.stderr.read()

    assert [way for way, signo in ends if signo != "9"] == []
    assert (len(ends), status, left) == (WAYS, 0, "")


def left_of(folder: Path) -> list[object]:
    """What a run that was killed has left: processes, which Linux ends in its own time, and files."""
    deadline = time.monotonic() + 5
    while (processes := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return [*processes, *os.listdir(folder)]


FEW = (1, 2, 5, 12, 30, 90)
FUNCTIONS = (1, 20, 100, 300, 500, 700, 900, 1500, 3000, 6000, 12000)


@pytest.mark.parametrize("number", FEW)
@pytest.mark.parametrize("stage", ["received", "answered", "stopped"])
def test_nothing_outlives_a_tickless_that_is_killed_at_any_event(stage: str, number: int, tmp_path: Path) -> None:
    ended = aimed(f"tickless:{number}", stage, tmp_path / "run", *STAGES[stage], rounds=5)

    assert ended.status == DIED
    assert left_of(tmp_path / "run") == []


@pytest.mark.parametrize("number", FUNCTIONS)
def test_nothing_outlives_a_tickless_that_is_killed_in_any_function(number: int, tmp_path: Path) -> None:
    """From the start, before there is a program, to the middle of its first forks."""
    ended = aimed(f"tickless:{number}", "function", tmp_path / "run", rounds=5)

    assert ended.status == DIED
    assert left_of(tmp_path / "run") == []


# Of a start, an exec, a death, and an end that leaves tasks behind, whom it kills.
STEPS = (
    *("_clone", "trace", "wait_for_exec", "adopt_main", "install", "_called_exec", "exit_task"),
    *("finish", "kill_all", "_reap_any", "close"),
)


@pytest.mark.parametrize("step", STEPS)
def test_nothing_outlives_a_tickless_that_is_killed_at_a_step(step: str, tmp_path: Path) -> None:
    ended = aimed("tickless:1", f"in:{step}", tmp_path / "run", "--until", "3ms", rounds=5)

    assert ended.status == DIED
    assert left_of(tmp_path / "run") == []


@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_program_that_is_killed_before_its_start_is_told_of(number: int, tmp_path: Path) -> None:
    ended = aimed(f"starter:{number}", "function", tmp_path / "run")

    assert "ended before its start (status -9)" in ended.stderr
    assert ended.status == CANNOT_RUN_HERE
    assert left_of(tmp_path / "run") == []
