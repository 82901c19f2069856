"""How often each call slept, was interrupted, timed out, or had nothing to give."""

from __future__ import annotations

import re
from collections import Counter

from fuzz.host import Outcome
from fuzz.scripts import TIMEOUT_AT, Script, Step

RESULT = re.compile(r" (\d)(=(-?\w+)|:sleeps)")
TIMED_OUT = {"futex_wait": "-ETIMEDOUT", "futex_wait_bitset": "-ETIMEDOUT", "rt_sigtimedwait": "-EAGAIN"}
SETS_TIMER = {"timerfd_settime", "timer_settime", "setitimer"}
KINDS = ("made", "slept", "interrupted", "timed out", "EAGAIN")


class Tally:
    """Counts by call."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}

    def add(self, script: Script, outcome: Outcome) -> None:
        asleep: dict[int, Step] = {}
        for line in outcome:
            number, _, told = line.partition(" ")
            for task, result, value in RESULT.findall(" " + told):
                step = script[int(number)]
                if result == ":sleeps":
                    asleep[int(task)] = step
                    self._count(step.call, "made", "slept")
                    continue
                slept = asleep.pop(int(task), None)
                if slept is None:
                    self._count(step.call, "made", *(("EAGAIN",) if value == "-EAGAIN" else ()))
                elif value == "-EINTR":
                    self._count(slept.call, "interrupted")
                elif _has_timed_out(slept, value):
                    self._count(slept.call, "timed out")

    def _count(self, call: str, *kinds: str) -> None:
        self.counts.setdefault(call, Counter()).update(kinds)

    def table(self) -> str:
        """A line for each call: how often it was made, and the parts of that in per cent."""
        lines = [f"{'call':18}" + "".join(f"{kind:>13}" for kind in KINDS)]
        for call, counts in sorted(self.counts.items()):
            made = counts["made"]
            shares = [f"{100 * counts[kind] / made:12.1f}%" if counts[kind] else f"{'-':>13}" for kind in KINDS[1:]]
            lines.append(f"{call:18}{made:13,}" + "".join(shares))
        return "\n".join(lines)


def _has_timed_out(step: Step, value: str) -> bool:
    at = TIMEOUT_AT.get(step.call)
    if at is None or step.call in SETS_TIMER or step.args[at] <= 0:
        return False
    return value == TIMED_OUT.get(step.call, "0")
