"""`--at`: what happens to the program, and when."""

import pytest

from tickless.abi.signal import SIGHUP, SIGTERM
from tickless.scenario.at import At, AtJump, AtSignal, AtSuspend, parse_at
from tickless.scenario.spans import DAY, HOUR, MINUTE, SECOND


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("12h:SIGHUP", AtSignal(12 * HOUR, SIGHUP)),
        ("1d:term", AtSignal(DAY, SIGTERM)),
        ("0:15", AtSignal(0, SIGTERM)),
        ("1h 30min:RTMIN+1", AtSignal(90 * MINUTE, 35)),
        ("1d:jump=1h", AtJump(DAY, HOUR)),
        ("1d:jump=+1h", AtJump(DAY, HOUR)),
        ("1d:jump=-1h 1s", AtJump(DAY, -HOUR - SECOND)),
        ("2h:suspend=30min", AtSuspend(2 * HOUR, 30 * MINUTE)),
    ],
)
def test_step(text: str, step: At) -> None:
    assert parse_at(text) == step


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("12h", "nothing to do at: '12h'"),
        ("12h:", "nothing to do at: '12h:'"),
        ("12x:TERM", "not a time span: '12x'"),
        (":TERM", "not a time span: ''"),
        ("-1h:TERM", "not a time span: '-1h'"),
        ("1h:SIGFOO", "neither a signal nor jump= nor suspend=: 'SIGFOO'"),
        ("1h:0", "neither a signal nor jump= nor suspend=: '0'"),
        ("1h:jump=", "not a time span: ''"),
        ("1h:jump=--1h", "not a time span: '-1h'"),
        ("1h:suspend=-1h", "not a time span: '-1h'"),
        ("1h:suspend=infinity", "not a time span: 'infinity'"),
    ],
)
def test_one_clear_line_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        parse_at(text)
