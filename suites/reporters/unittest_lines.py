"""Run modules of CPython's test suite, and write what each case came to, as lines of CASE, tab, VERDICT, to $REPORT.

Usage: unittest_lines.py MODULE...  A case that begins gets a line, too, with the verdict `began`.
"""

import importlib
import os
import sys
import unittest
from typing import Any

# What regrtest calls resources: all but the network, which is not there, and what fills disks and screens.
RESOURCES = ("cpu", "subprocess", "walltime")
NEW = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
REPORT = os.open(os.environ["REPORT"], NEW)


def write(case: str, verdict: str) -> None:
    # At once: a child inherits nothing that it would write again, and nothing is lost when the process dies.
    os.write(REPORT, f"{case}\t{verdict}\n".encode())


class Lines(unittest.TextTestResult):
    """Writes a line when a case begins, and one when it has ended. What fails in a part of it, it fails in."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.verdict: str | None = None  # of the case that runs, if one does

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self.verdict = "passed"
        self._write(test, "began")

    def stopTest(self, test: Any) -> None:
        self._write(test, self.verdict or "failed")
        self.verdict = None
        super().stopTest(test)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._judge(test, "failed")

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._judge(test, "failed")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._judge(test, "failed")

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._judge(test, "failed")

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        # One that skips itself after a part of it has failed, has failed.
        if self.verdict != "failed":
            self._judge(test, "skipped")

    def _judge(self, test: Any, verdict: str) -> None:
        if self.verdict is None:
            self._write(test, verdict)  # a class's or a module's setUp: no case has begun
        else:
            self.verdict = verdict

    def _write(self, test: Any, verdict: str) -> None:
        write(test.id(), verdict)


def main() -> int:
    importlib.import_module("test.support").use_resources = dict.fromkeys(RESOURCES)  # type: ignore[attr-defined]
    try:
        suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])
    except unittest.SkipTest:  # a module for another system
        write("(module)", "skipped")
        return 0
    return 0 if unittest.TextTestRunner(verbosity=2, resultclass=Lines).run(suite).wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
