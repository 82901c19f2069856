"""The event kernel: its tasks, whose turn it is, and how time moves. It runs without a host, or carried by one."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn, Protocol

from tickless.abi.arch import Arch
from tickless.abi.errno import ERESTART_RESTARTBLOCK
from tickless.abi.numbers import names_of
from tickless.kernel import job_control
from tickless.kernel.clock import KTIME_MAX, Clock
from tickless.kernel.cpu_timers import CpuAlarms
from tickless.kernel.errors import Errno
from tickless.kernel.futex_queue import FutexTable
from tickless.kernel.outcome import PASS_ON, Answer, PassOn, Result
from tickless.kernel.registry import Entry, Registry, Unserved
from tickless.kernel.task import BLOCKED, DEAD, READY, RUNNING, Task, ThreadGroup

if TYPE_CHECKING:
    from tickless.abi.siginfo import SigInfo
    from tickless.kernel.host_kernel import HostKernel

FIRST_INODE = 100_000


class Listener(Protocol):
    """Who is told what happens: a trace. One that raises ends the run."""

    def call_entered(self, task: Task) -> None: ...

    def call_left(self, task: Task, answer: Answer) -> None: ...

    def wants_result(self, task: Task) -> bool:
        """Whether `call_left` is to come after a call that is left to the host, with what it returned."""

    def call_blocked(self, task: Task) -> None: ...

    def woken(self, task: Task, cause: str) -> None: ...

    def signal_generated(self, group: ThreadGroup, thread: Task | None, info: SigInfo) -> None: ...

    def signal_taken(self, task: Task, info: SigInfo) -> None: ...

    def signal_delivered(self, task: Task, info: SigInfo) -> None: ...

    def clock_jumped(self, from_ns: int, to_ns: int) -> None: ...

    def task_started(self, task: Task) -> None: ...

    def task_ended(self, task: Task, status: int) -> None: ...

    def refused(self, task: Task, unserved: Unserved) -> None: ...

    def noted(self, task: Task, what: str) -> None:
        """Something that only the host knows of, in words."""


class Deadlock(Exception):
    """Every task waits and nothing can wake any of them; the text says who waits for what."""


class Kernel:
    """Tasks, the queue of those that are ready, and the clock."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        architecture: Arch = "x86_64",
        choose: Callable[[int], int] | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.architecture = architecture
        self.call_names = names_of(architecture)  # by number
        self.choose = choose  # picks one of n ready tasks; None: the one that is ready longest
        self.tasks: dict[int, Task] = {}  # alive, by tid
        self.groups: dict[int, ThreadGroup] = {}  # alive or zombie, by tgid
        self.tasks_started = 0
        self.groups_started = 0
        self.ready: deque[Task] = deque()
        self.futexes = FutexTable()
        self.cpu_alarms = CpuAlarms(self)
        self.current: Task | None = None  # whose call is being served
        self.cause = ""  # what happens now, if it is not a call of `current`: a timer, a scenario step, the host
        self.wakeups: Counter[str] = Counter()  # by cause
        self.signals: Counter[int] = Counter()  # that reached a task, by number: delivered, or taken by a read or wait
        self.listener: Listener | None = None
        self.host: HostKernel | None = None
        self.next_inode = FIRST_INODE  # of the next pipe
        self.refused: set[Unserved] = set()  # what was named to the user already
        self.on_refused: Callable[[Task, Unserved], object] | None = None
        self.table: list[Entry | None] = dispatch_table(architecture)

    # Whose turn it is

    def make_ready(self, task: Task) -> None:
        """Let a blocked task look at its condition again. A task that is not blocked is left alone."""
        if task.state is not BLOCKED:
            return
        task.state = READY
        cause = self.cause
        if not cause:
            current = self.current
            number = None if current is None else current.call
            cause = "start" if number is None else self.call_names.get(number, "an unknown call")
        task.woken_by = cause
        self.wakeups[cause] += 1
        self.ready.append(task)
        if self.listener is not None:
            self.listener.woken(task, cause)

    def pick(self) -> Task | None:
        """Take the next ready task out of the queue; tasks of a stopped process are held back until it goes on."""
        ready = self.ready
        while ready:
            task = ready.popleft() if self.choose is None else self._draw_ready(self.choose)
            if task.state is not READY:
                continue
            if task.group.stopped_by:
                task.group.held.append(task)
                continue
            return task
        return None

    def _draw_ready(self, choose: Callable[[int], int]) -> Task:
        if len(self.ready) == 1:
            return self.ready.popleft()
        index = choose(len(self.ready))
        task = self.ready[index]
        del self.ready[index]
        return task

    # Calls

    def begin_call(self, task: Task, number: int, args: Sequence[int]) -> Answer | None:
        """Make a call for `task`: its answer, or None if it blocks."""
        task.call, task.args = number, tuple(args)
        self.current = task
        entry = self.table[number] if number < len(self.table) else None
        if entry is None:
            return PASS_ON
        try:
            result = entry(task, *args)
        except Errno as error:
            return -error.number
        return self.take_result(task, result)

    def take_result(self, task: Task, result: Result) -> Answer | None:
        """What a call's function gave: its answer, or None if it blocks from now on."""
        if isinstance(result, (int, PassOn)):
            return result
        task.blocked_call = result
        return self.resume_call(task)

    def resume_call(self, task: Task, error: Errno | None = None) -> Answer | None:
        """Go on with a blocked call, at its sleep with `error`: its answer, or None if it blocks again."""
        blocked = task.blocked_call
        assert blocked is not None, f"{task} has no blocked call"
        self.current = task
        task.state = RUNNING
        try:
            if error is None:
                next(blocked)
            else:
                blocked.throw(error)
        except StopIteration as stop:
            task.blocked_call = None
            answer: Answer = stop.value
            return answer
        except Errno as failure:
            task.blocked_call = None
            return -failure.number
        task.state = BLOCKED
        if self.listener is not None:
            self.listener.call_blocked(task)
        if task.gives_way:
            task.gives_way = False
            self.make_ready(task)
        return None

    def interrupt_call(self, task: Task) -> Answer | None:
        """End a sleeping call as a signal would: its answer, or None if no signal ends it."""
        return self.resume_call(task, Errno(task.interrupted_as))

    def restart_call(self, task: Task, code: int) -> Result:
        """Make a call again that has failed with the restart code `code`, and no handler ran."""
        if code == ERESTART_RESTARTBLOCK:
            restart, task.restart_block = task.restart_block, None
            assert restart is not None, f"{task} has no restart block"
            return restart()
        assert task.call is not None, f"{task} is in no call"
        entry = self.table[task.call]
        assert entry is not None, f"{task} has a restart code from a call of the host"
        return entry(task, *task.args)

    def make_again(self, task: Task, code: int) -> Answer | None:
        """`restart_call`: its answer, or None if it blocks."""
        self.current = task
        try:
            result = self.restart_call(task, code)
        except Errno as error:
            result = -error.number
        return self.take_result(task, result)

    def abandon_call(self, task: Task) -> None:
        """Exit, exec or SIGKILL: the blocked call ends without an answer and leaves every queue."""
        if task.blocked_call is not None:
            task.blocked_call.close()
            task.blocked_call = None

    # Signals

    def signal_taken(self, task: Task, info: SigInfo) -> None:
        """A signalfd or a wait has given a pending signal to the task."""
        self.signals[info.signo] += 1
        if self.listener is not None:
            self.listener.signal_taken(task, info)

    def signal_delivered(self, task: Task, info: SigInfo) -> None:
        """A handler of the task runs, or the signal does what it does by default."""
        self.signals[info.signo] += 1
        if self.listener is not None:
            self.listener.signal_delivered(task, info)

    # Job control

    def stop(self, group: ThreadGroup, signo: int) -> None:
        """A stop signal is delivered to the process."""
        job_control.stop(group, signo)

    def resume_stopped(self, group: ThreadGroup) -> None:
        """SIGCONT was sent to the process."""
        job_control.resume_stopped(group)

    def refuse(self, task: Task, unserved: Unserved) -> NoReturn:
        """Name something that is not served, once, and fail with the errno that Linux would give."""
        self.name_once(task, unserved)
        raise Errno(unserved.errno)

    def name_once(self, task: Task, unserved: Unserved) -> None:
        """Tell the user of something that is not served; the same thing only once."""
        if unserved in self.refused:
            return
        self.refused.add(unserved)
        if self.on_refused is not None:
            self.on_refused(task, unserved)
        if self.listener is not None:
            self.listener.refused(task, unserved)

    def new_inode(self) -> int:
        """A number that no other file has. stat(2)."""
        self.next_inode += 1
        return self.next_inode - 1

    # Time

    def handle_timer_irq(self, now_ns: int) -> int:
        """Do what is due at `now_ns` of CLOCK_MONOTONIC; return how many deadlines were met."""
        self.cause = "timer"
        met = self.clock.handle_timer_irq(now_ns)
        self.cause = ""
        return met

    def jump(self) -> bool:
        """Everybody waits: go to the next deadline and do what is due. False if there is none."""
        due_ns = self.clock.next_due_ns
        if due_ns >= KTIME_MAX:
            return False
        if self.listener is not None and due_ns > self.clock.now_ns:
            self.listener.clock_jumped(self.clock.now_ns, due_ns)
        self.cause = "timer"
        self.clock.handle_timer_irq(due_ns)
        self.cause = ""
        return True

    # Tasks

    def add_group(self, group: ThreadGroup) -> None:
        self.groups[group.tgid] = group
        self.groups_started += 1

    def add_task(self, task: Task) -> None:
        self.tasks[task.tid] = task
        self.tasks_started += 1
        if self.listener is not None:
            self.listener.task_started(task)

    def remove_task(self, task: Task) -> None:
        """The task has ended: nothing of it stays in any queue."""
        self.abandon_call(task)
        task.state = DEAD
        self.tasks.pop(task.tid, None)
        if task in task.group.threads:
            task.group.threads.remove(task)


def dispatch_table(architecture: Arch) -> list[Entry | None]:
    """The declared calls by number. The mechanisms must be imported (`tickless.kernel.syscalls`)."""
    entries = {number: declaration.entry for number, declaration in Registry.entries(architecture)}
    return [entries.get(number) for number in range(max(entries, default=-1) + 1)]
