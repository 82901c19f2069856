"""What `tickless` says, and to whom: its own lines on stderr, the program's output untouched."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.programs.harness import TICKLESS, Ended, run, run_virtually, running
from tickless.cli.commands import OPTIONS
from tickless.run import CALL_COST_NS
from tickless.scenario.spans import format_span


def command(*arguments: str, directory: Path) -> Ended:
    return run([TICKLESS, *arguments], directory / "run")


def test_alone_it_helps(tmp_path: Path) -> None:
    ended = command(directory=tmp_path)

    assert ended.stdout.startswith("Usage: tickless ")
    assert re.search(r"^ +run +Run PROGRAM with its arguments", ended.stdout, re.MULTILINE)
    assert (ended.stderr, ended.status) == ("", 0)


def test_help_has_every_option_and_lines_that_fit(tmp_path: Path) -> None:
    ended = command("run", "--help", directory=tmp_path)

    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert ended.stdout.count("\n  -") == len(OPTIONS) + 1
    assert f"[{format_span(CALL_COST_NS)}]" in ended.stdout
    assert (ended.stderr, ended.status) == ("", 0)


MISTAKES = {
    "no program": (["run"], "Missing argument 'PROGRAM'."),
    "no value": (["run", "--env"], "Option '--env' requires an argument."),
    "a variable without a name": (["run", "--env", "=3", "true"], "'=3' has no name"),
    "a frequency of 0": (["run", "--hz", "0", "true"], "0 is not from 1 to 1000000000"),
    "a seed below 0": (["run", "--seed", "-1", "true"], "'-1' is no number"),
    "a clock that stands": (["run", "--clock", "x0", "true"], "'x0' is not virtual, real or xN"),
    "a clock without x": (["run", "--clock", "2", "true"], "'2' is not virtual, real or xN"),
    "a span without end": (["run", "--until", "infinity", "true"], "not a time span: 'infinity'"),
    "an unknown call": (["run", "-e", "trace=raed", "true"], "no system call 'raed'"),
    "a near miss": (["run", "--sed", "3", "true"], "'--seed'"),
}


@pytest.mark.parametrize(("arguments", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_that_says_what_is_wrong(arguments: list[str], said: str, tmp_path: Path) -> None:
    ended = command(*arguments, directory=tmp_path)

    assert (ended.stdout, ended.status) == ("", 2)
    assert ended.stderr.startswith("tickless: ")
    assert said in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_variables_are_set_and_removed_in_their_order(tmp_path: Path) -> None:
    options = ["--env", "A=1", "--env", "A=2=3", "-E", "LANG", "-E", "EMPTY="]
    ended = run_virtually(["sh", "-c", 'echo "$A ${LANG-gone} ${EMPTY-gone}"'], tmp_path, options)

    assert ended.stdout == "2=3 gone \n"


def test_quietly_nothing_is_said(tmp_path: Path) -> None:
    ended = run_virtually(["sh", "-c", "echo out; echo err >&2"], tmp_path)

    assert (ended.stdout, ended.stderr) == ("out\n", "err\n")


ENDINGS = {
    "exit": (["sh", "-c", "sleep 1h; exit 3"], [], 3, "the program exited with status 3 after 1h "),
    "signal": (["sleep", "1d"], ["--at", "1h:SIGTERM"], -signal.SIGTERM, "the program was killed by SIGTERM after 1h"),
    "until": (["sleep", "1d"], ["--until", "2h"], 0, "the run was ended by --until after 2h"),
}


@pytest.mark.parametrize(("argv", "options", "status", "said"), ENDINGS.values(), ids=ENDINGS)
def test_verbosely_the_end_is_told(argv: list[str], options: list[str], status: int, said: str, tmp_path: Path) -> None:
    ended = run_virtually(argv, tmp_path, ["-v", *options])

    assert ended.stderr.startswith(f"tickless: {said}")
    assert ended.stderr.count("\n") == 1
    assert ended.status == status


def test_statistics_of_a_real_program(tmp_path: Path) -> None:
    script = "trap 'echo hup' HUP; (sleep 1h; kill -HUP $$) & wait; wait"
    ended = run_virtually(["bash", "-c", script], tmp_path, ["--stats"])
    rows = dict(line.strip().split("  ", 1) for line in ended.stderr.splitlines()[1:] if "  " in line.strip())

    assert ended.stdout == "hup\n"
    assert ended.stderr.startswith("tickless: the program exited with status 0 after 1h ")
    assert rows["simulated time"].strip().startswith("1h ")
    assert rows["tasks"].strip() == "3 processes"
    assert rows["a timer"].strip() == "1"
    assert rows["another task's kill"].strip() == "1"
    assert rows["SIGHUP"].strip() == "1"
    assert rows["clock_nanosleep"].strip() == "1"
    assert int(rows["calls left to Linux"]) > 20


def test_a_run_that_takes_too_long_in_real_time_is_named(tmp_path: Path) -> None:
    ended = run_virtually(["sh", "-c", "while :; do :; done"], tmp_path, ["--timeout", "300ms", "-q"])

    assert ended.stderr == "tickless: the run took longer than --timeout allows, and was ended\n"
    assert ended.status == 124


def test_a_deadlock_is_told_even_quietly(tmp_path: Path) -> None:
    """One process at both ends of a pipe."""
    script = "import os; r, w = os.pipe(); os.read(r, 1)"
    ended = run_virtually(["/usr/bin/python3", "-c", script], tmp_path, ["-q"])

    assert ended.stderr.splitlines()[0] == "tickless: deadlock: nothing can happen any more"
    assert ended.stderr.splitlines()[1].startswith("tickless:   main waits in read of 3<pipe>")
    assert ended.status == 121


def test_a_signal_ends_tickless_as_it_ended_the_program(tmp_path: Path) -> None:
    with running([TICKLESS, "run", "--", "sh", "-c", "echo ready; kill -TERM $$"], tmp_path / "run") as process:
        assert process.wait(30) == -signal.SIGTERM


def test_a_name_that_is_no_utf_8_is_told_byte_by_byte(tmp_path: Path) -> None:
    ended = run([TICKLESS, "run", "--", os.fsdecode(b"/none/\xff")], tmp_path / "run")

    assert ended.stderr == "tickless: /none/\\xff: No such file or directory\n"


def test_a_closed_stderr_does_not_stop_a_run(tmp_path: Path) -> None:
    script = f"{TICKLESS} run -- sh -c 'sleep 1h; echo done' 2>&-"

    assert run(["sh", "-c", script], tmp_path / "run").stdout == "done\n"
    assert os.path.exists(TICKLESS)


@pytest.mark.parametrize("arguments", ["doctor", "doctor --json", "run --help", "--version"])
@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_what_cannot_be_written_is_one_line(arguments: str, buffered: str, tmp_path: Path) -> None:
    """Python keeps what it prints to a file until its end."""
    command = f"PYTHONUNBUFFERED={buffered} {TICKLESS} {arguments} >/dev/full"

    ended = run(["sh", "-c", command], tmp_path / "run")

    assert ended.stderr == "tickless: stdout cannot be written: No space left on device\n"
    assert ended.status == 125
