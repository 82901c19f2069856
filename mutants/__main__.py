"""`make mutants`: break rules of the kernel one at a time, in a copy, and see whether the contracts notice.

Usage: python -m mutants [--docs] [WORD...]: those whose rule, page or file has one of the words. --docs writes
docs/mutants.md.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mutants.catalogue import MUTANTS
from mutants.mutant import Mutant
from mutants.trial import Trial, Verdict

PAGE = Path(__file__).parent.parent / "docs" / "mutants.md"
INTRODUCTION = """\
# Broken rules, and who notices

Written on {date} by `make mutants`: {count} rules of the kernel, broken one at a time in a copy of the package, by the
changes in [`mutants/`](../mutants/). For each the [contracts](contracts.md) run on the virtual
clock, those about its page first, until one shows something else than on Linux. {caught} of {count} are caught.

"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", action="store_true", help="write docs/mutants.md")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not options.words or any(word in named(mutant) for word in options.words)]
    verdicts = tried(chosen)
    survivors = [verdict for verdict in verdicts if not verdict.caught_by]
    for verdict in survivors:
        print(f"not caught: {verdict.mutant.rule} ({verdict.mutant.page}, {verdict.mutant.file})")
    print(f"{len(verdicts) - len(survivors)} of {len(verdicts)} caught")
    if options.docs:
        PAGE.write_text(page(verdicts))
    return 1 if survivors else 0


def named(mutant: Mutant) -> str:
    return f"{mutant.rule} {mutant.page} {mutant.file}"


def tried(mutants: Sequence[Mutant]) -> list[Verdict]:
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="tickless-mutants-") as folder:
        trial = Trial(Path(folder))
        for mutant in mutants:
            start = time.monotonic()
            verdicts.append(trial.of(mutant))
            print(f"{row(verdicts[-1])} {time.monotonic() - start:.1f} s", flush=True)
    return verdicts


def page(verdicts: Sequence[Verdict]) -> str:
    head = INTRODUCTION.format(
        date=datetime.datetime.now(tz=datetime.UTC).date(),
        count=len(verdicts),
        caught=sum(bool(verdict.caught_by) for verdict in verdicts),
    )
    lines = ["| page | the rule that is broken | in | caught by | rules |", "| --- | --- | --- | --- | --- |"]
    return head + "\n".join([*lines, *map(row, verdicts)]) + "\n"


def row(verdict: Verdict) -> str:
    mutant, caught_by = verdict.mutant, verdict.caught_by
    first = f"`{caught_by[0]}`" if caught_by else "nobody"
    return f"| {mutant.page} | {mutant.rule} | `{mutant.file}` | {first} | {len(caught_by)} |"


if __name__ == "__main__":
    sys.exit(main())
