"""What a script is: steps that tasks make in turn, as plain data and as text.

A line of text is a step: who makes it (a task, or `-` for the ruler outside of the script), the call, and numbers.
Files are named by variables, time-outs are in units: n ends in the middle of the n-th unit from now, -1 never.
`- advance` lets a unit pass. c/ says what each call prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

RULER = -1
TASKS = 4
VARIABLES = 10
WORDS = 3
TIMERS = 3
MOST_STEPS = 60

# Where a call's numbers hold a time-out, and an interval after it.
TIMEOUT_AT = {
    "poll": 0,
    "ppoll": 0,
    "select": 0,
    "pselect6": 0,
    "epoll_wait": 2,
    "epoll_pwait": 2,
    "epoll_pwait2": 2,
    "rt_sigtimedwait": 1,
    "futex_wait": 2,
    "futex_wait_bitset": 2,
    "nanosleep": 0,
    "clock_nanosleep": 2,
    "timerfd_settime": 1,
    "timer_settime": 1,
    "setitimer": 0,
}
INTERVAL_AT = {"timerfd_settime": 2, "timer_settime": 2, "setitimer": 1}


class Step(NamedTuple):
    """A call that a task makes when it is its turn."""

    task: int  # 0 .. TASKS - 1, or RULER
    call: str
    args: tuple[int, ...]

    def __str__(self) -> str:
        who = "-" if self.task == RULER else str(self.task)
        return " ".join((who, self.call, *map(str, self.args)))


Script = tuple[Step, ...]


def to_text(script: Script) -> str:
    """The steps, a line each."""
    return "".join(f"{step}\n" for step in script)


def from_text(text: str) -> Script:
    """The steps of a text, without empty lines and comments (#)."""
    steps = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words:
            who = RULER if words[0] == "-" else int(words[0])
            steps.append(Step(who, words[1], tuple(int(word, 0) for word in words[2:])))
    return tuple(steps)


def read_all(folder: Path) -> list[tuple[str, Script]]:
    """The scripts that a folder keeps, by name."""
    return [(path.stem, from_text(path.read_text())) for path in sorted(folder.glob("*.txt"))]


def is_timed(script: Iterable[Step]) -> bool:
    """Whether time passes."""
    return any(step.call == "advance" for step in script)


def deadlines(script: Sequence[Step], horizon: int | None = None) -> list[int]:
    """The units in whose middle something ends or expires, should every step really be made."""
    last = sum(step.call == "advance" for step in script) if horizon is None else horizon
    found = []
    now = 0
    for step in script:
        now += step.call == "advance"
        found += step_deadlines(step, now, last)
    return found


def step_deadlines(step: Step, now: int, last: int) -> list[int]:
    """The units in which what a step begins at `now` ends or expires, up to `last`."""
    at = TIMEOUT_AT.get(step.call)
    if at is None or step.args[at] <= 0:
        return []
    first = now + step.args[at] - 1
    interval = step.args[INTERVAL_AT[step.call]] if step.call in INTERVAL_AT else 0
    return [unit for unit in (range(first, last, interval) if interval > 0 else (first,)) if unit < last]


def is_promised(script: Sequence[Step]) -> bool:
    """Whether no two things happen in the same unit: their order would be a race."""
    units = deadlines(script)
    return len(units) == len(set(units))
