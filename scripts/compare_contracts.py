#!/usr/bin/env python3
"""Runs compiled contracts natively and under tickless, where there is no compiler: `FOLDER [NAME…]`.

It prints how many rules of each see the same, and what those saw that do not. Status 1 if some differ.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tickless.conform.running import parse

LIMIT_S = 300.0


def seen(command: list[str]) -> dict[str, list[str]]:
    """What the rules of a program printed, by their names; those that came before it took too long."""
    try:
        output = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False).stdout
    except subprocess.TimeoutExpired as late:
        output = late.stdout or b""
    return {rule: list(lines) for rule, lines in parse(output.decode(errors="replace")).items()}


def main(folder: str, *names: str) -> int:
    differing = 0
    for program in sorted(Path(folder).iterdir()):
        if names and program.name not in names:
            continue
        natively, virtually = seen([str(program)]), seen(["tickless", "run", "-q", "--", str(program)])
        unlike = [rule for rule in natively if natively[rule] != virtually.get(rule)]
        print(f"{program.name}: {len(natively) - len(unlike)} of {len(natively)} agree", flush=True)
        for rule in unlike:
            print(f"  {rule}\n    natively: {natively[rule]}\n    tickless: {virtually.get(rule)}", flush=True)
        differing += len(unlike)
    return min(differing, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
