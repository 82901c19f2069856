"""The trace as text, in strace's words, at virtual time: a line for each thing that happens.

    0.000000100 main     nanosleep({tv_sec=3600, tv_nsec=0}, <blocked>
    0.000000100          ... clock jumps 3600 s to the deadline of main's nanosleep
 3600.000000100 main     <... nanosleep resumed> NULL) = 0 (woken by its deadline)

What happens within a call (a signal that it sends, a task that it wakes) follows the call's own line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tickless.abi.signal import signal_name
from tickless.abi.wait import WCOREFLAG
from tickless.kernel.outcome import PASS_ON
from tickless.trace.calls import CallText, call_text
from tickless.trace.names import Names

if TYPE_CHECKING:
    from tickless.abi.siginfo import SigInfo
    from tickless.kernel.kernel import Kernel
    from tickless.kernel.outcome import Answer
    from tickless.kernel.registry import Unserved
    from tickless.kernel.task import Task, ThreadGroup
    from tickless.trace.choice import Calls


class Opened:
    """A call that has been made and has not returned."""

    __slots__ = ("arguments", "call", "is_the_hosts", "printed", "values")

    def __init__(self, call: CallText, values: Sequence[int], arguments: list[str | None]) -> None:
        self.call = call
        self.values = values  # of all arguments, also of those that are not shown
        self.arguments = arguments  # None: not known before it returns
        self.is_the_hosts = False  # what it fills is Linux' affair, and not the same in every run
        self.printed: int | None = None  # how many arguments are on its first line; None: there is no line yet

    def beginning(self) -> str:
        """The call as far as it is known while it blocks."""
        known = self.arguments.index(None) if None in self.arguments else len(self.arguments)
        self.printed = known
        end = " " if known == len(self.arguments) else ", " if known else ""
        return f"{self.call.name}({', '.join(map(str, self.arguments[:known]))}{end}"


class TextTrace:
    """A listener of the kernel that gives every line to `write`."""

    def __init__(self, kernel: Kernel, write: Callable[[str], object], calls: Calls) -> None:
        self.kernel = kernel
        self.write = write
        self.calls = calls  # which ones are traced; the other events always are
        self.names = Names(kernel)
        self._texts: dict[int, CallText | None] = {}  # by number, made when first needed; None: not traced
        self._opened: dict[Task, Opened] = {}
        self._woken_by: dict[Task, str] = {}
        self._entered: Task | None = None  # whose call is being served and has no line yet
        self._held: list[str] = []  # the lines of what happens meanwhile

    # Calls

    def call_entered(self, task: Task) -> None:
        if self._entered is not None:
            self.close()
        assert task.call is not None, f"{task} has entered no call"
        if task.call not in self._texts:
            self._texts[task.call] = self._text_of(task.call)
        text = self._texts[task.call]
        if text is not None:
            values = text.values(task.args)
            self._opened[task] = Opened(text, values, text.entered(task, self.names, values))
            self._entered = task

    def _text_of(self, number: int) -> CallText | None:
        text = call_text(self.kernel.architecture, number)
        return text if text.name in self.calls else None

    def call_blocked(self, task: Task) -> None:
        opened = self._opened.get(task)
        if opened is None:
            return
        if opened.printed is None:
            self._call_line(task, f"{opened.beginning()}<blocked>")
        elif cause := self._woken_by.pop(task, ""):
            self._line(task.name, f"<... {opened.call.name} woken by {cause}, blocked again>")

    def call_left(self, task: Task, answer: Answer) -> None:
        opened = self._opened.pop(task, None)
        cause = self._woken_by.pop(task, "")
        if opened is None:
            return
        call, values = opened.call, opened.values
        filled = PASS_ON if opened.is_the_hosts and not call.repeatable else answer
        arguments = call.left(task, self.names, values, opened.arguments, filled)
        result = call.result(task, self.names, values, answer)
        if opened.printed is None:
            self._call_line(task, f"{call.name}({', '.join(arguments)}) = {result}")
        else:
            rest = "".join(f" {argument}," for argument in arguments[opened.printed :]).removesuffix(",")
            why = f" (woken by {cause})" if cause else ""
            self._line(task.name, f"<... {call.name} resumed>{rest}) = {result}{why}")

    def wants_result(self, task: Task) -> bool:
        opened = self._opened.get(task)
        if opened is None:
            return False
        opened.is_the_hosts = True
        return True

    def woken(self, task: Task, cause: str) -> None:
        self._woken_by[task] = self.names.cause(task)

    # Signals

    def signal_generated(self, group: ThreadGroup, thread: Task | None, info: SigInfo) -> None:
        to = "" if thread is None else " to this thread"
        sent = f"... {signal_name(info.signo)} sent{to} by {self.names.cause(thread)} {self.names.siginfo(info)}"
        self._line(group.name if thread is None else thread.name, sent)

    def signal_taken(self, task: Task, info: SigInfo) -> None:
        self._line(task.name, f"... {signal_name(info.signo)} taken {self.names.siginfo(info)}")

    def signal_delivered(self, task: Task, info: SigInfo) -> None:
        self._line(task.name, f"--- {signal_name(info.signo)} {self.names.siginfo(info)} ---")

    # Time and tasks

    def clock_jumped(self, from_ns: int, to_ns: int) -> None:
        deadline = self.kernel.clock.next_deadline()
        whose = self.names.deadline(None if deadline is None else deadline.callback)
        self._line("", f"... clock jumps {_seconds(to_ns - from_ns)} s to the deadline of {whose}")

    def task_started(self, task: Task) -> None:
        self.names.started(task)
        group = task.group
        if len(group.threads) > 1:
            how = f" as a thread of {group.name}"
        else:
            how = f" as a child of {group.parent.name}" if group.parent else ""
        self._line(task.name, f"+++ started{how} +++")

    def task_ended(self, task: Task, status: int) -> None:
        signo = status & 0x7F
        how = f"killed by {signal_name(signo)}" if signo else f"exited with {status >> 8 & 0xFF}"
        core = " (core dumped)" if signo and status & WCOREFLAG else ""
        self._woken_by.pop(task, None)
        if task is not self._entered:
            self._opened.pop(task, None)
        self._line(task.name, f"+++ {how}{core} +++")

    def refused(self, task: Task, unserved: Unserved) -> None:
        self._line(task.name, f"... {unserved.id}: {unserved.what} is not served")

    def noted(self, task: Task, what: str) -> None:
        self._line(task.name, f"... {what}")

    def close(self) -> None:
        """Write what is held back: a call that never returned, and what happened in it."""
        task, self._entered = self._entered, None
        opened = None if task is None else self._opened.pop(task, None)
        if task is not None and opened is not None:
            self._write(task.name, f"{opened.beginning()}<unfinished ...>")
        self._release()

    # Lines

    def _call_line(self, task: Task, text: str) -> None:
        """The first line of a call goes before those of what it did."""
        self._entered = None
        self._write(task.name, text)
        if self._held:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        for line in held:
            self.write(line)

    def _line(self, name: str, text: str) -> None:
        if self._entered is None:
            self._write(name, text)
        else:
            self._held.append(self._stamped(name, text))

    def _write(self, name: str, text: str) -> None:
        self.write(self._stamped(name, text))

    def _stamped(self, name: str, text: str) -> str:
        clock = self.kernel.clock
        seconds, nanoseconds = divmod(clock.now_ns - clock.start_ns, 10**9)
        return f"{seconds:>5}.{nanoseconds:09} {name:<8} {text}"


def _seconds(span_ns: int) -> str:
    """A span in s, without the zeros at its end."""
    seconds, nanoseconds = divmod(span_ns, 10**9)
    return f"{seconds}.{nanoseconds:09}".rstrip("0").rstrip(".")
