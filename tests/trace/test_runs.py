"""Traces of real programs: `tickless run -o` and `-e`."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.programs.harness import TICKLESS, Ended, run_virtually, running

SHELL_WITH_CHILDREN = 'trap "echo got it" USR1; (sleep 1h; kill -USR1 $$) & wait; seq 3 | sort -r; wait; exit 3'
PYTHON_WITH_THREADS = """
import threading, time
event = threading.Event()
threads = [threading.Thread(target=lambda n=n: (time.sleep(n), print(n))) for n in (3, 1, 2)]
threads.append(threading.Thread(target=lambda: event.wait(60)))
for thread in threads:
    thread.start()
for thread in threads[:3]:
    thread.join()
event.set()
"""
PROGRAMS = {
    "sleep": ["sleep", "1d"],
    "bash with children": ["bash", "-c", SHELL_WITH_CHILDREN],
    "python with threads": [sys.executable, "-c", PYTHON_WITH_THREADS],
}


def traced(argv: list[str], directory: Path, *options: str) -> tuple[Ended, list[str]]:
    """Run a program; how it ended, and the lines of its trace."""
    directory.mkdir()
    ended = run_virtually(argv, directory, ["-o", str(directory / "trace"), *options])
    return ended, (directory / "trace").read_text().splitlines()


@pytest.mark.parametrize("argv", PROGRAMS.values(), ids=PROGRAMS)
def test_the_same_program_gives_the_same_bytes(argv: list[str], tmp_path: Path) -> None:
    """From other folders and with other pids."""
    first, trace = traced(argv, tmp_path / "first")
    second, again = traced(argv, tmp_path / "second")

    assert (first.stdout, first.stderr, first.status) == (second.stdout, second.stderr, second.status)
    assert trace == again
    assert len(trace) > 10


def test_a_sleep_from_start_to_end(tmp_path: Path) -> None:
    """Newer versions of coreutils sleep for a nanosecond more."""
    _, trace = traced(["sleep", "1d"], tmp_path / "run")
    words = [line.split(maxsplit=1)[1] for line in trace]
    sleep = next(index for index, line in enumerate(words) if "clock_nanosleep" in line)
    call = r"main     clock_nanosleep\(CLOCK_REALTIME, 0, \{tv_sec=86400, tv_nsec=([01])\}, <blocked>"
    called = re.fullmatch(call, words[sleep])

    assert called is not None, words[sleep]
    span = {"0": "86400 s", "1": "86400.000000001 s"}[called[1]]
    assert words[0] == "main     +++ started +++"
    assert words[sleep + 1 : sleep + 3] == [
        f"... clock jumps {span} to the deadline of main's clock_nanosleep",
        "main     <... clock_nanosleep resumed> ptr) = 0 (woken by its deadline)",
    ]
    assert words[-1] == "main     +++ exited with 0 +++"
    assert trace[-1].startswith("86400.0000")


def test_signals_and_children_are_told_by_name(tmp_path: Path) -> None:
    _, trace = traced(["bash", "-c", SHELL_WITH_CHILDREN], tmp_path / "run")
    text = "\n".join(line[16:] for line in trace)

    assert "main.1   +++ started as a child of main +++" in text
    assert "main.1   kill(main, SIGUSR1) = 0" in text
    assert "main     ... SIGUSR1 sent by main.1's kill {si_signo=SIGUSR1, si_code=SI_USER, from main.1}" in text
    assert "main     --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, from main.1} ---" in text
    assert "main     +++ exited with 3 +++" in text


def test_calls_of_the_host_can_be_asked_for(tmp_path: Path) -> None:
    """They are trapped only then; what the kernel would do with them without a host is left to the host."""
    script = ["/bin/dash", "-c", "exec /bin/dash -c 'exit 5'"]
    ended, trace = traced(script, tmp_path / "run", "-e", "trace=execve,exit_group,getpid,prctl")
    calls = [line[25:] for line in trace if "(" in line]

    assert ended.status == 5
    assert [call for call in calls if call.startswith("execve")] == ["execve(...) = ? (host)"]
    assert calls[-1] == "exit_group(5) = ? (host)"
    assert any(line.endswith(" main     ... runs dash") for line in trace)


def test_what_the_host_returned_is_told(tmp_path: Path) -> None:
    """Results of calls that are left to the host; a call that is cut short by our look is made once all the same."""
    script = "cat /nonexistent 2>/dev/null; echo to a file > out; head -n 1 out; head -c 5 /etc/passwd; exec 9<out 9<&-"
    ended, trace = traced(["bash", "-c", script], tmp_path / "run")
    calls = "\n".join(line[16:] for line in trace)

    assert ended.stdout.startswith("to a file\n")
    assert re.search(r'openat\(AT_FDCWD, "/etc/passwd", O_RDONLY\) = 3$', calls, re.MULTILINE)
    assert re.search(r'openat\(AT_FDCWD, "/nonexistent", O_RDONLY\) = -1 ENOENT', calls)
    assert re.search(r'write\(1, "to a file\\n", 10\) = 10$', calls, re.MULTILINE)
    assert re.search(r"read\(3, ptr, \d+\) = 10$", calls, re.MULTILINE)
    assert re.search(r"close\(9\) = 0$", calls, re.MULTILINE)


def test_how_a_child_ended_is_told(tmp_path: Path) -> None:
    """The host fills that in, and at once the task may go on and use the memory for something else."""
    script = "import os\nfor n in range(20):\n os.fork() or os._exit(n)\n os.waitpid(-1, 0)\nos.system('kill -9 $$')"
    _, trace = traced([sys.executable, "-Sc", script], tmp_path / "run")
    waits = [line[25:] for line in trace if " wait4(" in line or "wait4 resumed" in line]

    told = [re.findall(r"\[\{(.*)\}\], 0, NULL\) = main\.(\d+)", line) for line in waits if "blocked" not in line]
    assert told[:-1] == [[(f"WIFEXITED(s) && WEXITSTATUS(s) == {n}", f"{n + 1}")] for n in range(20)]
    assert told[-1] == [("WIFSIGNALED(s) && WTERMSIG(s) == SIGKILL", "21")]


def test_how_long_a_file_in_proc_is_is_not_told(tmp_path: Path) -> None:
    """It differs from run to run, as the figures in it do."""
    _, lines = traced(["head", "-c", "4", "/proc/self/stat"], tmp_path / "run")

    (read,) = [line for line in lines if re.search(r"read\(3, ptr, 4\)", line)]
    assert read.endswith("= ? (host)")


def test_a_terminal_that_is_drained_is_not_looked_at(tmp_path: Path) -> None:
    """tcdrain(3) would fail with EINTR, as it never does without a trace."""
    script = "import os, termios; _, end = os.openpty(); os.write(end, b'x'); [termios.tcdrain(end) for _ in range(3)]"
    ended, _ = traced(["/usr/bin/python3", "-c", script], tmp_path / "run")

    assert ended.status == 0, ended.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["dd", "if=/dev/zero", "of=out", "bs=64k", "count=4"],
        ["dd", "if=/dev/urandom", "of=/dev/null", "bs=100k", "count=3"],
        [
            "sh",
            "-c",
            "mkdir d; cd d; touch $(seq 300); ls | wc -l; head -c 300000 /dev/zero | wc -c",
        ],
    ],
    ids=["zero", "random", "much"],
)
def test_a_trace_changes_nothing_that_a_program_sees(command: list[str], tmp_path: Path) -> None:
    with_trace, _ = traced(command, tmp_path / "traced")
    without = run_virtually(command, tmp_path)

    figures = re.compile(r"[\d.]+ s, .*")  # dd's speed is the host's CPU time
    assert with_trace.stdout == without.stdout
    assert figures.sub("", with_trace.stderr) == figures.sub("", without.stderr)


def test_a_trace_changes_nothing_about_time(tmp_path: Path) -> None:
    script = "import time, os; [os.listdir('/') for _ in range(9)]; os.system('true'); print(time.monotonic_ns())"
    command = [sys.executable, "-Sc", script]

    with_trace, _ = traced(command, tmp_path / "traced")
    without = run_virtually(command, tmp_path)

    assert with_trace.stdout == without.stdout


def test_a_task_that_computes_for_ever_loses_its_turn_and_the_trace_says_so(tmp_path: Path) -> None:
    """After half a second of CPU time: before which call of its that is may differ from run to run."""
    loops = "(while :; do :; done) & while :; do :; done"
    ended, trace = traced(["bash", "-c", loops], tmp_path / "run", "--timeout", "5s")

    assert ended.status == 124
    assert any(
        line.endswith("... computes without a call: the others have their turn, after real time") for line in trace
    )


def test_every_group_can_be_traced(tmp_path: Path) -> None:
    groups = "trace=%file,%desc,%process,%signal,%time,%memory"
    ended, trace = traced(["bash", "-c", SHELL_WITH_CHILDREN], tmp_path / "run", "-e", groups)

    assert (ended.stdout, ended.status) == ("got it\n3\n2\n1\n", 3)
    assert any(" openat(" in line for line in trace)
    assert any(" mmap(" in line for line in trace)
    assert any(" rt_sigprocmask(" in line for line in trace)


def test_without_a_file_the_trace_goes_to_stderr(tmp_path: Path) -> None:
    ended = run_virtually(["sh", "-c", "echo out; echo err >&2"], tmp_path, ["-e", "trace=none"])

    assert ended.stdout == "out\n"
    assert ended.stderr.splitlines() == [
        "    0.000000000 main     +++ started +++",
        "err",
        ended.stderr.splitlines()[2],
    ]
    assert ended.stderr.endswith(" main     +++ exited with 0 +++\n")


def test_the_program_sees_nothing_of_the_trace(tmp_path: Path) -> None:
    """Neither its file nor another number for its own files."""
    script = [sys.executable, "-c", "import os; print(os.listdir('/proc/self/fd'), os.open('/', os.O_RDONLY))"]
    with_trace, _ = traced(script, tmp_path / "run")

    assert with_trace.stdout == run_virtually(script, tmp_path).stdout


def test_a_full_disk_is_one_line_and_the_run_goes_on(tmp_path: Path) -> None:
    ended = run_virtually(["sh", "-c", "sleep 1h; echo done"], tmp_path, ["-o", "/dev/full"])

    assert ended.stdout == "done\n"
    assert ended.stderr == "tickless: the trace ends here: No space left on device\n"
    assert ended.status == 0


def test_a_file_that_cannot_be_written_is_one_line_before_the_program_starts(tmp_path: Path) -> None:
    ended = run_virtually(["touch", str(tmp_path / "ran")], tmp_path, ["-o", str(tmp_path / "no folder" / "trace")])

    assert ended.stderr.startswith(f"tickless: cannot write {tmp_path}/no folder/trace: ")
    assert ended.stderr.count("\n") == 1
    assert ended.status == 2
    assert not (tmp_path / "ran").exists()


def test_the_trace_of_a_killed_run_is_readable(tmp_path: Path) -> None:
    """Every line is written at once, and whole."""
    trace = tmp_path / "trace"
    command = [TICKLESS, "run", "-o", str(trace), "--", "sh", "-c", "echo started; while :; do sleep 1; done"]
    with running(command, tmp_path / "run") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        while trace.stat().st_size < 20_000:
            os.sched_yield()
        process.kill()
        process.wait()
    text = trace.read_text()

    assert text.endswith("\n")
    assert all(re.match(r" *\d+\.\d{9} ", line) for line in text.splitlines())
