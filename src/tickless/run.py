"""One run: kernel, host, trace and scenario put together. `run(RunConfig) -> Outcome`."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tickless.abi.arch import ARCH
from tickless.abi.numbers import name_of
from tickless.abi.signal import signal_name
from tickless.host.clock_reads import CLOCK_READ_COST_NS
from tickless.host.cpus import choose_cpu
from tickless.host.inherited import Inherited
from tickless.host.launch import launch
from tickless.host.placeholder import raise_descriptor_limit
from tickless.host.supervisor import Supervisor
from tickless.host.terminal_mode import restorer
from tickless.host.trapped import clock_read_numbers, memory_numbers, pass_on_unserved, trapped_filter, trapped_numbers
from tickless.kernel import syscalls as _syscalls  # noqa: F401  declares every call
from tickless.kernel.clock import CLASS_SCENARIO, START_REALTIME_NS, Clock
from tickless.kernel.deadlock import describe_blocked
from tickless.kernel.kernel import Kernel, Listener
from tickless.kernel.registry import Unserved
from tickless.kernel.task import Task

if TYPE_CHECKING:
    from tickless.scenario.at import At
    from tickless.trace.choice import Calls
    from tickless.trace.counts import CallCounts
    from tickless.trace.out import LineWriter
    from tickless.trace.text import TextTrace

# Virtual time that a served call takes.
CALL_COST_NS = 1_000

PR_SET_DUMPABLE = 4


@dataclass
class RunConfig:
    """What `tickless run` was told. Spans are ns."""

    argv: Sequence[str]
    env: Mapping[str, str] | None = None  # None: what tickless inherited
    cwd: str | None = None
    until_ns: int | None = None  # end of the run, from its start
    start_realtime_ns: int = START_REALTIME_NS
    at: Sequence[At] = ()
    speed: float | None = None  # None: virtual; 1.0: real time; N: N times as fast
    hz: int | None = None  # None: tickless
    seed: int | None = None  # None: first come, first served
    grace_ns: int = 0  # real time
    external: bool = True
    virtual_file_times: bool = False
    call_cost_ns: int = CALL_COST_NS
    timeout_ns: int | None = None  # real time
    listener: Listener | None = None
    trace_to: LineWriter | None = None  # where the trace goes as text
    trace_calls: Calls | None = None  # of these calls; None: of all that are served
    count_calls: bool = False  # for Outcome.calls and passed_on
    on_refused: Callable[[Task, Unserved], object] | None = None
    on_silence: Callable[[Sequence[str]], object] | None = None  # only the outside can go on: who waits for what
    on_start: Callable[[Supervisor], object] | None = None  # before the program's first call


@dataclass
class Outcome:
    """How a run ended."""

    outcome: str  # exited, signaled, until, deadlock, timeout, interrupted
    status: int  # PROGRAM's wait status; 0 where it was ended by us
    virtual_ns: int  # CLOCK_MONOTONIC since the start
    real_ns: int
    wakeups: Mapping[str, int] = field(default_factory=dict)  # by cause
    held: Mapping[str, float] = field(default_factory=dict)  # what held the clock, s of real time
    signals: Mapping[str, int] = field(default_factory=dict)  # that reached a task, by name
    calls: Mapping[str, int] = field(default_factory=dict)  # served, by name
    passed_on: Mapping[str, int] = field(default_factory=dict)  # trapped, but done by the host
    blocked: Sequence[str] = ()  # of a deadlock: who waits for what
    processes: int = 0  # that there were
    threads: int = 0  # that there were, of all processes
    refused: Sequence[str] = ()  # what was not served, by id
    digest: str = ""  # of the trace: SHA-256; empty without one

    @property
    def killed_by(self) -> str:
        """The name of the signal that killed PROGRAM, empty if it was none."""
        return signal_name(os.WTERMSIG(self.status)) if os.WIFSIGNALED(self.status) else ""


class InternalError(Exception):
    """A mistake of ours has ended the run; the text says whose call was served, `__cause__` what went wrong."""


def run(config: RunConfig, inherited: Inherited | None = None) -> Outcome:
    """Run a program to its end. Raises: LaunchError, InternalError."""
    started_ns = time.monotonic_ns()
    inherited = inherited or Inherited.capture()
    kernel = _make_kernel(config)
    trace = _listen(config, kernel)
    claim = choose_cpu(inherited.cpus)  # ours as long as it lives
    restore_terminal = restorer()
    supervisor = _launch(config, inherited, kernel, claim.cpu)
    counts = _count_calls(config, kernel)
    _arm_scenario(config, supervisor)
    try:
        supervisor.outside.install()
        if config.on_start is not None:
            config.on_start(supervisor)
        supervisor.run()
        blocked = describe_blocked(kernel) if supervisor.ended_by == "deadlock" else ()
    except Exception as error:
        raise InternalError(_served_last(kernel)) from error
    finally:
        supervisor.finish()
        if supervisor.ended_by is not None:
            restore_terminal()
        if trace is not None:
            trace.close()
    outcome = _outcome(supervisor, blocked, counts, time.monotonic_ns() - started_ns)
    if config.trace_to is not None:
        outcome.digest = config.trace_to.digest()
    return outcome


def _launch(config: RunConfig, inherited: Inherited, kernel: Kernel, cpu: int | None) -> Supervisor:
    """PROGRAM before its first instruction, and the supervisor that serves it."""
    trap_also = _to_trap(config)
    env = inherited.environment if config.env is None else config.env
    launched = launch(config.argv, env, config.cwd, trapped_filter(trap_also), cpu, inherited, virtual_tsc=True)
    raise_descriptor_limit()
    supervisor = Supervisor(
        kernel,
        launched,
        costs=_costs(config),
        cpus=inherited.cpus,
        trapped=trapped_numbers(trap_also),
        seed=config.seed or 0,
    )
    # Undumpable, a program of the same uid can open neither our memory nor our fds.
    ctypes.PyDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    pass_on_unserved(kernel.table, trap_also)
    supervisor.idle.grace_s = config.grace_ns / 1e9
    supervisor.idle.external = config.external
    if (told := config.on_silence) is not None:
        supervisor.idle.on_silence = lambda: told(describe_blocked(kernel))
    if config.speed is not None:
        from tickless.host.pace import Pace

        supervisor.idle.pace = Pace(kernel.clock.now_ns, config.speed)
    if config.virtual_file_times:
        from tickless.host.file_times import FileTimes

        FileTimes(kernel.clock, supervisor.idle).attend(kernel.table)
    return supervisor


def _to_trap(config: RunConfig) -> frozenset[str]:
    """The calls that have to be seen though the host does them."""
    names = config.trace_calls.to_trap() if config.trace_calls else frozenset[str]()
    if config.virtual_file_times:
        from tickless.host.file_times import TRAPPED

        names |= TRAPPED
    return names


def _served_last(kernel: Kernel) -> str:
    """Whose call was served last, in words."""
    task = kernel.current
    if task is None or task.call is None:
        return "the start"
    return f"{name_of(ARCH, task.call)} of {task.name}"


def _make_kernel(config: RunConfig) -> Kernel:
    tick_ns = None if config.hz is None else 10**9 // config.hz
    clock = Clock(realtime_ns=config.start_realtime_ns, tick_ns=tick_ns)
    choose = None if config.seed is None else _seeded(config.seed)
    kernel = Kernel(clock, architecture=ARCH, choose=choose)
    kernel.on_refused = config.on_refused
    return kernel


def _seeded(seed: int) -> Callable[[int], int]:
    import random

    return random.Random(seed).randrange


def _listen(config: RunConfig, kernel: Kernel) -> TextTrace | None:
    """Let those hear what happens who want to; return the trace, whose end has to be written."""
    kernel.listener = config.listener
    if config.trace_to is None:
        return None
    from tickless.trace.choice import all_calls
    from tickless.trace.fan_out import FanOut
    from tickless.trace.text import TextTrace

    trace = TextTrace(kernel, config.trace_to.write, config.trace_calls or all_calls())
    kernel.listener = trace if config.listener is None else FanOut((trace, config.listener))
    return trace


def _count_calls(config: RunConfig, kernel: Kernel) -> CallCounts | None:
    if not config.count_calls:
        return None
    from tickless.trace.counts import CallCounts

    return CallCounts(kernel)


def _costs(config: RunConfig) -> list[int]:
    """Virtual ns that each call takes, by number."""
    costs = [config.call_cost_ns] * 1024
    for number in clock_read_numbers():
        costs[number] = CLOCK_READ_COST_NS
    for number in memory_numbers():
        costs[number] = 0
    return costs


def _arm_scenario(config: RunConfig, supervisor: Supervisor) -> None:
    clock = supervisor.kernel.clock
    for step in config.at:
        clock.arm(clock.start_ns + step.at_ns, _step(step, supervisor), order_class=CLASS_SCENARIO)
    if config.until_ns is not None:
        clock.arm(clock.start_ns + config.until_ns, lambda: supervisor.end("until"), order_class=CLASS_SCENARIO)
    if config.timeout_ns is not None:
        supervisor.outside.time_out_after(config.timeout_ns)


def _step(step: At, supervisor: Supervisor) -> Callable[[], object]:
    from tickless.scenario.at import AtJump, AtSignal

    clock = supervisor.kernel.clock
    if isinstance(step, AtSignal):
        return lambda: supervisor.outside.signal_program(step.signo, "scenario")
    if isinstance(step, AtJump):
        return lambda: clock.set_realtime(clock.now_ns + clock.offsets[0] + step.delta_ns)
    return lambda: clock.suspend(step.span_ns)


def _outcome(supervisor: Supervisor, blocked: Sequence[str], counts: CallCounts | None, real_ns: int) -> Outcome:
    kernel = supervisor.kernel
    status = supervisor.life.deaths.main_status or 0
    ended_by = supervisor.ended_by or ("signaled" if os.WIFSIGNALED(status) else "exited")
    return Outcome(
        outcome=ended_by,
        status=status if supervisor.ended_by is None else 0,
        virtual_ns=kernel.clock.now_ns - kernel.clock.start_ns,
        real_ns=real_ns,
        wakeups=dict(kernel.wakeups),
        held=dict(supervisor.idle.held_by),
        signals={signal_name(signo): count for signo, count in kernel.signals.items()},
        calls=counts.served_by_name() if counts else {},
        passed_on=counts.passed_on_by_name() if counts else {},
        processes=kernel.groups_started,
        threads=kernel.tasks_started,
        blocked=blocked,
        refused=sorted({unserved.id for unserved in kernel.refused}),
    )
