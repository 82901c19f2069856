"""Linux is what we are like: each rule shows the same natively, under tickless, and when it was recorded."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.programs.build import BUILD
from tickless.conform.building import build
from tickless.conform.rules import Contract, all_contracts
from tickless.conform.running import Seen, compare, recorded, run, this_kernel, under_tickless

ROOT = Path(__file__).resolve().parents[2]
STRICT = ["-Wall", "-Wextra", "-Werror"]
CONTRACTS = {contract.name: contract for contract in all_contracts()}
# It measures real time, so it gets the CPU before the other tests that run now, where we may give it.
FIRST = ["nice", "-n", "-15"] if os.geteuid() == 0 else []
OLDER = ["setarch", "--uname-2.6"]


def program_of(contract: Contract, *, cc: str = "gcc") -> Path:
    BUILD.mkdir(parents=True, exist_ok=True)
    return build(contract, BUILD, [cc, *STRICT])


@cache
def native(name: str) -> Seen:
    return run(CONTRACTS[name], program_of(CONTRACTS[name]), FIRST)


# One worker tries all of a file: it is run natively once.
by_contract = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xdist_group(f"contract-{name}")) for name in CONTRACTS]
)


def differing(name: str, linux: Seen, other: Seen) -> list[object]:
    verdicts = compare(CONTRACTS[name], linux, other)
    return [(it.rule.name, it.linux, it.other, it.complaint) for it in verdicts if it.outcome != "agreed"]


@by_contract
def test_linux_runs_every_rule_to_its_end(name: str) -> None:
    seen = native(name)

    assert seen.complaint == ""
    assert [*seen.lines] == [rule.name for rule in CONTRACTS[name].rules]
    assert not [rule for rule, lines in seen.lines.items() if not lines or lines[-1].startswith(("ended:", "cannot"))]


@by_contract
@pytest.mark.parametrize("clock", ["virtual", "real"])
def test_tickless_is_like_linux(name: str, clock: str) -> None:
    other = run(CONTRACTS[name], program_of(CONTRACTS[name]), under_tickless(clock))

    assert differing(name, native(name), other) == []
    assert other.complaint == ""


@by_contract
def test_the_record_is_what_linux_does(name: str) -> None:
    kernel, seen = recorded(CONTRACTS[name])

    assert kernel, "not recorded: scripts/record_contracts.py"
    # Another version may differ, and is right for itself: then the record is only of the same rules.
    if kernel == this_kernel():
        assert differing(name, native(name), seen) == []
    assert [*seen.lines] == [rule.name for rule in CONTRACTS[name].rules]


@by_contract
def test_the_program_lists_the_rules_that_its_source_names(name: str) -> None:
    listed = subprocess.run([program_of(CONTRACTS[name]), "--list"], check=True, capture_output=True, text=True).stdout

    rules = [line.split("\t") for line in listed.splitlines()]
    assert rules == [[rule.name, rule.page, rule.claim] for rule in CONTRACTS[name].rules]


@by_contract
def test_it_builds_with_musl_too(name: str) -> None:
    assert program_of(CONTRACTS[name], cc="musl-gcc").exists()


def test_what_older_kernels_do_another_way_is_not_tried_there() -> None:
    """personality(2): UNAME26 makes any release one of 2.6."""
    older = run(CONTRACTS["epoll_wait"], program_of(CONTRACTS["epoll_wait"]), OLDER)

    assert older.lines["closed"] == ("not here: another way before Linux 6.15",)
    assert older.lines["timeout"] == native("epoll_wait").lines["timeout"]


@by_contract
def test_the_calls_on_record_are_made(name: str) -> None:
    """docs/coverage.md says by them which rule proves what."""
    command = [sys.executable, "scripts/record_contracts.py", "--check-calls", name]

    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)

    assert (ended.stderr, ended.returncode) == ("", 0)


def test_the_list_in_the_docs_is_up_to_date() -> None:
    command = [sys.executable, "scripts/record_contracts.py", "--check"]

    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == 0
