"""The calls of the model: each takes the calling task and numbers, and gives a result, None (it sleeps) or SKIPPED."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.model import (
    COUNT_MAX,
    IN_TYPES,
    MS,
    OUT_TYPES,
    PAGE,
    QUEUED_FROM,
    SKIPPED,
    Counter,
    Model,
    ModelFile,
    ModelTask,
    Pipe,
    PipeEnd,
    Result,
    SignalReader,
    Timer,
    Watched,
    Watcher,
)
from tickless.abi.epoll import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLONESHOT, EPOLLOUT
from tickless.abi.errno import EAGAIN, EBADF, EEXIST, EINVAL, ELOOP, ENOENT, ETIMEDOUT

Answer = Result | None
ADD, DEL, MOD = 1, 2, 3
POLLNVAL = 0x20


class ModelOfCalls(Model):
    """What each call does."""

    def eventfd(self, task: ModelTask, count: int, semaphore: int, nonblock: int) -> Answer:
        return self._made(Counter(count, semaphore=bool(semaphore)), nonblock)

    def timerfd(self, task: ModelTask, nonblock: int) -> Answer:
        return self._made(Timer(), nonblock)

    def signalfd(self, task: ModelTask, mask: int, nonblock: int) -> Answer:
        return self._made(SignalReader(self, mask), nonblock)

    def epoll(self, task: ModelTask) -> Answer:
        return self._made(Watcher(), 0)

    def pipe(self, task: ModelTask, nonblock: int) -> Answer:
        pipe = Pipe()
        return 0, *(self._made(PipeEnd(pipe, reads=reads), nonblock) for reads in (True, False))

    def _made(self, file: ModelFile, nonblock: int) -> int:
        file.nonblock = bool(nonblock)
        return self.install(file)

    def dup(self, task: ModelTask, fd: int) -> Answer:
        file = self.file(fd)
        return -EBADF if file is None else self.install(file)

    def close(self, task: ModelTask, fd: int) -> Answer:
        file = self.file(fd)
        if file is None:
            return -EBADF
        if isinstance(file, PipeEnd) and self.fds.count(file) == 1:
            return SKIPPED  # the end of a pipe is not in the model
        if any(other.sleep is not None and fd in other.sleep.numbers for other in self.tasks):
            return SKIPPED  # a poll that is woken looks at its numbers again
        self.fds[fd] = None
        self.forget(file)
        return 0

    # Reading and writing

    def read(self, task: ModelTask, fd: int, size: int) -> Answer:
        file = self.file(fd)
        if file is None or (isinstance(file, PipeEnd) and not file.reads):
            return -EBADF
        if isinstance(file, Watcher):
            return -EINVAL
        if size < {Counter: 8, Timer: 8, SignalReader: 128}.get(type(file), 0):
            return -EINVAL
        if isinstance(file, PipeEnd) and size == 0:
            return 0
        has_some = bool(file.pipe.data) if isinstance(file, PipeEnd) else bool(file.ready(task) & EPOLLIN)
        return self._move(task, file, has_some, lambda: self._take(task, file, size))

    def _move(self, task: ModelTask, file: ModelFile, is_ready: bool, attempt: Callable[[], Answer]) -> Answer:
        things = self.closure({file})
        if not is_ready and self.conflicts(task, things, things):
            return SKIPPED
        timeout = 0 if file.nonblock else -1
        return self.try_or_sleep(task, attempt, -EAGAIN, timeout, (file,), {file}, {file}, lambda: self._give_up(file))

    def _give_up(self, file: ModelFile) -> None:
        """Linux tells of a write to a pipe that was polled, also if nothing was written."""
        if isinstance(file, PipeEnd) and not file.reads and file.pipe.was_polled:
            self._end_of(file.pipe, IN_TYPES)

    def _take(self, task: ModelTask, file: ModelFile, size: int) -> Answer:
        if isinstance(file, Counter) and file.count:
            taken = 1 if file.semaphore else file.count
            file.count -= taken
            self.happened(file, EPOLLOUT)
            return 8, taken
        if isinstance(file, Timer):
            self._look_at(file)
            counted, file.counted = file.counted, 0
            return (8, counted) if counted else None
        if isinstance(file, SignalReader):
            found: list[int] = []
            while len(found) < 2 * (size // 128) and (signal := self.take_signal(task, file.mask)):
                found += signal
            return (64 * len(found), *found) if found else None
        if isinstance(file, PipeEnd) and file.pipe.data:
            pipe = file.pipe
            taken, pipe.data = len(pipe.data[:size]), pipe.data[size:]
            if not pipe.data:
                self._end_of(pipe, OUT_TYPES)
            return taken
        return None

    def _end_of(self, pipe: Pipe, events: int) -> None:
        """Tell the watchers of one end."""
        reads = events == IN_TYPES
        for file in self.files():
            if isinstance(file, PipeEnd) and file.pipe is pipe and file.reads == reads:
                self.happened(file, events)

    def write(self, task: ModelTask, fd: int, number: int) -> Answer:
        """`number` is what is added to an eventfd, and how many bytes go into a pipe (1 to 4095)."""
        file = self.file(fd)
        if file is None or (isinstance(file, PipeEnd) and file.reads):
            return -EBADF
        if not isinstance(file, (Counter, PipeEnd)):
            return -EINVAL
        if isinstance(file, PipeEnd) and not 0 < number < PAGE:
            return SKIPPED  # writes in several pieces are not in the model
        if isinstance(file, Counter) and number > COUNT_MAX:
            return -EINVAL
        fits = file.count + number <= COUNT_MAX if isinstance(file, Counter) else not file.pipe.data
        return self._move(task, file, fits, lambda: self._put(file, number))

    def _put(self, file: ModelFile, number: int) -> Answer:
        if isinstance(file, Counter) and file.count + number <= COUNT_MAX:
            file.count += number
            self.happened(file, EPOLLIN)
            return 8
        if isinstance(file, PipeEnd):
            pipe = file.pipe
            was_empty = not pipe.data
            if not was_empty and pipe.end + number > PAGE:
                return None
            pipe.end = number if was_empty else pipe.end + number
            pipe.data = pipe.data + [0] * number
            if was_empty or pipe.was_polled:
                self._end_of(pipe, IN_TYPES)
            return number
        return None

    # Timers

    def _look_at(self, timer: Timer) -> None:
        """Count what has expired by now, and set a periodic timer going again."""
        if not timer.noticed or timer.due is None:
            return
        timer.noticed = False
        timer.counted += 1
        if not timer.interval:
            timer.due = None
            return
        missed = (self.now - timer.due) // timer.interval
        timer.counted += missed
        timer.due += (missed + 1) * timer.interval
        self.order += 1
        timer.order = self.order

    def _setting(self, timer: Timer) -> tuple[int, ...]:
        self._look_at(timer)
        return 0, timer.interval, 0 if timer.due is None else timer.due - self.now

    def settime(self, task: ModelTask, fd: int, first: int, interval: int) -> Answer:
        timer = self.file(fd)
        if not isinstance(timer, Timer):
            return -EBADF if timer is None else -EINVAL
        old = self._setting(timer)
        self.order += 1
        timer.due = self.now + first * MS if first else None
        timer.interval, timer.order, timer.counted, timer.noticed = interval * MS, self.order, 0, False
        return old

    def gettime(self, task: ModelTask, fd: int) -> Answer:
        timer = self.file(fd)
        if not isinstance(timer, Timer):
            return -EBADF if timer is None else -EINVAL
        return self._setting(timer)

    # Waiting for files

    def ctl(self, task: ModelTask, epfd: int, op: int, fd: int, events: int, data: int) -> Answer:
        watcher, file = self.file(epfd), self.file(fd)
        if watcher is None or file is None:
            return -EBADF
        if watcher is file or not isinstance(watcher, Watcher):
            return -EINVAL
        if self._would_conflict(watcher, file):
            return SKIPPED
        interest = next((one for one in watcher.interests if one.file is file and one.fd == fd), None)
        if op == ADD:
            if isinstance(file, Watcher) and watcher in self.closure({file}):
                return -ELOOP
            if interest is not None:
                return -EEXIST
            self.order += 1
            interest = Watched(file, fd, self.order)
            watcher.interests.append(interest)
        if interest is None:
            return -ENOENT
        if op == DEL:
            watcher.interests.remove(interest)
            watcher.noticed = [one for one in watcher.noticed if one is not interest]
            return 0
        interest.events = events & ~(EPOLLET | EPOLLONESHOT) | EPOLLERR | EPOLLHUP
        interest.flags, interest.data = events & (EPOLLET | EPOLLONESHOT), data
        if file.ready(task) & interest.events and interest not in watcher.noticed:
            self.notice(watcher, interest)
        return 0

    def _would_conflict(self, watcher: Watcher, file: ModelFile) -> bool:
        """Whether somebody sleeps for the epoll, and would then for the file, from which another one takes."""
        sleeps = [task.sleep for task in self.tasks if task.sleep is not None]
        waiting = [sleep for sleep in sleeps if watcher in self.closure(sleep.waits_for)]
        added = self.closure({file})
        return any(added & self.closure(other.takes) for sleep in waiting for other in sleeps if other is not sleep)

    def wait(self, task: ModelTask, epfd: int, room: int, timeout: int) -> Answer:
        watcher = self.file(epfd)
        if watcher is None:
            return -EBADF
        if room <= 0 or not isinstance(watcher, Watcher):
            return -EINVAL
        if self.conflicts(task, self.closure({watcher}), {watcher}):
            return SKIPPED

        def attempt() -> Answer:
            told = watcher.take(task, room)
            return (len(told) // 2, *told) if told else None

        return self.try_or_sleep(task, attempt, 0, timeout, (watcher,), {watcher}, {watcher})

    def poll(self, task: ModelTask, first: int, first_events: int, other: int, events: int, timeout: int) -> Answer:
        wants = [(self.file(first), first_events), (self.file(other), events)]
        files = {file for file, _ in wants if file is not None}
        if self.conflicts(task, self.closure(set(files)), set()):
            return SKIPPED
        # Whoever does not wait for EPOLLIN is not woken by it, and does not look at the epoll, as the model would.
        if any(isinstance(file, Watcher) and not wanted & EPOLLIN for file, wanted in wants):
            return SKIPPED

        def attempt() -> Answer:
            found = [POLLNVAL if file is None else file.ready(task) & wanted for file, wanted in wants]
            return (sum(1 for one in found if one), *found) if any(found) else None

        result = self.try_or_sleep(task, attempt, (0, 0, 0), timeout, tuple(files), set(files))
        if task.sleep is not None:
            task.sleep.numbers = (first, other)
        return result

    # Signals

    def mask(self, task: ModelTask, mask: int) -> Answer:
        task.mask = mask
        return 0

    def pending(self, task: ModelTask) -> Answer:
        found = {signo for signo, _ in task.pending + self.shared if task.mask >> (signo - 1) & 1}
        return 0, sum(1 << (signo - 1) for signo in found)

    def queue(self, task: ModelTask, signo: int, value: int) -> Answer:
        open_to = self.open_to(signo)
        waiting = [other for other in self.tasks if self._waits_for_signals(other)]
        if len(open_to) > 1 or (open_to and any(other not in open_to for other in waiting)):
            return SKIPPED
        self._send(self.shared, signo, value)
        return 0

    def tgqueue(self, task: ModelTask, target: int, signo: int, value: int) -> Answer:
        if sum(1 for other in self.tasks if self._waits_for_signals(other)) > 1:
            return SKIPPED  # who looks first at a common epoll takes off its ready list what is not for it
        self._send(self.tasks[target].pending, signo, value)
        return 0

    def _waits_for_signals(self, task: ModelTask) -> bool:
        return task.sleep is not None and "signals" in self.closure(task.sleep.waits_for)

    def _send(self, pending: list[tuple[int, int]], signo: int, value: int) -> None:
        if signo < QUEUED_FROM and any(other == signo for other, _ in pending):
            return
        pending.append((signo, value))
        self.happened_to_all([file for file in self.files() if isinstance(file, SignalReader)], EPOLLIN)

    def sigtimedwait(self, task: ModelTask, mask: int, timeout: int) -> Answer:
        if self.conflicts(task, {"signals"}, {"signals"}):
            return SKIPPED
        return self.try_or_sleep(
            task, lambda: self.take_signal(task, mask), -EAGAIN, timeout, (), {"signals"}, {"signals"}
        )

    # Futexes and time

    def store(self, task: ModelTask, word: int, value: int) -> Answer:
        self.words[word] = value
        return 0

    def futex_wait(self, task: ModelTask, word: int, value: int, timeout: int) -> Answer:
        if self.words[word] != value:
            return -EAGAIN
        result = self.try_or_sleep(task, lambda: None, -ETIMEDOUT, timeout)
        sleep = task.sleep
        if result is None and sleep is not None:
            sleep.attempt = lambda: 0 if sleep.woken else None
            sleep.word = word
            self.queues[word].append(sleep)
        return result

    def futex_wake(self, task: ModelTask, word: int, count: int) -> Answer:
        woken, self.queues[word] = self.queues[word][:count], self.queues[word][count:]
        for sleep in woken:
            sleep.woken = True
        return len(woken)

    def requeue(self, task: ModelTask, word: int, count: int, other: int, most: int) -> Answer:
        woken = self.futex_wake(task, word, count)
        assert isinstance(woken, int)
        moved, self.queues[word] = self.queues[word][:most], self.queues[word][most:]
        for sleep in moved:
            sleep.word = other
        self.queues[other] += moved
        return woken + len(moved)

    def sleep(self, task: ModelTask, span: int) -> Answer:
        return self.try_or_sleep(task, lambda: None, 0, span)
