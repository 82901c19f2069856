"""docs/slow-tests.md: what pytest tells of the slow tier is there, the bad as well as the good."""

import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from scripts.report_slow_tests import cases_in, page_of

A_TEST = """
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_what_holds(number):
    pass

@pytest.mark.parametrize("way", ["good", "bad"])
def test_what_tells(way, record_property):
    record_property("told", f"it was {way}")
    assert way == "good"

@pytest.mark.skip(reason="no such machine")
def test_left_out():
    pass

def test_that_breaks(no_such_fixture):
    pass
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of a run of A_TEST."""
    folder = tmp_path_factory.mktemp("slow")
    (folder / "test_page.py").write_text(A_TEST)
    command = [sys.executable, "-m", "pytest", "-q", "--junitxml", "slow.xml", "--rootdir", ".", "test_page.py"]
    subprocess.run(command, cwd=folder, check=False, capture_output=True, timeout=60)
    cases = cases_in(ElementTree.parse(folder / "slow.xml").getroot())
    return page_of([replace(case, module="tests.project.test_slow_tests") for case in cases], "Here.")


def test_every_case_is_there_with_its_verdict(page: str) -> None:
    rows = [line for line in page.splitlines() if line.startswith("|") and "---" not in line]

    assert [[cell.strip() for cell in row.split("|")[1:3]] for row in rows] == [
        ["left out", ""],
        ["it", "left out: no such machine"],
        ["that breaks", ""],
        ["it", "**failed**"],
        ["what holds", ""],
        ["2 cases", "holds"],
        ["what tells", ""],
        ["bad", "**failed**"],
        ["good", "holds"],
    ]


def test_what_a_case_told_is_there(page: str) -> None:
    assert [line.split("|")[4] for line in page.splitlines() if line.startswith(("| bad", "| good"))] == [
        " it was bad ",
        " it was good ",
    ]


def test_a_part_has_the_first_line_of_its_tests(page: str) -> None:
    assert "\nHere.\n\n## docs/slow-tests.md: what pytest tells of the slow tier is there" in page
