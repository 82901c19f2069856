#!/usr/bin/env python3
"""`tickless conform` where there is no compiler: `FOLDER [NAME…]`, a folder of contracts that were compiled elsewhere.

Each is run natively and under tickless. Status 1 if rules differ.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tickless.conform.reporting import differences, table
from tickless.conform.rules import all_contracts
from tickless.conform.running import Verdict, compare, run, under_tickless

LIMIT_S = 300.0


def main(folder: str, *names: str) -> int:
    verdicts: list[Verdict] = []
    for contract in all_contracts():
        if names and contract.name not in names:
            continue
        program = Path(folder, contract.name)
        natively, virtually = (
            run(contract, program, prefix, limit_s=LIMIT_S) for prefix in ((), under_tickless("virtual"))
        )
        these = compare(contract, natively, virtually)
        print(f"{contract.name}: {sum(one.outcome == 'agreed' for one in these)} of {len(these)} agree", flush=True)
        for line in differences(these):
            print(f"  {line}", flush=True)
        verdicts += these
    print(table(verdicts))
    return int(any(verdict.outcome == "differs" for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
