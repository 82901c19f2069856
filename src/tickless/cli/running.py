"""`tickless run`: from options to a RunConfig, and from an Outcome to an exit status."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tickless.host.launch import LaunchError
from tickless.run import Outcome, RunConfig, run

if TYPE_CHECKING:
    from tickless.host.inherited import Inherited
    from tickless.kernel.registry import Unserved
    from tickless.kernel.task import Task

DEADLOCK, TIMED_OUT, INTERRUPTED = 121, 124, 130


def run_program(inherited: Inherited, argv: Sequence[str], options: dict[str, Any]) -> int:
    """Run it, say what there is to say, and return the exit status; a program killed by a signal takes us with it."""
    quiet = options["quiet"]
    config = RunConfig(
        argv=argv,
        env=_environment(inherited, options["env"]),
        cwd=options["chdir"],
        until_ns=options["until"],
        at=options["at"],
        speed=options["clock"],
        hz=options["hz"],
        seed=options["seed"],
        grace_ns=options["grace"],
        external=not options["no_external"],
        call_cost_ns=options["call_cost"],
        timeout_ns=options["timeout"],
        on_refused=None if quiet else _say_refused,
    )
    if options["start"] is not None:
        config.start_realtime_ns = options["start"]
    try:
        outcome = run(config, inherited)
    except LaunchError as error:
        _say(error.message)
        return error.status
    _report(outcome, options)
    return _status(outcome)


def _environment(inherited: Inherited, changes: Sequence[str]) -> dict[str, str]:
    env = dict(inherited.environment)
    for change in changes:
        name, equals, value = change.partition("=")
        if not name:
            raise click.UsageError(f"--env {change!r} has no name")
        if equals:
            env[name] = value
        else:
            env.pop(name, None)
    return env


def _say(line: str) -> None:
    print(f"tickless: {line}", file=sys.stderr, flush=True)


def _say_refused(task: Task, unserved: Unserved) -> None:
    _say(f"{unserved.id}: {unserved.what} is not served ({task.name}); it fails with {os.strerror(unserved.errno)}")


def _report(outcome: Outcome, options: dict[str, Any]) -> None:
    if outcome.outcome == "deadlock":
        _say("deadlock: nothing can happen any more")
        for line in outcome.blocked:
            _say(f"  {line}")
    elif outcome.outcome == "timeout":
        _say("the run took longer than --timeout allows, and was ended")
    if options["stats"]:
        from tickless.cli.stats import print_stats

        print_stats(outcome)
    elif options["verbose"]:
        from tickless.scenario.spans import format_span

        _say(f"{outcome.outcome} after {format_span(outcome.virtual_ns)}")


def _status(outcome: Outcome) -> int:
    if outcome.outcome == "signaled":
        _die_of(os.WTERMSIG(outcome.status))
    if outcome.outcome == "exited":
        return os.WEXITSTATUS(outcome.status)
    return {"until": 0, "deadlock": DEADLOCK, "timeout": TIMED_OUT, "interrupted": INTERRUPTED}[outcome.outcome]


def _die_of(signo: int) -> NoReturn:
    """End as PROGRAM did, so that whoever started us sees the signal; one core file is enough."""
    import resource

    sys.stdout.flush()
    sys.stderr.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if signo != signal.SIGKILL:
        signal.signal(signo, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signo})
    os.kill(os.getpid(), signo)
    os._exit(128 + signo)
