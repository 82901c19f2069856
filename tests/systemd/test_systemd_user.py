"""systemd --user, unmodified: its timers, restarts and watchdogs happen at the instants that its own rules give.

The manager and its services run in namespaces of their own. The units in `units` are for 12 s, natively as well; those
in `units-day` for a day.
"""

import os
import re
import shlex
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from tests.programs.build import ROOT, compile_c
from tests.programs.harness import TICKLESS, Ended, run, run_virtually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and cgroups are root's to make"),
]

HERE = Path(__file__).parent
OWN_CGROUP = ROOT / "examples" / "systemd" / "own_cgroup.sh"
SECOND = 1_000_000  # libsystemd counts in us, and so do we here
MS = 1_000
NOBODY = 65534
START = 1_767_225_600 * SECOND  # 2026-01-01 00:00:00 UTC, CLOCK_REALTIME when a run begins
# What libsystemd may let a timer be late by, unless it is told otherwise: sd_event_add_time(3).
ACCURACY = 250 * MS
# How long it may take from there until a service writes its time: what calls cost.
COST = 1 * MS
# The same for what is started with the manager, which looks around on this machine before.
START_COST = 2 * MS


def systemd_user(units: str, folder: Path, *prefix: str, user: int = 0, limit_s: float = 60) -> tuple[Ended, str]:
    """Run the manager on a terminal, in the new `folder`: how it ended, and its log."""
    out = folder / "out"
    manager = ["bash", OWN_CGROUP, "bash", HERE / "systemd_user.sh"]
    command = [*manager, HERE / units, out, compile_c(HERE / "notifyd.c"), user, *prefix]
    folder.mkdir()
    out.mkdir()
    line = shlex.join(map(str, command))
    ended = run(["script", "--quiet", "--flush", "--return", "--command", line, "log"], folder / "run", limit_s=limit_s)
    return ended, ended.stdout.replace("\r", "")


def virtually(units: str, folder: Path, *options: str, limit_s: float = 60) -> tuple[Ended, str]:
    return systemd_user(units, folder, TICKLESS, "run", "--quiet", *options, "--", limit_s=limit_s)


def as_nobody(units: str, folder: Path, *options: str) -> tuple[Ended, str]:
    """`virtually`, as an ordinary user who has the cgroup."""
    command = (sys.executable, str(HERE.parent / "stress" / "ordinary.py"), "run", "--quiet")
    return systemd_user(units, folder, *command, *options, "--", user=NOBODY)


def instants(folder: Path, name: str, start: int = START) -> list[int]:
    """The times that a service has written, since the start."""
    return [int(line.replace(".", "")) - start for line in (folder / "out" / name).read_text().splitlines()]


def by_unit(log: str) -> list[str]:
    """A log's lines, unit by unit, without what differs from run to run on Linux: pids, and when the start was over."""
    lines = re.sub(r"process \d+|Startup finished in .*\n", "", log).splitlines()
    return sorted(lines, key=lambda line: line.partition(":")[0])


@pytest.fixture
def stagger(tmp_path: Path) -> int:
    """Where in a period of 250 ms the managers of this boot wake up: sd-event's initialize_perturb()."""
    (tmp_path / "boot").mkdir()
    boot = UUID(run_virtually(["cat", "/proc/sys/kernel/random/boot_id"], tmp_path / "boot").stdout.strip()).bytes
    mixed = int.from_bytes(boot[:8], "little") ^ int.from_bytes(boot[8:], "little")
    return mixed % (60 * SECOND) % ACCURACY


