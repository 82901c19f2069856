"""What suites print is read: each case and what it came to."""

from __future__ import annotations

from pathlib import Path

import pytest

from suites import libev, libevent, libraries, redis
from suites.model import END, NOT_RUN, Ran, Reader, Verdicts

TAP = "1..5\nok 1 /loop/waits\nnot ok 2 - wakes\nok 3 - stays # SKIP no time\n# ok 4\nok 5 by name # a remark\n"
NUMBERS = "1..3\nok 1\nok 2 # t0 11 >= 12\nnot ok 3\n"
TINYTEST = """\
main/waits: [forking] OK
dns/resolves: [forking]\x20
  FAIL regress_dns.c:7: assert(ok)
  [resolves FAILED]
util/prints: [warn] SKIPPED a line
OK
http/retries: DISABLED
et/begins: [forking]\x20
"""
REDIS = """\
[\x1b[0;32;49mok\x1b[0m]: AUTH (really) works (12 ms)
[\x1b[0;31;49merr\x1b[0m]: It fails in tests/unit/auth.tcl
[ignore]: Not here
[ok]: Set #2 to replicate from #3 (x = 116937) (1 ms)
[ok]: Twice (1 ms)
[exception]: Twice
"""
SENTINEL = """\
14:46:11> (init) Create 5: instances: \x1b[0;32;49mOK\x1b[0m
14:46:12> New master 127.0.0.1:30004 role matches: \x1b[0;32;49mOK\x1b[0m
14:46:14> Failover works: FAILED: 1 == 2
14:46:15> It is told: expected condition
OK
"""


@pytest.mark.parametrize(
    ("read", "log", "verdicts"),
    [
        (
            libraries.read_tap,
            TAP,
            {"/loop/waits": "passed", "wakes": "failed", "stays": "skipped", "by name": "passed"},
        ),
        (libev.read, NUMBERS, {"1": "passed", "2": "passed", "3": "failed"}),
        (
            libevent.read,
            TINYTEST,
            {
                "main/waits": "passed",
                "dns/resolves": "failed",
                "util/prints": "passed",
                "http/retries": "skipped",
                "et/begins": "died",
            },
        ),
        (
            redis.read,
            REDIS,
            {
                "AUTH (really) works": "passed",
                "It fails": "failed",
                "Not here": "skipped",
                "Set N to replicate from N (x = N)": "passed",
                "Twice": "failed",
            },
        ),
        (
            redis.read_timed,
            SENTINEL,
            {
                "(init) Create 5: instances": "passed",
                "New master N role matches": "passed",
                "Failover works": "failed",
                "It is told": "failed",
            },
        ),
    ],
    ids=["TAP", "numbers", "tinytest", "redis", "sentinel"],
)
def test_cases_are_read(read: Reader, log: str, verdicts: Verdicts, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(log)

    assert read(Ran(tmp_path, 0, False, 1.0)) == {END: "passed", **verdicts}


@pytest.mark.parametrize("read", [libraries.read_tap, libev.read, libevent.read, redis.read, redis.read_timed])
def test_a_log_without_a_case_is_told(read: Reader, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("cannot open shared object\n")

    assert read(Ran(tmp_path, 127, False, 1.0)) == {END: NOT_RUN}
