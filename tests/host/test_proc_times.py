"""proc(5): what /proc says of time is what the clocks of the run say."""

import os
from pathlib import Path

import pytest

from tests.programs.harness import run_virtually

UPTIME_AT_START = 1000
START_TIME = 21  # counted from 0, in /proc/PID/stat


def printed(script: str, directory: Path, *options: str) -> str:
    ended = run_virtually(["bash", "-c", script], directory, options)
    assert (ended.stderr, ended.status) == ("", 0)
    return ended.stdout


def test_uptime_goes_on_with_the_clock(tmp_path: Path) -> None:
    script = "read before x < /proc/uptime; sleep 1h; read after x < /proc/uptime; echo $((${after%.*} - ${before%.*}))"

    assert printed(script, tmp_path) == "3600\n"


def test_the_system_has_booted_before_the_run_and_again_when_the_clock_is_set(tmp_path: Path) -> None:
    """btime: when CLOCK_BOOTTIME was 0, on CLOCK_REALTIME."""
    script = "grep btime /proc/stat; sleep 2h; grep btime /proc/stat; grep -c ^cpu /proc/stat"
    stats = printed(script, tmp_path, "--start", "@1000000", "--at", "1h:jump=+1d").splitlines()

    assert stats[:2] == [f"btime {1_000_000 - UPTIME_AT_START}", f"btime {1_000_000 - UPTIME_AT_START + 86_400}"]
    assert int(stats[2]) >= 2


def test_a_process_has_started_when_it_was_made(tmp_path: Path) -> None:
    """In ticks of 10 ms since the boot; a program's name may look like fields."""
    script = (
        "cp /bin/sleep 'a ) b'; sleep 1h; './a ) b' 1d & sleep 1h; "
        "for pid in $$ $!; do read -r stat < /proc/$pid/stat; set -- ${stat##*) }; echo ${20} $(( $# + 2 )); done; "
        "kill $!"
    )
    fields = len(Path("/proc/self/stat").read_text().rpartition(") ")[2].split()) + 2

    assert printed(script, tmp_path) == f"{100 * UPTIME_AT_START} {fields}\n{100 * (UPTIME_AT_START + 3600)} {fields}\n"


def test_ones_own_process_has_started_too(tmp_path: Path) -> None:
    started = printed("sleep 1h; cat /proc/self/stat; true", tmp_path).split()[START_TIME]

    assert started == str(100 * (UPTIME_AT_START + 3600))


def test_a_process_outside_was_there_from_the_boot_on(tmp_path: Path) -> None:
    assert printed(f"cat /proc/{os.getpid()}/stat", tmp_path).rpartition(") ")[2].split()[START_TIME - 2] == "0"


def test_ps_tells_how_long_a_process_runs(tmp_path: Path) -> None:
    script = "sleep 1d & sleep 2h; ps -o etimes=,lstart= -p $!; kill $!"

    assert printed(script, tmp_path).split() == ["7200", "Thu", "Jan", "1", "00:00:00", "2026"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_may_see_less_than_we_sees_what_linux_shows(tmp_path: Path) -> None:
    script = "setpriv --reuid 65534 --clear-groups cat /proc/self/stat"
    started = int(printed(script, tmp_path).split()[START_TIME])

    assert started != 100 * UPTIME_AT_START
    assert started / os.sysconf("SC_CLK_TCK") <= float(Path("/proc/uptime").read_text().split()[0])


def test_states_are_those_of_the_run(tmp_path: Path) -> None:
    """proc_pid_stat(5): stops are virtual, and whoever reads its own state runs."""
    script = (
        "state() { read -r stat < /proc/$1/stat; set -- ${stat##*) }; echo $1; }; "
        "sleep 1d & sleep 1; state $$; state $!; kill -STOP $!; state $!; grep State /proc/$!/status; "
        "kill -CONT $!; sleep 1; state $!; grep State /proc/self/status; kill -KILL $!"
    )

    assert printed(script, tmp_path).split("\n") == [
        "R",
        "S",
        "T",
        "State:\tT (stopped)",
        "S",
        "State:\tR (running)",
        "",
    ]
