"""Programs without a host: the kernel with tasks, memory, fd tables and signals of its own.

A program is a generator that yields calls and is sent their results, a negative errno for a failure as in Linux:

    def program(sys: Calls) -> Program:
        fd = yield sys.eventfd2(0, 0)
        count = bytearray(8)
        yield sys.read(fd, count, 8)

An argument may be an int, `bytes` (the call gets the address of a copy) or a `bytearray` (copied back afterwards).
A program that is over ends its thread, with the number it returns for exit status.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, cast

from tickless.abi.numbers import number_of
from tickless.abi.siginfo import SigInfo
from tickless.abi.signal import KERNEL_SIGACTION, SA_SIGINFO
from tickless.abi.time import TIMESPEC
from tickless.abi.wait import exit_status
from tickless.kernel import process
from tickless.kernel import syscalls as _syscalls  # noqa: F401  declares every call
from tickless.kernel.clock import Clock
from tickless.kernel.deadlock import describe_blocked
from tickless.kernel.fd_table import OwnFdTable
from tickless.kernel.job_control import is_restart
from tickless.kernel.kernel import Deadlock, Kernel
from tickless.kernel.memory import OwnMemory
from tickless.kernel.outcome import Answer
from tickless.kernel.own_signals import OwnSignals, SigAction, deliver_signals
from tickless.kernel.task import DEAD, READY, RUNNING, Task, ThreadGroup

Argument = int | bytes | bytearray
Program = Generator["Call", int, Any]
Main = Callable[["Calls"], Program]
# Called with the signal, and its siginfo under SA_SIGINFO; may be a program, which then runs on top of the other.
Handler = Callable[..., object]

FIRST_PID = 100
WORD = (1 << 64) - 1
# Handlers are functions here and addresses to the kernel: the first one's.
FIRST_HANDLER = 0x1000


class Call:
    """A call that a program makes by yielding it; `direct` is one that the Machine makes itself."""

    __slots__ = ("args", "direct", "name")

    def __init__(self, name: str, args: tuple[Argument, ...], direct: Callable[[], int] | None = None) -> None:
        self.name = name
        self.args = args
        self.direct = direct


class Calls:
    """`sys.read(fd, buffer, 8)` makes the Call that a program yields."""

    def __init__(self, task: OwnTask) -> None:
        self.task = task

    def __getattr__(self, name: str) -> Callable[..., Call]:
        return lambda *args: Call(name, args)

    def sleep_ns(self, span_ns: int) -> Call:
        """nanosleep for `span_ns`."""
        return Call("nanosleep", (TIMESPEC.pack(*divmod(span_ns, 10**9)), 0))

    def fork(self, main: Main) -> Call:
        """Start a child process that runs `main`: its pid."""
        return Call("fork", (), lambda: self.task.machine.spawn(main, self.task).tid)

    def thread(self, main: Main) -> Call:
        """Start a thread that runs `main`: its tid."""
        return Call("clone", (), lambda: self.task.machine.spawn(main, self.task, same_group=True).tid)

    def exit(self, status: int) -> Call:
        """End the process, as exit(3) does."""
        return Call("exit_group", (status,))

    def sigaction(self, signo: int, handler: Handler | int, flags: int = 0, mask: int = 0) -> Call:
        """Let `handler` (SIG_DFL and SIG_IGN are numbers) run for a signal. sigaction(2)."""
        address = handler if isinstance(handler, int) else self.task.machine.address_of(handler)
        return Call("rt_sigaction", (signo, KERNEL_SIGACTION.pack(address, flags, 0, mask), 0, 8))


class Frame:
    """A handler, or the program itself: what runs, and what a handler on top of it has to put back."""

    __slots__ = ("args", "call", "copied_back", "mask", "program", "result", "start")

    def __init__(self, start: Callable[[], object]) -> None:
        self.start = start
        self.program: Program | None = None  # None: it has not begun
        self.result: int | None = None  # of its last call; None: it has made none
        self.copied_back: list[tuple[bytearray, int]] = []  # buffers of that call and where they lie in memory
        # While a handler is on top:
        self.call: int | None = None
        self.args: tuple[int, ...] = ()
        self.mask = 0


class OwnTask(Task):
    """A task whose program is a generator."""

    own_memory: OwnMemory
    own_fds: OwnFdTable
    own_signals: OwnSignals

    def __init__(
        self, machine: Machine, tid: int, group: ThreadGroup, name: str, main: Main, parent: OwnTask | None
    ) -> None:
        """A thread of its parent's process shares all with it, a child process begins with copies."""
        if parent is None:
            self.own_memory, self.own_fds, self.own_signals = OwnMemory(), OwnFdTable(), OwnSignals(self)
        else:
            shares = parent.group is group
            self.own_memory = parent.own_memory if shares else parent.own_memory.forked()
            self.own_fds = parent.own_fds if shares else parent.own_fds.forked()
            self.own_signals = parent.own_signals.inherited(self, shares_actions=shares)
        super().__init__(machine, tid, group, name, self.own_memory, self.own_fds, self.own_signals)
        self.machine = machine
        self.frames = [Frame(lambda: main(Calls(self)))]  # the program, and its handlers on top

    @property
    def result(self) -> int | None:
        """What its program is sent next."""
        return self.frames[-1].result

    @result.setter
    def result(self, result: int | None) -> None:
        self.frames[-1].result = result

    def push_handler(self, info: SigInfo, action: SigAction) -> None:
        """Interrupt the program by a handler, or a handler by another."""
        below = self.frames[-1]
        below.call, below.args, below.mask = self.call, self.args, self.own_signals.mask
        handler = self.machine.handlers[action.handler - FIRST_HANDLER]
        args = (info.signo, info) if action.flags & SA_SIGINFO else (info.signo,)
        self.frames.append(Frame(lambda: handler(*args)))

    def sigreturn(self) -> None:
        """The handler is over: put back what it interrupted. sigreturn(2)."""
        self.frames.pop()
        below = self.frames[-1]
        self.call, self.args = below.call, below.args
        self.own_signals.set_mask(below.mask)


