"""Ctrl-C, SIGTERM and SIGKILL to tickless: the program gets what a terminal sends, and nothing outlives the run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.programs.build import HERE, compile_c
from tests.programs.harness import PATIENCE, environment, processes_of, run_virtually, running, tickless

LIMIT_S = 20 * PATIENCE

pytestmark = pytest.mark.timeout(60 * PATIENCE)  # a lost signal leaves a test waiting for a line


def naming_signals(*arguments: str) -> list[str]:
    """A program that names each signal it gets while it waits for a line; with an argument, it ends at the first."""
    return [str(compile_c(HERE / "virtual" / "signals.c")), *arguments]


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def wait_until_gone(folder: Path) -> list[int]:
    """What is left of the run, at most five seconds after its supervisor died: the kernel kills it in its own time."""
    deadline = time.monotonic() + 5
    while (left := processes_of(folder)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


@pytest.mark.parametrize(
    ("number", "line", "status"), [(signal.SIGINT, "int\n", 3), (signal.SIGTERM, "term\n", 4)], ids=["INT", "TERM"]
)
def test_a_signal_reaches_a_parked_program(number: int, line: str, status: int, tmp_path: Path) -> None:
    with running(tickless(naming_signals("once")), tmp_path / "run") as process:
        assert next_line(process) == "ready\n"
        process.send_signal(number)

        assert next_line(process) == line
        assert process.wait(LIMIT_S) == status


def test_a_signal_reaches_a_program_that_computes(tmp_path: Path) -> None:
    script = 'trap "exit 5" TERM; echo ready; while :; do :; done'
    with running(tickless(["sh", "-c", script]), tmp_path / "run") as process:
        assert next_line(process) == "ready\n"
        process.send_signal(signal.SIGTERM)

        assert process.wait(LIMIT_S) == 5


def test_a_signal_ends_a_sleep_in_real_time(tmp_path: Path) -> None:
    script = "echo ready; exec sleep 1000"
    with running(tickless(["sh", "-c", script], ["--clock", "real"]), tmp_path / "run") as process:
        assert next_line(process) == "ready\n"
        process.send_signal(signal.SIGTERM)

        assert process.wait(LIMIT_S) == -signal.SIGTERM


def test_a_second_ctrl_c_ends_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with running(tickless(naming_signals()), folder) as process:
        assert next_line(process) == "ready\n"
        process.send_signal(signal.SIGINT)
        assert next_line(process) == "int\n"
        process.send_signal(signal.SIGINT)

        assert process.wait(LIMIT_S) == 128 + signal.SIGINT
        assert processes_of(folder) == []


@pytest.mark.parametrize(
    "script",
    [
        "echo ready; read line",
        "echo ready; while :; do :; done",
        "(sleep 1h; read line) & (echo ready; read line) & wait",
    ],
    ids=["parked", "computing", "a tree"],
)
def test_no_process_outlives_a_killed_tickless(script: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with running(tickless(["sh", "-c", script]), folder) as process:
        assert next_line(process) == "ready\n"
        process.kill()
        process.wait()

        assert wait_until_gone(folder) == []


def test_ctrl_c_at_a_terminal_is_seen_once(tmp_path: Path) -> None:
    """The terminal sends SIGINT to tickless and to the program, which are one foreground group."""
    folder = tmp_path / "run"
    folder.mkdir()
    master, terminal = os.openpty()
    command = ["setsid", "--ctty", *tickless(naming_signals(), ["-q"])]
    with subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=folder, env=environment(folder)
    ) as process:
        os.close(terminal)
        seen = read_until(master, b"ready")
        os.write(master, b"\x03")
        seen += read_until(master, b"int")
        os.write(master, b"a line\n")
        status = process.wait(LIMIT_S)
    seen += read_until(master, None)
    os.close(master)

    assert status == 6
    assert seen.count(b"int\r\n") == 1, seen


def read_until(master: int, wanted: bytes | None) -> bytes:
    """What a terminal's program prints, up to `wanted`, or to its end."""
    seen = b""
    while wanted is None or wanted not in seen:
        try:
            more = os.read(master, 4096)
        except OSError:  # EIO: nobody has the terminal open any more
            break
        if not more:
            break
        seen += more
    return seen


