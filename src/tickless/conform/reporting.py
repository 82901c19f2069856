"""Verdicts for people (a table by page, differences as lines with - and +) and for tools (JSON, JUnit)."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from tickless.conform.running import Lines, Verdict

SCHEMA = "tickless.conform/1"
HEADING_OF_A_DIFF = 3  # lines
NOTHING = ("(nothing: not run to its end)",)


@dataclass(frozen=True)
class Asked:
    """Who was compared with whom."""

    linux: str  # the kernel that is right
    other: str  # the command under which the programs ran


def table(verdicts: Sequence[Verdict]) -> str:
    """Rules by page: how many there are, agreed and differ."""
    counted: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        counted.setdefault(verdict.rule.page, Counter())[verdict.outcome] += 1
    rows = [(page, counted[page]) for page in sorted(counted)]
    rows.append(("all", sum((counts for _, counts in rows), Counter())))
    width = max(len(page) for page, _ in rows)
    lines = [f"{'page':<{width}}  rules  agreed  differing"]
    for page, counts in rows:
        missing = "".join(f"  ({counts[why]} {why})" for why in ("not here", "not built") if counts[why])
        lines.append(f"{page:<{width}}  {counts.total():>5}  {counts['agreed']:>6}  {counts['differs']:>9}{missing}")
    return "\n".join(lines)


def differences(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """What each differing rule showed here (+) and on Linux (-), in lines; why a file was not built, once."""
    for complaint in dict.fromkeys(verdict.complaint for verdict in verdicts if verdict.outcome == "not built"):
        yield from complaint.splitlines()
    for verdict in verdicts:
        if verdict.outcome == "differs":
            yield f"{verdict.rule.id}: {verdict.rule.page}: {verdict.rule.claim}"
            yield from (f"  {line}" for line in _marked(verdict.linux, verdict.other))
            yield from (f"  {line}" for line in verdict.complaint.splitlines())


def _marked(linux: Lines | None, other: Lines | None) -> list[str]:
    most = len(linux or ()) + len(other or ())
    compared = difflib.unified_diff(linux or NOTHING, other or NOTHING, lineterm="", n=most)
    return [f"{line[0]} {line[1:]}" for line in list(compared)[HEADING_OF_A_DIFF:]]


def as_json(asked: Asked, verdicts: Sequence[Verdict]) -> str:
    """One object, docs/contracts.md has its fields."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    fields = {
        "schema": SCHEMA,
        "linux": asked.linux,
        "other": asked.other,
        "agreed": counts["agreed"],
        "differing": counts["differs"],
        "not_here": counts["not here"],
        "not_built": counts["not built"],
        "rules": [_fields(verdict) for verdict in verdicts],
    }
    return json.dumps(fields, indent=1)


def _fields(verdict: Verdict) -> dict[str, object]:
    rule = verdict.rule
    fields = {"id": rule.id, "page": rule.page, "claim": rule.claim, "outcome": verdict.outcome}
    return fields | {"linux": verdict.linux, "other": verdict.other}


def as_junit(asked: Asked, verdicts: Sequence[Verdict]) -> bytes:
    """A test suite a page, a test case a rule."""
    root = ElementTree.Element("testsuites", name=f"{asked.other} against {asked.linux}")
    for page in sorted({verdict.rule.page for verdict in verdicts}):
        of_page = [verdict for verdict in verdicts if verdict.rule.page == page]
        counts = Counter(verdict.outcome for verdict in of_page)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=page,
            tests=str(len(of_page)),
            failures=str(counts["differs"]),
            errors=str(counts["not built"]),
            skipped=str(counts["not here"]),
        )
        for verdict in of_page:
            _add_case(suite, verdict)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True).encode()


def _add_case(suite: ElementTree.Element, verdict: Verdict) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=verdict.rule.page, name=verdict.rule.id)
    if verdict.outcome == "differs":
        failure = ElementTree.SubElement(case, "failure", message=verdict.rule.claim)
        failure.text = "\n".join(_marked(verdict.linux, verdict.other))
    elif verdict.outcome == "not built":
        ElementTree.SubElement(case, "error", message="does not compile").text = verdict.complaint
    elif verdict.outcome == "not here":
        ElementTree.SubElement(case, "skipped")
