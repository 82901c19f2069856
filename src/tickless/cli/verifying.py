"""`--verify`: the same run twice, each in a process of its own, and where they part.

Both runs get files for stdout and stderr, so that these are compared too; what the first one writes is passed on. The
inherited files are put back to where they stood, and a stdin that cannot be read twice is empty.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import signal
import stat
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import click

from tickless.abi.siginfo import SI_KERNEL
from tickless.cli.json_report import fields_of_comparison
from tickless.cli.running import FAILED, STDERR, Failed, finish, leave, run_once
from tickless.cli.say import say, say_plainly
from tickless.run import Outcome
from tickless.trace.difference import Difference, first_difference
from tickless.trace.out import LineWriter

if TYPE_CHECKING:
    from tickless.cli.json_report import JsonReport
    from tickless.host.inherited import Inherited
    from tickless.run import RunConfig

DIFFERENT = 122
STDIN, STDOUT = 0, 1
OUTPUTS = {STDOUT: "stdout", STDERR: "stderr"}
PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE = 1, 3, 4
# These are for PROGRAM, and handed on; but what a terminal's key sends has reached the run as well.
HANDED_ON = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True)
class OneRun:
    """One of the two."""

    ended: Outcome | Failed
    trace: IO[bytes]
    output: dict[int, IO[bytes]]  # by fd; one for both where both are one file
    disturbed: bool  # a signal came from outside

    @property
    def is_repeatable(self) -> bool:
        """Whether nothing from outside has ended it."""
        by_itself = isinstance(self.ended, Outcome) and self.ended.outcome not in ("timeout", "interrupted")
        return by_itself and not self.disturbed

    @property
    def has_whole_trace(self) -> bool:
        """Whether there was room for all of its trace."""
        self.trace.seek(0)
        digest = hashlib.file_digest(self.trace, "sha256").hexdigest()  # type: ignore[arg-type]
        return isinstance(self.ended, Failed) or digest == self.ended.digest


def verify(config: RunConfig, inherited: Inherited, options: dict[str, Any], report: JsonReport | None) -> int:
    """Run twice and say whether both were the same; the status is 122 if not, otherwise that of the first run."""
    if config.speed is not None:
        raise click.UsageError("--verify needs --clock virtual: otherwise real time decides what happens when")
    # What is closed must be known before it gets the number of a file of ours.
    outputs = _outputs()
    offsets = _offsets(outputs)
    traces = _open_traces(options["output"])
    runs = [_run(config, inherited, options, outputs)]
    _pass_on(runs[0].output)
    if runs[0].is_repeatable:
        _put_back(offsets)
        runs.append(_run(config, inherited, options, outputs))
    for one, kept in zip(runs, traces, strict=False):
        _keep(one.trace, kept)
    return _conclude(config, runs, options, report)


def _conclude(config: RunConfig, runs: list[OneRun], options: dict[str, Any], report: JsonReport | None) -> int:
    """What to make of two runs, or of one that was no use."""
    first, last = runs[0], runs[-1]
    if not last.is_repeatable:
        finish(config, last.ended, options, report)
        if isinstance(last.ended, Outcome):
            say("nothing is verified: the run was ended, or disturbed, from outside")
        return leave(last.ended)
    if not all(run.has_whole_trace for run in runs):
        finish(config, first.ended, options, report)
        say(f"nothing is verified: {tempfile.gettempdir()} has no room for both traces (TMPDIR names another folder)")
        return FAILED
    difference = _compare(first, last)
    comparison = fields_of_comparison(difference) | ({} if difference is None else {"exit_status": DIFFERENT})
    finish(config, first.ended, options, report, comparison)
    if difference is not None:
        _show(difference)
        return DIFFERENT
    if not options["quiet"]:
        assert isinstance(first.ended, Outcome), "a failed run is not compared"
        say(f"both runs are the same (digest of the trace: {first.ended.digest})")
    return leave(first.ended)


def _compare(first: OneRun, second: OneRun) -> Difference | None:
    """Where they part: in the trace, or else in what they print."""
    texts = [("trace", first.trace, second.trace)]
    texts += [(OUTPUTS[fd], file, second.output[fd]) for fd, file in first.output.items()]
    for what, one, other in texts:
        one.seek(0)
        other.seek(0)
        difference = first_difference(what, _lines(one), _lines(other))
        if difference is not None:
            return difference
    return None


def _lines(file: IO[bytes]) -> Iterator[str]:
    return (line.decode(errors="backslashreplace") for line in file)


def _show(difference: Difference) -> None:
    where = "the trace" if difference.what == "trace" else f"{difference.what}, with the same trace"
    say(f"the second run is not the same: it differs at line {difference.line} of {where}")
    for line in difference.lines():
        say_plainly(line)


# One run


def _run(config: RunConfig, inherited: Inherited, options: dict[str, Any], outputs: dict[int, int]) -> OneRun:
    files = {fd: _new_file() for fd in set(outputs.values())}
    output = {fd: files[same] for fd, same in outputs.items()}
    trace, told = _new_file(), os.fdopen(os.memfd_create("told"), "w+b")
    heeded = [signo for signo in HANDED_ON if signal.getsignal(signo) is not signal.SIG_IGN]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [*heeded, signal.SIGCHLD])
    was_dumpable = _set_dumpable(0)
    pid = os.fork()
    if pid == 0:
        try:
            _set_dumpable(was_dumpable)  # until it has launched PROGRAM
            _take_place(output)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            config.trace_to = LineWriter(os.dup(trace.fileno()), say)
            _tell(run_once(config, inherited, options), told)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    received = _hand_on_until_end(pid, heeded)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    trace.seek(0)
    return OneRun(_hear(told), trace, output, disturbed=bool(received))


def _take_place(output: dict[int, IO[bytes]]) -> None:
    """In the new process: end with the one that compares, and have the run's own files."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for fd, file in output.items():
        os.dup2(file.fileno(), fd)
    with suppress(OSError):  # closed: then so it stays
        if not stat.S_ISREG(os.fstat(STDIN).st_mode):
            os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), STDIN)


