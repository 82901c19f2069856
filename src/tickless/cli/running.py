"""`tickless run`: from options to a RunConfig, and from an Outcome to an exit status."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tickless.cli.say import say
from tickless.host.launch import LaunchError
from tickless.host.shortage import shortage_in
from tickless.run import InternalError, Outcome, RunConfig, run

if TYPE_CHECKING:
    from tickless.cli.json_report import JsonReport
    from tickless.cli.status_line import StatusLine
    from tickless.host.inherited import Inherited
    from tickless.kernel.registry import Unserved
    from tickless.kernel.task import Task
    from tickless.trace.out import LineWriter

DEADLOCK, TIMED_OUT, FAILED, INTERRUPTED = 121, 124, 125, 130
STDERR = 2


@dataclass(frozen=True)
class Failed:
    """There is no outcome: PROGRAM could not start, or tickless made a mistake."""

    message: str
    exit_status: int


def run_program(inherited: Inherited, argv: Sequence[str], options: dict[str, Any]) -> int:
    """Run it, say what there is to say, and return the exit status; a program killed by a signal takes us with it."""
    gc.freeze()  # what is imported stays
    gc.enable()
    config = make_config(inherited, argv, options)
    report = open_report(options)
    if options["verify"]:
        from tickless.cli.verifying import verify

        return verify(config, inherited, options, report)
    config.trace_to = _trace_to(options)
    ended = run_once(config, inherited, options)
    finish(config, ended, options, report)
    return leave(ended)


def run_once(config: RunConfig, inherited: Inherited, options: dict[str, Any]) -> Outcome | Failed:
    """Run PROGRAM to its end, under the live line; what went wrong is said."""
    status_line = _status_line(options)
    if status_line is not None:
        status_line.attend(config)
    try:
        return run(config, inherited)
    except LaunchError as error:
        say(error.message)
        return Failed(error.message, error.status)
    except InternalError as error:
        return _report_mistake(error, verbose=options["verbose"])
    finally:
        if status_line is not None:
            status_line.stop()
        if config.trace_to is not None:
            config.trace_to.close()


def _report_mistake(error: InternalError, *, verbose: bool) -> Failed:
    """A mistake of ours, or that we have run out of something, in one line; -v adds what a report of it needs."""
    cause = error.__cause__
    if isinstance(cause, Exception) and shortage_in(cause) is not None:
        message = f"cannot go on after {error}: {cause!r}"
        say(message)
    else:
        message = f"internal error while serving {error}: {cause!r}"
        say(f"{message} (-v says more, please report it)")
    if verbose:
        import traceback

        traceback.print_exception(cause)
    return Failed(message, FAILED)


def make_config(inherited: Inherited, argv: Sequence[str], options: dict[str, Any]) -> RunConfig:
    """All of a run but where its trace goes."""
    config = RunConfig(
        argv=argv,
        env=_environment(inherited, options["env"]),
        cwd=options["chdir"],
        until_ns=options["until"],
        at=options["at"],
        speed=options["clock"],
        hz=options["hz"],
        seed=options["seed"],
        grace_ns=options["grace"] or 0,
        external=not options["no_external"],
        virtual_file_times=options["file_times"] == "virtual",
        timeout_ns=options["timeout"],
        count_calls=options["stats"] or options["json"] is not None,
        trace_calls=options["expression"],
        on_refused=None if options["quiet"] else _say_refused,
        on_silence=None if options["quiet"] else _say_silence,
    )
    if options["start"] is not None:
        config.start_realtime_ns = options["start"]
    if options["call_cost"] is not None:
        config.call_cost_ns = options["call_cost"]
    return config


def _environment(inherited: Inherited, changes: Sequence[tuple[str, str | None]]) -> dict[str, str]:
    env = dict(inherited.environment)
    for name, value in changes:
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return env


def _trace_to(options: dict[str, Any]) -> LineWriter | None:
    """The file of -o, or stderr if there is only -e."""
    path = options["output"]
    if path is None and options["expression"] is None:
        return None
    from tickless.trace.out import LineWriter

    if path is None:
        if sys.stderr is None:
            raise click.UsageError("-e without -o needs a stderr")
        return LineWriter(os.dup(STDERR), say)
    try:
        return LineWriter.create(path, say)
    except OSError as error:
        raise click.UsageError(f"cannot write {path}: {error.strerror}") from None


def _status_line(options: dict[str, Any]) -> StatusLine | None:
    """The live line, where somebody watches and nothing else is written on the way."""
    on_stderr = options["expression"] is not None and options["output"] is None
    on_stderr = on_stderr or options["json"] == "-"
    if options["quiet"] or on_stderr or os.environ.get("CI") or not _is_terminal():
        return None
    from tickless.cli.status_line import StatusLine

    return StatusLine()


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _say_refused(task: Task, unserved: Unserved) -> None:
    happens = f"it fails with {os.strerror(unserved.errno)}" if unserved.errno else unserved.effect
    say(f"{unserved.id}: {unserved.what} is not served ({task.name}); {happens}")


def _say_silence(blocked: Sequence[str]) -> None:
    say("only the outside can go on from here, and is silent; --no-external ends the run instead of waiting for it")
    _say_blocked(blocked)


def _say_blocked(blocked: Sequence[str]) -> None:
    for line in blocked:
        say(f"  {line}")


def open_report(options: dict[str, Any]) -> JsonReport | None:
    """What --json writes to. Raises: click.UsageError."""
    if options["json"] is None:
        return None
    from tickless.cli.json_report import JsonReport

    return JsonReport(options["json"])


def finish(
    config: RunConfig,
    ended: Outcome | Failed,
    options: dict[str, Any],
    report: JsonReport | None,
    comparison: Mapping[str, Any] | None = None,
) -> None:
    """Say how it ended, to people and to tools. `comparison`: what --verify adds for tools."""
    if isinstance(ended, Outcome):
        _tell(ended, options)
    if report is not None:
        from tickless.cli.json_report import fields_of_failure, fields_of_outcome, fields_of_run

        how = fields_of_failure(ended.message) if isinstance(ended, Failed) else fields_of_outcome(ended)
        report.write(fields_of_run(config, exit_status(ended)) | dict(comparison or {}) | how)


def _tell(outcome: Outcome, options: dict[str, Any]) -> None:
    if outcome.outcome == "deadlock":
        say("deadlock: nothing can happen any more")
        _say_blocked(outcome.blocked)
    elif outcome.outcome == "timeout":
        say("the run took longer than --timeout allows, and was ended")
    if options["stats"] or options["verbose"]:
        from tickless.cli.stats import how_it_ended, print_stats

        say(how_it_ended(outcome))
        if options["stats"]:
            print_stats(outcome)


def exit_status(ended: Outcome | Failed) -> int:
    """What a shell shows as $?."""
    if isinstance(ended, Failed):
        return ended.exit_status
    if ended.outcome == "signaled":
        return 128 + os.WTERMSIG(ended.status)
    if ended.outcome == "exited":
        return os.WEXITSTATUS(ended.status)
    return {"until": 0, "deadlock": DEADLOCK, "timeout": TIMED_OUT, "interrupted": INTERRUPTED}[ended.outcome]


def leave(ended: Outcome | Failed) -> int:
    """The status to exit with, unless PROGRAM was killed by a signal: then it kills us, too."""
    if isinstance(ended, Outcome) and ended.outcome == "signaled":
        _die_of(os.WTERMSIG(ended.status))
    return exit_status(ended)


def _die_of(signo: int) -> NoReturn:
    """End as PROGRAM did, so that whoever started us sees the signal; one core file is enough."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if signo != signal.SIGKILL:
        signal.signal(signo, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signo})
    os.kill(os.getpid(), signo)
    os._exit(128 + signo)
