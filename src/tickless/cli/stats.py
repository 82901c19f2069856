"""The table of --stats, and how a run ended, in words that a newcomer understands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tickless.cli.say import say_plainly
from tickless.scenario.spans import format_span

if TYPE_CHECKING:
    from tickless.run import Outcome

Row = tuple[str, str]

MOST_CALLS = 10
# What wakes a task, if it is not another task's call.
CAUSES = {
    "timer": "a timer",
    "exit": "the end of a task",
    "close": "the last close of a file",
    "host file": "input from outside",
    "lock": "a lock, FIFO or the like",
    "signal from outside": "a signal from outside",
    "scenario": "a signal of --at",
    "start": "the start",
}


def how_it_ended(outcome: Outcome) -> str:
    """One line: `the program exited with status 0 after 1d`."""
    how = {
        "exited": f"the program exited with status {os.WEXITSTATUS(outcome.status)}",
        "signaled": f"the program was killed by {outcome.killed_by}",
        "until": "the run was ended by --until",
        "deadlock": "the run ended in a deadlock",
        "timeout": "the run was ended by --timeout",
        "interrupted": "the run was interrupted",
    }[outcome.outcome]
    return f"{how} after {format_span(outcome.virtual_ns)}"


def print_stats(outcome: Outcome) -> None:
    """Print what happened to stderr."""
    rows = [
        *_times(outcome),
        ("tasks", _tasks(outcome)),
        *_counted("wake-ups", {_cause(cause): count for cause, count in outcome.wakeups.items()}),
        *_counted("signals received", outcome.signals),
        *_counted("calls served", outcome.calls, MOST_CALLS),
        *_counted("calls left to Linux", outcome.passed_on, 0),
        *((f"clock held by {reason}", f"{seconds:.3f} s of real time") for reason, seconds in outcome.held.items()),
        *([("digest of the trace", outcome.digest)] if outcome.digest else []),
    ]
    names = max(len(name) for name, _ in rows)
    values = max(len(value) for _, value in rows if value.replace(",", "").isdigit())
    for name, value in rows:
        number = value.replace(",", "").isdigit()
        say_plainly(f"  {name:<{names}}  {f'{value:>{values}}' if number else value}")


def _times(outcome: Outcome) -> list[Row]:
    real_s = outcome.real_ns / 1e9
    speed = outcome.virtual_ns / outcome.real_ns
    faster = f" ({speed:,.0f} times as fast)" if speed >= 2 else ""
    return [("simulated time", format_span(outcome.virtual_ns)), ("real time", f"{real_s:.2f} s{faster}")]


def _tasks(outcome: Outcome) -> str:
    threads = outcome.threads - outcome.processes
    shown = "1 process" if outcome.processes == 1 else f"{outcome.processes:,} processes"
    return shown + (f" and {threads:,} more thread{'s' * (threads > 1)}" if threads else "")


def _cause(cause: str) -> str:
    return CAUSES.get(cause, f"another task's {cause}")


def _counted(what: str, counts: Mapping[str, int], most: int | None = None) -> list[Row]:
    """The sum, and below it the counts, the largest first; `most` of them."""
    if not counts:
        return [(what, "0")]
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [(what, f"{sum(counts.values()):,}"), *((f"  {name}", f"{count:,}") for name, count in ordered[:most])]
    if most and len(ordered) > most:
        rows.append((f"  {len(ordered) - most} others", f"{sum(count for _, count in ordered[most:]):,}"))
    return rows
