"""`--json FILE`: how a run ended, as one object."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.programs.harness import Ended, run_virtually
from tickless import __version__

DAY = 86_400 * 10**9


def report_of(argv: list[str], directory: Path, *options: str) -> tuple[Ended, dict[str, Any]]:
    """Run a program; how it ended, and what --json says of it."""
    ended = run_virtually(argv, directory, ["--json", str(directory / "json"), *options])
    text = (directory / "json").read_text()
    assert text.count("\n") == 1
    report: dict[str, Any] = json.loads(text)
    return ended, report


def test_a_whole_report(tmp_path: Path) -> None:
    argv = ["sh", "-c", "sleep 1d & wait; exit 3"]
    trace = tmp_path / "trace"
    ended, report = report_of(argv, tmp_path, "--seed", "7", "--start", "@1000", "-o", str(trace))

    assert (ended.stdout, ended.stderr, ended.status) == ("", "", 3)
    assert list(report)[-1] == "digest"
    assert report.pop("digest") == f"sha256:{hashlib.sha256(trace.read_bytes()).hexdigest()}"
    assert DAY < report.pop("virtual_ns") < DAY + 10**6
    assert 0 < report.pop("real_ns") < 60 * 10**9
    assert report.pop("calls")["clock_nanosleep"] == 1
    assert report.pop("passed_on")["wait4"] >= 1
    assert report == {
        "schema": "tickless.run/1",
        "version": __version__,
        "argv": argv,
        "seed": 7,
        "start_realtime_ns": 1000 * 10**9,
        "exit_status": 3,
        "outcome": "exited",
        "status": 3,
        "signal": None,
        "processes": 2,
        "threads": 2,
        "wakeups": {"timer": 1, "exit": 1},
        "signals": {"SIGCHLD": 1},
        "held_s": {},
        "blocked": [],
        "refused": [],
    }


CPU_TIME = """
import signal, time
signal.setitimer(signal.ITIMER_REAL, 3600)
for timer in (signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
    signal.setitimer(timer, 3600)
    assert 3599 < signal.getitimer(timer)[0] < 3601
assert 0 < time.thread_time() <= time.process_time() < 60
"""


def test_cpu_time_is_the_hosts_at_native_speed(tmp_path: Path) -> None:
    """A program may watch its CPU time in a loop: no call about it is trapped."""
    ended, report = report_of(["python3", "-Sc", CPU_TIME], tmp_path)

    assert ended.stderr == ""
    assert report["calls"]["setitimer"] == 1
    assert {"setitimer", "getitimer", "clock_gettime"} & report["passed_on"].keys() == set()


PIPE_OF_ONE = "import os; r, w = os.pipe(); os.read(r, 1)"
ENDINGS = {
    "exited": (["true"], [], {"exit_status": 0, "status": 0, "signal": None}),
    "signaled": (["sleep", "1d"], ["--at", "1h:SIGHUP"], {"exit_status": 129, "status": None, "signal": "SIGHUP"}),
    "until": (["sleep", "1d"], ["--until", "1h"], {"exit_status": 0, "status": None, "virtual_ns": DAY // 24}),
    "timeout": (["sh", "-c", "while :; do :; done"], ["--timeout", "100ms"], {"exit_status": 124, "status": None}),
    "deadlock": (["/usr/bin/python3", "-c", PIPE_OF_ONE], [], {"exit_status": 121, "status": None}),
    "failed": (["no-such-program"], [], {"exit_status": 127, "error": "no-such-program: command not found"}),
}


@pytest.mark.parametrize(("outcome", "ending"), ENDINGS.items(), ids=ENDINGS)
def test_every_end(outcome: str, ending: tuple[list[str], list[str], dict[str, Any]], tmp_path: Path) -> None:
    argv, options, fields = ending
    ended, report = report_of(argv, tmp_path, *options)

    assert report["outcome"] == outcome
    assert {name: report[name] for name in fields} == fields
    assert ended.status in (report["exit_status"], 128 - report["exit_status"])


def test_a_deadlock_says_who_waits_for_what(tmp_path: Path) -> None:
    _, report = report_of(["/usr/bin/python3", "-c", PIPE_OF_ONE], tmp_path)

    assert report["blocked"] == ["main waits in read of 3<pipe>, whose only writer is itself"]


def test_what_was_refused_is_there_by_id(tmp_path: Path) -> None:
    script = "import ctypes; ctypes.CDLL(None).syscall(425, 1, 0)"  # io_uring_setup
    _, report = report_of(["/usr/bin/python3", "-c", script], tmp_path, "-q")

    assert report["refused"] == ["TL130"]


def test_without_a_trace_there_is_no_digest(tmp_path: Path) -> None:
    assert report_of(["true"], tmp_path)[1]["digest"] is None


def test_a_minus_is_stderr(tmp_path: Path) -> None:
    ended = run_virtually(["echo", "out"], tmp_path, ["--json", "-"])

    assert ended.stdout == "out\n"
    assert json.loads(ended.stderr)["outcome"] == "exited"


def test_a_file_that_cannot_be_written_is_one_line_before_the_program_starts(tmp_path: Path) -> None:
    ended = run_virtually(["touch", "ran"], tmp_path, ["--json", "/no such folder/json"])

    assert ended.stderr == "tickless: cannot write /no such folder/json: No such file or directory\n"
    assert ended.status == 2
    assert not (tmp_path / "virtual" / "ran").exists()


def test_a_full_disk_is_one_line_and_no_other_status(tmp_path: Path) -> None:
    ended = run_virtually(["sh", "-c", "exit 3"], tmp_path, ["--json", "/dev/full"])

    assert ended.stderr == "tickless: --json could not be written: No space left on device\n"
    assert ended.status == 3


def test_the_program_sees_nothing_of_the_report(tmp_path: Path) -> None:
    script = ["/usr/bin/python3", "-c", "import os; print(os.listdir('/proc/self/fd'), os.open('/', os.O_RDONLY))"]
    with_report, _ = report_of(script, tmp_path)
    (tmp_path / "other").mkdir()

    assert with_report.stdout == run_virtually(script, tmp_path / "other").stdout
