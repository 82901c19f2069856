"""Programs without a host: the kernel with tasks, memory and fd tables of its own.

A program is a generator that yields calls and is sent their results, a negative errno for a failure as in Linux:

    def program(sys: Calls) -> Program:
        fd = yield sys.eventfd2(0, 0)
        count = bytearray(8)
        yield sys.read(fd, count, 8)

An argument may be an int, `bytes` (the call gets the address of a copy) or a `bytearray` (copied back afterwards).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import cast

from tickless.abi.numbers import number_of
from tickless.abi.time import TIMESPEC
from tickless.kernel import syscalls as _syscalls  # noqa: F401  declares every call
from tickless.kernel.clock import Clock
from tickless.kernel.fd_table import OwnFdTable
from tickless.kernel.kernel import Deadlock, Kernel
from tickless.kernel.memory import OwnMemory
from tickless.kernel.outcome import Answer
from tickless.kernel.own_signals import OwnSignals
from tickless.kernel.task import READY, Task, ThreadGroup

Argument = int | bytes | bytearray
Program = Generator["Call", int, object]
Main = Callable[["Calls"], Program]

FIRST_PID = 100
WORD = (1 << 64) - 1


class Call:
    """A call that a program makes by yielding it."""

    __slots__ = ("args", "name")

    def __init__(self, name: str, args: tuple[Argument, ...]) -> None:
        self.name = name
        self.args = args


class Calls:
    """`sys.read(fd, buffer, 8)` makes the Call that a program yields."""

    def __init__(self, task: OwnTask) -> None:
        self.task = task

    def __getattr__(self, name: str) -> Callable[..., Call]:
        return lambda *args: Call(name, args)

    def sleep_ns(self, span_ns: int) -> Call:
        """nanosleep for `span_ns`."""
        return Call("nanosleep", (TIMESPEC.pack(*divmod(span_ns, 10**9)), 0))


class OwnTask(Task):
    """A task whose program is a generator."""

    def __init__(self, kernel: Machine, tid: int, group: ThreadGroup, name: str, main: Main, **state: object) -> None:
        memory = cast(OwnMemory, state.get("memory") or OwnMemory())
        fds = cast(OwnFdTable, state.get("fds") or OwnFdTable())
        super().__init__(kernel, tid, group, name, memory, fds, OwnSignals(self))
        self.own_memory = memory
        self.own_fds = fds
        self.program = main(Calls(self))
        self.result: int | None = None  # what the program is sent next; None: it has not begun
        self.copied_back: list[tuple[bytearray, int]] = []  # buffers and where they lie in its memory


class Machine(Kernel):
    """The kernel and its own tasks."""

    def __init__(self, clock: Clock | None = None, *, choose: Callable[[int], int] | None = None) -> None:
        super().__init__(clock, choose=choose)
        self.next_pid = FIRST_PID

    @property
    def now_ns(self) -> int:
        """CLOCK_MONOTONIC since the start, in ns."""
        return self.clock.now_ns - self.clock.start_ns

    def spawn(self, main: Main, parent: OwnTask | None = None, *, same_group: bool = False) -> OwnTask:
        """Start a program: a process of its own, a child process of `parent`, or a thread of it."""
        tid = self.next_pid
        self.next_pid += 1
        name = parent.child_name() if parent else f"main{len(self.groups) or ''}"
        state: dict[str, object] = {}
        if parent is not None:
            state["memory"] = parent.own_memory if same_group else parent.own_memory.forked()
            state["fds"] = parent.own_fds if same_group else parent.own_fds.forked()
        if same_group:
            assert parent is not None, "a thread needs a parent"
            group = parent.group
        else:
            group = ThreadGroup(self, tid, parent.group if parent else None, name)
            self.add_group(group)
        task = OwnTask(self, tid, group, name, main, **state)
        self.add_task(task)
        task.state = READY
        self.ready.append(task)
        return task

    def run(self) -> None:
        """Run until the last task has ended. Raises: Deadlock."""
        while self.tasks:
            task = self.pick()
            if task is not None:
                self._go_on(cast(OwnTask, task))
            elif not self.jump():
                raise Deadlock("\n".join(self.describe_blocked()))

    def _go_on(self, task: OwnTask) -> None:
        """Give the token to a task until it blocks, ends or has made a call."""
        if task.blocked_call is not None:
            self._answer(task, self.resume_call(task))
            return
        try:
            call = task.program.send(cast(int, task.result))
        except StopIteration:
            self.remove_task(task)
            return
        number = number_of(self.architecture, call.name)
        assert number is not None, f"no call {call.name}"
        self._answer(task, self.begin_call(task, number, self._registers(task, call.args)))

    def _registers(self, task: OwnTask, args: tuple[Argument, ...]) -> list[int]:
        """The call's six registers; bytes are copied into the task's memory."""
        registers = []
        task.copied_back = []
        for argument in args:
            if isinstance(argument, int):
                registers.append(argument & WORD)
                continue
            address = task.own_memory.allocate(len(argument))
            task.own_memory.copy_out(address, bytes(argument))
            if isinstance(argument, bytearray):
                task.copied_back.append((argument, address))
            registers.append(address)
        return registers + [0] * (6 - len(registers))

    def _answer(self, task: OwnTask, answer: Answer | None) -> None:
        """Let the program have what its call gave; None: it blocks."""
        if answer is None:
            return
        assert isinstance(answer, int), f"{task} made a call that only a host can do"
        for buffer, address in task.copied_back:
            buffer[:] = task.own_memory.copy_in(address, len(buffer))
        task.result = answer
        task.state = READY
        self.ready.append(task)
