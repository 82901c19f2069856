"""`tickless doctor`: try what a run needs of the host, and say what to do where it is not there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from tickless import __version__
from tickless.doctor.checks import findings, python
from tickless.doctor.finding import Finding

SCHEMA = "tickless.doctor/1"
HEALTHY, CANNOT_RUN_HERE = 0, 125


def doctor(*, as_object: bool) -> int:
    """Print what was found, and return the exit status."""
    found = list(findings())
    missing = any(finding.state == "missing" for finding in found)
    if as_object:
        print(json.dumps(_object(found, works=not missing), indent=2))
    else:
        for line in _lines(found):
            print(line)
        print("tickless cannot run here." if missing else "tickless runs here.")
    return CANNOT_RUN_HERE if missing else HEALTHY


def _object(found: Sequence[Finding], *, works: bool) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "version": __version__,
        "python": python(),
        "works": works,
        "checks": [asdict(finding) for finding in found],
    }


def _lines(found: Sequence[Finding]) -> list[str]:
    width = max(len(finding.name) for finding in found)
    lines = [f"tickless {__version__}, {python()}", ""]
    for finding in found:
        lines.append(f"{finding.state:8} {finding.name:{width}}  {finding.detail}")
        if finding.remedy:
            lines.append(f"{'':8} {'':{width}}  remedy: {finding.remedy}")
    return [*lines, ""]
