"""What a check does to the child that makes it."""

import errno
import os
import signal
import time

import pytest

from tickless.doctor import finding
from tickless.doctor.finding import Refused, in_child


def test_what_an_attempt_returns_is_heard() -> None:
    assert in_child(lambda: f"{os.getppid()}") == f"{os.getpid()}"


def test_what_the_host_refuses_is_an_errno() -> None:
    def attempt() -> str:
        raise PermissionError(errno.EPERM, "not permitted")

    with pytest.raises(Refused, match="not permitted") as refused:
        in_child(attempt)
    assert refused.value.errno == errno.EPERM


def test_a_child_that_is_killed_is_told_by_its_signal() -> None:
    """A filter may kill who makes a call. seccomp(2), SECCOMP_RET_KILL_PROCESS."""

    def attempt() -> str:
        os.kill(os.getpid(), signal.SIGSYS)
        return "not reached"

    with pytest.raises(ChildProcessError, match="killed by SIGSYS"):
        in_child(attempt)


def test_a_mistake_of_ours_is_shown_and_ends_the_child(capfd: pytest.CaptureFixture[str]) -> None:
    def attempt() -> str:
        raise ZeroDivisionError("a mistake")

    with pytest.raises(ChildProcessError, match="ended without an answer"):
        in_child(attempt)
    assert "ZeroDivisionError: a mistake" in capfd.readouterr().err


def test_a_check_that_hangs_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "LIMIT_S", 0.1)

    def attempt() -> str:
        time.sleep(60)
        return "too late"

    with pytest.raises(ChildProcessError, match="killed by SIGKILL"):
        in_child(attempt)
