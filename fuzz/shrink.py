"""The smallest script that still shows what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from fuzz.scripts import Script, is_promised

# Tells of several scripts at once which of them still show it.
Shows = Callable[[Sequence[Script]], list[bool]]
MOST_ROUNDS = 60


def shrink(script: Script, shows: Shows) -> Script:
    """Leave out and simplify as long as `shows` says that what was found is still there."""
    for _ in range(MOST_ROUNDS):
        candidates = [smaller for smaller in _smaller(script) if is_promised(smaller)]
        verdicts = shows(candidates)
        shown = [candidate for candidate, yes in zip(candidates, verdicts, strict=True) if yes]
        if not shown:
            break
        script = min(shown, key=size)
    return script


def size(script: Script) -> tuple[int, int]:
    """How large a script is: its steps, then its numbers."""
    return len(script), sum(abs(number) for step in script for number in step.args)


def _smaller(script: Script) -> Iterator[Script]:
    """Without a run of steps, without one, with a smaller number."""
    for length in (len(script) // 2, len(script) // 4, 4, 2, 1):
        if length:
            for at in range(0, len(script) - length + 1, max(length // 2, 1)):
                yield script[:at] + script[at + length :]
    for at, step in enumerate(script):
        for place, number in enumerate(step.args):
            for simpler in _simpler(number):
                args = (*step.args[:place], simpler, *step.args[place + 1 :])
                yield (*script[:at], step._replace(args=args), *script[at + 1 :])


def _simpler(number: int) -> set[int]:
    """0; for what may be a set of signals or flags also each smaller by one."""
    if number <= 64:
        return {0} - {number} if number >= 0 else set()
    return {0} | {number & ~(1 << bit) for bit in range(64) if number >> bit & 1}
