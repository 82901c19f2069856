"""A mistake of ours ends the run in one line and with its own status; nothing is left behind."""

import subprocess
import sys

import pytest

BROKEN = """
import os, sys
from tickless.host.inherited import Inherited
inherited = Inherited.capture()
import tickless.run
from tickless.kernel.eventfd import EventFd
from tickless.cli.commands import tickless

from tickless.host.life_cycle import LifeCycle
from tickless.host.placeholder import Placeholders

def broken(*arguments):
    raise ERROR

WHERE = broken
sys.exit(tickless.main(sys.argv[1:], standalone_mode=False, obj=inherited))
"""
# Its mistake comes when the host has told of a newborn of which the kernel does not know yet.
LOSING_A_CHILD = """(
    [arguments[0].events.collect_one() for _ in range(1 - len(arguments[0].events))], ValueError("a mistake")
)[1]"""
PROGRAM = "import os, select; select.select([os.eventfd(1)], [], [])"


def _run(
    *options: str, error: str = "ZeroDivisionError('a mistake')", where: str = "EventFd.poll", program: str = PROGRAM
) -> "subprocess.CompletedProcess[str]":
    broken = BROKEN.replace("ERROR", error).replace("WHERE", where)
    command = [sys.executable, "-c", broken, "run", *options, "--", "/usr/bin/python3", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_mistake_of_ours_is_one_line_that_names_the_call() -> None:
    ended = _run()

    assert ended.returncode == 125
    assert ended.stderr.splitlines() == [
        "tickless: internal error while serving pselect6 of main: ZeroDivisionError('a mistake')"
        " (-v says more, please report it)"
    ]


def test_a_file_that_is_missing_is_no_death_of_a_task() -> None:
    """The listener says ENOENT, too, when the task of a call has died; it has no file name."""
    ended = _run(error="FileNotFoundError(2, 'No such file or directory', '/proc/nobody')")

    assert ended.returncode == 125
    assert "internal error while serving pselect6 of main: FileNotFoundError(2" in ended.stderr


def test_a_mistake_in_the_call_of_a_task_that_dies_meanwhile_is_one_all_the_same() -> None:
    ended = _run(error="(os.kill(arguments[1].tid, 9), ValueError('a mistake'))[1]")
    other = _run(error="(os.kill(arguments[1].tid, 9), OSError(22, 'a mistake'))[1]")

    assert (ended.returncode, other.returncode) == (125, 125)
    assert "OSError(22, 'a mistake')" in other.stderr


def test_a_task_that_is_gone_while_its_call_is_served_is_no_mistake() -> None:
    ended = _run(error="(os.kill(arguments[1].tid, 9), ProcessLookupError(3, 'No such process'))[1]")

    assert (ended.returncode, ended.stderr) == (-9, "")


@pytest.mark.parametrize("error", ["MemoryError()", "OSError(24, 'Too many open files')"])
@pytest.mark.parametrize("where", ["Placeholders.drain", "LifeCycle.reap"])
def test_what_runs_out_between_two_calls_ends_the_run_but_is_no_mistake(error: str, where: str) -> None:
    """What was left undone nobody would do, so the run cannot go on."""
    ended = _run(error=error, where=where, program="import os; os.fork(); os.close(os.eventfd(0)); os.getpgid(0)")

    assert ended.returncode == 125
    (line,) = ended.stderr.splitlines()
    assert line.startswith("tickless: cannot go on after ")
    assert line.endswith(f": {error}")


@pytest.mark.parametrize(("error", "seen"), [("MemoryError()", "TL603"), ("OSError(24, 'Too many')", "TL601")])
def test_what_runs_out_within_a_call_is_that_calls_error(error: str, seen: str) -> None:
    ended = _run(error=error)

    assert ended.returncode == 1
    assert seen in ended.stderr.splitlines()[0]
    assert "OSError: [Errno " in ended.stderr.splitlines()[-1]


def test_a_child_of_which_we_lost_track_is_ended_with_the_run() -> None:
    ended = _run(error=LOSING_A_CHILD, where="LifeCycle._make_child", program="import os; os.fork(); os.wait()")

    assert ended.returncode == 125
    assert "ValueError('a mistake')" in ended.stderr


def test_a_child_whose_first_stop_is_not_taken_in_is_ended_with_the_run() -> None:
    """It is known, but nobody has heard of it, when the run is told to end."""
    ending = f"({LOSING_A_CHILD}, arguments[0].supervisor.end('timeout'))[0]"

    ended = _run(error=ending, where="LifeCycle._make_child", program="import os; os.fork(); os.wait()")

    assert ended.returncode == 125


def test_verbose_adds_the_traceback() -> None:
    ended = _run("-v")

    assert ended.returncode == 125
    assert "Traceback (most recent call last):" in ended.stderr
