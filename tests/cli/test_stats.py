"""The table of --stats: what a newcomer reads after a run."""

import pytest

from tickless.cli.stats import how_it_ended, print_stats
from tickless.run import Outcome

HOUR = 3600 * 10**9


def table(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_stats(outcome)
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err.splitlines()


def test_the_whole_table(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome(
        outcome="signaled",
        status=15,
        virtual_ns=24 * HOUR,
        real_ns=12 * 10**9,
        wakeups={"timer": 86_400, "exit": 24, "write": 3},
        held={"data in flight": 0.0421},
        signals={"SIGCHLD": 24, "SIGTERM": 1},
        calls={f"call{n}": 100 - n for n in range(12)},
        passed_on={"write": 7, "read": 5},
        processes=25,
        threads=27,
    )

    assert [(line[2:30].rstrip(), line[32:]) for line in table(outcome, capsys)] == [
        ("simulated time", "1d"),
        ("real time", "12.00 s (7,200 times as fast)"),
        ("tasks", "25 processes and 2 more threads"),
        ("wake-ups", "86,427"),
        ("  a timer", "86,400"),
        ("  the end of a task", "    24"),
        ("  another task's write", "     3"),
        ("signals received", "    25"),
        ("  SIGCHLD", "    24"),
        ("  SIGTERM", "     1"),
        ("calls served", " 1,134"),
        *((f"  call{n}", f"{100 - n:>6}") for n in range(10)),
        ("  2 others", "   179"),
        ("calls left to Linux", "    12"),
        ("clock held by data in flight", "0.042 s of real time"),
    ]


def test_a_run_in_which_nothing_happened(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome(outcome="exited", status=0, virtual_ns=0, real_ns=10**7, processes=1, threads=1)

    assert table(outcome, capsys) == [
        "  simulated time       0",
        "  real time            0.01 s",
        "  tasks                1 process",
        "  wake-ups             0",
        "  signals received     0",
        "  calls served         0",
        "  calls left to Linux  0",
    ]


def test_one_thread_is_no_threads(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome(outcome="exited", status=0, virtual_ns=1, real_ns=1, processes=1, threads=2)

    assert table(outcome, capsys)[2] == "  tasks                1 process and 1 more thread"


ENDINGS = {
    "exited": (Outcome("exited", 3 << 8, HOUR, 1), "the program exited with status 3 after 1h"),
    "signaled": (Outcome("signaled", 9, HOUR, 1), "the program was killed by SIGKILL after 1h"),
    "until": (Outcome("until", 0, HOUR, 1), "the run was ended by --until after 1h"),
    "deadlock": (Outcome("deadlock", 0, HOUR, 1), "the run ended in a deadlock after 1h"),
    "timeout": (Outcome("timeout", 0, HOUR, 1), "the run was ended by --timeout after 1h"),
    "interrupted": (Outcome("interrupted", 0, HOUR, 1), "the run was interrupted after 1h"),
}


@pytest.mark.parametrize(("outcome", "line"), ENDINGS.values(), ids=ENDINGS)
def test_how_a_run_ended(outcome: Outcome, line: str) -> None:
    assert how_it_ended(outcome) == line
