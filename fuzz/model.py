"""A slow, obvious model of the event kernel: lists and loops, no wait queues, no host.

One process with a few threads. A call is tried; if it has nothing to give, it is tried again after every change, and
ends at its deadline or with a signal. Results are numbers or tuples; INTERRUPTED is EINTR and every restart code.
"""

from __future__ import annotations

from collections.abc import Callable

from tickless.abi.epoll import EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT
from tickless.abi.errno import EINTR

Result = int | tuple[int, ...]
INTERRUPTED = -EINTR
SKIPPED = -10_000
COUNT_MAX = 2**64 - 2
PAGE = 4096
QUEUED_FROM = 32  # real-time signals queue, the others coalesce
IN_TYPES = EPOLLIN | 0x40  # EPOLLIN | EPOLLRDNORM
OUT_TYPES = EPOLLOUT | 0x100
MS = 1_000_000


class ModelFile:
    """An open file description; `numbers` fds and sleeping calls hold it."""

    nonblock = False
    users = 0  # calls that sleep on it

    def ready(self, task: ModelTask) -> int:
        raise NotImplementedError


class Counter(ModelFile):
    """An eventfd."""

    def __init__(self, count: int, *, semaphore: bool) -> None:
        self.count = count
        self.semaphore = semaphore

    def ready(self, task: ModelTask) -> int:
        return (EPOLLIN if self.count else 0) | (EPOLLOUT if self.count < COUNT_MAX else 0)


class Timer(ModelFile):
    """A timerfd: `due` is the first expiration that nobody has read, None if there is none."""

    def __init__(self) -> None:
        self.due: int | None = None
        self.interval = 0
        self.order = 0  # of arming
        self.counted = 0  # expirations counted already, by a gettime
        self.noticed = False

    def ready(self, task: ModelTask) -> int:
        return EPOLLIN if self.noticed or self.counted else 0


class SignalReader(ModelFile):
    """A signalfd."""

    def __init__(self, model: Model, mask: int) -> None:
        self.model = model
        self.mask = mask

    def ready(self, task: ModelTask) -> int:
        return EPOLLIN if self.model.first_pending(task, self.mask) else 0


class Pipe:
    """A pipe of one page; writes that fit behind the data are merged with it."""

    def __init__(self) -> None:
        self.data: list[int] = []
        self.end = 0  # of the data in the page
        self.was_polled = False


class PipeEnd(ModelFile):
    def __init__(self, pipe: Pipe, *, reads: bool) -> None:
        self.pipe = pipe
        self.reads = reads

    def ready(self, task: ModelTask) -> int:
        self.pipe.was_polled = True
        if self.reads:
            return IN_TYPES if self.pipe.data else 0
        return 0 if self.pipe.data else OUT_TYPES


class Watched:
    """An interest of an epoll."""

    def __init__(self, file: ModelFile, fd: int, order: int) -> None:
        self.file = file
        self.order = order  # of being added
        self.fd = fd
        self.events = 0  # what is told; nothing once an EPOLLONESHOT was
        self.flags = 0  # EPOLLET, EPOLLONESHOT
        self.data = 0


class Watcher(ModelFile):
    """An epoll: `noticed` are the interests that something has happened to, in order."""

    def __init__(self) -> None:
        self.interests: list[Watched] = []
        self.noticed: list[Watched] = []

    def ready(self, task: ModelTask) -> int:
        while self.noticed:
            if self.noticed[0].file.ready(task) & self.noticed[0].events:
                return IN_TYPES
            del self.noticed[0]
        return 0

    def take(self, task: ModelTask, room: int) -> tuple[int, ...]:
        """Up to `room` (events, data), one after the other."""
        told: list[int] = []
        again = []
        for interest in self.noticed[:]:
            if len(told) == 2 * room:
                break
            self.noticed.remove(interest)
            events = interest.file.ready(task) & interest.events
            if events:
                told += (events, interest.data)
                if interest.flags & EPOLLONESHOT:
                    interest.events = 0
                elif not interest.flags & EPOLLET:
                    again.append(interest)
        self.noticed += again
        return tuple(told)


