"""GLib's tests of its main loop, as Debian packages them; libuv's, built from Debian's source package."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from suites import sources
from suites.model import ANSWERED_FROM_OUTSIDE, END, NOT_RUN, SPINS, Difference, Family, Piece, Ran, Verdicts
from suites.running import BUILD

FOLDER = BUILD / "libraries"
GLIB = Path("/usr/libexec/installed-tests/glib")
GLIB_PROGRAMS = [
    *("mainloop", "timeout", "timer", "unix", "thread", "thread-pool", "cond", "mutex", "rec-mutex", "rwlock"),
    *("asyncqueue", "once", "onceinit", "bitlock", "1bit-mutex", "spawn-multithreaded", "spawn-singlethread"),
    *("spawn-test", "io-channel", "cancellable", "pollable", "contexts", "task", "gsubprocess", "socket", "unix-fd"),
    *("unix-streams", "live-g-file", "sleepy-stream", "async-close-output-stream", "socket-service", "socket-listener"),
]
LIBUV = "libuv1"
TAP = re.compile(r"^(not )?ok \d+ (?:- )?([^#\n]*?) *(?:# *(SKIP)?.*)?$", re.MULTILINE | re.IGNORECASE)
# libuv's tests do not run as root without it.
AS_ROOT = {"UV_RUN_AS_ROOT": "1"}
# They poll without waiting for a second or two.
LIBUV_SPINS = ("tcp_write_ready", "udp_send_unreachable")
REFUSED = Difference(
    "failed",
    "passed",
    "It gives up a connect to the internet after 1 or 50 ms: of real time natively, where networks may refuse first.",
    sometimes=True,
)
DIFFERENCES = {f"libuv {test}": REFUSED for test in ("tcp_close_while_connecting", "tcp_connect_timeout")}


def prepare() -> None:
    """Build the tests of libuv; quick when that was done."""
    if _libuv().exists():
        return
    build = _libuv().parent
    build.mkdir(parents=True, exist_ok=True)
    source = str(sources.unpacked(LIBUV))
    sources.run(["cmake", "-S", source, "-B", str(build), "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_TESTING=ON"], build)
    jobs = str(os.cpu_count())
    sources.run(["cmake", "--build", str(build), "--parallel", jobs, "--target", _libuv().name], build)


def _libuv() -> Path:
    return FOLDER / LIBUV / "uv_run_tests_a"


def pieces() -> list[Piece]:
    glib = [Piece("GLib", f"glib-{name}", (str(GLIB / name), "--tap"), read_tap, limit_s=900) for name in GLIB_PROGRAMS]
    return [*glib, *_libuv_pieces()]


def _libuv_pieces() -> list[Piece]:
    """Its tests, one process each, in few runs: or most of the time would go to the start of tickless."""
    listed = subprocess.run([str(_libuv()), "--list"], check=True, capture_output=True, text=True, env=AS_ROOT).stdout
    tests = [line.split()[0] for line in listed.splitlines()]  # what helps them comes behind the name
    named = [test for test in tests if "getaddrinfo" in test]
    others = [test for test in tests if test not in (*named, *LIBUV_SPINS)]
    return [
        _libuv_tests("libuv", others),
        _libuv_tests("libuv-getaddrinfo", named, ANSWERED_FROM_OUTSIDE),
        _libuv_tests("libuv-spins", LIBUV_SPINS, SPINS),
    ]


def _libuv_tests(name: str, tests: Sequence[str], *options: str) -> Piece:
    folder = ("env", f"--chdir={sources.unpacked(LIBUV)}")  # where they look for their files
    script = f'for test in {" ".join(tests)}; do "$0" $test; done; exit 0'
    return Piece("libuv", name, ("sh", "-c", script, str(_libuv())), read_tap, 300, folder, AS_ROOT, options)


def read_tap(ran: Ran) -> Verdicts:
    """Lines of `ok` and `not ok`. testanything.org"""
    verdicts = {
        case: "failed" if not_ok else "skipped" if skip else "passed" for not_ok, case, skip in TAP.findall(ran.log)
    }
    return {END: ran.end if verdicts or ran.end != "passed" else NOT_RUN, **verdicts}


NOTES = (
    f"libuv's `{'` and `'.join(LIBUV_SPINS)}` with `{SPINS}`: they poll without waiting for a second or two.",
    f"libuv's tests of `getaddrinfo` with `{ANSWERED_FROM_OUTSIDE}`: a name server answers in real time.",
)
FAMILY = Family("libraries", ("libglib2.0-tests", *sources.PACKAGES), pieces, DIFFERENCES, prepare, NOTES)
