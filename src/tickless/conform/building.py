"""From a C file to a program that runs anywhere: static where the compiler can."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from tickless.conform.rules import HERE, Contract

HARNESS = HERE / "harness"
FLAGS = ("-std=gnu11", "-O1", "-pthread")


class CannotRun(Exception):
    """The rules cannot be tried here; the text says why, for the user."""


class DoesNotCompile(CannotRun):
    """One file of rules is refused by this compiler; others may be tried."""


def cache_folder() -> Path:
    """Where programs are kept: below $XDG_CACHE_HOME, or a new folder where that cannot be written."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base, "tickless", "contracts")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="tickless-contracts-"))
    return folder if os.access(folder, os.W_OK) else Path(tempfile.mkdtemp(prefix="tickless-contracts-"))


def compiler() -> list[str]:
    """$CC, or cc. Raises: CannotRun."""
    command = shlex.split(os.environ.get("CC") or "cc")
    if not command or shutil.which(command[0]) is None:
        raise CannotRun(f"there is no C compiler {' '.join(command)!r}: install one, or set CC")
    return command


def build(contract: Contract, folder: Path, cc: list[str]) -> Path:
    """The program of `contract`, made once: its name holds a hash of all it was made from. Raises: DoesNotCompile."""
    sources = [contract.source, *sorted(HARNESS.glob("*.c"))]
    made_from = [shlex.join(cc).encode(), *(path.read_bytes() for path in (*sources, *sorted(HARNESS.glob("*.h"))))]
    mark = hashlib.sha256(b"\0".join(made_from)).hexdigest()[:12]
    program = folder / f"{contract.name}-{mark}"
    if not program.exists():
        # Others may build the same: the rename makes the last one win whole.
        unfinished = program.with_name(f"{program.name}.{os.getpid()}")
        command = [*cc, *FLAGS, "-I", str(HARNESS), "-o", str(unfinished), *map(str, sources)]
        if _compile([*command, "-static"]) is not None:
            error = _compile(command)
            if error is not None:
                raise DoesNotCompile(f"{contract.source.name} does not compile:\n{error.rstrip()}")
        unfinished.rename(program)
    return program


def _compile(command: list[str]) -> str | None:
    """Run the compiler; what it said if it failed."""
    ended = subprocess.run(command, check=False, capture_output=True, text=True, errors="backslashreplace")
    return (ended.stderr or f"status {ended.returncode}") if ended.returncode else None
