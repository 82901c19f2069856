"""The rules there are: read from the C files, one RULE(name, "page", "claim") each."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CONTRACTS = HERE / "contracts"
EXPECTED = HERE / "expected"

_RULE = re.compile(r'^RULE\(\s*(\w+),\s*"([^"]+)",\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)', re.MULTILINE)
_PIECE = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Rule:
    """One rule: `eventfd/semaphore`, of the page `eventfd(2)`."""

    file: str
    name: str
    page: str
    claim: str

    @property
    def id(self) -> str:
        return f"{self.file}/{self.name}"

    def matches(self, pattern: str) -> bool:
        """Whether `pattern`, with a shell's wildcards, is the rule's file, id or page, with or without the section."""
        names = (self.file, self.page, self.page.partition("(")[0], self.id)
        return any(fnmatch.fnmatchcase(name, pattern) for name in names)


@dataclass(frozen=True)
class Contract:
    """A C file and its rules, in the order in which they run."""

    name: str
    rules: Sequence[Rule]

    @property
    def source(self) -> Path:
        return CONTRACTS / f"{self.name}.c"

    @property
    def is_whole(self) -> bool:
        return len(self.rules) == len(_rules_of(self.source))


def all_contracts() -> list[Contract]:
    """Every file with all its rules, by name."""
    return [Contract(source.stem, _rules_of(source)) for source in sorted(CONTRACTS.glob("*.c"))]


def chosen(patterns: Iterable[str]) -> list[Contract]:
    """The files with those rules that match one of the patterns; without patterns everything."""
    patterns = tuple(patterns)
    if not patterns:
        return all_contracts()
    picked = []
    for contract in all_contracts():
        rules = [rule for rule in contract.rules if any(map(rule.matches, patterns))]
        if rules:
            picked.append(Contract(contract.name, rules))
    return picked


def _rules_of(source: Path) -> list[Rule]:
    found = _RULE.findall(source.read_text())
    return [Rule(source.stem, name, page, "".join(_PIECE.findall(pieces))) for name, page, pieces in found]
