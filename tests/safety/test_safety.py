"""What a program may try against the supervisor and the other tasks. docs/threat-model.md says what holds, and why."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs.build import compile_c
from tests.programs.harness import Ended, run, run_natively, run_virtually

HERE = Path(__file__).resolve().parent
ORDINARY = [sys.executable, str(HERE.parent / "stress" / "ordinary.py"), "run", "--quiet"]
# What an absurd length may cost the supervisor. The test program makes some 40 files and buffers.
SLACK_KB = 2_000


def as_ordinary_user(program: list[str], folder: Path, *options: str) -> Ended:
    """Run a program under tickless as nobody, where nobody may be."""
    return run(["sh", "-c", 'chmod 777 .; exec "$@"', "sh", *ORDINARY, *options, "--", *program], folder)


@pytest.mark.parametrize(
    ("options", "target"),
    [((), ()), (("--verify",), ()), (("--verify",), ("parent's",))],
    ids=["of a run", "of each run", "of both runs"],
)
def test_a_program_of_the_same_user_cannot_get_at_the_supervisor(
    options: tuple[str, ...], target: tuple[str, ...], tmp_path: Path
) -> None:
    """It is not dumpable, so Linux refuses its memory, its files and all that /proc tells of them. proc(5)."""
    ended = as_ordinary_user([str(compile_c(HERE / "supervisor.c")), *target], tmp_path / "run", *options)

    attempts = dict.fromkeys(line.split(":")[0] for line in ended.stdout.splitlines())
    assert len(attempts) >= 14, ended.stderr
    assert re.findall(r"^.*: done$", ended.stdout, re.MULTILINE) == []


@pytest.mark.parametrize("target", ["everybody", "group", "number"])
def test_a_signal_to_all_reaches_the_tasks_and_not_the_supervisor(target: str, tmp_path: Path) -> None:
    """The program ignores what it sends, its child dies of it, and tickless lives to tell."""
    program = [str(compile_c(HERE / "supervisor.c")), target]

    ended = run_virtually(program, tmp_path, ["-o", "trace"])

    assert (ended.stdout, ended.status) == (f"{target}: done\n", 0), ended.stderr
    trace = (tmp_path / "virtual" / "trace").read_text()
    assert re.search(r"main\.1 .*SIGTERM", trace), trace


def test_an_absurd_length_allocates_nothing(tmp_path: Path) -> None:
    program = [str(compile_c(HERE / "lengths.c"))]

    linux = run_natively(program, tmp_path)
    tickless = run_virtually(program, tmp_path, ["-q"])

    assert tickless.stdout == linux.stdout, tickless.stderr
    before, after = map(int, re.findall(r"VmHWM:\s+(\d+) kB", tickless.stderr))
    assert after - before < SLACK_KB


def test_code_that_a_task_changes_is_its_own(tmp_path: Path) -> None:
    """A child overwrites the clock's code and data in its memory: the parent's are others."""
    ended = run_virtually([str(compile_c(HERE / "clock_code.c"))], tmp_path)

    assert ended.stdout == "child: overwritten\nparent: an hour has passed\n", ended.stderr
    assert ended.status == 0


def test_what_a_task_writes_over_its_clock_moves_no_other_ones_back(tmp_path: Path) -> None:
    program = [str(compile_c(HERE / "clock_data.c"))]

    ended = run_virtually(program, tmp_path, ["--until", "2h"])

    *spoilt, other = ended.stdout.splitlines()
    assert spoilt == 5 * ["overwritten: yes"], "the cells lie elsewhere"
    assert other == "the other task: time goes on", ended.stderr


def test_a_program_that_closes_every_number_closes_none_of_tickless(tmp_path: Path) -> None:
    script = "import os; os.closerange(0, 4096); os.eventfd(0); os.read(os.eventfd(1), 8); os._exit(3)"

    ended = run_virtually([sys.executable, "-Sc", script], tmp_path)

    assert (ended.stderr, ended.status) == ("", 3)
    assert subprocess.run(["true"], check=False).returncode == 0
