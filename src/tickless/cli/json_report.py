"""`--json FILE`: how a run ended, for tools, as one object on one line. docs/results.md has its fields."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from tickless import __version__
from tickless.cli.say import say
from tickless.trace.out import take_back

if TYPE_CHECKING:
    from tickless.run import Outcome, RunConfig
    from tickless.trace.difference import Difference

SCHEMA = "tickless.run/1"
STDERR = 2

Fields = dict[str, Any]


class JsonReport:
    """What gets the object. It is opened before the run, so that a name that cannot be written costs no run."""

    def __init__(self, path: str) -> None:
        """Write to `path`, or to stderr if it is `-`. Raises: click.UsageError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            self._fd = os.dup(STDERR) if path == "-" else os.open(path, flags, 0o666)
        except OSError as error:
            raise click.UsageError(f"cannot write {path}: {error.strerror}") from None

    def write(self, fields: Fields) -> None:
        """Write the object, and be done."""
        data = left = json.dumps(fields).encode() + b"\n"
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as error:
            take_back(self._fd, len(data) - len(left))  # half an object is of no use to anybody
            say(f"--json could not be written: {error.strerror}")
        os.close(self._fd)


def fields_of_run(config: RunConfig, exit_status: int) -> Fields:
    """What was run, and the status that a shell sees."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "argv": list(config.argv),
        "seed": config.seed,
        "start_realtime_ns": config.start_realtime_ns,
        "exit_status": exit_status,
    }


def fields_of_outcome(outcome: Outcome) -> Fields:
    """How it ended."""
    exited = outcome.outcome == "exited"
    return {
        "outcome": outcome.outcome,
        "status": os.WEXITSTATUS(outcome.status) if exited else None,
        "signal": outcome.killed_by or None,
        "virtual_ns": outcome.virtual_ns,
        "real_ns": outcome.real_ns,
        "processes": outcome.processes,
        "threads": outcome.threads,
        "wakeups": dict(outcome.wakeups),
        "signals": dict(outcome.signals),
        "calls": dict(outcome.calls),
        "passed_on": dict(outcome.passed_on),
        "held_s": dict(outcome.held),
        "blocked": list(outcome.blocked),
        "refused": list(outcome.refused),
        "digest": f"sha256:{outcome.digest}" if outcome.digest else None,
    }


def fields_of_failure(message: str) -> Fields:
    """Why there was no run, or no end of it."""
    return {"outcome": "failed", "error": message}


def fields_of_comparison(difference: Difference | None) -> Fields:
    """Whether the second run of --verify was the same as the first."""
    return {"verified": difference is None, "difference": None if difference is None else asdict(difference)}
