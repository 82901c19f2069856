"""Where two traces part: what `--verify` shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

# Lines that both traces have, shown before the first that differs.
LINES_BEFORE = 3


@dataclass(frozen=True)
class Difference:
    """The first line that is not the same, newlines included; None stands for the end of the text."""

    what: str  # trace, stdout or stderr
    line: int  # 1 is the first
    before: tuple[str, ...]
    first: str | None
    second: str | None

    def lines(self) -> Iterator[str]:
        """Both ways on, below what leads there."""
        for line in self.before:
            yield f"  both    {line}"
        yield f"  first   {_shown(self.first)}"
        yield f"  second  {_shown(self.second)}"


def first_difference(what: str, first: Iterable[str], second: Iterable[str]) -> Difference | None:
    """Compare two texts line by line; None if they are the same."""
    before: deque[str] = deque(maxlen=LINES_BEFORE)
    for number, (one, other) in enumerate(zip_longest(first, second), 1):
        if one != other:
            return Difference(what, number, tuple(before), one, other)
        before.append(one.removesuffix("\n"))
    return None


def _shown(line: str | None) -> str:
    if line is None:
        return "(has ended)"
    return line.removesuffix("\n") if line.endswith("\n") else f"{line} (without newline)"
