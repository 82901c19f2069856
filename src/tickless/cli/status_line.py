"""One live line on a terminal: how far the virtual clock is, how fast, and how many tasks there are.

It never meets what the program prints: it goes before each write of the program, and stays away while the program's
own line has no end yet.
"""

from __future__ import annotations

import os
import time
from struct import Struct
from typing import TYPE_CHECKING, ParamSpec

from tickless.kernel.errors import Errno
from tickless.kernel.host_file import HostFile
from tickless.kernel.registry import Registry
from tickless.scenario.spans import format_span

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickless.host.supervisor import Supervisor
    from tickless.kernel.outcome import Result
    from tickless.kernel.registry import Entry
    from tickless.kernel.task import Task
    from tickless.run import RunConfig

Said = ParamSpec("Said")

STDOUT, STDERR = 1, 2
PERIOD_NS = 250_000_000
ERASE = b"\r\x1b[K"
IOVEC = Struct("QQ")


class StatusLine:
    """Drawn at the ticks of the supervisor's real timer."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False)
        self.supervisor: Supervisor | None = None  # None: the run has not begun, or is over
        self.started_ns = 0  # real time
        self.due_ns = 0  # real time: not drawn before
        self.is_shown = False
        self.in_line = False  # the program's last output has no newline at its end

    def attend(self, config: RunConfig) -> None:
        """Be drawn during the run, and go before each line that tickless itself has to say."""
        config.on_start = self.start
        if config.on_refused is not None:
            config.on_refused = self._going_before(config.on_refused)
        if config.on_silence is not None:
            config.on_silence = self._going_before(config.on_silence)
        if config.trace_to is not None:
            config.trace_to.complain = self._going_before(config.trace_to.complain)

    def start(self, supervisor: Supervisor) -> None:
        """The run begins."""
        if self.console.is_dumb_terminal:
            return
        self.supervisor = supervisor
        self.started_ns = time.monotonic_ns()
        self.due_ns = self.started_ns + 2 * PERIOD_NS
        supervisor.outside.on_tick.append(self.tick)
        kernel = supervisor.kernel
        for number, declaration in Registry.entries(kernel.architecture):
            entry = kernel.table[number]
            if declaration.name in ("write", "writev") and entry is not None:
                kernel.table[number] = self._giving_way(entry, is_vector=declaration.name == "writev")

    def stop(self) -> None:
        """The run is over."""
        self.supervisor = None
        self._erase()

    def tick(self) -> None:
        """Draw the line anew if it is time."""
        now_ns = time.monotonic_ns()
        if self.supervisor is None or now_ns < self.due_ns or self.in_line or not _in_foreground():
            return
        self.due_ns = now_ns + PERIOD_NS
        os.write(STDERR, ERASE + self._rendered(self.supervisor, now_ns).encode())
        self.is_shown = True

    def _rendered(self, supervisor: Supervisor, now_ns: int) -> str:
        clock, pace, tasks = supervisor.kernel.clock, supervisor.idle.pace, len(supervisor.kernel.tasks)
        virtual_ns = (max(clock.now_ns, pace.now_ns()) if pace else clock.now_ns) - clock.start_ns
        simulated = format_span(virtual_ns // 10**9 * 10**9)
        speed = virtual_ns / (now_ns - self.started_ns)
        faster = f", {speed:,.0f} times as fast" if speed >= 2 else ""
        line = f"{simulated} simulated{faster}, {tasks} task{'s' * (tasks != 1)}"
        with self.console.capture() as capture:
            self.console.print(
                line, style="cyan", end="", no_wrap=True, overflow="ellipsis", width=self.console.width - 1
            )
        return capture.get()

    def _erase(self) -> None:
        if self.is_shown:
            self.is_shown = False
            os.write(STDERR, ERASE)

    def _going_before(self, say: Callable[Said, object]) -> Callable[Said, None]:
        def going_before(*args: Said.args, **kwargs: Said.kwargs) -> None:
            self._erase()
            say(*args, **kwargs)

        return going_before

    def _giving_way(self, entry: Entry, *, is_vector: bool) -> Entry:
        """A write of the program: the line goes, and comes back a while later."""

        def giving_way(task: Task, a: int, b: int, c: int, d: int, e: int, f: int) -> Result:
            result = entry(task, a, b, c, d, e, f)
            file = task.fds.files.get(a)
            # Other files of the host, as pipes to outside, do no harm; which one is the terminal is not asked.
            if a in (STDOUT, STDERR) and isinstance(file, HostFile) and file.pollable:
                self.due_ns = time.monotonic_ns() + PERIOD_NS
                self._erase()
                self.in_line = _ends_in_line(task, b, c, is_vector=is_vector)
            return result

        return giving_way


def _in_foreground() -> bool:
    """Whether the terminal lets us write without stopping us."""
    try:
        return os.tcgetpgrp(STDERR) == os.getpgrp()
    except OSError:
        return False


def _ends_in_line(task: Task, address: int, count: int, *, is_vector: bool) -> bool:
    """Whether what is written ends without a newline."""
    try:
        if is_vector and count:
            address, count = IOVEC.unpack(task.memory.copy_in(address + (count - 1) * IOVEC.size, IOVEC.size))
        return count > 0 and task.memory.copy_in(address + count - 1, 1) != b"\n"
    except Errno:
        return False
