"""`--verify`: two runs, and the first difference between them."""

import hashlib
import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.programs.harness import TICKLESS, processes_of, run, run_virtually, running
from tests.programs.harness import tickless as command

SAME = "tickless: both runs are the same (digest of the trace: "
WITH_CHILDREN = "echo out; sleep 1h & echo err >&2; wait; echo done; exit 3"
# The first run leaves a file behind, which the second one finds.
LEAVES_A_FILE = "sleep 1h; [ -e left ] && sleep 1; echo > left; sleep 2h"


# How many runs there were goes to stdout, and no call has it as an argument.
COUNTS_RUNS = """
import mmap, os
def mapped(path, size):
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, size)
    return mmap.mmap(fd, size)
count, out = mapped("left", 1), mapped("/dev/stdout", 2)
count[0] += 1
out[:] = b"%d\\n" % count[0]
"""


def test_the_same_run_twice_says_so_and_ends_as_once(tmp_path: Path) -> None:
    ended = run_virtually(["sh", "-c", WITH_CHILDREN], tmp_path, ["--verify"])

    assert ended.stdout == "out\ndone\n"
    assert ended.stderr.startswith(f"err\n{SAME}")
    assert ended.stderr.count("\n") == 2
    assert ended.status == 3


def test_quietly_there_is_nothing_to_say_of_two_same_runs(tmp_path: Path) -> None:
    ended = run_virtually(["sleep", "1d"], tmp_path, ["--verify", "-q"])

    assert (ended.stdout, ended.stderr, ended.status) == ("", "", 0)


def test_the_first_difference_is_shown_below_what_leads_there(tmp_path: Path) -> None:
    ended = run_virtually(["sh", "-c", LEAVES_A_FILE], tmp_path, ["--verify", "-e", "trace=wait4,openat"])
    lines = ended.stderr.splitlines()

    assert ended.status == 122
    assert lines[0].startswith("tickless: the second run is not the same: it differs at line ")
    assert lines[0].endswith(" of the trace")
    assert [line.split()[0] for line in lines[1:]] == ["both", "both", "both", "first", "second"]
    assert lines[3].endswith(" main     wait4(-1, ptr, WNOHANG, NULL) = -1 ECHILD (No child processes)")
    assert ' openat(AT_FDCWD, "left", ' in lines[4]
    assert "+++ started as a child of main +++" in lines[5]


def test_both_traces_can_be_kept(tmp_path: Path) -> None:
    trace, second = tmp_path / "trace", tmp_path / "trace.2"
    run_virtually(["sh", "-c", LEAVES_A_FILE], tmp_path, ["--verify", "-o", str(trace)])
    lines, others = trace.read_text().splitlines(), second.read_text().splitlines()

    assert lines != others
    assert lines[-1].startswith(" 10800.") or lines[-1].startswith("10800.")
    assert others[-1].startswith("10801.")


def test_the_digest_is_that_of_the_traces(tmp_path: Path) -> None:
    ended = run_virtually(["sleep", "1d"], tmp_path, ["--verify", "-o", str(tmp_path / "trace")])
    digests = [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("trace", "trace.2")]

    assert ended.stderr == f"{SAME}{digests[0]})\n"
    assert digests[0] == digests[1]


def test_what_is_printed_is_compared_too(tmp_path: Path) -> None:
    """A mapped file: neither a read nor a write is to be seen in the trace."""
    ended = run_virtually(["/usr/bin/python3", "-c", COUNTS_RUNS], tmp_path, ["--verify"])

    assert ended.stderr.splitlines()[0] == (
        "tickless: the second run is not the same: it differs at line 1 of stdout, with the same trace"
    )
    assert ended.stderr.splitlines()[1:] == ["  first   1", "  second  2"]
    assert ended.stdout == "1\n"
    assert ended.status == 122


def test_a_file_as_stdin_is_read_by_both_from_where_it_stood(tmp_path: Path) -> None:
    (tmp_path / "input").write_text("first\nsecond\n")
    script = f"read skipped; {TICKLESS} run --verify -q -- sh -c 'read line; echo got $line'"
    ended = run(["sh", "-c", f"{{ {script}; }} < {tmp_path}/input"], tmp_path / "run")

    assert (ended.stdout, ended.stderr, ended.status) == ("got second\n", "", 0)


def test_a_stdin_that_cannot_be_read_twice_is_empty(tmp_path: Path) -> None:
    script = f"echo lost | {TICKLESS} run --verify -q -- sh -c 'read line; echo got $line'"
    ended = run(["sh", "-c", script], tmp_path / "run")

    assert (ended.stdout, ended.stderr) == ("got\n", "")


CLOSED = {"stdout": (">&-", "02"), "stderr": ("2>&-", "01"), "both": (">&- 2>&-", "0"), "all": ("<&- >&- 2>&-", "")}


@pytest.mark.parametrize(("closed", "still_open"), CLOSED.values(), ids=CLOSED)
def test_what_is_closed_stays_closed(closed: str, still_open: str, tmp_path: Path) -> None:
    """Whatever files of tickless get those numbers."""
    program = 'sh -c \'for n in 0 1 2; do [ -e "/proc/self/fd/$n" ] && echo "$n" > "open$n"; done; sleep 1h\''
    run(["sh", "-c", f"{TICKLESS} run --verify -- {program} {closed}; echo $? > status"], tmp_path / "run")

    assert (tmp_path / "run" / "status").read_text() == "0\n"
    assert {file.name for file in (tmp_path / "run").glob("open*")} == {f"open{fd}" for fd in still_open}


