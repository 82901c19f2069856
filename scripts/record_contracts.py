"""Record what this kernel does about the rules of contracts and which calls they make, list them in docs/contracts.md.

Usage: scripts/record_contracts.py [--check | --check-calls | --list-only] [FILTER...].
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from contract_calls import keep, missing, traced

from tickless.conform.building import build, cache_folder, compiler
from tickless.conform.rules import EXPECTED, Contract, Rule, all_contracts, chosen
from tickless.conform.running import record_text, run

PAGE = Path(__file__).parent.parent / "docs" / "contracts.md"
MARK = "<!-- From here on written by scripts/record_contracts.py. -->\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; status 1 if docs/contracts.md would change"
    )
    parser.add_argument("--list-only", action="store_true", help="write docs/contracts.md, ask nothing of the kernel")
    parser.add_argument(
        "--check-calls", action="store_true", help="write nothing; status 1 if rules do not make their calls"
    )
    parser.add_argument("filters", nargs="*", help="record the files of these rules only")
    options = parser.parse_args()
    if options.check_calls:
        return check_calls(whole_files(options.filters))
    text = page()
    if options.check:
        if PAGE.read_text() != text:
            print(f"{PAGE} is stale: run scripts/record_contracts.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text)
    if not options.list_only:
        record(whole_files(options.filters))
    # It names the rules that prove each call.
    return subprocess.run([sys.executable, Path(__file__).with_name("generate_coverage.py")], check=False).returncode


def whole_files(filters: Sequence[str]) -> list[Contract]:
    """The files that hold a rule that was asked for, with all their rules."""
    names = {contract.name for contract in chosen(filters)}
    return [contract for contract in all_contracts() if contract.name in names]


def check_calls(contracts: Sequence[Contract]) -> int:
    folder, cc = cache_folder(), compiler()
    lacking = [line for contract in contracts for line in missing(contract, build(contract, folder, cc))]
    for line in lacking:
        print(line, file=sys.stderr)
    return 1 if lacking else 0


def record(contracts: Sequence[Contract]) -> None:
    folder, cc = cache_folder(), compiler()
    for contract in contracts:
        program = build(contract, folder, cc)
        seen = run(contract, program)
        keep(contract, traced(contract, program))
        (EXPECTED / f"{contract.name}.txt").write_text(record_text(contract, seen))


def page() -> str:
    """The page with a new list below its mark."""
    head, _, _ = PAGE.read_text().partition(MARK)
    rules: dict[str, list[Rule]] = {}
    for contract in all_contracts():
        for rule in contract.rules:
            rules.setdefault(rule.page, []).append(rule)
    return head + MARK + "\n".join(listed(name, rules[name]) for name in sorted(rules))


def listed(name: str, rules: Sequence[Rule]) -> str:
    lines = [f"\n### {name}: {len(rules)} rule{'s' * (len(rules) > 1)}\n"]
    lines += [f"- `{rule.id}` {rule.claim}" for rule in rules]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
