"""Which calls, with which flags, the rules of contracts make: read from traces, kept beside what they showed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import tickless.run  # declares every call
from tickless.conform.rules import EXPECTED, Contract, Rule, all_contracts
from tickless.conform.running import run, under_tickless
from tickless.kernel.registry import Registry

assert tickless.run, "the calls are declared"

Calls = dict[str, frozenset[str]]
"""A rule's calls, and the names of flags and values that they were made with."""

TRACED = ",".join(Registry.declarations)  # by name, or those that are never trapped would be left out
# `main.3.1  read(3<eventfd>, [1], 8) = 8`: the third child of main runs the third rule.
LINE = re.compile(r" *\d+\.\d+ main\.(\d+)\S* +(\w+)\((.*)")
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
WORD = re.compile(r"\b[A-Z_]\w+\b")


def traced(contract: Contract, program: Path) -> dict[str, Calls]:
    """What each rule of a whole file does under tickless."""
    with tempfile.NamedTemporaryFile("r", suffix=".trace") as trace:
        command = [*under_tickless("virtual")[:-1], "-o", trace.name, "-e", f"trace={TRACED}", "--"]
        seen = run(contract, program, command)
        assert [*seen.lines] == [rule.name for rule in contract.rules], seen.complaint
        calls: list[dict[str, set[str]]] = [{} for _ in contract.rules]
        for index, name, words in _calls_in(trace):
            calls[index].setdefault(name, set()).update(words)
    return {
        rule.name: {name: frozenset(words) for name, words in made.items()}
        for rule, made in zip(contract.rules, calls, strict=True)
    }


def _calls_in(lines: Iterator[str]) -> Iterator[tuple[int, str, frozenset[str]]]:
    """(place of the rule, call, names among its arguments)."""
    known = {name: _names_of(name) for name in Registry.declarations}
    for line in lines:
        found = LINE.match(line)
        if found and found[2] in known and not found[3].startswith("1, "):
            words = WORD.findall(TEXT.sub("", found[3].partition(") = ")[0]))
            yield int(found[1]) - 1, found[2], known[found[2]].intersection(words)


def _names_of(call: str) -> frozenset[str]:
    parameters = Registry.declarations[call].parameters
    return frozenset(name for _, decode in parameters for name in decode.names or ())


def missing(contract: Contract, program: Path) -> list[str]:
    """What is on record and was not done just now. Another libc may make other calls besides."""
    on_record = kept(contract)
    made = {rule: _by_either_name(calls) for rule, calls in traced(contract, program).items()}
    if [*made] != [*on_record]:
        return [f"{contract.name}: other rules than on record: run scripts/record_contracts.py {contract.name}"]
    return [
        f"{rule}: {call} {' '.join(sorted(flags - made[rule].get(call, frozenset())))}"
        for rule, calls in on_record.items()
        for call, flags in calls.items()
        if call not in made[rule] or flags - made[rule][call]
    ]


def _by_either_name(calls: Calls) -> Calls:
    """fstat(3) makes one of two calls, as libc's version has it."""
    if "fstat" not in calls:
        return calls
    return calls | {"newfstatat": calls.get("newfstatat", frozenset()) | {"AT_EMPTY_PATH"}}


def keep(contract: Contract, calls: Mapping[str, Calls]) -> None:
    """Write what `kept` reads: a line for each rule, `semaphore: eventfd2:EFD_NONBLOCK,EFD_SEMAPHORE read`."""
    lines = [
        f"{rule}: " + " ".join(":".join(filter(None, (name, ",".join(sorted(made[name]))))) for name in sorted(made))
        for rule, made in calls.items()
    ]
    _place(contract).write_text("\n".join(lines) + "\n")


def kept(contract: Contract) -> dict[str, Calls]:
    """What was recorded; empty for a file that never was."""
    if not _place(contract).exists():
        return {}
    rules = (line.split() for line in _place(contract).read_text().splitlines())
    return {
        name.removesuffix(":"): {call: frozenset(filter(None, words.split(","))) for call, _, words in _split(made)}
        for name, *made in rules
    }


def _split(made: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    return (item.partition(":") for item in made)


def _place(contract: Contract) -> Path:
    return EXPECTED / f"{contract.name}.calls"


class Proofs:
    """For each call and flag the rules that use it, the most to the point first."""

    def __init__(self) -> None:
        self._users: dict[tuple[str, str], list[tuple[Rule, int]]] = {}
        for contract in all_contracts():
            calls = kept(contract)
            for rule in contract.rules:
                made = calls.get(rule.name, {})
                weight = sum(1 + len(words) for words in made.values())
                for name, words in made.items():
                    for word in ("", *words):
                        self._users.setdefault((name, word), []).append((rule, weight))

    def of(self, call: str, flag: str = "") -> list[Rule]:
        """The rules that make the call, with the flag if one is given: those of its page first, then the shortest."""
        users = self._users.get((call, flag), [])
        return [
            rule for rule, _ in sorted(users, key=lambda user: (not _is_page_of(user[0], call), user[1], user[0].id))
        ]


def _is_page_of(rule: Rule, call: str) -> bool:
    """Whether a rule of epoll_create1(2) is about epoll_create: the numbers at the end of names are left out."""
    page = rule.page.partition("(")[0]
    return page.rstrip("0123456789") == call.removeprefix("rt_").rstrip("0123456789")
