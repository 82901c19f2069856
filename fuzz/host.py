"""Scripts with real calls: natively and under tickless, by the same interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from fuzz.scripts import Script, is_timed, to_text

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "fuzz" / "c"
INTERPRETER = ROOT / "build" / "fuzz" / "interpreter"
TICKLESS = [str(Path(sys.executable).parent / "tickless"), "run", "-q", "--no-external", "--"]
# Real units, each longer than the one before: a machine that is too late for one measures again with the next.
NATIVE_UNITS_US = (100_000, 600_000, 3_000_000)
VIRTUAL_UNIT_US = 1_000_000
LATE = "late"
# So many native runs at once: scripts with time in them mostly sleep, those without keep a processor busy.
TIMED_RUNS = 64
UNTIMED_RUNS = 2
SECONDS_PER_SCRIPT = 20

# What a script printed, a line for each step that has something to tell.
Outcome = tuple[str, ...]


def build() -> None:
    """Compile the interpreter, unless it is up to date."""
    sources = sorted(SOURCES.glob("*.c"))
    newest = max(path.stat().st_mtime for path in SOURCES.iterdir())
    if INTERPRETER.exists() and INTERPRETER.stat().st_mtime > newest:
        return
    INTERPRETER.parent.mkdir(parents=True, exist_ok=True)
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-std=gnu17"]
    # Several may build it at once: the rename makes the last one win whole.
    unfinished = INTERPRETER.with_suffix(f".{os.getpid()}")
    subprocess.run(["gcc", *options, "-o", unfinished, *sources], check=True)
    unfinished.rename(INTERPRETER)


def run_natively(scripts: Sequence[Script]) -> list[Outcome | None]:
    """What Linux does; None if the machine was too busy to tell."""
    with ThreadPoolExecutor(1) as pool:
        untimed_scripts = [script for script in scripts if not is_timed(script)]
        untimed = pool.submit(_side_by_side, untimed_scripts, NATIVE_UNITS_US[0], UNTIMED_RUNS)
        timed = _measure([script for script in scripts if is_timed(script)])
    by_kind = {False: iter(untimed.result()), True: iter(timed)}
    return [next(by_kind[is_timed(script)]) for script in scripts]


def _measure(scripts: Sequence[Script]) -> list[Outcome | None]:
    outcomes: list[Outcome | None] = [None] * len(scripts)
    wanted = list(range(len(scripts)))
    for unit_us in NATIVE_UNITS_US:
        found = _side_by_side([scripts[index] for index in wanted], unit_us, TIMED_RUNS)
        for index, outcome in zip(wanted, found, strict=True):
            outcomes[index] = None if LATE in outcome else outcome
        wanted = [index for index in wanted if outcomes[index] is None]
    return outcomes


def run_virtually(scripts: Sequence[Script]) -> list[Outcome]:
    """What tickless does, in one run."""
    return _run([*TICKLESS, str(INTERPRETER), str(VIRTUAL_UNIT_US), "sleep"], scripts)


def _side_by_side(scripts: Sequence[Script], unit_us: int, runs: int) -> list[Outcome]:
    """What Linux does, by so many runs at once."""
    size = max(1, -(-len(scripts) // runs))
    parts = [scripts[at : at + size] for at in range(0, len(scripts), size)]
    command = [str(INTERPRETER), str(unit_us), "spin"]
    with ThreadPoolExecutor(runs) as pool:
        return [outcome for found in pool.map(lambda part: _run(command, part), parts) for outcome in found]


def _run(command: list[str], scripts: Sequence[Script]) -> list[Outcome]:
    """Raises: RuntimeError if the run ended early, with the script and what was written to stderr."""
    limit = 60 + SECONDS_PER_SCRIPT * len(scripts)
    # No pipe: a busy machine is late with what comes from outside of a run, and tickless does not wait for it here.
    with TemporaryFile("w+") as text:
        text.writelines(f"{to_text(script)}.\n" for script in scripts)
        text.seek(0)
        process = subprocess.run(command, stdin=text, capture_output=True, text=True, timeout=limit, check=False)
    found = list(_split(process.stdout))
    if len(found) != len(scripts):
        script = to_text(scripts[len(found)])
        raise RuntimeError(f"ended in script {len(found)} of {len(scripts)}:\n{script}{process.stderr}")
    return found


def _split(output: str) -> Iterator[Outcome]:
    lines: list[str] = []
    for line in output.splitlines():
        if line.startswith("="):
            yield tuple(lines)
            lines = []
        else:
            lines.append(line)


class Disagreement(NamedTuple):
    """A script that Linux and tickless do not do alike."""

    script: Script
    linux: Outcome
    tickless: Outcome

    def __str__(self) -> str:
        """The steps up to the first that differs, with what Linux printed, and both results of that one."""
        at = next((i for i, (one, other) in enumerate(zip_longest(self.linux, self.tickless)) if one != other), 0)
        linux, tickless = (outcome[at] if at < len(outcome) else "nothing" for outcome in (self.linux, self.tickless))
        told = {int(line.split()[0]): line.split(" ", 1)[1] for line in self.linux[:at]}
        steps = [f"{number:4} {step}   # {told.get(number, '')}" for number, step in enumerate(self.script)]
        return "\n".join([*steps, f"Linux:    {linux}", f"tickless: {tickless}"])


class Comparison(NamedTuple):
    """How a batch went."""

    agreed: int
    unmeasured: int  # the machine was too busy
    disagreements: list[Disagreement]
    outcomes: list[Outcome | None]  # Linux'


def compare(scripts: Sequence[Script]) -> Comparison:
    """Run scripts by both."""
    with ThreadPoolExecutor(1) as pool:
        virtual = pool.submit(run_virtually, scripts)
        native = run_natively(scripts)
    found = []
    for script, linux, tickless in zip(scripts, native, virtual.result(), strict=True):
        if linux is not None and linux != tickless:
            found.append(Disagreement(script, linux, tickless))
    unmeasured = native.count(None)
    return Comparison(len(scripts) - unmeasured - len(found), unmeasured, found, native)
