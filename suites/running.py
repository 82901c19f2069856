"""Run a piece, natively and under tickless, and compare case by case."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from suites.model import Piece, Ran, Verdicts

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "suites"
TICKLESS = ROOT / ".venv" / "bin" / "tickless"
# After its own --timeout tickless has this long to say who waited for what.
GRACE_S = 15
# A shell lets what it starts in the background ignore SIGINT, and the tests of it would wait for ever.
DEFAULT_SIGNALS = ("env", "--default-signal")


@dataclass(frozen=True)
class Compared:
    """What the cases of a piece came to, and how long it took."""

    piece: Piece
    natively: Verdicts
    under_tickless: Verdicts
    native_s: float
    tickless_s: float

    @property
    def cases(self) -> list[str]:
        return list({**self.natively, **self.under_tickless})

    def differing(self) -> dict[str, tuple[str, str]]:
        """The verdicts of cases that differ, by "PIECE CASE"; a case that was never reached is `missing`."""
        pairs = {case: (_of(self.natively, case), _of(self.under_tickless, case)) for case in self.cases}
        return {f"{self.piece.name} {case}": pair for case, pair in pairs.items() if pair[0] != pair[1]}


def compare(piece: Piece, folder: Path) -> Compared:
    native = run(piece, folder / "native", [])
    options = ["--quiet", f"--timeout={piece.limit_s:.0f}s", *piece.options]
    virtual = run(piece, folder / "tickless", [str(TICKLESS), "run", *options, "--"])
    return Compared(piece, piece.read(native), piece.read(virtual), native.real_s, virtual.real_s)


def run(piece: Piece, folder: Path, prefix: list[str]) -> Ran:
    """Run a piece with `prefix` before its command; what it leaves running is killed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # A short name: the address of a Unix socket has 107 bytes.
    home = tempfile.mkdtemp(prefix="suite-")
    started = time.monotonic()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*DEFAULT_SIGNALS, *piece.outside, *prefix, *piece.argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home,
            env=_environment(home, folder, piece.environment),
            start_new_session=True,
        )
        try:
            status = process.wait(piece.limit_s + (GRACE_S if prefix else 0))
            hung = bool(prefix) and status == 124
        except subprocess.TimeoutExpired:
            status, hung = -signal.SIGKILL, True
    took = time.monotonic() - started
    _kill_what_is_left(process, home)
    shutil.rmtree(home, ignore_errors=True)
    return Ran(folder, status, hung, took)


def _of(verdicts: Verdicts, case: str) -> str:
    return verdicts.get(case, "missing")


def _environment(home: str, folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """A small one, the same each time."""
    path = os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"
    own = {"PATH": path, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "REPORT": str(folder / "report")}
    return {**own, **more}


def _kill_what_is_left(process: subprocess.Popen[bytes], home: str) -> None:
    process.kill()
    process.wait()
    mark = f"HOME={home}\0".encode()
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            if mark in Path(f"/proc/{pid}/environ").read_bytes():
                os.kill(pid, signal.SIGKILL)
        except OSError:  # it has ended, or is not ours to look at
            continue
