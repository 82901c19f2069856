"""What the options of `tickless run` do to time: `--clock`, `--hz`, `--call-cost`, `--grace`, `--no-external`."""

import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from tests.programs.harness import LIMIT_S, run_virtually, tickless

SECOND = 10**9
TIMED_NAP = "import time; start = time.monotonic_ns(); time.sleep({s}); print(time.monotonic_ns() - start)"


def elapsed_ns(tmp_path: Path, sleep_s: float, *options: str) -> int:
    """What CLOCK_MONOTONIC says of a sleep."""
    ended = run_virtually([sys.executable, "-Sc", TIMED_NAP.format(s=sleep_s)], tmp_path, options)
    assert ended.status == 0, ended.stderr
    return int(ended.stdout)


def test_a_virtual_sleep_ends_at_its_deadline(tmp_path: Path) -> None:
    late_ns = elapsed_ns(tmp_path, 3600.003) - 3_600_003_000_000

    assert 0 <= late_ns < 100_000  # the calls and clock reads around it


@pytest.mark.parametrize("hz", [100, 4])
def test_with_a_tick_a_sleep_ends_at_the_first_tick_after_its_deadline(hz: int, tmp_path: Path) -> None:
    script = "import time; time.sleep(0.003); print(time.monotonic_ns())"

    ended = run_virtually([sys.executable, "-Sc", script], tmp_path, ["--hz", str(hz)])

    # A run begins at 1000 s, which is a tick.
    assert int(ended.stdout) % (SECOND // hz) < 100_000
    assert int(ended.stdout) >= 1000 * SECOND + SECOND // hz


def test_the_real_clock_takes_its_time(tmp_path: Path) -> None:
    start = time.monotonic_ns()

    assert elapsed_ns(tmp_path, 0.3, "--clock", "real") >= 0.3 * SECOND
    assert time.monotonic_ns() - start >= 0.3 * SECOND


def test_a_faster_clock_takes_its_share_of_real_time(tmp_path: Path) -> None:
    start = time.monotonic_ns()

    assert elapsed_ns(tmp_path, 3600, "--clock", "x7200") >= 3600 * SECOND
    assert 0.5 * SECOND <= time.monotonic_ns() - start < 60 * SECOND


def test_a_served_call_takes_what_it_is_said_to_cost(tmp_path: Path) -> None:
    script = """
import os, time
fd = os.eventfd(0)
start = time.monotonic_ns()
for _ in range(10):
    os.eventfd_write(fd, 1)
print(time.monotonic_ns() - start)
"""
    ended = run_virtually([sys.executable, "-Sc", script], tmp_path, ["--call-cost", "20ms"])

    assert 200_000_000 <= int(ended.stdout) < 201_000_000


WAITS_A_MINUTE = """
import select, socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.send(b"question")
print("answer" if select.select([peer], [], [], 60)[0] else "a minute has passed")
"""


@pytest.mark.parametrize(
    ("options", "said"), [(["--grace", "20s"], "answer\n"), ([], "a minute has passed\n")], ids=["grace", "none"]
)
def test_grace_gives_a_peer_outside_real_time_to_answer(options: list[str], said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=answer_one, args=[server, bool(options)])
        thread.start()
        command = tickless([sys.executable, "-Sc", WAITS_A_MINUTE, str(server.getsockname()[1])], options)
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        thread.join()

    assert (ended.stdout, ended.returncode) == (said, 0), ended.stderr


def answer_one(server: socket.socket, soon: bool) -> None:
    """Answer when asked, after a moment; or never, until the other end is closed."""
    connection, _ = server.accept()
    with connection:
        connection.recv(8)
        if soon:
            time.sleep(0.3)  # a slow peer is what the option is for
            connection.send(b"answer")
        else:
            connection.recv(1)


def test_without_an_outside_waiting_for_it_is_a_deadlock(tmp_path: Path) -> None:
    script = "import socket; socket.create_server(('127.0.0.1', 0)).accept()"

    ended = run_virtually([sys.executable, "-Sc", script], tmp_path, ["--no-external"])

    assert ended.status == 121
    assert "main waits in accept4 of 3<host file>" in ended.stderr
