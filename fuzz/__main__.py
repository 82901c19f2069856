"""Random scripts by Linux and by tickless: `python -m fuzz [--scripts N] [--seed N]`. Status 1: they disagree."""

from __future__ import annotations

import argparse
import random
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from fuzz import host
from fuzz.grammar import write_script
from fuzz.host import Disagreement, compare
from fuzz.scripts import Script, read_all, to_text
from fuzz.shrink import shrink
from fuzz.tally import Tally

STORED = Path(__file__).parent / "disagreements"
BATCH = 400


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--scripts", type=int, default=2000, help="how many scripts [2000]")
    parser.add_argument("--seed", type=int, help="of the first script; the next ones count on [drawn]")
    parser.add_argument("--keep", type=Path, default=STORED, help="where disagreements are stored, and replayed from")
    parser.add_argument("--limit", type=int, default=3, help="stop after this many disagreements [3]")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if options.seed is None else options.seed
    host.build()
    print(f"seed {seed}", flush=True)
    stored = [script for _, script in read_all(options.keep)]
    replayed = compare(stored)
    print(f"stored scripts: {replayed.agreed} of {len(stored)} agree", flush=True)
    found = replayed.disagreements
    found += run(options.scripts, seed, options.limit)
    for disagreement in found:
        report(disagreement, options.keep)
    return 1 if found else 0


def run(count: int, seed: int, limit: int) -> list[Disagreement]:
    """Scripts from `seed` on, until `limit` of them have disagreed."""
    tally = Tally()
    agreed = unmeasured = 0
    found: list[Disagreement] = []
    begun = time.monotonic()
    for first in range(seed, seed + count, BATCH):
        scripts = scripts_from(first, min(BATCH, seed + count - first))
        result = compare(scripts)
        agreed += result.agreed
        unmeasured += result.unmeasured
        found += result.disagreements
        for script, outcome in zip(scripts, result.outcomes, strict=True):
            if outcome is not None:
                tally.add(script, outcome)
        if len(found) >= limit:
            break
    seconds = time.monotonic() - begun
    print(tally.table())
    print(f"{agreed:,} scripts agree, {len(found)} do not, {unmeasured} were not measured; {seconds:.0f} s", flush=True)
    return found


def scripts_from(seed: int, count: int) -> list[Script]:
    """A script for each seed."""
    return [write_script(random.Random(number).randrange) for number in range(seed, seed + count)]


def report(found: Disagreement, folder: Path) -> None:
    """Print the smallest script that shows it, and keep that."""
    smallest = shrink(found.script, disagree)
    again = compare([smallest]).disagreements
    shown = again[0] if again else found
    text = to_text(shown.script)
    path = folder / f"{zlib.crc32(text.encode()):08x}.txt"
    folder.mkdir(exist_ok=True)
    path.write_text(text)
    print(f"\n{path}:\n{shown}", flush=True)


def disagree(scripts: Sequence[Script]) -> list[bool]:
    """Which scripts Linux and tickless do not do alike."""
    found = {disagreement.script for disagreement in compare(scripts).disagreements}
    return [script in found for script in scripts]


if __name__ == "__main__":
    sys.exit(main())
