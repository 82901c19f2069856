"""Runs real programs, natively and under tickless, and hands back what they printed and how they ended."""

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.programs.build import ROOT

TICKLESS = str(ROOT / ".venv" / "bin" / "tickless")
LIMIT_S = 60  # real seconds that a program may take


@dataclass(frozen=True)
class Ended:
    """A program that has ended."""

    stdout: str
    stderr: str
    status: int  # as subprocess gives it: -N for a death by signal N


def tickless(argv: Sequence[str], options: Sequence[str] = ()) -> list[str]:
    """The command that runs `argv` under tickless."""
    return [TICKLESS, "run", *options, "--", *argv]


def run_natively(argv: Sequence[str], directory: Path, *, limit_s: float = LIMIT_S) -> Ended:
    """Run `argv` in an empty folder below `directory`."""
    return run(list(argv), directory / "native", limit_s=limit_s)


def run_virtually(
    argv: Sequence[str], directory: Path, options: Sequence[str] = (), *, limit_s: float = LIMIT_S
) -> Ended:
    """Run `argv` under tickless in an empty folder below `directory`."""
    return run(tickless(argv, options), directory / "virtual", limit_s=limit_s)


def run(command: list[str], folder: Path, *, limit_s: float = LIMIT_S) -> Ended:
    """Run `command` in a session of its own, in the new `folder`; fail the test after `limit_s` real seconds.

    Output goes to files, not pipes: a left-over background process would keep a pipe open for ever.
    """
    folder.mkdir()
    out, err = folder.with_suffix(".stdout"), folder.with_suffix(".stderr")
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=folder,
            env=environment(folder),
            start_new_session=True,
        )
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            end_session(process)
            pytest.fail(f"{command} did not end in {limit_s} s\n{_text(out)}\n{_text(err)}")
    return Ended(_text(out), _text(err), status)


def environment(folder: Path) -> dict[str, str]:
    """The same small environment everywhere, so that runs differ in nothing else."""
    path = os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"
    return {"PATH": path, "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", "TZ": "UTC"}


def end_session(leader: subprocess.Popen[bytes]) -> None:
    """Kill all that is left of a session, the leader last."""
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        if pid != leader.pid and _session_of(pid) == leader.pid:
            _kill(pid)
    _kill(leader.pid)
    leader.wait()


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _text(path: Path) -> str:
    return path.read_text(errors="backslashreplace")
