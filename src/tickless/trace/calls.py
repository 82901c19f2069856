"""How a call prints: `read(5<eventfd>, [1], 8) = 8`, from what the registry says of its arguments.

What a call reads is shown as it was when the call was made, what it fills as it is when the call returns.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from tickless.abi.errno import (
    ERESTART_RESTARTBLOCK,
    ERESTARTNOHAND,
    ERESTARTNOINTR,
    ERESTARTSYS,
    errno_name,
)
from tickless.abi.fcntl import F_GETOWN
from tickless.abi.integers import signed_32
from tickless.abi.numbers import name_of
from tickless.abi.poll import POLLFD
from tickless.abi.show import MAX_SHOWN
from tickless.abi.siginfo import SigInfo
from tickless.abi.types import Decode, Pointed
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PassOn
from tickless.kernel.registry import Registry
from tickless.kernel.task import DEAD
from tickless.trace.dependent import DEPENDENT, show_fcntl_result, show_filled
from tickless.trace.values import holds_count, is_of_records, show_buffer, show_futex_value
from tickless.trace.varied import used_by

if TYPE_CHECKING:
    from tickless.abi.arch import Arch
    from tickless.kernel.outcome import Answer
    from tickless.kernel.registry import Declaration
    from tickless.kernel.task import Task
    from tickless.trace.names import Names

# Calls that return a pid or an address and, since they may block or be the host's, say no more than "a number".
PIDS = frozenset(
    (
        "wait4",
        "clone",
        "clone3",
        "fork",
        "vfork",
        "set_tid_address",
        "getpid",
        "gettid",
        "getppid",
        "getpgid",
        "getpgrp",
    )
    + ("getsid", "setsid")
)
ADDRESSES = frozenset({"mmap", "mremap", "brk", "shmat"})
# Calls that fill what they have a pointer for only when a signal ends them.
FILLED_WHEN_INTERRUPTED = frozenset({"nanosleep", "clock_nanosleep"})
# Calls that fill nothing when they return 0.
FILLED_ABOVE_ZERO = frozenset({"wait4", "rt_sigtimedwait"})
# Calls that tell the same each time, also where the host fills what they have a pointer for.
REPEATABLE = frozenset({"wait4", "waitid"})
# Structures that a call both reads and fills.
READ_AND_FILLED = frozenset({"pollfds", "fd_set"})

RESTARTS = {
    ERESTARTSYS: "ERESTARTSYS (To be restarted if SA_RESTART is set)",
    ERESTARTNOINTR: "ERESTARTNOINTR (To be restarted)",
    ERESTARTNOHAND: "ERESTARTNOHAND (To be restarted if no handler)",
    ERESTART_RESTARTBLOCK: "ERESTART_RESTARTBLOCK (Interrupted by signal)",
}

PAGE = 4096
# Enough of any one structure, and of a long string to see that it is long.
MOST_BYTES = 128
# What is looked through for pids, of the data that a call moves.
MOST_SEARCHED = 4096
# What fits into less holds no pid: the shortest text with one is `1:M `.
SHORTEST_WITH_PID = 4
# Programs pass the same flags and structures again and again: so many of each argument's texts are kept.
MOST_KEPT = 256
# The text of an argument when its call is made: of all arguments' values. None: only known when the call returns.
Before = Callable[["Task", "Names", Sequence[int]], str | None]


class Parameter:
    """One argument of a call, prepared once."""

    __slots__ = ("decode", "is_data", "name", "pointed", "show", "show_bytes")

    def __init__(self, name: str, decode: Decode) -> None:
        self.name = name
        self.decode = decode
        self.pointed = decode if isinstance(decode, Pointed) else None
        self.is_data = self.pointed is not None and self.pointed.struct_name == "buffer"
        self.show = lru_cache(MOST_KEPT)(decode.show)
        show_bytes = None if self.pointed is None else self.pointed.show_bytes
        self.show_bytes = None if show_bytes is None else lru_cache(MOST_KEPT)(show_bytes)


class CallText:
    """How a call of one number prints."""

    def __init__(self, name: str, declaration: Declaration | None) -> None:
        self.name = name
        self.declared = declaration is not None
        self.parameters = [Parameter(*one) for one in declaration.parameters] if declaration else []
        # Where the data is that the call moves; its size follows.
        self.data = next((n for n, one in enumerate(self.parameters) if one.is_data), None)
        data = None if self.data is None else self.parameters[self.data].pointed
        self._fills_data = data is not None and data.is_result
        self._used = used_by(name, len(self.parameters))
        self._before = [self._prepared(index) for index in range(len(self.parameters))]
        self._read_and_filled = [n for n, one in enumerate(self.parameters) if _is_read_and_filled(one)]
        self.values = _compiled([one.decode for one in self.parameters])
        kind = declaration.returns.kind if declaration else "value"
        self.repeatable = name in REPEATABLE
        self.returns = "pid" if name in PIDS else "address" if name in ADDRESSES else kind
        means_more = self.data is not None or self._read_and_filled or name == "fcntl"
        self._is_number = self.returns == "value" and not means_more

    # When it is made

    def entered(self, task: Task, names: Names, values: Sequence[int]) -> list[str | None]:
        """The text of each argument; None: only known when the call returns."""
        if not self.declared:
            return ["..."]
        before = self._before
        return [before[index](task, names, values) for index in self._used(values)]

    def _prepared(self, index: int) -> Before:
        """How an argument prints when the call is made."""
        parameter = self.parameters[index]
        kind, show = parameter.decode.kind, parameter.show
        if (dependent := DEPENDENT.get((self.name, parameter.name))) is not None:
            return dependent
        if kind == "fd":
            return lambda task, names, values: names.fd(task, values[index])
        if (pointed := parameter.pointed) is not None:
            if pointed.is_result:
                return lambda task, names, values: None if values[index] else "NULL"
            return lambda task, names, values: (
                self._pointed(task, names, index, values, self._extent(pointed, index, values))
                if values[index]
                else "NULL"
            )
        is_size = index > 0 and index - 1 == self.data and not self._fills_data
        if kind == "value" and not is_size and not self.name.startswith("futex"):
            return lambda task, names, values: show(values[index])
        return lambda task, names, values: self._special(task, names, index, values)

    def _special(self, task: Task, names: Names, index: int, values: Sequence[int]) -> str:
        """An argument that is named, or means what the others make of it."""
        parameter, value = self.parameters[index], values[index]
        kind = parameter.decode.kind
        if kind == "pid":
            return names.pid(signed_32(value))
        if kind == "address":
            return names.pointer(task, value)
        if kind == "ipc":
            return names.host_id(parameter.name, value)
        if index and index - 1 == self.data and not self._fills_data:
            return self._size(task, names, values, value)
        if self.name.startswith("futex") and parameter.name == "val":
            return show_futex_value(task, task.args[0], value, names, parameter.show)
        return parameter.show(value)

    # When it returns

    def left(
        self, task: Task, names: Names, values: Sequence[int], shown: list[str | None], answer: Answer
    ) -> list[str]:
        """The text of all arguments, now that the call has filled what it fills."""
        if None not in shown:
            return cast("list[str]", shown)
        return [
            self._after(task, names, index, values, answer) if text is None else text
            for index, text in zip(self._used(values), shown, strict=True)
        ]

    def _after(self, task: Task, names: Names, index: int, values: Sequence[int], answer: Answer) -> str:
        parameter, value = self.parameters[index], values[index]
        if parameter.pointed is None:
            if parameter.decode.kind != "fd":
                return show_filled(task, values, answer)
            return names.fd(task, value) or parameter.show(value)  # it was not known yet
        if isinstance(answer, PassOn) or not self._is_filled(answer):
            return "ptr"
        if parameter.pointed.extent == "result":
            most = MOST_BYTES if parameter.pointed.size == 1 else MAX_SHOWN + 1
            size = answer if is_of_records(task, values[0]) else parameter.pointed.size * min(answer, most)
        else:
            size = self._extent(parameter.pointed, index, values)
        return self._pointed(task, names, index, values, size)

    def _is_filled(self, answer: int) -> bool:
        if self.name in FILLED_WHEN_INTERRUPTED:
            return answer <= -ERESTARTSYS
        return answer > 0 or (answer == 0 and self.name not in FILLED_ABOVE_ZERO)

    def result(self, task: Task, names: Names, values: Sequence[int], answer: Answer) -> str:
        """What follows `= `."""
        if isinstance(answer, PassOn):
            return "? (host)"
        if task.state is DEAD:
            return "?"
        if -4096 < answer < 0:
            return _failure(answer)
        if self._is_number:
            return str(answer)
        if self.returns == "pid" or (self.name == "fcntl" and values[1] == F_GETOWN):
            return names.pid(answer)
        if self.name == "fcntl":
            return show_fcntl_result(task, names, values[1], answer)
        if self.returns == "address":
            return names.pointer(task, answer)
        if self.returns == "fd" and (known := names.fd(task, answer)):
            return known
        size = self._size(task, names, values, answer)
        return size + self._changed(task, names, values, answer) if self._read_and_filled else size

    def _size(self, task: Task, names: Names, values: Sequence[int], size: int) -> str:
        """A number of bytes that the call moves, or any number that another call returns."""
        if self.data is None or size < SHORTEST_WITH_PID or holds_count(task, values[0], size):
            return str(size)
        try:
            return names.size(task.memory.copy_in(values[self.data], min(size, MOST_SEARCHED)), size)
        except Errno:
            return str(size)

    def _changed(self, task: Task, names: Names, values: Sequence[int], answer: int) -> str:
        """What poll and select have put in place of what they were asked: ` ([{fd=3, …, revents=POLLIN}])`."""
        changed = []
        for index in self._read_and_filled if answer > 0 else ():
            pointed = self.parameters[index].pointed
            if values[index] and pointed is not None:
                size = self._extent(pointed, index, values)
                changed.append(self._pointed(task, names, index, values, size, filled=True))
        return f" ({', '.join(changed)})" if changed else ""

    # Memory

    def _extent(self, pointed: Pointed, index: int, values: Sequence[int]) -> int:
        """How many bytes a pointer means, of which no more are taken than are shown."""
        if pointed.extent == "one":
            return pointed.size
        if pointed.extent == "fd_bits":
            return min((values[0] + 63) // 64 * 8, MOST_BYTES)
        if pointed.extent == "string":
            return 0
        count = min(max(values[index + 1], 0), MOST_BYTES if pointed.size == 1 else MAX_SHOWN + 1)
        return pointed.size * count

    def _pointed(
        self, task: Task, names: Names, index: int, values: Sequence[int], size: int, *, filled: bool = False
    ) -> str:
        pointed, show_bytes = self.parameters[index].pointed, self.parameters[index].show_bytes
        if pointed is None or show_bytes is None:
            return "ptr"
        try:
            if pointed.extent == "string":
                data = _string(task, values[index])
            else:
                data = task.memory.copy_in(values[index], size)
        except Errno:
            return "ptr"
        if pointed.struct_name == "siginfo":
            return names.siginfo(SigInfo.unpack(data))
        if pointed.struct_name == "buffer":
            return show_buffer(task, values[0], data, names)
        if pointed.struct_name == "pollfds":
            data = _ready_pollfds(data) if filled else _asked_pollfds(data)
        return show_bytes(names.pids_named(data) if pointed.extent == "string" else data)


def _failure(answer: int) -> str:
    if -answer in RESTARTS:
        return f"? {RESTARTS[-answer]}"
    return f"-1 {errno_name(-answer)} ({os.strerror(-answer)})"


def _is_read_and_filled(parameter: Parameter) -> bool:
    return parameter.pointed is not None and parameter.pointed.struct_name in READ_AND_FILLED


def _compiled(decodes: list[Decode]) -> Callable[[Sequence[int]], Sequence[int]]:
    """What the arguments' expressions make of the registers, which are unsigned."""
    values = "".join(f"{decode.expression.format(f'registers[{n}]')}, " for n, decode in enumerate(decodes))
    compiled: Callable[[Sequence[int]], Sequence[int]] = eval(f"lambda registers: ({values})")
    return compiled


def call_text(architecture: Arch, number: int) -> CallText:
    """How the call of that number prints, declared or not."""
    name = name_of(architecture, number)
    return CallText(name, Registry.declarations.get(name))


def _string(task: Task, address: int) -> bytes:
    """The beginning of a string. Raises: Errno(EFAULT)."""
    in_page = PAGE - address % PAGE
    data = task.memory.copy_in(address, min(MOST_BYTES, in_page))
    if b"\0" in data or len(data) == MOST_BYTES:
        return data
    return data + task.memory.copy_in(address + in_page, MOST_BYTES - in_page)


def _asked_pollfds(data: bytes) -> bytes:
    """Without revents, which say nothing yet."""
    return b"".join(POLLFD.pack(fd, events, 0) for fd, events, _ in POLLFD.iter_unpack(data))


def _ready_pollfds(data: bytes) -> bytes:
    return b"".join(POLLFD.pack(*one) for one in POLLFD.iter_unpack(data) if one[2])
