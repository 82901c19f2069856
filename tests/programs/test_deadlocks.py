"""A run in which everybody waits for the others over sockets or locks ends, and says who waits for what."""

import fcntl
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.programs.build import HERE
from tests.programs.harness import LIMIT_S, Ended, run, tickless

DEADLOCK = 121
TIMED_OUT = 124
STUCK = HERE / "deadlocks" / "stuck.py"
ORDINARY = [sys.executable, str(HERE.parent / "stress" / "ordinary.py"), "run"]
PYTHON = "/usr/bin/python3"  # where an ordinary user may read

KINDS = {
    "unix_pair": ("recvfrom of 3<host file>, the other end of which is held by main and main.1",),
    "tcp": ("recvfrom of 4<host file>, the other end of which is held by main.1",),
    "full": ("sendto of 3<host file>, the other end of which is held by main",),
    "polled": ("pselect6 of 3<host file> and 4<host file>",),
    "event_loop": ("epoll_wait of 5<eventpoll>, which watches files of the host",),
    "flocks": ("a lock of which is held by main.1", "a lock of which is held by main"),
    "record_locks": ("fcntl of 7<host file>, a lock of which is held by main.1", "main.1 waits in read of 5<pipe>"),
}


def stuck(kind: str) -> list[str]:
    return [PYTHON, str(STUCK), kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_deadlock_over_host_files_is_found(kind: str, tmp_path: Path) -> None:
    ended = run(tickless(stuck(kind)), tmp_path / "run")

    assert ended.status == DEADLOCK, ended.stderr
    assert [words for words in KINDS[kind] if words not in ended.stderr] == []


@pytest.mark.parametrize("kind", ["unix_pair", "tcp", "flocks"])
def test_it_is_found_for_an_ordinary_user(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    tmp_path.chmod(0o755)
    inside = 'mkdir -m 777 open; cd open; exec "$@"'

    ended = run(["sh", "-c", inside, "sh", *ORDINARY, "--", *stuck(kind)], folder)

    assert ended.status == DEADLOCK, ended.stderr


def test_a_fifo_that_nobody_opens_is_named(tmp_path: Path) -> None:
    command = tickless(["cat", "fifo"], ["--no-external"])

    ended = run(["sh", "-c", 'mkfifo fifo; exec "$@"', "sh", *command], tmp_path / "run")

    assert ended.status == DEADLOCK, ended.stderr
    assert "main waits in openat of fifo" in ended.stderr


def test_a_silent_outside_is_told_of_and_may_still_come(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with subprocess.Popen(
        tickless(["cat", "fifo"]), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stderr is not None
        told = [waiting.stderr.readline() for _ in range(2)]
        (tmp_path / "fifo").write_text("late\n")
        output, more = waiting.communicate(timeout=LIMIT_S)

    assert "only the outside can go on from here" in told[0]
    assert "main waits in openat of fifo" in told[1]
    assert (output, more, waiting.returncode) == ("late\n", "", 0)


@pytest.mark.parametrize(
    ("call", "object_", "remove"),
    [("semop", "semaphore set", "--semaphore-id"), ("msgrcv", "message queue", "--queue-id")],
)
def test_what_is_waited_for_has_a_name(call: str, object_: str, remove: str, tmp_path: Path) -> None:
    ended = run(tickless(stuck(call), ["--no-external"]), tmp_path / "run")

    assert ended.status == DEADLOCK, ended.stderr
    number = int(ended.stdout)
    subprocess.run(["ipcrm", remove, str(number)], check=True)
    assert f"main waits in {call} of {object_} {number}\n" in ended.stderr


def waits_for_the_outside(ended: Ended) -> bool:
    return (ended.status, "deadlock" in ended.stderr) == (TIMED_OUT, False)


def test_a_server_is_no_deadlock(tmp_path: Path) -> None:
    ended = run(tickless(stuck("listening"), ["--timeout", "1s"]), tmp_path / "run")

    assert waits_for_the_outside(ended), ended.stderr


def test_a_lock_that_somebody_outside_has_is_no_deadlock(tmp_path: Path) -> None:
    held = tmp_path / "held"
    with held.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        inside = 'ln -s ../held held; exec "$@"'
        command = tickless(stuck("outside_has_a_lock"), ["--timeout", "1s"])
        ended = run(["sh", "-c", inside, "sh", *command], tmp_path / "run")

    assert waits_for_the_outside(ended), ended.stderr


@pytest.mark.parametrize("kind", ["inherited", "sent_away"])
def test_a_socket_that_the_outside_has_is_no_deadlock(kind: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ended = stuck_with(theirs.fileno(), tickless(stuck(kind), ["--timeout", "1s"]))

    assert waits_for_the_outside(ended), ended.stderr


@pytest.mark.parametrize("prefix", [tickless([])[:-1], ORDINARY], ids=["as who we are", "as an ordinary user"])
@pytest.mark.parametrize("kind", ["inherited_pair", "inherited_lock", "received"])
def test_what_the_outside_has_as_well_is_no_deadlock_though_nobody_may_look(
    kind: str, prefix: list[str], tmp_path: Path
) -> None:
    """An ordinary user cannot look into the processes of others, such as ourselves if we are root. proc(5)."""
    ours, theirs = socket.socketpair()
    with ours, theirs, tempfile.TemporaryFile() as locked:
        os.fchmod(locked.fileno(), 0o644)
        fcntl.flock(locked, fcntl.LOCK_EX)
        if kind == "received":
            socket.send_fds(ours, [b"."], [ours.fileno(), theirs.fileno()])
        stdin = locked if kind == "inherited_lock" else theirs
        command = [*prefix, "--timeout", "1s", "--", *stuck(kind)]
        ended = stuck_with(stdin.fileno(), command, *([ours.fileno()] if kind == "inherited_pair" else []))

    assert waits_for_the_outside(ended), ended.stderr


def stuck_with(stdin: int, command: list[str], *inherited: int) -> Ended:
    ended = subprocess.run(
        command, stdin=stdin, pass_fds=inherited, capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd="/"
    )
    return Ended(ended.stdout, ended.stderr, ended.returncode)
