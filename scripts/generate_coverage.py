"""Write docs/coverage.md: from the registry how every call is handled, and from tables whose time a program reads.

Usage: scripts/generate_coverage.py [--check].
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from answers import Answers, answers_of
from contract_calls import Proofs
from refusals import TOLD, WHAT_TO_DO, WITHOUT_HOST
from time_sources import CHANCE_SOURCES, TIME_SOURCES, UNTRIED

import tickless.run  # declares every call
from tickless.abi.errno import errno_name
from tickless.abi.names import join_flags
from tickless.abi.numbers import number_of
from tickless.kernel.registry import BY_ARGUMENT, UNTRAPPED, ArgumentTest, Declaration, Registry, Unserved

PAGE = Path(__file__).parent.parent / "docs" / "coverage.md"
WHOLE_REGISTER = 0xFFFFFFFF

INTRODUCTION = """\
# What is served

Written by `scripts/generate_coverage.py` from the declarations in the source. A test compares, and tries the tables of
time and chance.

A call is **served** by tickless, **passed on** (trapped, looked at and left to Linux, for a round trip), **untrapped**
(never seen, at native speed), or **refused**, with a diagnostic that has an id. Unknown flags fail as on Linux.
`served / passed on` depends on the file where the call has one (pipes, eventfds, timerfds, signalfds and epolls are
tickless's, all others Linux's), otherwise on its arguments.
"""

TIME_INTRODUCTION = """\
Each row is tried by a program that reads before and after a sleep of a day. *virtual*: the day is in it. *host*: it is
not, the host's time is.
"""

CHANCE_INTRODUCTION = """\
Whether a second run on the same machine, with the same options, gets the same.
"""

PROOF_INTRODUCTION = """\
For each call, and each flag or value that tickless knows by name, a rule of [the contracts](contracts.md) that uses it,
on Linux and here with the same outcome: the shortest of those about the call's own page, or of all. Taken from traces
of the rules (`scripts/record_contracts.py`).
"""

IDS_INTRODUCTION = """\
What a run tells on stderr, once each, as `tickless: TL130: io_uring is not served`, and in the trace. The call fails as
it would on a Linux that lacks it.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if the page would change")
    text = page()
    if parser.parse_args().check:
        if PAGE.read_text() != text:
            print(f"{PAGE} is stale: run scripts/generate_coverage.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text)
    return 0


def page() -> str:
    assert tickless.run, "the calls are declared"
    calls = [Call(declaration) for _, declaration in sorted(Registry.declarations.items())]
    parts = [INTRODUCTION, "## Whose time a program reads\n", TIME_INTRODUCTION, time_table()]
    parts += ["## Whose chance\n", CHANCE_INTRODUCTION, chance_table()]
    parts += ["## Calls\n", call_table(calls), undeclared()]
    parts += ["Calls of 32-bit and x32 programs are refused with ENOSYS.\n"]
    parts += ["## Flags and values\n", "Those that tickless knows by name.\n", flag_table(calls)]
    parts += ["## What proves it\n", PROOF_INTRODUCTION, proof_table(calls)]
    parts += ["## What to do about a refusal\n", IDS_INTRODUCTION, id_table(calls)]
    return "\n".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines) + "\n"


# Time and chance


def time_table() -> str:
    tried = [(source.what, source.whose, source.note) for source in TIME_SOURCES]
    return table(
        ("where from", "whose", "note"),
        [*tried, *((what, whose, f"{note} (untried)") for what, whose, note in UNTRIED)],
    )


def chance_table() -> str:
    rows = [(source.what, "yes" if source.repeats else "no", source.note) for source in CHANCE_SOURCES]
    return table(("where from", "the same", "note"), rows)


# Calls


