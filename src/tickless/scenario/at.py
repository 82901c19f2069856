"""`--at SPAN:WHAT`: one thing that the outside world does to the program, and when."""

from dataclasses import dataclass

from tickless.abi.signal import signal_number
from tickless.scenario.spans import parse_span


@dataclass(frozen=True, slots=True)
class AtSignal:
    """The program's thread group gets a signal, `at_ns` after its start."""

    at_ns: int
    signo: int


@dataclass(frozen=True, slots=True)
class AtJump:
    """The realtime clock is set forward by `delta_ns`, or back if that is below 0."""

    at_ns: int
    delta_ns: int


@dataclass(frozen=True, slots=True)
class AtSuspend:
    """The machine sleeps for `span_ns`: the boot-time and realtime clocks go on, the monotonic one does not."""

    at_ns: int
    span_ns: int


At = AtSignal | AtJump | AtSuspend


def parse_at(text: str) -> At:
    """Read `12h:SIGHUP`, `1d:jump=-1h` or `2h:suspend=30min`. Raises: ValueError, its message for the user."""
    when, _, what = text.partition(":")
    if not what:
        raise ValueError(f"nothing to do at: {text!r} (write SPAN:SIGNAL, SPAN:jump=±SPAN or SPAN:suspend=SPAN)")
    at_ns = parse_span(when)
    if what.startswith("jump="):
        return AtJump(at_ns, _parse_signed_span(what.removeprefix("jump=")))
    if what.startswith("suspend="):
        return AtSuspend(at_ns, parse_span(what.removeprefix("suspend=")))
    signo = signal_number(what)
    if signo is None:
        raise ValueError(f"neither a signal nor jump= nor suspend=: {what!r}")
    return AtSignal(at_ns, signo)


def _parse_signed_span(text: str) -> int:
    return -parse_span(text[1:]) if text.startswith("-") else parse_span(text.removeprefix("+"))
