"""GLib's tests of its main loop, as Debian packages them; libuv's and libevent's, built from Debian's source packages.

libev's source package holds no tests.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

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
LIBEVENT = "libevent"
NO_SAMPLES = tuple(f"-DEVENT__DISABLE_{what}=ON" for what in ("OPENSSL", "BENCHMARK", "SAMPLES"))
TAP = re.compile(r"^(not )?ok \d+ (?:- )?([^#\n]*?) *(# *SKIP.*)?$", re.MULTILINE | re.IGNORECASE)
TINYTEST = re.compile(r"^(\S+/\S+): (?:\[forking\] )?.*?(OK|SKIPPED|DISABLED|FAILED|\[FAILED\])$", re.MULTILINE)
SOURCES = Path("/etc/apt/sources.list.d/tickless-suites.sources")
# libuv's tests do not run as root without it.
AS_ROOT = {"UV_RUN_AS_ROOT": "1"}
# They poll without waiting for a second or two.
LIBUV_SPINS = ("tcp_write_ready", "udp_send_unreachable")
DIFFERENCES: dict[str, Difference] = {}


def prepare() -> None:
    """Build the tests of libuv and libevent; quick when that was done."""
    if not _libuv().exists():
        _build(LIBUV, "uv_run_tests_a", "-DBUILD_TESTING=ON")
    if not _regress().exists():
        _build(LIBEVENT, "regress", "-DEVENT__LIBRARY_TYPE=STATIC", *NO_SAMPLES)


def _libuv() -> Path:
    return FOLDER / LIBUV / "uv_run_tests_a"


def _regress() -> Path:
    return FOLDER / LIBEVENT / "bin" / "regress"


def _build(package: str, target: str, *options: str) -> None:
    """Fetch a source package and build a target of it in a folder of its name."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    _enable_sources()
    _run(["apt-get", "-qq", "source", package], FOLDER)
    build = FOLDER / package
    _run(["cmake", "-S", str(_source(package)), "-B", str(build), "-DCMAKE_BUILD_TYPE=Release", *options], FOLDER)
    _run(["cmake", "--build", str(build), "--parallel", str(os.cpu_count()), "--target", target], FOLDER)


def _source(package: str) -> Path:
    (folder,) = (path for path in FOLDER.glob(f"{package}-*") if path.is_dir())
    return folder


def _enable_sources() -> None:
    """A list of its own, so that it can be taken away again."""
    if SOURCES.exists():
        return
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    SOURCES.write_text(
        "Types: deb-src\nURIs: http://deb.debian.org/debian\n"
        f"Suites: {release['VERSION_CODENAME']}\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    _run(["apt-get", "-qq", "update"], FOLDER)


def _run(command: Sequence[str], folder: Path) -> None:
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def pieces() -> list[Piece]:
    glib = [Piece("GLib", f"glib-{name}", (str(GLIB / name), "--tap"), read_tap) for name in GLIB_PROGRAMS]
    libevent = Piece("libevent", "libevent", (str(_regress()), "--no-fork"), read_tinytest, limit_s=600)
    return [*glib, libevent, *_libuv_pieces()]


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
    folder = ("env", f"--chdir={_source(LIBUV)}")  # where they look for their files
    script = f'for test in {" ".join(tests)}; do "$0" $test; done; exit 0'
    return Piece("libuv", name, ("sh", "-c", script, str(_libuv())), read_tap, 300, folder, AS_ROOT, options)


def read_tap(ran: Ran) -> Verdicts:
    """Lines of `ok` and `not ok`. testanything.org"""
    verdicts = {
        case: "failed" if not_ok else "skipped" if skip else "passed" for not_ok, case, skip in TAP.findall(ran.log)
    }
    return {END: _end(ran, verdicts), **verdicts}


def read_tinytest(ran: Ran) -> Verdicts:
    """Lines of `GROUP/TEST: OK`, or another word."""
    words = {"OK": "passed", "SKIPPED": "skipped", "DISABLED": "skipped"}
    verdicts = {case: words.get(word, "failed") for case, word in TINYTEST.findall(ran.log)}
    return {END: _end(ran, verdicts), **verdicts}


def _end(ran: Ran, verdicts: Verdicts) -> str:
    return ran.end if verdicts or ran.end != "passed" else NOT_RUN


PACKAGES = ("libglib2.0-tests", "cmake", "dpkg-dev", "gcc", "make")
NOTES = (
    f"libuv's `{'` and `'.join(LIBUV_SPINS)}` with `{SPINS}`: they poll without waiting for a second or two.",
    f"libuv's tests of `getaddrinfo` with `{ANSWERED_FROM_OUTSIDE}`: a name server answers in real time.",
)
FAMILY = Family("libraries", PACKAGES, pieces, DIFFERENCES, prepare, NOTES)
