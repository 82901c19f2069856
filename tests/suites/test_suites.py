"""How suites are read, compared and listed. What is compared are two runs of a program, natively and under tickless."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from suites import record
from suites.families import FAMILIES
from suites.model import END, NOT_RUN, Difference, Family, Piece, Ran, Verdicts, cases_of_lines, whole
from suites.running import Compared, compare

SHELL = Piece("shell", "one", ("sh", "-c", "exit 3"), whole(skipped=3), limit_s=20)


def ran(folder: Path, report: str = "", *, status: int = 0, hung: bool = False) -> Ran:
    (folder / "report").write_text(report)
    return Ran(folder, status, hung, 1.0)


@pytest.mark.parametrize(
    ("report", "status", "hung", "verdicts"),
    [
        pytest.param("a\tbegan\na\tpassed\n", 0, False, {END: "passed", "a": "passed"}, id="passed"),
        pytest.param("a\tbegan\na\tpassed\na\tfailed\n", 1, False, {END: "passed", "a": "failed"}, id="its end failed"),
        pytest.param("a\tbegan\n", 124, True, {END: "hung", "a": "hung"}, id="hung"),
        pytest.param("a\tbegan\n", -11, False, {END: "died", "a": "died"}, id="died"),
        pytest.param("", 4, False, {END: NOT_RUN}, id="no case"),
        pytest.param("", -9, False, {END: "died"}, id="died before it began"),
    ],
)
def test_lines_tell_what_cases_came_to(
    report: str, status: int, hung: bool, verdicts: Verdicts, tmp_path: Path
) -> None:
    assert cases_of_lines(ran(tmp_path, report, status=status, hung=hung)) == verdicts


@pytest.mark.parametrize(("status", "verdict"), [(0, "passed"), (1, "failed"), (77, "skipped"), (-6, "died")])
def test_a_status_tells_what_a_program_came_to(status: int, verdict: str, tmp_path: Path) -> None:
    assert whole(skipped=77)(ran(tmp_path, status=status)) == {END: verdict}


def compared(natively: Verdicts, under_tickless: Verdicts) -> Compared:
    return Compared(SHELL, natively, under_tickless, 2.0, 0.5)


def family(**known: Difference) -> Family:
    differences = {f"one {case}": difference for case, difference in known.items()}
    return Family("shell", (), lambda: [SHELL], differences, notes=("`one` with `--grace=1s`: it asks outside.",))


def test_what_differs_is_told_unless_it_is_listed() -> None:
    one = compared({END: "passed", "a": "passed", "b": "passed"}, {END: "passed", "a": "failed"})
    known = Difference("passed", "failed", "because")

    assert record.unexpected(family(), [one]) == [
        "one a: natively passed, under tickless failed",
        "one b: natively passed, under tickless missing",
    ]
    assert record.unexpected(family(a=known, b=Difference("passed", "missing", "because")), [one]) == []
    assert record.unexpected(family(a=Difference("passed", "hung", "because")), [one]) != []


def test_a_piece_of_which_nothing_has_run_is_told() -> None:
    assert record.unexpected(family(), [compared({END: NOT_RUN}, {END: NOT_RUN})]) == ["one: no case was run"]


def test_a_listed_difference_that_has_gone_is_told() -> None:
    one = compared({"a": "passed"}, {"a": "passed"})

    assert record.unexpected(family(a=Difference("passed", "failed", "because")), [one]) == [
        "one a: is listed as a difference, and is none"
    ]


def test_a_listed_difference_that_depends_on_real_time_may_have_gone() -> None:
    known = Difference("failed", "passed", "because", sometimes=True)

    assert record.unexpected(family(a=known), [compared({"a": "passed"}, {"a": "passed"})]) == []
    assert record.unexpected(family(a=known), [compared({"a": "failed"}, {"a": "passed"})]) == []
    assert record.unexpected(family(a=known), [compared({"a": "passed"}, {"a": "failed"})]) != []


def test_a_piece_is_recorded_and_the_page_adds_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RECORDED", tmp_path)
    one = compared({END: "passed", "a": "passed", "b": "skipped"}, {END: "passed", "a": "failed", "b": "skipped"})
    shell = family(a=Difference("passed", "failed", "The cause."))
    record.keep(shell, one)
    record.keep(shell, one)
    page = record.page([shell])

    assert list(json.loads((tmp_path / "shell.json").read_text())) == ["one"]
    assert "| shell | 2 | 1 | 1 | 2.0 s | 0.5 s | 4.0 |" in page
    assert "- `one a`: natively passed, under tickless failed. The cause." in page
    assert "## What runs with options\n\n- `one` with `--grace=1s`: it asks outside.\n" in page


def test_what_is_left_out_is_told_with_the_reason() -> None:
    page = record.page([Family("shell", (), lambda: [SHELL], left_out={"group/race": "Chance decides."})])

    assert page.endswith("## What is not tried\n\n- `group/race` of shell: Chance decides.\n")


def test_the_page_is_what_was_recorded() -> None:
    assert record.PAGE.read_text() == record.page(FAMILIES.values())


def test_a_piece_runs_natively_and_under_tickless(tmp_path: Path) -> None:
    one = compare(SHELL, tmp_path)

    assert (one.natively, one.under_tickless) == ({END: "skipped"}, {END: "skipped"})
    assert one.differing() == {}


def test_a_piece_starts_with_signals_as_they_are_by_default(tmp_path: Path) -> None:
    """sh(1): a command in the background ignores SIGINT, and so would all that it starts."""
    piece = Piece("shell", "three", ("sh", "-c", "kill -INT $$; exit 0"), whole(), limit_s=20)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        one = compare(piece, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)

    assert one.natively == {END: "died"}
    assert one.differing() == {}


def test_a_piece_that_hangs_is_ended_in_both(tmp_path: Path) -> None:
    one = compare(Piece("shell", "two", ("sh", "-c", "while :; do :; done"), whole(), limit_s=1), tmp_path)

    assert one.natively == one.under_tickless == {END: "hung"}


PYTEST_CASES = """
import os, pytest
def test_passes(): pass
def test_fails(): assert not 1
@pytest.mark.skip
def test_skipped(): pass
@pytest.fixture
def ends_badly():
    yield
    raise OSError
def test_ends_badly(ends_badly): pass
def test_dies(): os._exit(3)
"""


def test_the_plugin_of_pytest_writes_lines(tmp_path: Path) -> None:
    cases = tmp_path / "test_cases.py"
    cases.write_text(PYTEST_CASES)
    reporters = Path(record.__file__).parent / "reporters"
    command = (sys.executable, "-m", "pytest", "-q", "-p", "pytest_lines", "-p", "no:cacheprovider", "--rootdir", ".")
    piece = Piece("p", "p", (*command, str(cases)), cases_of_lines, environment={"PYTHONPATH": str(reporters)})
    told = {case.rpartition("::")[2]: verdict for case, verdict in compare(piece, tmp_path / "run").natively.items()}

    assert told == {
        END: "passed",
        "test_passes": "passed",
        "test_fails": "failed",
        "test_skipped": "skipped",
        "test_ends_badly": "failed",
        "test_dies": "died",
    }
