"""The table of --stats."""

from __future__ import annotations

import sys

from tickless.run import Outcome
from tickless.scenario.spans import format_span


def print_stats(outcome: Outcome) -> None:
    """Print what happened to stderr, in words that a newcomer understands."""
    real_s = outcome.real_ns / 1e9
    simulated_s = outcome.virtual_ns / 1e9
    rows = [
        ("simulated time", format_span(outcome.virtual_ns)),
        ("real time", f"{real_s:.2f} s ({simulated_s / real_s:,.0f} times as fast)"),
        ("ended", outcome.outcome),
    ]
    rows += [(f"woken by {cause}", f"{count:,}") for cause, count in _most_first(outcome.wakeups)]
    rows += [(f"clock held by {reason}", f"{seconds:.3f} s") for reason, seconds in outcome.held.items()]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}", file=sys.stderr)


def _most_first(counts: object) -> list[tuple[str, int]]:
    assert isinstance(counts, dict)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
