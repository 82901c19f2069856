"""lease.py through days, by pytest: each test takes about a second."""

import json
import subprocess
import sys
from pathlib import Path

LEASE = Path(__file__).with_name("lease.py")


def live(folder: Path, *options: str, command: str = 'exec "$0" "$1" .') -> tuple[list[str], dict[str, object]]:
    """Run the daemon in `folder` on a virtual clock: what it printed, and how the run ended."""
    report = folder / "report"
    tickless = ["tickless", "run", "--quiet", "--no-external", "--timeout", "60s", "--json", str(report), *options]
    shell = ["sh", "-c", command, sys.executable, str(LEASE)]
    ended = subprocess.run([*tickless, "--", *shell], cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
    return ended.stdout.splitlines(), json.loads(report.read_text())


def test_the_lease_is_renewed_at_half_its_time(tmp_path: Path) -> None:
    printed, _ = live(tmp_path, "--start", "2026-03-01", "--until", "1h 45min")

    assert printed == ["00:00:00 renewed", "00:30:00 renewed", "01:00:00 renewed", "01:30:00 renewed"]


def test_it_is_given_back_at_the_end(tmp_path: Path) -> None:
    printed, how = live(tmp_path, "--at", "10min:SIGTERM")

    assert printed[-1] == "00:10:00 given back"
    assert (how["outcome"], how["status"]) == ("exited", 0)
    assert not (tmp_path / "lease").exists()


def test_pauses_double_up_to_ten_minutes_until_it_works_again(tmp_path: Path) -> None:
    """The folder is missing for an hour: the shell makes it then, at a simulated time of its own."""
    printed, _ = live(tmp_path, "--until", "2h", command='(sleep 1h; mkdir late) & exec "$0" "$1" late')
    pauses = [int(line.split()[-2]) for line in printed if "next try" in line]

    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600, 600, 600]
    assert printed[len(pauses)] == "01:07:03 renewed"


def test_a_step_of_the_wall_clock_does_not_renew_it_early(tmp_path: Path) -> None:
    printed, _ = live(tmp_path, "--at", "10min:jump=+2h", "--until", "40min")

    assert printed == ["00:00:00 renewed", "02:30:00 renewed"]
