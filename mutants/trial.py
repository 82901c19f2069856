"""A copy of the package in which one rule is broken, and what the contracts say of it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import tickless
from mutants.mutant import Mutant
from tickless.conform.building import build, cache_folder, compiler
from tickless.conform.rules import Contract, all_contracts
from tickless.conform.running import Seen, compare, run

PACKAGE = Path(tickless.__file__).parent
KERNEL = Path("tickless", "kernel")
# A broken kernel may spin. Real seconds; the rules of a file take 2 at most.
LIMIT_S = 30


class DoesNotApply(Exception):
    """The text that a mutant changes is not there, or more than once: the list has to follow the source."""


@dataclass(frozen=True)
class Verdict:
    """The rules of the first file that noticed; none if nobody did."""

    mutant: Mutant
    caught_by: tuple[str, ...]


def changed(mutant: Mutant, kernel: Path = PACKAGE / "kernel") -> str:
    """The file's text with its rule broken. Raises: DoesNotApply."""
    text = (kernel / mutant.file).read_text()
    if text.count(mutant.old) != 1:
        raise DoesNotApply(f"{mutant.rule}: {mutant.file} has {text.count(mutant.old)} times {mutant.old!r}")
    return text.replace(mutant.old, mutant.new)


class Trial:
    """The copy lies in `folder`; the package itself is never touched."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contracts = {contract.name: contract for contract in all_contracts()}
        self._writes = 0
        self._native: dict[str, tuple[Path, Seen]] = {}  # the programs, and what they showed without tickless
        shutil.copytree(PACKAGE, folder / "tickless", ignore=shutil.ignore_patterns("__pycache__"))

    def of(self, mutant: Mutant) -> Verdict:
        """Break the rule, ask the contracts one after the other, and mend it. Raises: DoesNotApply."""
        broken, path = changed(mutant), self._folder / KERNEL / mutant.file
        whole = path.read_text()
        self._write(path, broken)
        try:
            names = [*mutant.first, *(name for name in self._contracts if name not in mutant.first)]
            return Verdict(mutant, next(filter(None, map(self.differing, names)), ()))
        finally:
            self._write(path, whole)

    def differing(self, name: str) -> tuple[str, ...]:
        """The rules of a file that show something else than natively."""
        contract = self._contracts[name]
        command = [sys.executable, "-m", "tickless", "run", "--clock", "virtual", "--timeout", str(LIMIT_S), "--"]
        prefix = ["env", f"PYTHONPATH={self._folder}", *command]
        program, native = self._without_tickless(contract)
        verdicts = compare(contract, native, run(contract, program, prefix, limit_s=2 * LIMIT_S))
        return tuple(verdict.rule.id for verdict in verdicts if verdict.outcome == "differs")

    def _without_tickless(self, contract: Contract) -> tuple[Path, Seen]:
        if contract.name not in self._native:
            program = build(contract, cache_folder(), compiler())
            self._native[contract.name] = program, run(contract, program)
        return self._native[contract.name]

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        # Python takes a file of the same size and second for the one that it has compiled.
        self._writes += 1
        os.utime(path, (self._writes, self._writes))
