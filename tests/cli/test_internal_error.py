"""A mistake of ours ends the run in one line and with its own status; nothing is left behind."""

import subprocess
import sys

BROKEN = """
import sys
from tickless.host.inherited import Inherited
inherited = Inherited.capture()
import tickless.run
from tickless.kernel.eventfd import EventFd
from tickless.cli.commands import tickless

def poll(self, task):
    raise ERROR

EventFd.poll = poll
sys.exit(tickless.main(sys.argv[1:], standalone_mode=False, obj=inherited))
"""
PROGRAM = "import os, select; select.select([os.eventfd(1)], [], [])"


def _run(*options: str, error: str = "ZeroDivisionError('a mistake')") -> "subprocess.CompletedProcess[str]":
    broken = BROKEN.replace("ERROR", error)
    command = [sys.executable, "-c", broken, "run", *options, "--", "/usr/bin/python3", "-c", PROGRAM]
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


def test_verbose_adds_the_traceback() -> None:
    ended = _run("-v")

    assert ended.returncode == 125
    assert "Traceback (most recent call last):" in ended.stderr
