"""The live line: only where somebody watches, and never in the way of what the program prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs.harness import TICKLESS, environment

# A run that takes a second of real time, in which the line is drawn at least once.
A_SECOND = ["--clock", "real", "--"]
IO_URING_SETUP = 425  # on every architecture
ERASE = "\r\x1b[K"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def on_a_terminal(folder: Path, *arguments: str, **variables: str) -> str:
    """What `tickless run` with these arguments writes to a terminal of its own."""
    ours, its = os.openpty()
    folder.mkdir()
    process = subprocess.Popen(
        ["setsid", "--ctty", TICKLESS, "run", *arguments],
        stdin=its,
        stdout=its,
        stderr=its,
        cwd=folder,
        env=environment(folder) | {"TERM": "xterm"} | variables,
    )
    os.close(its)
    written = b""
    while chunk := _read(ours):
        written += chunk
    os.close(ours)
    assert process.wait(30) == 0
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # EIO: the last process has closed it
        return b""


def screen(written: str) -> list[str]:
    """The lines that are to be seen in the end: of each, what follows its last erasure."""
    return [COLOURS.sub("", line.removesuffix("\r").rpartition(ERASE)[2]) for line in written.split("\n")]


def test_it_tells_how_far_the_run_is_and_goes_when_it_ends(tmp_path: Path) -> None:
    written = on_a_terminal(tmp_path / "run", *A_SECOND, "sh", "-c", "echo before; sleep 1; echo after")

    assert re.search(r"\r\x1b\[K\x1b\[36m0 simulated, 2 tasks\x1b\[0m", written)
    assert screen(written) == ["before", "after", ""]


def test_it_tells_how_much_faster_than_real_time_the_run_is(tmp_path: Path) -> None:
    written = on_a_terminal(tmp_path / "run", "--clock", "x7200", "--", "sleep", "2h")

    assert re.search(r"1h [0-9a-z ]+ simulated, 7,[12]\d\d times as fast, 1 task\x1b", written)


def test_it_stays_out_of_an_unfinished_line_of_the_program(tmp_path: Path) -> None:
    written = on_a_terminal(tmp_path / "run", *A_SECOND, "sh", "-c", "printf 'Name: '; sleep 1; echo Linus")

    assert written == "Name: Linus\r\n"


def test_what_the_program_writes_to_its_own_pipes_does_not_count(tmp_path: Path) -> None:
    written = on_a_terminal(tmp_path / "run", *A_SECOND, "bash", "-c", "(printf 'x'; sleep 1) | sort")

    assert "simulated" in written
    assert screen(written) == ["x", ""]


def test_it_goes_before_what_tickless_has_to_say(tmp_path: Path) -> None:
    script = f"import ctypes, time; time.sleep(1); ctypes.CDLL(None).syscall({IO_URING_SETUP}, 8, 0)"
    written = on_a_terminal(tmp_path / "run", *A_SECOND, sys.executable, "-c", script)
    line, after = screen(written)

    assert "simulated" in written
    assert re.fullmatch(r"tickless: TL\d+: io_uring is not served \(main\); it fails with .*", line)
    assert after == ""


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        pytest.param(["-q"], {}, id="quiet"),
        pytest.param([], {"CI": "true"}, id="in CI"),
        pytest.param([], {"TERM": "dumb"}, id="on a terminal that cannot erase"),
    ],
)
def test_it_is_not_there(options: list[str], variables: dict[str, str], tmp_path: Path) -> None:
    assert on_a_terminal(tmp_path / "run", *options, *A_SECOND, "sleep", "1", **variables) == ""


def test_a_trace_on_stderr_has_the_terminal_for_itself(tmp_path: Path) -> None:
    written = on_a_terminal(tmp_path / "run", "-e", "trace=none", *A_SECOND, "sleep", "1")

    assert "+++ exited with 0 +++" in written
    assert "simulated" not in written


def test_colours_can_be_turned_off(tmp_path: Path) -> None:
    written = on_a_terminal(tmp_path / "run", *A_SECOND, "sleep", "1", NO_COLOR="1")

    assert "simulated" in written
    assert "\x1b[36m" not in written


def test_rich_is_imported_for_a_terminal_only(tmp_path: Path) -> None:
    """tests/project/test_import_time.py has it for a run without one; here it must be there, or that test is vain."""
    written = on_a_terminal(tmp_path / "run", *A_SECOND, "sleep", "1", PYTHONVERBOSE="1")

    assert "import 'rich.console'" in written
