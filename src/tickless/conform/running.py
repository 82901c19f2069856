"""What a kernel does about rules: a program's output, rule by rule."""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tickless.conform.building import CannotRun
from tickless.conform.rules import EXPECTED, Contract, Rule

LIMIT_S = 300  # real seconds that the rules of one file may take
INDENT = "    "
NOT_HERE = "not here: "

Lines = tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """What the rules of one file showed, by name; a rule that is missing was not run to its end."""

    lines: Mapping[str, Lines] = field(default_factory=dict)
    complaint: str = ""  # what the command wrote to stderr, and how it ended if not well


def under_tickless(clock: str) -> list[str]:
    """The command that runs what follows under tickless. `clock`: virtual or real."""
    return [sys.executable, "-m", "tickless", "run", "--clock", clock, "--"]


def run(contract: Contract, program: Path, prefix: Sequence[str] = (), *, limit_s: float = LIMIT_S) -> Seen:
    """Run the rules of `contract`, after the words of `prefix` if there are any. Raises: CannotRun."""
    names = [] if contract.is_whole else [rule.name for rule in contract.rules]
    with tempfile.TemporaryDirectory(prefix="tickless-conform-") as folder:
        command = [*prefix, str(program), *names]
        # Files, not pipes: what a rule leaves behind would keep a pipe open.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    cwd=folder,
                    env=os.environ | {"TMPDIR": folder, "TZ": "UTC"},
                    process_group=0,
                )
            except OSError as error:
                raise CannotRun(f"cannot run {command[0]}: {error.strerror}") from None
            ending = _wait(process, limit_s)
            err.seek(0)
            out.seek(0)
            complaint = err.read().decode(errors="backslashreplace").strip()
            return Seen(
                parse(out.read().decode(errors="backslashreplace")), "\n".join(filter(None, (complaint, ending)))
            )


def _wait(process: subprocess.Popen[bytes], limit_s: float) -> str:
    """How it ended, where that is not with status 0."""
    try:
        status = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return f"not over after {limit_s:g} s"
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exited {status}" if status else ""


def parse(output: str) -> dict[str, Lines]:
    """A line `name: page: claim` begins a rule, the indented ones below are what it showed."""
    lines: dict[str, list[str]] = {}
    current: list[str] = []
    for line in output.splitlines():
        if line.startswith(INDENT):
            current.append(line.removeprefix(INDENT))
        elif heading := re.match(r"(\w+): \S+\(\d\w*\): ", line):
            current = lines.setdefault(heading[1], [])
    return {name: tuple(shown) for name, shown in lines.items()}


# What Linux did when it was recorded


def this_kernel() -> str:
    """`Linux 6.18.1 x86_64`: what a distribution adds to the version is left out."""
    release = re.match(r"[\d.]*\d", platform.release())
    return f"{platform.system()} {release[0] if release else platform.release()} {platform.machine()}"


def recorded(contract: Contract) -> tuple[str, Seen]:
    """The kernel that was asked, and what it showed. Without a record the kernel is empty."""
    try:
        kernel, _, output = (EXPECTED / f"{contract.name}.txt").read_text().partition("\n")
    except FileNotFoundError:
        return "", Seen()
    return kernel.removeprefix("# "), Seen(parse(output))


def record_text(contract: Contract, seen: Seen) -> str:
    """What `recorded` reads."""
    lines = [f"# {this_kernel()}"]
    for rule in contract.rules:
        lines += [f"{rule.name}: {rule.page}: {rule.claim}", *(INDENT + line for line in seen.lines[rule.name])]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Verdict:
    """One rule in two worlds. None: it was not run to its end."""

    rule: Rule
    linux: Lines | None
    other: Lines | None
    complaint: str = ""
    built: bool = True  # False: its file does not compile, as the complaint says

    @property
    def outcome(self) -> str:
        """`agreed`, `differs`, `not here` where one of the two has no such thing and the other has, or `not built`."""
        if not self.built:
            return "not built"
        if self.linux is not None and self.linux == self.other:
            return "agreed"
        return "not here" if _is_not_here(self.linux) or _is_not_here(self.other) else "differs"


def _is_not_here(lines: Lines | None) -> bool:
    return bool(lines) and lines is not None and lines[-1].startswith(NOT_HERE)


def not_built(contract: Contract, complaint: str) -> list[Verdict]:
    """The verdicts on the rules of a file that does not compile."""
    return [Verdict(rule, None, None, complaint, built=False) for rule in contract.rules]


def compare(contract: Contract, linux: Seen, other: Seen) -> list[Verdict]:
    """A verdict for each rule of `contract`."""
    return [
        Verdict(rule, linux.lines.get(rule.name), other.lines.get(rule.name), other.complaint)
        for rule in contract.rules
    ]
