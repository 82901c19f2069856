"""Real clients of the kernel (asyncio, Go, C++, Node, shells, cron, redis), with a unit of an hour in virtual time.

Each takes its unit of time as an argument and prints times in units, so that both runs print the same.
"""

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs.build import HERE, ROOT, compile_cpp, compile_go
from tests.programs.harness import PATIENCE, Ended, run_natively, run_virtually

CLIENTS = HERE / "clients"
AT_HALF_PAST = ("--start", "2026-01-01 00:30:00")


def script(interpreter: str, name: str, *arguments: str) -> Callable[[], list[str]]:
    return lambda: [interpreter, str(CLIENTS / name), *arguments]


def compiled(build: Callable[[Path], Path], name: str, unit: str) -> Callable[[], list[str]]:
    return lambda: [str(build(CLIENTS / name)), unit]


def busybox(unit: str) -> Callable[[], list[str]]:
    return lambda: ["busybox", "ash", str(CLIENTS / "bb.sh"), unit]


NATIVE = {
    "asy": script(sys.executable, "asy.py", "0.2"),
    "tick": compiled(compile_go, "tick.go", "200ms"),
    "cv": compiled(compile_cpp, "cv.cpp", "200"),
    "timers": script("node", "timers.js", "400"),  # a worker takes 100 ms to start
    "jobs": script("bash", "jobs.sh", "0.4"),
    "bb": busybox("1"),
}
VIRTUAL = {
    "asy": script(sys.executable, "asy.py", "3600"),
    "tick": compiled(compile_go, "tick.go", "1h"),
    "cv": compiled(compile_cpp, "cv.cpp", "3600000"),
    "timers": script("node", "timers.js", "3600000"),
    # The script forks a sleep of 0.1 s for two units: a minute here, an hour in the slow test below.
    "jobs": script("bash", "jobs.sh", "60"),
}


def expected_of(name: str) -> str:
    return (CLIENTS / f"{name}.expected").read_text()


@pytest.mark.parametrize("name", NATIVE)
def test_client_on_linux(name: str, tmp_path: Path) -> None:
    ended = run_natively(NATIVE[name](), tmp_path)

    assert ended.stdout == expected_of(name), ended.stderr
    assert ended.status == 0


@pytest.mark.parametrize("name", VIRTUAL)
def test_client_under_tickless(name: str, tmp_path: Path) -> None:
    ended = run_virtually(VIRTUAL[name](), tmp_path)

    assert ended.stdout == expected_of(name), ended.stderr
    assert ended.status == 0


@pytest.mark.slow
@pytest.mark.timeout(1300 * PATIENCE)
def test_jobs_with_an_hour(tmp_path: Path) -> None:
    """Its `timeout $U sleep 1000` is no longer cut short. A loop of naps of 0.1 s makes 72,000 processes."""
    ended = run_virtually(script("bash", "jobs.sh", "3600")(), tmp_path, limit_s=1200 * PATIENCE)

    assert ended.stdout == expected_of("jobs").replace("timeout 124", "timeout 0"), ended.stderr
    assert ended.status == 0


def test_busybox_with_an_hour(tmp_path: Path) -> None:
    """`time -p` is cut to its first digit, 3 of 3600; and an hour's timeout does not cut a sleep of 1000 s short."""
    expected = expected_of("bb").replace("real 1", "real 3").replace("timeout 143", "timeout 0")
    ended = run_virtually(busybox("3600")(), tmp_path)

    assert ended.stdout == expected, ended.stderr
    assert ended.status == 0


def test_schedulers_on_linux(tmp_path: Path) -> None:
    ended = run_natively(script(sys.executable, "sched.py", "1", "5")(), tmp_path)

    # The hourly job may have its hour within these five seconds.
    assert ended.stdout.startswith("{'schedule': 5, 'interval': 5, 'cron': "), ended.stderr


def test_schedulers_for_a_day(tmp_path: Path) -> None:
    ended = run_virtually(script(sys.executable, "sched.py", "60", "86400")(), tmp_path, AT_HALF_PAST)

    assert ended.stdout == "{'schedule': 1440, 'interval': 1440, 'cron': 24}\n", ended.stderr


@pytest.mark.slow
def test_node_cron_for_a_day(tmp_path: Path) -> None:
    """It looks once a second, each time a little later: at a full minute the day would end before its last look."""
    node = ["env", f"NODE_PATH={ROOT}/build/node/node_modules", "node", str(CLIENTS / "nodecron.js"), "86400"]
    ended = run_virtually(node, tmp_path, ["--start", "2026-01-01 00:00:30"])

    assert ended.stdout == "minutes 1440\n", ended.stderr
    assert ended.status == 0


def redis(runner: Callable[..., Ended], unit: str, tmp_path: Path) -> Ended:
    """It wakes ten times in each of three hours: 100,000 times."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["env", f"PORT={port}", "bash", str(CLIENTS / "daemons.sh"), "redis", str(tmp_path / "data"), unit]
    return runner(command, tmp_path, limit_s=120 * PATIENCE)


def test_redis_on_linux(tmp_path: Path) -> None:
    ended = redis(run_natively, "0.4", tmp_path)

    assert ended.stdout == expected_of("redis"), ended.stderr
    assert ended.status == 0


def test_redis_forgets_a_key_after_its_hour(tmp_path: Path) -> None:
    """A key set with `px` of an hour is there at once and gone after 1.5 hours; blpop waits for half an hour."""
    ended = redis(run_virtually, "1800", tmp_path)

    assert ended.stdout == expected_of("redis"), ended.stderr
    assert ended.status == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a crontab of its own")
def test_cron_for_an_hour(tmp_path: Path) -> None:
    """Debian's cron wakes a second after each full minute, to be sure that it has begun; SIGTERM ends it."""
    out = tmp_path / "out"
    out.mkdir()
    start = ("--start", "2026-01-01 00:00:30")
    ended = run_virtually(["bash", str(CLIENTS / "cron.sh"), str(out), "60"], tmp_path, start)

    first = 1767225601  # a second after midnight
    assert ended.status == 143, ended.stderr
    assert seconds_in(out / "every") == [first + 60 * minute for minute in range(1, 61)]
    assert seconds_in(out / "quarter") == [first + 900 * quarter for quarter in range(1, 5)]


def seconds_in(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().splitlines()]
