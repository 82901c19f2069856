"""signal(7): names, sets and default actions."""

import signal as python_signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickless.abi import signal as sig
from tickless.abi.signal import default_action, sigmask, signal_name, signal_number, signals_in


@pytest.mark.parametrize(
    ("signo", "action"),
    [
        (sig.SIGTERM, "terminate"),
        (sig.SIGIO, "terminate"),
        (sig.SIGPWR, "terminate"),
        (sig.SIGSTKFLT, "terminate"),
        (sig.SIGRTMIN, "terminate"),
        (sig.SIGRTMAX, "terminate"),
        (sig.SIGQUIT, "core"),
        (sig.SIGXCPU, "core"),
        (sig.SIGSYS, "core"),
        (sig.SIGCHLD, "ignore"),
        (sig.SIGURG, "ignore"),
        (sig.SIGWINCH, "ignore"),
        (sig.SIGSTOP, "stop"),
        (sig.SIGTTOU, "stop"),
        (sig.SIGCONT, "continue"),
    ],
)
def test_default_action(signo: int, action: str) -> None:
    """signal(7), Standard signals: the table's column Action."""
    assert default_action(signo) == action


def test_names_are_those_of_the_c_library() -> None:
    names = {member.value: member.name for member in python_signal.Signals if member.value < 32}

    assert {signo: signal_name(signo) for signo in names} == names


@pytest.mark.parametrize(
    ("signo", "name"),
    [(34, "SIGRTMIN"), (37, "SIGRTMIN+3"), (64, "SIGRTMIN+30"), (32, "SIGRTMIN-2"), (0, "0"), (65, "65"), (-1, "-1")],
)
def test_real_time_signals_count_from_the_c_library_own_first(signo: int, name: str) -> None:
    assert signal_name(signo) == name


@pytest.mark.parametrize(
    ("text", "signo"),
    [
        ("TERM", 15),
        ("SIGTERM", 15),
        ("sigterm", 15),
        ("POLL", 29),
        ("15", 15),
        ("64", 64),
        ("RTMIN", 34),
        ("SIGRTMIN+3", 37),
        ("RTMAX-1", 63),
        ("0", None),
        ("65", None),
        ("-1", None),
        ("RTMAX+1", None),
        ("RTMIN3", None),
        ("RTMIN+", None),
        ("SIG", None),
        ("", None),
        ("HANGUP", None),
    ],
)
def test_signal_number_reads_what_kill_reads(text: str, signo: int | None) -> None:
    assert signal_number(text) == signo


@given(st.integers(1, 64))
def test_a_name_reads_back_as_its_signal(signo: int) -> None:
    assert signal_number(signal_name(signo)) == signo


@given(st.sets(st.integers(1, 64)))
def test_a_set_yields_its_signals_lowest_first(signals: set[int]) -> None:
    assert list(signals_in(sigmask(*signals))) == sorted(signals)