def _set_dumpable(wanted: int) -> int:
    """Whether a program of the same uid can open our memory and our fds. Returns what it was."""
    was = _prctl(PR_GET_DUMPABLE)
    _prctl(PR_SET_DUMPABLE, wanted)
    return was


def _prctl(option: int, argument: int = 0) -> int:
    result: int = ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)
    return result


def _tell(ended: Outcome | Failed, told: IO[bytes]) -> None:
    told.write(json.dumps([type(ended).__name__, vars(ended)]).encode())
    told.flush()


def _hear(told: IO[bytes]) -> Outcome | Failed:
    told.seek(0)
    text = told.read()
    if not text:
        say(message := "the run did not come to its end")
        return Failed(message, FAILED)
    kind, fields = json.loads(text)
    return Outcome(**fields) if kind == Outcome.__name__ else Failed(**fields)


def _hand_on_until_end(pid: int, heeded: Sequence[int]) -> list[int]:
    """Wait for the run; a signal to us that is `heeded` is one to it. Returns those that came. All are blocked."""
    received: list[int] = []
    while os.waitpid(pid, os.WNOHANG)[0] == 0:
        info = signal.sigwaitinfo([*heeded, signal.SIGCHLD])
        if info.si_signo != signal.SIGCHLD:
            received.append(info.si_signo)
            if info.si_code != SI_KERNEL:  # of whom a signal is that a terminal sends: sigaction(2)
                os.kill(pid, info.si_signo)
    return received


# Files


def _open_traces(path: str | None) -> list[LineWriter]:
    """The two files of -o: FILE and FILE.2."""
    try:
        return [] if path is None else [LineWriter.create(name, say) for name in (path, f"{path}.2")]
    except OSError as error:
        raise click.UsageError(f"cannot write {error.filename}: {error.strerror}") from None


def _keep(trace: IO[bytes], kept: LineWriter) -> None:
    """Copy a run's trace, as far as there is room for it."""
    for line in trace:
        kept.write(line.decode().removesuffix("\n"))
    kept.close()


def _new_file() -> IO[bytes]:
    return tempfile.TemporaryFile()


def _outputs() -> dict[int, int]:
    """Which of stdout and stderr are open, and for each the first that is the same file."""
    outputs: dict[int, int] = {}
    for fd in OUTPUTS:
        with suppress(OSError):
            status = os.fstat(fd)
            outputs[fd] = next((other for other in outputs if os.path.samestat(status, os.fstat(other))), fd)
    return outputs


def _pass_on(output: dict[int, IO[bytes]]) -> None:
    """Give what a run has written to those it was meant for; who has gone needs nothing."""
    if sys.stderr is not None:
        sys.stderr.flush()
    for fd, file in {id(file): (fd, file) for fd, file in reversed(output.items())}.values():
        file.seek(0)
        with suppress(BrokenPipeError), open(fd, "wb", buffering=0, closefd=False) as reader:
            shutil.copyfileobj(file, reader)


def _offsets(outputs: Iterable[int]) -> dict[int, int]:
    """Where the regular files stand that PROGRAM inherits, but for its outputs: these two runs never write to."""
    ours = [os.fstat(fd) for fd in outputs]
    offsets = {}
    for fd in map(int, os.listdir("/proc/self/fd")):
        with suppress(OSError):  # the folder itself was open while it was read
            status = os.fstat(fd)
            is_output = any(os.path.samestat(status, other) for other in ours)
            if os.get_inheritable(fd) and stat.S_ISREG(status.st_mode) and not is_output:
                offsets[fd] = os.lseek(fd, 0, os.SEEK_CUR)
    return offsets


def _put_back(offsets: dict[int, int]) -> None:
    for fd, offset in offsets.items():
        os.lseek(fd, offset, os.SEEK_SET)
