"""The commands and their options."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tickless import __version__

if TYPE_CHECKING:
    from tickless.host.inherited import Inherited

    ParamType = click.ParamType[Any]
else:
    ParamType = click.ParamType  # generic only from click 8.2 on

Command = TypeVar("Command", bound=Callable[..., Any])

MOST_HZ = 10**9


class Parsed(ParamType):
    """An option whose text a function of ours reads; its ValueError is the user's one line."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.parse(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


# What reads an option is imported when there is one: a start without options needs none of it.


def _parse_span(text: str) -> int:
    from tickless.scenario.spans import parse_span

    return parse_span(text)


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


def _parse_hz(text: str) -> int:
    hz = _parse_number(text)
    if not 1 <= hz <= MOST_HZ:
        raise ValueError(f"{text} is not from 1 to {MOST_HZ}")
    return hz


def _parse_number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{text!r} is no number")
    return int(text)


def _parse_variable(text: str) -> tuple[str, str | None]:
    """NAME=VALUE, or NAME alone to remove it."""
    name, equals, value = text.partition("=")
    if not name:
        raise ValueError(f"{text!r} has no name")
    return name, value if equals else None


def _parse_trace(text: str) -> Any:
    from tickless.trace.choice import parse_trace

    return parse_trace(text)


SPAN = Parsed("span", _parse_span)
TIMESTAMP = Parsed("timestamp", _parse_start)
STEP = Parsed("step", _parse_at)
CLOCK = Parsed("clock", _parse_clock)
HZ = Parsed("hz", _parse_hz)
NUMBER = Parsed("number", _parse_number)
VARIABLE = Parsed("variable", _parse_variable)
CALLS = Parsed("calls", _parse_trace)


def _option(*names: str, type: ParamType, metavar: str, help: str, multiple: bool = False) -> Any:
    """An option with a value; None, or nothing, unless it is given."""
    return click.option(*names, type=type, metavar=metavar, help=help, multiple=multiple)


def _flag(*names: str, help: str) -> Any:
    return click.option(*names, is_flag=True, help=help)


OPTIONS = (
    _option("--until", type=SPAN, metavar="SPAN", help="End the run after this much virtual time (status 0)."),
    _option(
        "--start",
        type=TIMESTAMP,
        metavar="TIMESTAMP",
        help="What CLOCK_REALTIME shows at the start, as systemd writes it, but in UTC unless it names a zone; `now` "
        "is the host's. [2026-01-01]",
    ),
    _option(
        "--at",
        type=STEP,
        multiple=True,
        metavar="SPAN:STEP",
        help="At SPAN after the start send PROGRAM a SIGNAL, set CLOCK_REALTIME by jump=±SPAN, or suspend=SPAN. "
        "Repeatable.",
    ),
    _option(
        "--clock",
        type=CLOCK,
        metavar="virtual|real|xN",
        help="Jump over idle time, keep the host's pace, or N times that. [virtual]",
    ),
    _option("--hz", type=HZ, metavar="N", help="Notice deadlines only at the ticks of an N Hz timer. [tickless]"),
    _option(
        "--seed",
        type=NUMBER,
        metavar="N",
        help="Draw the order of ready tasks from this seed. [first come, first served]",
    ),
    _option("--grace", type=SPAN, metavar="SPAN", help="Real time that each jump waits for input from outside. [0]"),
    _flag("--no-external", help="Never wait for input from outside."),
    _option("--call-cost", type=SPAN, metavar="SPAN", help="Virtual time that a served call takes. [1us]"),
    _option(
        "--file-times",
        type=click.Choice(["host", "virtual"]),
        metavar="host|virtual",
        help="Whether stat tells when files were changed by the host's clock, or by the virtual one. [host]",
    ),
    _option("--timeout", type=SPAN, metavar="SPAN", help="End the run after this much real time (status 124)."),
    _option("--env", "-E", type=VARIABLE, multiple=True, metavar="NAME=VALUE", help="Set a variable. Repeatable."),
    _option("--chdir", type=click.STRING, metavar="DIR", help="Start PROGRAM in this folder."),
    _option(
        "--output", "-o", type=click.STRING, metavar="FILE", help="Write what happens to FILE, line by line as strace."
    ),
    _option(
        "--expression",
        "-e",
        type=CALLS,
        metavar="trace=CALLS",
        help="Trace read,write or !futex or %time, as strace has it; to stderr without -o. "
        "Groups: %desc %file %memory %process %signal %time.",
    ),
    _flag("--verify", help="Run PROGRAM twice, and show where the second trace differs from the first (status 122)."),
    _option(
        "--json", type=click.STRING, metavar="FILE", help="Write how the run ended to FILE as one object; - is stderr."
    ),
    _flag("--stats", help="End with a table of what happened, on stderr."),
    _flag("--quiet", "-q", help="Say nothing that is not an error."),
    _flag("--verbose", "-v", help="Say how the run ended."),
)


def _with_options(command: Command) -> Command:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(__version__, message="tickless %(version)s")
@click.pass_context
def tickless(context: click.Context) -> None:
    """Run unmodified Linux programs on an event kernel whose clock is virtual."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@tickless.command(context_settings={"allow_interspersed_args": False})
@_with_options
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run(inherited: Inherited, /, program: str, arguments: Sequence[str], **options: Any) -> int:
    """Run PROGRAM with its arguments; the status is PROGRAM's.

    SPAN and TIMESTAMP are systemd's: 1h 30min, 500ms, 2026-01-01 12:00:00.
    """
    from tickless.cli.running import run_program

    return run_program(inherited, [program, *arguments], options)


@tickless.command()
@click.option("--clock", type=click.Choice(["virtual", "real"]), default="virtual", help="The clock of the runs.")
@click.option("--against", metavar="'CMD …'", help="Compare what Linux did when it was recorded with CMD … PROGRAM.")
@click.option("--json", "as_object", is_flag=True, help="Print one object instead of the table.")
@click.option("--junit", type=click.File("wb", lazy=True), metavar="FILE", help="Write a test report, too.")
@click.argument("filters", nargs=-1, metavar="[FILTER]...")
def conform(filters: Sequence[str], **options: Any) -> int:
    """Try rules of the manual pages: does a program see under tickless what it sees on this kernel?

    FILTER is a page, eventfd(2) or eventfd, or one rule, eventfd/semaphore; * and ? stand for others. A C compiler
    is needed. The status is 0 if all agree, 1 if a rule differs or a file does not compile, 125 if none can be tried.
    """
    from tickless.cli.conforming import conform

    return conform(filters, **options)


@tickless.command()
@click.option("--json", "as_object", is_flag=True, help="Print one object instead of the table.")
def doctor(*, as_object: bool) -> int:
    """Try what a run needs of this machine, and say what to do where it is missing.

    The status is 0 if programs can run here, 125 if not.
    """
    from tickless.cli.doctoring import doctor

    return doctor(as_object=as_object)
