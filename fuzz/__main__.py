"""Random scripts by Linux and by tickless, random steps by the kernel alone and by a model of it.

`python -m fuzz [--scripts N] [--steps N] [--seed N]`. Status 1: something differs.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from fuzz import host, pure
from fuzz.grammar import write_script
from fuzz.host import Comparison, Disagreement, compare
from fuzz.scripts import Script, read_all, to_text
from fuzz.shrink import shrink
from fuzz.tally import Tally

STORED = Path(__file__).parent / "disagreements"
BATCH = 600
BATCHES_AT_ONCE = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--scripts", type=int, default=2000, help="how many scripts [2000]")
    parser.add_argument("--seed", type=int, help="of the first script; the next ones count on [drawn]")
    parser.add_argument("--keep", type=Path, default=STORED, help="where disagreements are stored, and replayed from")
    parser.add_argument("--limit", type=int, default=3, help="stop after this many disagreements [3]")
    parser.add_argument("--steps", type=int, default=0, help="of the kernel without a host, beside its model [0]")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    differs = options.steps > 0 and not run_pure(options.steps, seed)
    if options.scripts > 0:
        differs |= fuzz_host(options.scripts, seed, options.limit, options.keep)
    return 1 if differs else 0


def fuzz_host(count: int, seed: int, limit: int, keep: Path) -> bool:
    """What is stored, then `count` scripts: whether any disagree."""
    host.build()
    stored = [script for _, script in read_all(keep)]
    replayed = compare(stored)
    print(f"stored scripts: {replayed.agreed} of {len(stored)} agree", flush=True)
    found = replayed.disagreements + run(count, seed, limit)
    for disagreement in {str(shown): shown for shown in map(smallest, found)}.values():
        store(disagreement, keep)
    return bool(found)


def run_pure(count: int, seed: int) -> bool:
    """Steps of the kernel beside its model, up to the first difference: whether there was none."""
    begun, done = time.process_time(), 0
    try:
        for pair in pure.run(seed, count):
            done += len(pair.done)
    except pure.Difference as difference:
        smallest = pure.shrink(difference)
        print(f"after {done:,} steps of the kernel without a host:")
        print(*smallest.steps, smallest, sep="\n", flush=True)
        return False
    seconds = time.process_time() - begun
    print(f"{done:,} steps of the kernel without a host agree; {done / seconds:,.0f} in a second", flush=True)
    return True


def run(count: int, seed: int, limit: int) -> list[Disagreement]:
    """Scripts from `seed` on, until `limit` of them have disagreed."""
    tally = Tally()
    agreed = unmeasured = 0
    found: list[Disagreement] = []
    begun = time.monotonic()
    for scripts, result in compare_batches(count, seed):
        agreed += result.agreed
        unmeasured += result.unmeasured
        found += result.disagreements
        for disagreement in result.disagreements:
            print(f"\n{disagreement}", flush=True)  # shrinking comes at the end, and another run may not show it again
        for script, outcome in zip(scripts, result.outcomes, strict=True):
            if outcome is not None:
                tally.add(script, outcome)
        print(f"\r{agreed:,} agree, {len(found)} do not", end="", file=sys.stderr, flush=True)
        if len(found) >= limit:
            break
    seconds = time.monotonic() - begun
    print(tally.table())
    print(f"{agreed:,} scripts agree, {len(found)} do not, {unmeasured} were not measured; {seconds:.0f} s", flush=True)
    return found


def compare_batches(count: int, seed: int) -> Iterator[tuple[list[Script], Comparison]]:
    """Several batches are on their way at once: one that waits for late scripts leaves the machine to the next."""
    firsts = iter(range(seed, seed + count, BATCH))
    with ThreadPoolExecutor(BATCHES_AT_ONCE) as pool:
        under_way: deque[tuple[list[Script], Future[Comparison]]] = deque()
        while True:
            for first in islice(firsts, BATCHES_AT_ONCE - len(under_way)):
                scripts = scripts_from(first, min(BATCH, seed + count - first))
                under_way.append((scripts, pool.submit(compare, scripts)))
            if not under_way:
                return
            scripts, comparison = under_way.popleft()
            yield scripts, comparison.result()


def scripts_from(seed: int, count: int) -> list[Script]:
    """A script for each seed."""
    return [write_script(random.Random(number).randrange) for number in range(seed, seed + count)]


def smallest(found: Disagreement) -> Disagreement:
    """The smallest script that shows that there is a disagreement."""
    again = compare([shrink(found.script, disagree)]).disagreements
    return again[0] if again else found


def store(found: Disagreement, folder: Path) -> None:
    """Print it, and keep it for the next time."""
    text = to_text(found.script)
    path = folder / f"{zlib.crc32(text.encode()):08x}.txt"
    folder.mkdir(exist_ok=True)
    path.write_text(text)
    print(f"\n{path}:\n{found}", flush=True)


def disagree(scripts: Sequence[Script]) -> list[bool]:
    """Which scripts Linux and tickless do not do alike."""
    found = {disagreement.script for disagreement in compare(scripts).disagreements}
    return [script in found for script in scripts]


if __name__ == "__main__":
    sys.exit(main())