def wake_up(earliest: int, stagger: int) -> int:
    """When a timer fires that is due a little after `earliest`. sd-event's sleep_between()."""
    return ((earliest - stagger) // ACCURACY + 1) * ACCURACY + stagger


def assert_instants(actual: list[int], expected: list[int]) -> None:
    assert len(actual) == len(expected)
    late = [there - due for there, due in zip(actual, expected, strict=True)]
    assert all(0 <= each < COST for each in late), (actual, expected)


@pytest.mark.parametrize(
    ("units", "told", "last_words"),
    [
        ("units", "probe", "wd.service: Start request repeated too quickly."),
        ("units-more", "drive", "stubborn.service: Failed with result 'timeout'."),
    ],
)
def test_the_manager_logs_the_same_as_on_linux(units: str, told: str, last_words: str, tmp_path: Path) -> None:
    """Failures, restarts, watchdogs, start limits; sockets, paths, time-outs; and what systemctl shows of them."""
    native, native_log = systemd_user(units, tmp_path / "native", "timeout", "--preserve-status", "-s", "TERM", "12")
    virtual, virtual_log = virtually(units, tmp_path / "virtual", "--at=12s:SIGTERM", "--until=1h")
    outputs = [(tmp_path / folder / "out" / told).read_text() for folder in ("native", "virtual")]

    assert last_words in native_log
    assert by_unit(virtual_log) == by_unit(native_log)
    assert outputs[0] == outputs[1]
    assert (native.status, virtual.status) == (0, 0)


@pytest.mark.parametrize("run_manager", [virtually, as_nobody], ids=["root", "ordinary user"])
def test_timers_restarts_and_watchdogs_are_on_time(
    run_manager: Callable[..., tuple[Ended, str]], tmp_path: Path, stagger: int
) -> None:
    """The clock is where the rules say: what calls cost is all that is added."""
    folder = tmp_path / "run"
    ended, _ = run_manager("units", folder, "--at=12s:SIGTERM", "--until=1h")
    assert ended.status == 0
    flaky, watchdog, tick = (instants(folder, name) for name in ("flaky", "wd", "tick"))

    # Started with the manager, and RestartSec=700ms after each failure.
    second = wake_up(700 * MS, stagger)
    assert 0 <= flaky[0] < START_COST
    assert_instants(flaky[1:], [second, wake_up(second + 700 * MS, stagger)])
    # Three keep-alives at 0.5 s and WatchdogSec=1s; again RestartSec=500ms after that.
    killed = wake_up(2500 * MS, stagger)
    assert_instants(watchdog, [killed, wake_up(wake_up(killed + 500 * MS, stagger) + 2500 * MS, stagger)])
    # OnActiveSec=1s, OnUnitActiveSec=2s, AccuracySec=1ms: at the end of that window.
    assert_instants(tick, [1001 * MS, *(before + 2001 * MS for before in tick[:5])])


def test_a_run_repeats_itself(tmp_path: Path) -> None:
    """Though the host tells late, and in real time, that a cgroup is empty: cgroups(7)."""
    traces = []
    for name in ("one", "two"):
        trace = tmp_path / f"{name}.trace"
        virtually("units", tmp_path / name, "--at=12s:SIGTERM", "--until=1h", "-o", str(trace))
        traces.append(trace.read_text().replace(f"/{name}/", "/"))

    assert traces[0] == traces[1]


@pytest.mark.parametrize("step", ["jump=+1h", "jump=-1h", "suspend=1h"])
def test_a_step_of_the_clock_is_told_once(step: str, tmp_path: Path) -> None:
    """OnClockChange=: a timerfd with TFD_TIMER_CANCEL_ON_SET. timerfd_create(2)."""
    virtually("units-more", tmp_path / "stepped", f"--at=9s:{step}", "--at=12s:SIGTERM", "--until=3h")
    virtually("units-more", tmp_path / "steady", "--at=12s:SIGTERM", "--until=3h")
    told = tmp_path / "stepped" / "out" / "clockchange"

    assert told.read_text() == "changed\n"
    assert not (tmp_path / "steady" / "out" / "clockchange").exists()


@pytest.mark.parametrize(
    ("step", "hours"),
    [
        # After three hours that were left out: once for all of them.
        ("jump=+3h", [1, 2, 3, 4, 5, 6, 9.5, 10, 11]),
        # Three hours for the second time.
        ("jump=-3h", [1, 2, 3, 4, 5, 6, 4, 5]),
        # On waking up, for the two hours that were slept through.
        ("suspend=2h", [1, 2, 3, 4, 5, 6, 8.5, 9, 10]),
    ],
)
def test_calendars_follow_the_clock_and_spans_do_not(step: str, hours: list[float], tmp_path: Path) -> None:
    """A step after six hours of units-day, which started at half past midnight."""
    options = ("--start=2026-01-01 00:30:00", f"--at=6h:{step}", "--at=8h10min:SIGTERM", "--until=12h")
    virtually("units-day", tmp_path / "day", *options, limit_s=120)
    hourly, quarter = (instants(tmp_path / "day", name) for name in ("hourly", "quarter"))
    gaps = [after - before for before, after in pairwise(quarter)]

    assert [round(each / SECOND / 360) / 10 for each in hourly] == hours
    # OnUnitActiveSec= counts CLOCK_MONOTONIC.
    assert len(quarter) == 32
    assert [gap // (900 * SECOND) for gap in gaps].count(1) == len(gaps) - 1


def test_a_day_of_timers(tmp_path: Path, stagger: int) -> None:
    """From 00:30 to 00:29: calendar timers, a monotonic one, a random delay, a service that hangs three times."""
    folder = tmp_path / "day"
    options = ("--start=2026-01-01 00:30:00", "--at=23h59min:SIGTERM", "--until=1d")
    ended, log = virtually("units-day", folder, *options, limit_s=250)
    hourly, nightly, quarter, lazy, watchdog = (
        instants(folder, name, START + 1800 * SECOND) for name in ("hourly", "nightly", "quarter", "lazy", "wd")
    )

    assert ended.status == 0
    # OnCalendar=, AccuracySec=1ms.
    assert_instants(hourly, [(1800 + 3600 * hour) * SECOND + MS for hour in range(24)])
    assert_instants(nightly, [7200 * SECOND + MS])
    # OnUnitActiveSec=15min, AccuracySec=1ms: earlier in that window where the manager is awake for another.
    gaps = [after - before - 900 * SECOND for before, after in pairwise(quarter)]
    assert_instants(quarter[:1], [900 * SECOND + MS])
    assert len(gaps) == 94
    assert all(0 <= gap < MS + COST for gap in gaps), gaps
    # OnCalendar=*:0/10, RandomizedDelaySec=5min, AccuracySec=1min: once in each 10 minutes, in the first 6 of them.
    slots, places = zip(*(divmod(each + 1800 * SECOND, 600 * SECOND) for each in lazy), strict=True)
    assert list(slots) == list(range(slots[0], 147))
    assert max(places) < 360 * SECOND
    # 100 keep-alives at 15 s and WatchdogSec=30s; RestartSec=10min after that, until it has failed too often.
    expected = [wake_up(1530 * SECOND, stagger)]
    for _ in range(2):
        expected.append(wake_up(wake_up(expected[-1] + 600 * SECOND, stagger) + 1530 * SECOND, stagger))
    assert_instants(watchdog, expected)
    assert "wd30.service: Start request repeated too quickly." in log
