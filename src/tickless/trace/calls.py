"""How a call prints: `read(5<eventfd>, [1], 8) = 8`, from what the registry says of its arguments.

What a call reads is shown as it was when the call was made, what it fills as it is when the call returns.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tickless.abi.errno import (
    ERESTART_RESTARTBLOCK,
    ERESTARTNOHAND,
    ERESTARTNOINTR,
    ERESTARTSYS,
    errno_name,
)
from tickless.abi.fcntl import F_GETOWN, F_SETOWN
from tickless.abi.numbers import name_of
from tickless.abi.poll import POLLFD
from tickless.abi.show import MAX_SHOWN
from tickless.abi.siginfo import SigInfo
from tickless.abi.types import Decode, Pointed
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PassOn
from tickless.kernel.registry import Registry
from tickless.kernel.task import DEAD
from tickless.trace.values import show_buffer, show_futex_timeout, show_futex_value, signed_32
from tickless.trace.varied import used_arguments

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
# Registers are unsigned, and most arguments are: what their expression makes of one.
Value = Callable[[int], int]


class Parameter:
    """One argument of a call, prepared once."""

    __slots__ = ("decode", "is_data", "name", "pointed", "value")

    def __init__(self, name: str, decode: Decode) -> None:
        self.name = name
        self.decode = decode
        self.pointed = decode if isinstance(decode, Pointed) else None
        self.is_data = self.pointed is not None and self.pointed.struct_name == "buffer"
        self.value: Value = eval(f"lambda register: {decode.expression.format('register')}")


class CallText:
    """How a call of one number prints."""

    def __init__(self, name: str, declaration: Declaration | None) -> None:
        self.name = name
        self.declared = declaration is not None
        self.parameters = [Parameter(*one) for one in declaration.parameters] if declaration else []
        # Where the data is that the call moves; its size follows.
        self.data = next((n for n, one in enumerate(self.parameters) if one.is_data), None)
        kind = declaration.returns.kind if declaration else "value"
        self.returns = "pid" if name in PIDS else "address" if name in ADDRESSES else kind

    # When it is made

    def entered(self, task: Task, names: Names) -> list[str | None]:
        """The text of each argument; None: only known when the call returns."""
        if not self.declared:
            return ["..."]
        values = self._values(task)
        return [self._before(task, names, index, values) for index in used_arguments(self.name, values)]

    def _values(self, task: Task) -> list[int]:
        return [parameter.value(register) for parameter, register in zip(self.parameters, task.args, strict=False)]

    def _before(self, task: Task, names: Names, index: int, values: Sequence[int]) -> str | None:
        parameter, value = self.parameters[index], values[index]
        kind = parameter.decode.kind
        if kind == "fd":
            known = names.file(task, value)
            return f"{value}<{known}>" if known else None
        if kind == "pid" or (self.name == "fcntl" and parameter.name == "arg" and values[1] == F_SETOWN):
            return names.pid(signed_32(value))
        if parameter.pointed is not None:
            if not value:
                return "NULL"
            if parameter.pointed.is_result:
                return None
            return self._pointed(task, names, index, values, self._extent(parameter.pointed, index, values))
        if kind == "address":
            return names.pointer(task, value)
        if kind == "ipc":
            return names.host_id(parameter.name, value)
        if index and index - 1 == self.data and not self._fills_data():
            return self._size(task, names, values, value)
        if self.name == "futex" and parameter.name == "timeout":
            return show_futex_timeout(task, values[1], value)
        if self.name.startswith("futex") and parameter.name == "val":
            return show_futex_value(task, task.args[0], value, names, parameter.decode.show)
        return parameter.decode.show(value)

    # When it returns

    def left(self, task: Task, names: Names, shown: list[str | None], answer: Answer) -> list[str]:
        """The text of all arguments, now that the call has filled what it fills."""
        if not self.declared:
            return ["..."]
        values = self._values(task)
        return [
            self._after(task, names, index, values, answer) if text is None else text
            for index, text in zip(used_arguments(self.name, values), shown, strict=True)
        ]

    def _after(self, task: Task, names: Names, index: int, values: Sequence[int], answer: Answer) -> str:
        parameter, value = self.parameters[index], values[index]
        if parameter.pointed is None:  # an fd that was not known yet
            known = names.file(task, value)
            return f"{value}<{known}>" if known else parameter.decode.show(value)
        if isinstance(answer, PassOn) or not self._is_filled(answer):
            return "ptr"
        if parameter.pointed.extent == "result":
            size = parameter.pointed.size * min(answer, MOST_BYTES if parameter.pointed.size == 1 else MAX_SHOWN + 1)
        else:
            size = self._extent(parameter.pointed, index, values)
        return self._pointed(task, names, index, values, size)

    def _is_filled(self, answer: int) -> bool:
        if self.name in FILLED_WHEN_INTERRUPTED:
            return answer <= -ERESTARTSYS
        return answer > 0 or (answer == 0 and self.name not in FILLED_ABOVE_ZERO)

    def result(self, task: Task, names: Names, answer: Answer) -> str:
        """What follows `= `."""
        if isinstance(answer, PassOn):
            return "? (host)"
        if task.state is DEAD:
            return "?"
        if -answer in RESTARTS:
            return f"? {RESTARTS[-answer]}"
        if -4096 < answer < 0:
            return f"-1 {errno_name(-answer)} ({os.strerror(-answer)})"
        if self.returns == "pid" or (self.name == "fcntl" and self._values(task)[1] == F_GETOWN):
            return names.pid(answer)
        if self.returns == "address":
            return names.pointer(task, answer)
        known = names.file(task, answer) if self.returns == "fd" else None
        if known:
            return f"{answer}<{known}>"
        return f"{self._size(task, names, self._values(task), answer)}{self._changed(task, names, answer)}"

    def _fills_data(self) -> bool:
        pointed = None if self.data is None else self.parameters[self.data].pointed
        return pointed is not None and pointed.is_result

    def _size(self, task: Task, names: Names, values: Sequence[int], size: int) -> str:
        """A number of bytes that the call moves, or any number that another call returns."""
        if self.data is None or size <= 0:
            return str(size)
        try:
            return names.size(task.memory.copy_in(values[self.data], min(size, MOST_SEARCHED)), size)
        except Errno:
            return str(size)

    def _changed(self, task: Task, names: Names, answer: int) -> str:
        """What poll and select have put in place of what they were asked: ` ([{fd=3, …, revents=POLLIN}])`."""
        changed = []
        values = self._values(task) if answer > 0 else ()
        for index, value in enumerate(values):
            pointed = self.parameters[index].pointed
            if value and pointed is not None and pointed.struct_name in READ_AND_FILLED:
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
        pointed = self.parameters[index].pointed
        assert pointed is not None, f"{self.name}: argument {index} is no pointer"
        if pointed.show_bytes is None:
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
        return pointed.show_bytes(names.pids_named(data) if pointed.extent == "string" else data)


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
