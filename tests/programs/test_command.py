"""`tickless run`: how it ends, what it says, and what its options do to a program."""

import signal
from pathlib import Path

import pytest

from tests.programs.build import HERE, compile_c
from tests.programs.harness import TICKLESS, Ended, processes_of, run, run_virtually


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


def assert_one_line(ended: Ended) -> None:
    assert ended.stdout == ""
    assert ended.stderr.startswith("tickless: ")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.endswith("\n")


@pytest.mark.parametrize("status", [0, 1, 7, 121, 255])
def test_the_status_is_the_programs(status: int, tmp_path: Path) -> None:
    assert run_virtually(shell(f"exit {status}"), tmp_path).status == status


@pytest.mark.parametrize("name", ["HUP", "INT", "QUIT", "ABRT", "KILL", "SEGV", "PIPE", "TERM", "USR1", "RTMAX"])
def test_tickless_dies_of_the_signal_that_killed_the_program(name: str, tmp_path: Path) -> None:
    number = signal.Signals[f"SIG{name}"]
    ended = run_virtually(shell(f"ulimit -c 0; kill -{number.value} $$"), tmp_path)

    assert ended.status == -number


def test_the_run_ends_when_its_last_task_has_ended(tmp_path: Path) -> None:
    """As with strace -f; the status is PROGRAM's, not that of the last task."""
    ended = run_virtually(shell("(sleep 1h; echo late; exit 4) & exit 3"), tmp_path)

    assert ended.stdout == "late\n"
    assert ended.status == 3


USAGE_ERRORS = {
    "no program": ["run"],
    "unknown option": ["run", "--nonsense", "true"],
    "wrong span": ["run", "--until", "5 parsecs", "true"],
    "wrong time stamp": ["run", "--start", "yesteryear", "true"],
    "--at without an event": ["run", "--at", "1h", "true"],
    "--at with an unknown signal": ["run", "--at", "1h:SIGNOTHING", "true"],
    "wrong clock": ["run", "--clock", "sundial", "true"],
    "wrong number": ["run", "--hz", "often", "true"],
    "unknown command": ["walk", "true"],
}


@pytest.mark.parametrize("arguments", USAGE_ERRORS.values(), ids=USAGE_ERRORS)
def test_usage_errors_are_one_line_and_status_2(arguments: list[str], tmp_path: Path) -> None:
    ended = run([TICKLESS, *arguments], tmp_path / "run")

    assert_one_line(ended)
    assert ended.status == 2


def test_a_missing_program_is_127(tmp_path: Path) -> None:
    ended = run_virtually(["no-such-program"], tmp_path)

    assert_one_line(ended)
    assert "no-such-program" in ended.stderr
    assert ended.status == 127