def test_stdout_and_stderr_that_are_one_file_keep_their_order(tmp_path: Path) -> None:
    script = f"{TICKLESS} run --verify -q -- sh -c 'echo 1; echo 2 >&2; echo 3' 2>&1"

    assert run(["sh", "-c", script], tmp_path / "run").stdout == "1\n2\n3\n"


def test_a_signal_kills_tickless_as_it_killed_the_program(tmp_path: Path) -> None:
    ended = run_virtually(["sleep", "1d"], tmp_path, ["--verify", "--at", "1h:SIGTERM"])

    assert ended.status == -signal.SIGTERM
    assert ended.stderr.startswith(SAME)


def test_a_deadlock_can_be_verified(tmp_path: Path) -> None:
    script = "import os; r, w = os.pipe(); os.read(r, 1)"
    ended = run_virtually(["/usr/bin/python3", "-c", script], tmp_path, ["--verify"])

    assert ended.status == 121
    assert ended.stderr.startswith("tickless: deadlock: ")
    assert ended.stderr.splitlines()[-1].startswith(SAME)


def test_a_program_that_cannot_start_fails_as_without_it(tmp_path: Path) -> None:
    ended = run_virtually(["no-such-program"], tmp_path, ["--verify"])

    assert ended.stderr == "tickless: no-such-program: command not found\n"
    assert ended.status == 127


def test_a_run_that_real_time_ends_is_not_compared(tmp_path: Path) -> None:
    ended = run_virtually(["sh", "-c", "while :; do :; done"], tmp_path, ["--verify", "--timeout", "200ms"])

    assert ended.status == 124
    assert ended.stderr.splitlines()[1:] == [
        "tickless: nothing is verified: the run was ended, or disturbed, from outside"
    ]


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM], ids=lambda signo: signo.name)
def test_a_signal_from_outside_goes_to_the_program_and_ends_the_comparison(
    signo: signal.Signals, tmp_path: Path
) -> None:
    argv = ["sh", "-c", f"trap 'echo got it; exit 5' {signo.value}; touch ready; while :; do sleep 1d; done"]
    with running(command(argv, ["--verify", "--clock", "virtual"]), tmp_path / "run") as process:
        while not (tmp_path / "run" / "ready").exists():
            os.sched_yield()
        process.send_signal(signo)
        out, err = process.communicate(timeout=30)

    assert (out, process.returncode) == ("got it\n", 5)
    assert err == "tickless: nothing is verified: the run was ended, or disturbed, from outside\n"


def test_the_end_of_tickless_is_the_end_of_the_run(tmp_path: Path) -> None:
    argv = ["sh", "-c", "touch ready; while :; do sleep 1d; done"]
    with running(command(argv, ["--verify"]), tmp_path / "run") as process:
        while not (tmp_path / "run" / "ready").exists():
            os.sched_yield()
        process.kill()
        process.wait()
        while processes_of(tmp_path / "run"):
            os.sched_yield()


@pytest.mark.parametrize("clock", ["real", "x10"])
def test_real_time_cannot_be_verified(clock: str, tmp_path: Path) -> None:
    ended = run_virtually(["touch", "ran"], tmp_path, ["--verify", "--clock", clock])

    assert ended.stderr == ("tickless: --verify needs --clock virtual: otherwise real time decides what happens when\n")
    assert ended.status == 2
    assert not (tmp_path / "virtual" / "ran").exists()


def test_traces_that_cannot_be_written_are_one_line_before_the_program_starts(tmp_path: Path) -> None:
    ended = run_virtually(["touch", "ran"], tmp_path, ["--verify", "-o", "/no such folder/trace"])

    assert ended.stderr == "tickless: cannot write /no such folder/trace: No such file or directory\n"
    assert ended.status == 2


def test_tools_are_told(tmp_path: Path) -> None:
    run_virtually(["sh", "-c", LEAVES_A_FILE], tmp_path, ["--verify", "--json", str(tmp_path / "json")])
    report = json.loads((tmp_path / "json").read_text())

    assert (report["verified"], report["outcome"], report["exit_status"]) == (False, "exited", 122)
    assert report["difference"]["what"] == "trace"
    assert report["difference"]["first"] != report["difference"]["second"]
    assert len(report["difference"]["before"]) == 3


def test_a_trace_without_room_costs_neither_run(tmp_path: Path) -> None:
    """ENOSPC is said once for each file that has no room, and the comparison goes on."""
    (tmp_path / "trace").symlink_to("/dev/full")
    ended = run_virtually(["sh", "-c", "sleep 1h; exit 3"], tmp_path, ["--verify", "-o", str(tmp_path / "trace")])

    lines = ended.stderr.splitlines()
    assert lines[0] == "tickless: the trace ends here: No space left on device"
    assert lines[1].startswith(SAME)
    assert len(lines) == 2
    assert ended.status == 3
    assert (tmp_path / "trace.2").read_text().endswith("+++ exited with 3 +++\n")


def test_without_room_for_the_traces_nothing_is_verified(tmp_path: Path) -> None:
    """setrlimit(2), RLIMIT_FSIZE: a file takes what it may, then fails. Python must not write its caches so."""
    limited = ["env", "PYTHONDONTWRITEBYTECODE=1", "prlimit", "--fsize=3000"]
    ended = run([*limited, *command(["sleep", "1d"], ["--verify"])], tmp_path / "run")

    lines = ended.stderr.splitlines()
    assert lines[0] == "tickless: the trace ends here: File too large"
    assert re.fullmatch(r"tickless: nothing is verified: .* has no room for both traces \(.*\)", lines[1])
    assert (len(lines), ended.status) == (2, 125)
