"""The list of broken rules follows the source, and the judge tells a broken kernel from a whole one."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from mutants.catalogue import MUTANTS
from mutants.mutant import Mutant
from mutants.trial import DoesNotApply, Trial, changed
from tickless.conform.rules import all_contracts

SEMAPHORE = MUTANTS[0]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_a_rule_can_be_broken(mutant: Mutant) -> None:
    ast.parse(changed(mutant))
    assert mutant.new != mutant.old
    assert {*mutant.first} <= {contract.name for contract in all_contracts()}


def test_rules_are_listed_once() -> None:
    assert len({mutant.rule for mutant in MUTANTS}) == len(MUTANTS) >= 40


def test_a_broken_rule_is_noticed_and_mended(tmp_path: Path) -> None:
    trial = Trial(tmp_path)

    assert "eventfd/semaphore" in trial.of(SEMAPHORE).caught_by
    assert trial.differing("eventfd") == ()


@pytest.mark.parametrize("old", ["no such text", "self.count"], ids=["gone", "ambiguous"])
def test_a_list_that_does_not_follow_the_source_is_told(old: str) -> None:
    with pytest.raises(DoesNotApply):
        changed(replace(SEMAPHORE, old=old))
