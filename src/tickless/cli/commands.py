"""The commands and their options."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from tickless import __version__

if TYPE_CHECKING:
    from tickless.host.inherited import Inherited


class Parsed(click.ParamType):
    """An option whose text a function of ours reads; its ValueError is the user's one line."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _parse_span(text: str) -> int:
    from tickless.scenario.spans import parse_span

    span_ns = parse_span(text)
    if span_ns is None:
        raise ValueError(f"{text!r} has no end")
    return span_ns


def _parse_start(text: str) -> int:
    from tickless.scenario.spans import parse_timestamp

    return parse_timestamp(text, time.time_ns())


def _parse_at(text: str) -> Any:
    from tickless.scenario.at import parse_at

    return parse_at(text)


def _parse_clock(text: str) -> float | None:
    if text == "virtual":
        return None
    if text == "real":
        return 1.0
    try:
        speed = float(text.removeprefix("x"))
    except ValueError:
        speed = 0.0
    if not text.startswith("x") or not 0 < speed < 1e9:
        raise ValueError(f"{text!r} is not virtual, real or xN")
    return speed


SPAN = Parsed("span", _parse_span)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="tickless %(version)s")
def tickless() -> None:
    """Run unmodified Linux programs on an event kernel whose clock is virtual."""


@tickless.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": False})
@click.option("--until", type=SPAN, metavar="SPAN", help="End the run after this much virtual time (status 0).")
@click.option(
    "--start",
    type=Parsed("timestamp", _parse_start),
    metavar="TIMESTAMP",
    help="What CLOCK_REALTIME shows at the start, as systemd writes it; `now` takes the host's. [2026-01-01 UTC]",
)
@click.option(
    "--at",
    type=Parsed("step", _parse_at),
    multiple=True,
    metavar="SPAN:STEP",
    help="At SPAN after the start send PROGRAM a SIGNAL, or do jump=±SPAN (of CLOCK_REALTIME) or suspend=SPAN. Repeatable.",
)
@click.option(
    "--clock",
    type=Parsed("clock", _parse_clock),
    metavar="virtual|real|xN",
    default="virtual",
    help="Jump over idle time, keep the host's pace, or N times that. [virtual]",
)
@click.option(
    "--hz",
    type=click.IntRange(1, 1_000_000_000),
    metavar="N",
    help="Notice deadlines only at the ticks of an N Hz timer. [tickless]",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    metavar="N",
    help="Draw the order of ready tasks from this seed. [first come, first served]",
)
@click.option(
    "--grace", type=SPAN, metavar="SPAN", default="0", help="Real time that each jump waits for input from outside. [0]"
)
@click.option("--no-external", is_flag=True, help="Never wait for input from outside.")
@click.option(
    "--call-cost", type=SPAN, metavar="SPAN", default="100ns", help="Virtual time that a served call takes. [100ns]"
)
@click.option("--timeout", type=SPAN, metavar="SPAN", help="End the run after this much real time (status 124).")
@click.option("--stats", is_flag=True, help="Print a table of what happened to stderr.")
@click.option("-o", "--output", metavar="FILE", help="Write the trace of served calls to FILE.")
@click.option(
    "-e",
    "--expression",
    metavar="trace=…",
    multiple=True,
    help="What to trace, as strace has it: trace=read,write or trace=!futex.",
)
@click.option(
    "-E",
    "--env",
    metavar="NAME=VALUE",
    multiple=True,
    help="Set a variable for PROGRAM; NAME alone removes it. Repeatable.",
)
@click.option("--chdir", metavar="DIR", help="Start PROGRAM in this folder.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing that is not an error.")
@click.option("-v", "--verbose", is_flag=True, help="Say how the run ended.")
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run(inherited: Inherited, program: str, arguments: Sequence[str], **options: Any) -> int:
    """Run PROGRAM with its arguments; the status is PROGRAM's."""
    from tickless.cli.running import run_program

    return run_program(inherited, [program, *arguments], options)