def test_tasks_that_compute_have_their_turns(tmp_path: Path) -> None:
    """A task that makes no call loses the token after some CPU time, and the run is no deadlock meanwhile."""
    ended = run_virtually([str(compile_c(HERE / "virtual" / "computing.c"))], tmp_path)

    assert ended.stdout == "both have ended: 3\nthe flag was seen\n"
    assert ended.status == 0


STOPPING = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
OBEYS = """
import os, signal, sys
os.setpgid(0, 0)  # tickless could let it go on: it is no orphan, which nothing but SIGSTOP stops
sys.stdin.readline()
signal.signal(signal.{name}, signal.SIG_IGN)
print(os.getpid(), flush=True)
sys.stdin.readline()
print("goes on", flush=True)
"""


@pytest.mark.parametrize("number", STOPPING, ids=[number.name for number in STOPPING])
def test_a_stop_from_outside_that_the_program_ignores_does_not_stop_it(number: signal.Signals, tmp_path: Path) -> None:
    """As a shell does that reads a line at a terminal whose user presses Ctrl-Z."""
    script = [sys.executable, "-Sc", OBEYS.format(name=number.name)]
    with running(tickless(script, ["-o", str(tmp_path / "trace")]), tmp_path / "run") as process:
        assert process.stdin is not None
        process.stdin.write("first\n")
        process.stdin.flush()
        os.kill(int(next_line(process)), number)
        process.stdin.write("second\n")
        process.stdin.close()

        assert next_line(process) == "goes on\n"
        assert process.wait(LIMIT_S) == 0
    assert f"{number.name} {{" not in (tmp_path / "trace").read_text()


def test_the_trace_tells_when_a_process_stops_and_goes_on(tmp_path: Path) -> None:
    script = "sleep 1h & kill -STOP $!; sleep 1; kill -CONT $!; wait"

    run_virtually(["sh", "-c", script], tmp_path, ["-o", str(tmp_path / "trace")])

    told = [line.split(maxsplit=1)[1] for line in (tmp_path / "trace").read_text().splitlines()]
    kept = [line for line in told if line.startswith("main.1 ") and line.endswith(("stopped by SIGSTOP", "continued"))]
    assert [line.split(maxsplit=1)[1] for line in kept] == ["... stopped by SIGSTOP", "... continued"]


WAITS_FOR_A_CHILD_THAT_COMPUTES = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
child = os.fork()
while child == 0 and not os.path.exists("stop"):
    pass
if child:
    print(os.getpid(), flush=True)
    print("ended with", os.wait()[1], flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGCONT], ids=["blocked", "without effect"])
def test_a_signal_to_a_parked_task_leaves_the_token_where_it_is(number: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with running(tickless([sys.executable, "-Sc", WAITS_FOR_A_CHILD_THAT_COMPUTES]), folder) as process:
        parent = int(next_line(process))
        for _ in range(5):
            os.kill(parent, number)
            process.send_signal(signal.SIGUSR2)  # so that tickless looks
            time.sleep(0.05)
        (folder / "stop").touch()

        assert next_line(process) == "ended with 0\n"
        assert process.wait(LIMIT_S) == 0


def test_a_program_that_is_stopped_from_outside_may_be_continued_from_there(tmp_path: Path) -> None:
    script = 'trap "echo got it; exit 7" USR1; echo $$; while :; do sleep 1000000h; done'
    with running(tickless(["bash", "-c", script], ["--clock", "real"]), tmp_path / "run") as process:
        pid = int(next_line(process))
        while not (children := [other for other in processes_of(tmp_path / "run") if parent_of(other) == pid]):
            time.sleep(0.01)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.3)  # long enough to be called a deadlock
        os.kill(pid, signal.SIGUSR1)
        os.kill(pid, signal.SIGCONT)

        assert process.poll() is None
        os.kill(children[0], signal.SIGTERM)  # the shell runs its trap when that has ended
        assert next_line(process) == "got it\n"
        assert process.wait(LIMIT_S) == 7


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