def test_a_program_that_cannot_be_executed_is_126(tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("no program\n")
    ended = run_virtually([str(plain)], tmp_path)

    assert_one_line(ended)
    assert ended.status == 126


def test_a_folder_is_126(tmp_path: Path) -> None:
    ended = run_virtually([str(tmp_path)], tmp_path)

    assert_one_line(ended)
    assert ended.status == 126


def test_the_first_word_that_is_no_option_is_the_program(tmp_path: Path) -> None:
    ended = run([TICKLESS, "run", "echo", "--until", "1h"], tmp_path / "run")

    assert ended.stdout == "--until 1h\n"


def test_a_deadlock_is_121_and_says_who_waits_for_what(tmp_path: Path) -> None:
    ended = run_virtually([str(compile_c(HERE / "virtual" / "deadlock.c"))], tmp_path)

    assert ended.status == 121
    assert "read" in ended.stderr
    assert "eventfd" in ended.stderr
    assert "futex" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_timeout_ends_a_run_that_computes(tmp_path: Path) -> None:
    """--timeout is real time: it ends what the virtual clock never would."""
    ended = run_virtually(shell("(while :; do :; done) & while :; do :; done"), tmp_path, ["--timeout", "1s"])

    assert ended.status == 124


def test_until_ends_the_tree_with_status_0(tmp_path: Path) -> None:
    script = "(sleep 7d) & while :; do sleep 1h; echo tick; done"
    ended = run_virtually(shell(script), tmp_path, ["--until", "3h 30min"])

    assert ended.stdout == "tick\n" * 3
    assert ended.status == 0


def test_at_sends_a_signal_to_the_program(tmp_path: Path) -> None:
    ended = run_virtually(["sleep", "1d"], tmp_path, ["--at", "1h:SIGTERM"])

    assert ended.status == -signal.SIGTERM


def test_at_is_exact_and_may_be_repeated(tmp_path: Path) -> None:
    script = 'from=$(date +%s); trap "echo \\$(( \\$(date +%s) - from ))" USR1; sleep 3h & wait; wait; wait'
    ended = run_virtually(shell(script), tmp_path, ["--at", "1h:SIGUSR1", "--at", "2h:SIGUSR1"])

    assert ended.stdout == "3600\n7200\n"


CLOCK_STEPS = {
    "forwards": ("1h:jump=+3h", "REALTIME 5\nMONOTONIC 2\nBOOTTIME 2\n"),
    "backwards": ("1h:jump=-1h", "REALTIME 1\nMONOTONIC 2\nBOOTTIME 2\n"),
    "suspend": ("1h:suspend=3h", "REALTIME 5\nMONOTONIC 2\nBOOTTIME 5\n"),
}


@pytest.mark.parametrize(("step", "expected"), CLOCK_STEPS.values(), ids=CLOCK_STEPS)
def test_at_steps_the_clocks(step: str, expected: str, tmp_path: Path) -> None:
    """A jump moves the wall clock alone; a suspend moves all but MONOTONIC."""
    ended = run_virtually([str(compile_c(HERE / "virtual" / "clocks.c")), "2"], tmp_path, ["--at", step])

    assert ended.stdout == expected, ended.stderr


STARTS = {
    "2026-01-01 00:30:00": "2026-01-01 00:30:00\n",
    "2026-01-01": "2026-01-01 00:00:00\n",
    "@1700000000": "2023-11-14 22:13:20\n",
}


@pytest.mark.parametrize(("start", "shown"), STARTS.items(), ids=list(STARTS))
def test_start_sets_the_wall_clock(start: str, shown: str, tmp_path: Path) -> None:
    ended = run_virtually(["date", "+%F %T"], tmp_path, ["--start", start])

    assert ended.stdout == shown, ended.stderr


def test_without_start_every_run_begins_at_the_same_instant(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()

    assert run_virtually(["date", "+%s"], first).stdout == run_virtually(["date", "+%s"], second).stdout


def test_env_and_chdir(tmp_path: Path) -> None:
    ended = run_virtually(shell('echo "$NAME in $PWD"'), tmp_path, ["--env", "NAME=value", "--chdir", "/usr"])

    assert ended.stdout == "value in /usr\n", ended.stderr


def test_a_spinning_program_sees_time_pass(tmp_path: Path) -> None:
    """Each served call costs a little virtual time, or a loop on the clock would never end."""
    script = "import time; end = time.monotonic() + 0.05\nwhile time.monotonic() < end: pass\nprint('over')"
    ended = run_virtually(["python3", "-c", script], tmp_path)

    assert ended.stdout == "over\n"


def test_whoever_waits_on_the_clock_itself_gets_there(tmp_path: Path) -> None:
    """Reads in a row grow dearer: an hour of them takes no hour, and nobody else is late for it."""
    ended = run_virtually([str(compile_c(HERE / "virtual" / "clock_loops.c"))], tmp_path)

    waits = ["vDSO", "call", "processor", "child", "parent"]
    on_time = [*(f"{wait}: in time" for wait in waits), "alarm: 0 ms late", "sleep: 0 ms late"]
    assert ended.stdout.splitlines() == on_time, ended.stderr


def test_nothing_is_left_after_a_failed_start(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run([TICKLESS, "run", "--at", "1h:SIGTERM", "no-such-program"], folder)

    assert processes_of(folder) == []