class Sleep:
    """A call that has nothing to give yet."""

    def __init__(self, attempt: Callable[[], Result | None], late: Result, deadline: int | None, order: int) -> None:
        self.attempt = attempt
        self.late = late
        self.deadline = deadline
        self.order = order
        self.files: tuple[ModelFile, ...] = ()
        self.give_up: Callable[[], object] = lambda: None  # what comes before it ends without a result
        self.numbers: tuple[int, ...] = ()  # that it looks at whenever it is woken
        self.waits_for: set[object] = set()
        self.takes: set[object] = set()
        self.word: int | None = None
        self.woken = False


class ModelTask:
    """A thread."""

    def __init__(self) -> None:
        self.mask = 0
        self.pending: list[tuple[int, int]] = []  # (signal, value)
        self.sleep: Sleep | None = None


class Model:
    """The process: its threads, files, signals, futex words, and time in ns."""

    def __init__(self, tasks: int) -> None:
        self.now = 0
        self.tasks = [ModelTask() for _ in range(tasks)]
        self.shared: list[tuple[int, int]] = []
        self.fds: list[ModelFile | None] = []
        self.words = [0, 0]
        self.queues: list[list[Sleep]] = [[], []]  # of the words
        self.order = 0
        self.told: list[tuple[int, Result]] = []  # (task, result) of calls that ended
        self.handled: list[tuple[int, int, int]] = []  # (task, signal, value) of handlers that ran

    # Files and numbers

    def file(self, fd: int) -> ModelFile | None:
        return self.fds[fd] if 0 <= fd < len(self.fds) else None

    def install(self, file: ModelFile) -> int:
        for fd, there in enumerate(self.fds):
            if there is None:
                self.fds[fd] = file
                return fd
        self.fds.append(file)
        return len(self.fds) - 1

    def files(self) -> list[ModelFile]:
        """Every file that a number or a sleeping call holds, once."""
        held = [file for task in self.tasks if task.sleep is not None for file in task.sleep.files]
        return list(dict.fromkeys([*(file for file in self.fds if file is not None), *held]))

    def watchers(self) -> list[Watcher]:
        """Every epoll that somebody has."""
        return [file for file in self.files() if isinstance(file, Watcher)]

    def happened(self, file: ModelFile, events: int) -> None:
        """Something happened to a file: whatever watches it for that takes notice."""
        self.happened_to_all([file], events)

    def happened_to_all(self, files: list[ModelFile], events: int) -> None:
        """The same happened to all of these: the latest interest takes notice first."""
        interests = [(interest, watcher) for watcher in self.watchers() for interest in watcher.interests]
        for interest, watcher in sorted(interests, key=lambda pair: -pair[0].order):
            if interest.file in files and interest.events & events:
                self.notice(watcher, interest)

    def notice(self, watcher: Watcher, interest: Watched) -> None:
        if interest not in watcher.noticed:
            watcher.noticed.append(interest)
        self.happened(watcher, IN_TYPES)

    def forget(self, file: ModelFile) -> None:
        """Nobody has the file any more: epolls forget it, and it forgets what it watched."""
        if file in self.fds or any(task.sleep and file in task.sleep.files for task in self.tasks):
            return
        for watcher in self.watchers():
            watcher.interests = [interest for interest in watcher.interests if interest.file is not file]
            watcher.noticed = [interest for interest in watcher.noticed if interest.file is not file]

    # Signals

    def first_pending(self, task: ModelTask, mask: int) -> tuple[list[tuple[int, int]], tuple[int, int]] | None:
        """The signal of `mask` that comes first, and where it is: the thread's own, the lowest, the oldest."""
        for pending in (task.pending, self.shared):
            numbers = [signo for signo, _ in pending if mask >> (signo - 1) & 1]
            if numbers:
                return pending, next(signal for signal in pending if signal[0] == min(numbers))
        return None

    def take_signal(self, task: ModelTask, mask: int) -> tuple[int, int] | None:
        found = self.first_pending(task, mask)
        if found is None:
            return None
        found[0].remove(found[1])
        return found[1]

    def open_to(self, signo: int) -> list[ModelTask]:
        """The threads that do not block a signal."""
        return [task for task in self.tasks if not task.mask >> (signo - 1) & 1]

    def has_signal(self, task: ModelTask) -> bool:
        """Whether a signal is for the thread: the process's are for the oldest thread that lets them through."""
        if any(task in self.open_to(signo) for signo, _ in task.pending):
            return True
        return any(task in self.open_to(signo)[:1] for signo, _ in self.shared)

    def handle_signals(self, task: ModelTask) -> None:
        while self.has_signal(task):
            signal = self.take_signal(task, ~task.mask)
            assert signal is not None, "a signal that is not blocked is taken"
            self.handled.append((self.tasks.index(task), *signal))

    # Sleeping

    def closure(self, things: set[object]) -> set[object]:
        """With what the epolls among them watch, and the signals that signalfds read."""
        found: set[object] = set()
        left = list(things)
        while left:
            thing = left.pop()
            if thing in found:
                continue
            found.add(thing)
            if isinstance(thing, Watcher):
                left += [interest.file for interest in thing.interests]
            elif isinstance(thing, SignalReader):
                left.append("signals")
            elif isinstance(thing, PipeEnd):
                left.append(thing.pipe)
        return found

    def conflicts(self, task: ModelTask, waits_for: set[object], takes: set[object]) -> bool:
        """Whether somebody takes what somebody else waits for: who is first is promised by nobody."""
        for other in self.tasks:
            if other is not task and other.sleep is not None:
                theirs = self.closure(other.sleep.waits_for)
                if theirs & takes or self.closure(other.sleep.takes) & waits_for:
                    return True
        return False

    def try_or_sleep(
        self,
        task: ModelTask,
        attempt: Callable[[], Result | None],
        late: Result = 0,
        timeout: int = -1,
        files: tuple[ModelFile, ...] = (),
        waits_for: set[object] | None = None,
        takes: set[object] | None = None,
        give_up: Callable[[], object] = lambda: None,
    ) -> Result | None:
        """What a call gives now, or None: it sleeps; `timeout` in ms, -1 for ever. `give_up` precedes its failure."""
        result = attempt()
        if result is not None:
            return result
        if timeout == 0:
            give_up()
            return late
        self.order += 1
        task.sleep = Sleep(attempt, late, None if timeout < 0 else self.now + timeout * MS, self.order)
        task.sleep.files, task.sleep.give_up = files, give_up
        task.sleep.waits_for, task.sleep.takes = waits_for or set(), takes or set()
        return None

    def settle(self) -> None:
        """Let everybody finish who can, until nothing changes."""
        changed = True
        while changed:
            changed = False
            for task in self.tasks:
                if task.sleep is None:
                    self.handle_signals(task)
                elif self._try_again(task, task.sleep):
                    changed = True

    def _try_again(self, task: ModelTask, sleep: Sleep) -> bool:
        result = sleep.attempt()
        if result is None:
            is_late = sleep.deadline is not None and self.now >= sleep.deadline
            if not is_late and not self.has_signal(task):
                return False
            sleep.give_up()
            result = sleep.late if is_late else INTERRUPTED
        task.sleep = None
        if sleep.word is not None and sleep in self.queues[sleep.word]:
            self.queues[sleep.word].remove(sleep)
        for file in sleep.files:
            self.forget(file)
        self.told.append((self.tasks.index(task), result))
        self.handle_signals(task)
        return True

    def advance(self, span_ms: int) -> None:
        """Let time pass, deadline by deadline."""
        end = self.now + span_ms * MS
        while True:
            sleeps = [task.sleep for task in self.tasks if task.sleep is not None and task.sleep.deadline is not None]
            timers = [file for file in self.files() if isinstance(file, Timer) and file.due and not file.noticed]
            dues = [*(sleep.deadline for sleep in sleeps), *(timer.due for timer in timers)]
            at = min((due for due in dues if due is not None), default=end + 1)
            if at > end:
                break
            self.now = at
            for timer in sorted(timers, key=lambda timer: timer.order):
                if timer.due is not None and timer.due <= at:
                    timer.noticed = True
                    self.happened(timer, EPOLLIN)
            self.settle()
        self.now = end
