"""A plugin of pytest that writes what each case came to, as lines of CASE, tab, VERDICT, to $REPORT.

A case that begins gets a line, too, with the verdict `began`.
"""

from __future__ import annotations

import os

import pytest

NEW = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
REPORT = os.open(os.environ["REPORT"], NEW)


def write(case: str, verdict: str) -> None:
    # At once: a child inherits nothing that it would write again, and nothing is lost when the process dies.
    os.write(REPORT, f"{case}\t{verdict}\n".encode())


def pytest_runtest_logstart(nodeid: str) -> None:
    write(nodeid, "began")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Of the fixtures' parts only what went wrong, or that the case is skipped."""
    if report.when == "call" or report.outcome != "passed":
        write(report.nodeid, report.outcome)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.outcome != "passed":
        write(report.nodeid, report.outcome)
