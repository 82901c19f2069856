"""trio's, anyio's and uvloop's own tests, from PyPI, in an environment of their own.

trio brings its tests along; those of the others are in their source packages, and are run against what is installed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from suites.model import ANSWERED_FROM_OUTSIDE, Difference, Family, Piece, cases_of_lines
from suites.running import BUILD

FOLDER = BUILD / "python"
PYTHON = FOLDER / "bin" / "python"
REPORTERS = Path(__file__).parent / "reporters"
TESTED = {"trio": "0.35.0", "anyio": "4.16.0", "uvloop": "0.23.0"}
# What their tests need.
NEEDED = (
    *("pytest>=8.2,<9", "pytest-mock", "trustme", "pyopenssl", "psutil", "hypothesis", "blockbuster", "truststore"),
    *("aiohttp", "astor", "jedi", "exceptiongroup"),
)
PLUGINS = {"trio": ("-p", "trio._tests.pytest_plugin")}
THREE_SECONDS = Difference(
    "failed",
    "passed",
    "It gives another pytest three seconds to start and to end: of real time natively.",
    sometimes=True,
)
ONE_SECOND = Difference(
    "failed", "passed", "It has a second of real time to cancel its sending before the server closes.", sometimes=True
)
DIFFERENCES = {
    "uvloop/tests/test_sockets.py tests/test_sockets.py::TestUVSockets::test_socket_cancel_sock_sendall": ONE_SECOND,
    **{
        f"anyio/tests/test_pytest_plugin.py tests/anyio/tests/test_pytest_plugin.py::{case}": THREE_SECONDS
        for case in (
            "test_keyboardinterrupt_during_test[asyncio]",
            "test_keyboardinterrupt_during_test[trio]",
            "test_dynamic_async_fixture_access_does_not_hang",
        )
    },
}


def prepare() -> None:
    """Make the environment, and unpack the tests; quick when that was done."""
    done = FOLDER / "prepared"
    wanted = [f"{name}=={version}" for name, version in TESTED.items()]
    if done.exists() and done.read_text() == " ".join(wanted):
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(FOLDER)])
    _pip("install", *wanted, *NEEDED)
    for name in ("anyio", "uvloop"):
        _pip("download", "--no-deps", "--no-binary", name, "--dest", str(FOLDER / "sources"), f"{name}=={TESTED[name]}")
        _unpack_tests(FOLDER / "sources" / f"{name}-{TESTED[name]}.tar.gz", name)
    (FOLDER / "pytest.ini").write_text("[pytest]\n")  # or trio's tests would find the options of ours
    done.write_text(" ".join(wanted))


def _unpack_tests(archive: Path, name: str) -> None:
    """Only those: beside the sources the tests would find these, and not what is installed."""
    folder = FOLDER / "tests" / name
    inside = f"{name}-{TESTED[name]}"
    with tarfile.open(archive) as opened:
        members = [each for each in opened.getmembers() if each.name.startswith((f"{inside}/tests/", f"{inside}/py"))]
        opened.extractall(folder, members=members, filter="data")
    for found in (folder / inside).iterdir():
        found.rename(folder / found.name)


def _pip(*arguments: str) -> None:
    _run([str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments])


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def pieces() -> list[Piece]:
    (installed,) = FOLDER.glob("lib/python*/site-packages/trio")
    return [
        *_pieces("trio", installed, ["_core/_tests", "_tests"]),
        *_pieces("anyio", FOLDER / "tests" / "anyio", ["tests", "tests/streams"]),
        *_pieces("uvloop", FOLDER / "tests" / "uvloop", ["tests"]),
    ]


def _pieces(suite: str, root: Path, folders: Sequence[str]) -> list[Piece]:
    files = [file for folder in folders for file in sorted((root / folder).glob("test_*.py"))]
    return [_piece(suite, file, f"{suite}/{file.relative_to(root)}") for file in files]


def _piece(suite: str, file: Path, name: str) -> Piece:
    options = ("-q", "-p", "pytest_lines", "-p", "no:cacheprovider", *PLUGINS.get(suite, ()))
    environment = {"PYTHONPATH": str(REPORTERS)}
    command = (str(PYTHON), "-m", "pytest", *options, str(file))
    grace = (ANSWERED_FROM_OUTSIDE,) if file.stem == "test_dns" else ()
    return Piece(suite, name, command, cases_of_lines, limit_s=600, environment=environment, options=grace)


NOTES = (f"uvloop's `test_dns.py` with `{ANSWERED_FROM_OUTSIDE}`: a name server answers in real time.",)
FAMILY = Family("pypi", ("python3-venv",), pieces, DIFFERENCES, prepare, NOTES)
