"""Run suites natively and under tickless, say what differs, and write docs/suites.md.

Usage: python -m suites [--only FAMILY] [--piece PIECE]. Status 1 if something differs that is not in a family's list.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from suites import record
from suites.families import FAMILIES, prepare
from suites.model import Family
from suites.running import BUILD, Compared, compare


def main() -> int:
    parser = argparse.ArgumentParser(prog="suites", description=__doc__)
    parser.add_argument("--only", metavar="FAMILY", choices=FAMILIES, help="this family only")
    parser.add_argument("--piece", metavar="PIECE", help="only pieces whose names hold this")
    options = parser.parse_args()
    families = [FAMILIES[options.only]] if options.only else list(FAMILIES.values())
    told = [line for family in families for line in _run(family, options.piece or "")]
    print(*told, sep="\n", file=sys.stderr)
    return 1 if told else 0


def _run(family: Family, part: str) -> Sequence[str]:
    """Run the pieces whose names hold `part`, and return what differs though it should not."""
    prepare(family)
    compared = []
    pieces = family.pieces()
    for piece in pieces:
        if part in piece.name:
            compared.append(compare(piece, BUILD / family.name / piece.name))
            _show(compared[-1])
            record.keep(family, compared[-1])
    record.forget_others(family, [piece.name for piece in pieces])
    record.write_page(FAMILIES.values())
    return record.unexpected(family, compared)


def _show(one: Compared) -> None:
    differing = len(one.differing())
    seconds = f"{one.native_s:7.1f} s natively, {one.tickless_s:7.1f} s under tickless"
    print(f"{one.piece.name:40} {len(one.cases):5} cases, {differing:3} differ, {seconds}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
