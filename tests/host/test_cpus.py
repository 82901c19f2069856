"""Runs side by side spread over the CPUs."""

import os
import subprocess
import sys
from pathlib import Path

import tickless
from tests.programs.harness import LIMIT_S
from tickless.host.cpus import choose_cpu

# A claim is a name and needs no such CPU; other tests beside us have other names.
FIRST, SECOND, THIRD = CPUS = [10 * os.getpid() + n for n in range(3)]


def test_runs_side_by_side_get_different_cpus() -> None:
    claims = [choose_cpu(CPUS) for _ in CPUS]
    shared = choose_cpu(CPUS)
    for claim in (*claims, shared):
        claim.close()

    assert sorted(claim.cpu for claim in claims) == CPUS
    assert shared.cpu in CPUS


def test_a_closed_claim_is_free_again() -> None:
    others = [choose_cpu([FIRST]), choose_cpu([SECOND])]
    freed = choose_cpu([THIRD])
    freed.close()
    again = choose_cpu(CPUS)
    for claim in (*others, again):
        claim.close()

    assert again.cpu == THIRD


def test_a_claim_ends_with_its_process() -> None:
    others = [choose_cpu([FIRST]), choose_cpu([SECOND])]
    program = f"from tickless.host.cpus import choose_cpu\nclaim = choose_cpu([{THIRD}])\nprint(claim._claim)"
    environment = {**os.environ, "PYTHONPATH": str(Path(tickless.__file__).parents[1])}
    claimed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=LIMIT_S
    )
    again = choose_cpu(CPUS)
    for claim in (*others, again):
        claim.close()

    assert claimed.stdout.startswith("<socket object")
    assert again.cpu == THIRD


def test_one_cpu_is_always_the_answer() -> None:
    claims = [choose_cpu([FIRST]) for _ in range(2)]
    for claim in claims:
        claim.close()

    assert [claim.cpu for claim in claims] == [FIRST, FIRST]
