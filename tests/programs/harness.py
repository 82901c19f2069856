"""Runs real programs, natively and under tickless, and hands back what they printed and how they ended."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.programs.build import ROOT

TICKLESS = str(ROOT / ".venv" / "bin" / "tickless")
PATIENCE = float(os.environ.get("PATIENCE", "1"))  # how many times as long all may take: an emulated processor is slow
LIMIT_S = 60 * PATIENCE  # real seconds that a program may take


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
    """Run `argv` in an empty folder below `directory`.

    It measures real time, so it gets the CPU before whatever else runs now, where we may give it.
    """
    return run([*at_once(), *argv], directory / "native", limit_s=limit_s)


@cache
def at_once() -> tuple[str, ...]:
    """What lets a command go before all others: sched(7)."""
    for first in (("chrt", "--rr", "1"), ("nice", "-n", "-15")):
        if subprocess.run([*first, "true"], capture_output=True, check=False).stderr == b"":
            return first
    return ()


def run_virtually(
    argv: Sequence[str], directory: Path, options: Sequence[str] = (), *, limit_s: float = LIMIT_S
) -> Ended:
    """Run `argv` under tickless in an empty folder below `directory`; a run leaves no process behind."""
    folder = directory / "virtual"
    ended = run(tickless(argv, options), folder, limit_s=limit_s)
    assert processes_of(folder) == []
    return ended


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
            end(process, folder)
            pytest.fail(f"{command} did not end in {limit_s} s\n{_text(out)}\n{_text(err)}")
    return Ended(_text(out), _text(err), status)


@contextmanager
def running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`command` while it runs, its three streams as pipes; what is left of it at the end is killed."""
    folder.mkdir()
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        cwd=folder,
        env=environment(folder),
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            end(process, folder)


def environment(folder: Path) -> dict[str, str]:
    """The same small environment everywhere, so that runs differ in nothing else."""
    path = os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin"
    return {"PATH": path, "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", "TZ": "UTC"}


def processes_of(folder: Path) -> list[int]:
    """The living processes of a run: HOME in their environment is its folder. Zombies have no environment."""
    mark = f"HOME={folder}\0".encode()
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if mark in _environ(pid)]


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str], folder: Path) -> None:
    """Kill what is left of a run."""
    for pid in processes_of(folder):
        _kill(pid)
    process.kill()
    process.wait()


def _environ(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:  # it has ended, or is not ours to look at
        return b""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _text(path: Path) -> str:
    return path.read_text(errors="backslashreplace")
