"""Write docs/conform-NAME.md: what another kernel does about the contracts, beside what Linux did.

Usage: scripts/record_other_kernel.py NAME 'CMD …' ['VERSION CMD'], for instance
scripts/record_other_kernel.py runsc 'runsc --network=none --platform=ptrace do' 'runsc --version'.
"""

from __future__ import annotations

import argparse
import datetime
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tickless.conform.building import build, cache_folder, compiler
from tickless.conform.reporting import table
from tickless.conform.rules import all_contracts
from tickless.conform.running import Verdict, compare, recorded, run

DOCS = Path(__file__).parent.parent / "docs"
PAGE = """\
# Contracts under {name}

On {date}, {version}, beside what was recorded on {linux}: of {rules} rules {agreed} agree.

```sh
scripts/record_other_kernel.py {arguments}    # writes this page
tickless conform --against {command}          # shows each difference
```

An example of `tickless conform --against`, and a test of [the contracts](contracts.md) on a kernel that tickless has no
part in. A difference is what a program would see; it may be a choice of that kernel's makers, or of this version.

```text
{table}
```

## What differs

{differences}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("command")
    parser.add_argument("version", nargs="?", help="a command whose first line tells the version")
    options = parser.parse_args()
    verdicts = judged(shlex.split(options.command))
    agreed = sum(verdict.outcome == "agreed" for verdict in verdicts)
    text = PAGE.format(
        name=options.name,
        command=shlex.quote(options.command),
        arguments=shlex.join(sys.argv[1:]),
        date=datetime.datetime.now(tz=datetime.UTC).date(),
        version=version_of(options.version),
        linux=", ".join(sorted({recorded(contract)[0] for contract in all_contracts()})),
        rules=len(verdicts),
        agreed=agreed,
        table=table(verdicts),
        differences="\n".join(f"- `{it.rule.id}` {it.rule.claim}" for it in verdicts if it.outcome == "differs"),
    )
    (DOCS / f"conform-{options.name}.md").write_text(text)
    print(f"{agreed} of {len(verdicts)} agree")
    return 0


def judged(prefix: Sequence[str]) -> list[Verdict]:
    folder, cc = cache_folder(), compiler()
    verdicts: list[Verdict] = []
    for contract in all_contracts():
        print(contract.name, file=sys.stderr)
        verdicts += compare(contract, recorded(contract)[1], run(contract, build(contract, folder, cc), prefix))
    return verdicts


def version_of(command: str | None) -> str:
    if command is None:
        return "version unknown"
    return subprocess.run(shlex.split(command), check=True, capture_output=True, text=True).stdout.splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