class Machine(Kernel):
    """The kernel and its own tasks."""

    def __init__(self, clock: Clock | None = None, *, choose: Callable[[int], int] | None = None) -> None:
        super().__init__(clock, choose=choose)
        self.next_pid = FIRST_PID
        self.handlers: list[Handler] = []  # by address

    @property
    def now_ns(self) -> int:
        """CLOCK_MONOTONIC since the start, in ns."""
        return self.clock.now_ns - self.clock.start_ns

    def address_of(self, handler: Handler) -> int:
        """The number that stands for a handler."""
        if handler not in self.handlers:
            self.handlers.append(handler)
        return FIRST_HANDLER + self.handlers.index(handler)

    def spawn(self, main: Main, parent: OwnTask | None = None, *, same_group: bool = False) -> OwnTask:
        """Start a program: a process of its own, a child process of `parent`, or a thread of it."""
        tid = self.next_pid
        self.next_pid += 1
        name = parent.child_name() if parent else f"main{len(self.groups) or ''}"
        if same_group:
            assert parent is not None, "a thread needs a parent"
            group = parent.group
        else:
            group = ThreadGroup(self, tid, parent.group if parent else None, name)
            group.parent_thread = parent
            self.add_group(group)
        task = OwnTask(self, tid, group, name, main, parent)
        self.add_task(task)
        self._queue(task)
        return task

    def run(self) -> None:
        """Run until the last task has ended. Raises: Deadlock."""
        while self.tasks:
            task = self.pick()
            if task is not None:
                self.run_step(cast(OwnTask, task))
            elif not self.jump():
                raise Deadlock("\n".join(describe_blocked(self)))

    def _queue(self, task: OwnTask) -> None:
        task.state = READY
        self.ready.append(task)

    def run_step(self, task: OwnTask) -> None:
        """Give the token to a task until it blocks, ends or has made a call."""
        if task.blocked_call is not None:
            self._answer(task, self.resume_call(task))
            return
        task.state = RUNNING
        if not deliver_signals(task):
            if task.state is not DEAD:
                self._queue(task)
        elif task.result is not None and is_restart(task.result):
            self._restart(task, -task.result)
        else:
            self._run_program(task)

    def _restart(self, task: OwnTask, code: int) -> None:
        """The last call was interrupted, and no handler has run, or one with SA_RESTART."""
        self._answer(task, self.make_again(task, code))

    def _run_program(self, task: OwnTask) -> None:
        frame = task.frames[-1]
        if frame.program is None:
            started = frame.start()
            if not isinstance(started, Generator):
                self._end_program(task, started)
                return
            frame.program = started
        try:
            call = frame.program.send(cast(int, frame.result))
        except StopIteration as stop:
            self._end_program(task, stop.value)
            return
        self._make(task, call)

    def _end_program(self, task: OwnTask, returned: object) -> None:
        """A handler goes back to what it interrupted; the program itself ends its thread."""
        if len(task.frames) > 1:
            task.sigreturn()
            self._queue(task)
        else:
            self.cause = "exit"
            process.exit_task(self, task, exit_status(returned if isinstance(returned, int) else 0))
            self.cause = ""

    def _make(self, task: OwnTask, call: Call) -> None:
        number = number_of(self.architecture, call.name)
        assert number is not None, f"no call {call.name}"
        if call.direct is not None:
            self.current, task.call = task, number
            self._answer(task, call.direct())
            return
        registers = self._registers(task, call.args)
        if self.listener is not None:
            task.call, task.args = number, tuple(registers)
            self.listener.call_entered(task)
        self._answer(task, self.begin_call(task, number, registers))

    def _registers(self, task: OwnTask, args: tuple[Argument, ...]) -> list[int]:
        """The call's six registers; bytes are copied into the task's memory."""
        registers = []
        copied_back = task.frames[-1].copied_back = []
        for argument in args:
            if isinstance(argument, int):
                registers.append(argument & WORD)
                continue
            address = task.own_memory.allocate(len(argument))
            task.own_memory.copy_out(address, bytes(argument))
            if isinstance(argument, bytearray):
                copied_back.append((argument, address))
            registers.append(address)
        return registers + [0] * (6 - len(registers))

    def _answer(self, task: OwnTask, answer: Answer | None) -> None:
        """Let the program have what its call gave; None: it blocks."""
        if answer is not None and self.listener is not None:
            self.listener.call_left(task, answer)
        if answer is None or task.state is DEAD:
            return
        assert isinstance(answer, int), f"{task} made a call that only a host can do"
        for buffer, address in task.frames[-1].copied_back:
            buffer[:] = task.own_memory.copy_in(address, len(buffer))
        task.result = answer
        self._queue(task)
