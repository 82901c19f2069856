"""`--file-times virtual`: stat tells when files were changed by the virtual clock."""

import os
import sys
import time
from pathlib import Path

import pytest

from tests.programs.build import HERE
from tests.programs.file_times.changes import WAYS
from tests.programs.harness import run_virtually

CHANGES = [sys.executable, "-S", str(HERE / "file_times" / "changes.py")]
VIRTUAL = ["--file-times", "virtual"]
NEW_YEAR = 1767225600


def test_every_change_has_its_virtual_time(tmp_path: Path) -> None:
    ended = run_virtually([*CHANGES, *WAYS], tmp_path, VIRTUAL)

    assert ended.status == 0, ended.stderr
    ages = {way: [float(age) for age in seen] for way, *seen in map(str.split, ended.stdout.splitlines())}
    assert list(ages) == list(WAYS)
    wrong = {
        way: seen
        for way, seen in ages.items()
        if [round(age) for age in seen] != [0] * (len(seen) // 2) + [60] * (len(seen) // 2) or min(seen) < 0
    }
    assert wrong == {}


def shell(script: str, tmp_path: Path, *options: str) -> str:
    ended = run_virtually(["sh", "-c", script], tmp_path, options)
    assert ended.status == 0, ended.stderr
    return ended.stdout


def test_without_the_option_they_are_the_hosts(tmp_path: Path) -> None:
    before = time.time()

    told = int(shell("sleep 1h; touch file; stat -c %Y file", tmp_path))

    assert before - 1 <= told <= time.time()


def test_birth_change_and_access_are_told_too(tmp_path: Path) -> None:
    told = shell("sleep 1h; echo > file; sleep 1h; chmod 600 file; stat -c '%W %X %Z' file", tmp_path, *VIRTUAL)

    assert told == f"{NEW_YEAR + 3600} {NEW_YEAR + 3600} {NEW_YEAR + 7200}\n"


def test_times_that_the_program_gives_are_kept(tmp_path: Path) -> None:
    script = "touch -d 2025-06-01T12:00Z old; sleep 1d; touch new; touch -r new copied; stat -c %Y old new copied"

    told = shell(script, tmp_path, *VIRTUAL)

    assert told.split() == ["1748779200", *2 * [str(NEW_YEAR + 86400)]]


def test_files_from_before_the_run_are_as_old_as_they_are(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.touch()
    os.utime(old, (NEW_YEAR, NEW_YEAR))

    assert shell(f"sleep 1h; stat -c %Y {old}", tmp_path, *VIRTUAL) == f"{NEW_YEAR}\n"


def test_the_files_keep_the_hosts_times(tmp_path: Path) -> None:
    before = time.time()

    shell("sleep 1h; echo > file", tmp_path, *VIRTUAL)

    assert before - 1 <= (tmp_path / "virtual" / "file").stat().st_mtime <= time.time()


def test_a_step_of_the_clock_parts_what_was_changed_before_and_after(tmp_path: Path) -> None:
    script = "touch before; sleep 1h; touch after; stat -c %Y before after"

    told = shell(script, tmp_path, *VIRTUAL, "--at", "30min:jump=+1d")

    assert told.split() == [str(NEW_YEAR), str(NEW_YEAR + 3600 + 86400)]


def test_the_clock_set_by_the_program_counts(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may set the clock")
    script = "touch before; date -s '2026-02-01 00:00:00 UTC' > date; touch after; stat -c %Y before after"

    told = shell(script, tmp_path, *VIRTUAL)

    assert told.split() == [str(NEW_YEAR), str(NEW_YEAR + 31 * 86400)]


def test_at_a_pace_the_time_goes_on_while_files_are_changed(tmp_path: Path) -> None:
    script = "sleep 30; touch first; sleep 30; touch second; stat -c %Y first second"

    first, second = map(int, shell(script, tmp_path, *VIRTUAL, "--clock", "x60").split())

    assert 28 <= second - first <= 60  # to a tick of Linux, at most 10 ms: 0.6 s here


def test_the_trace_shows_the_calls_and_is_the_same_again(tmp_path: Path) -> None:
    script = "sleep 1h; echo > file; stat -c %y file; rm file"
    traces = []
    for turn in ("first", "second"):
        folder = tmp_path / turn
        folder.mkdir()
        shell(script, folder, *VIRTUAL, "-o", str(folder / "trace"))
        traces.append((folder / "trace").read_text())

    assert traces[0] == traces[1]
    assert "unlinkat(" in traces[0]