class Call:
    """A declared call, and what its source says of it."""

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration
        self.name = declaration.name
        answers = answers_of(declaration.function)
        self.refused = sorted(
            (it for it in answers.refused if self._can_be_asked_for(it)), key=lambda unserved: unserved.id
        )
        self.handled = self._handled(answers)

    def _can_be_asked_for(self, unserved: Unserved) -> bool:
        """A flag counts for the call that it is a flag of, where what serves several calls refuses it."""
        of_call = re.match(r"(\w+)\(", unserved.what)
        return of_call is None or (self.name.startswith(of_call[1]) and unserved.id not in WITHOUT_HOST)

    def _handled(self, answers: Answers) -> str:
        if self.declaration.trap == UNTRAPPED:
            return "untrapped"
        ways = [way for way, there in (("served", answers.ours), ("passed on", answers.linux)) if there]
        return " / ".join(ways) or "refused"

    def trapped(self) -> str:
        test = self.declaration.when
        if self.declaration.trap == UNTRAPPED:
            return "never"
        return "always" if test is None else f"if {self._asked(test)}"

    def _asked(self, test: ArgumentTest) -> str:
        name, decode = self.declaration.parameters[test.register]
        if test.mask & WHOLE_REGISTER == WHOLE_REGISTER:
            return f"`{name}` is {' or '.join(map(decode.show, test.values))}"
        bits = join_flags(test.mask & WHOLE_REGISTER, decode.names)
        if not test.values:
            return f"`{name}` has {bits}"
        return f"`{name} & ({bits})` is {' or '.join(join_flags(value, decode.names) for value in test.values)}"

    def flags(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The arguments that have names, and these."""
        for name, decode in self.declaration.parameters:
            if decode.names:
                yield name, tuple(decode.names)


def call_table(calls: Sequence[Call]) -> str:
    rows = [
        (
            f"`{call.name}`{'' if number_of('aarch64', call.name) is not None else ' (x86-64)'}",
            call.handled,
            call.trapped(),
            ", ".join(f"{it.what} [{it.id}](#{it.id.lower()})" for it in call.refused),
        )
        for call in calls
    ]
    return table(("call", "handled", "trapped", "refused"), rows)


def undeclared() -> str:
    from tickless.abi import numbers_aarch64, numbers_x86_64

    names = {*numbers_x86_64.NUMBERS, *numbers_aarch64.NUMBERS} - {*Registry.declarations}
    listed = ", ".join(f"`{name}`" for name in sorted(names))
    return textwrap.fill(f"Untrapped are all others: {listed}.", 120, break_on_hyphens=False) + "\n"


def flag_table(calls: Sequence[Call]) -> str:
    """One row for each set of names and each way to handle it."""
    rows: dict[tuple[tuple[str, ...], str], list[Call]] = {}
    for call in calls:
        for _, names in call.flags():
            rows.setdefault((names, _flags_handled(call)), []).append(call)
    return table(
        ("calls", "names", "handled", "refused"),
        (
            (
                ", ".join(f"`{call.name}`" for call in of),
                " ".join(names),
                handled,
                ", ".join(sorted({f"{name} {it.id}" for call in of for it in call.refused for name in _in(it, names)})),
            )
            for (names, handled), of in sorted(rows.items(), key=lambda row: row[1][0].name)
        ),
    )


def _flags_handled(call: Call) -> str:
    if call.declaration.trap == BY_ARGUMENT:
        return f"{call.handled}; others untrapped"
    return call.handled


def _in(unserved: Unserved, names: tuple[str, ...]) -> list[str]:
    words = re.findall(r"\w+", unserved.what)
    return [name for name in names if name in words]


# Proofs


def proof_table(calls: Sequence[Call]) -> str:
    """One row for each call that tickless handles."""
    proofs = Proofs()
    return table(
        ("call", "rules", "a rule", "with", "without a rule"),
        (_proof_row(call, proofs) for call in calls if call.handled != "refused"),
    )


def _proof_row(call: Call, proofs: Proofs) -> Sequence[str]:
    rules = proofs.of(call.name)
    proved: dict[str, list[str]] = {}
    for flag in (flag for _, names in call.flags() for flag in names):
        users = proofs.of(call.name, flag)
        proved.setdefault(users[0].id if users else "", []).append(flag)
    unproved = proved.pop("", [])
    return (
        f"`{call.name}`",
        str(len(rules) or ""),
        f"`{rules[0].id}`" if rules else "",
        ", ".join(f"{' '.join(flags)} `{rule}`" for rule, flags in proved.items()),
        " ".join(unproved),
    )


# Ids


def id_table(calls: Sequence[Call]) -> str:
    errors = {unserved.id: unserved for unserved in Registry.unserved.values() if unserved.id not in WITHOUT_HOST}
    missing = errors.keys() - WHAT_TO_DO.keys()
    assert not missing, f"scripts/refusals.py has nothing for {sorted(missing)}"
    rows = {id: (it.what, errno_name(it.errno), WHAT_TO_DO[id]) for id, it in errors.items()}
    rows |= {id: (what, "–", advice) for id, (what, advice) in TOLD.items()}
    anchored = [(f'<a id="{id.lower()}"></a>{id}', *row) for id, row in sorted(rows.items())]
    return table(("id", "not served", "fails with", "what to do"), anchored)


if __name__ == "__main__":
    sys.exit(main())
