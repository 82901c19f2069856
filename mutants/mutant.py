"""One rule that is broken, by a change of one place in one file of src/tickless/kernel."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One broken rule. `old` is in `file` exactly once; the contracts of `first` are tried before all others."""

    rule: str
    page: str
    file: str
    old: str
    new: str
    first: tuple[str, ...]
