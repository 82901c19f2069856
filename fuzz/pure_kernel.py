"""The kernel without a host, called step by step: a method makes the call that the model's method of its name does."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import cast

from fuzz.model import INTERRUPTED, MS, Result
from tickless.abi.epoll import EPOLL_EVENT
from tickless.abi.errno import ERESTART_RESTARTBLOCK, ERESTARTSYS
from tickless.abi.fcntl import O_NONBLOCK
from tickless.abi.futex import FUTEX_PRIVATE_FLAG, FUTEX_REQUEUE, FUTEX_WAIT, FUTEX_WAKE
from tickless.abi.numbers import number_of
from tickless.abi.siginfo import SI_QUEUE, SigInfo
from tickless.abi.signal import SIG_SETMASK
from tickless.abi.time import CLOCK_MONOTONIC, ITIMERSPEC, TIMESPEC
from tickless.kernel.errors import Errno
from tickless.kernel.machine import Calls, Machine, OwnTask, Program
from tickless.kernel.own_signals import SigAction
from tickless.kernel.signals import has_pending_signals, pop_pending_unblocked

F_SETPIPE_SZ = 1031
PAGE = 4096
POLLFD = struct.Struct("ihh")
U64 = struct.Struct("Q")
WORD = struct.Struct("I")
# struct signalfd_siginfo: ssi_signo, and ssi_int behind ssi_status.
SIGNALFD_SIGINFO = struct.Struct("=I40xi80x")
SIGINFO = struct.Struct("=iii4xiii100x")  # si_signo, si_errno, si_code, si_pid, si_uid, si_value
# Where in memory: each task has a page for what its call points at.
FIRST_PAGE = 0x20000
WORDS = 0x18000
NAMES = (
    *("eventfd2", "timerfd_create", "signalfd4", "epoll_create1", "pipe2", "fcntl", "dup", "close", "read", "write"),
    *("timerfd_settime", "timerfd_gettime", "epoll_ctl", "epoll_wait", "poll", "rt_sigprocmask", "rt_sigpending"),
    *("rt_sigqueueinfo", "rt_tgsigqueueinfo", "rt_sigtimedwait", "futex", "nanosleep"),
)
NUMBERS = {name: cast(int, number_of("x86_64", name)) for name in NAMES}
Decoder = Callable[[int], Result]


def _idle(sys: Calls) -> Program:
    """Its calls are made from outside."""
    yield sys.getpid()


def _same(answer: int) -> Result:
    return answer


class PureKernel:
    """One process with some threads, whose handlers do nothing."""

    def __init__(self, tasks: int) -> None:
        self.machine = Machine()
        main = self.machine.spawn(_idle)
        self.tasks: list[OwnTask] = [main]
        for _ in range(tasks - 1):
            self.tasks.append(self.machine.spawn(_idle, main, same_group=True))
        self.machine.ready.clear()
        self.memory = main.own_memory
        self.index = {task: number for number, task in enumerate(self.tasks)}
        for signo in range(1, 65):
            main.own_signals.actions[signo] = SigAction(0x1000, 0, 0, 0)
        for task in self.tasks:
            task.state = "running"
        self.decoders: list[Decoder] = [_same] * tasks
        self.told: list[tuple[int, Result]] = []
        self.handled: list[tuple[int, int, int]] = []

    @property
    def now(self) -> int:
        return self.machine.now_ns

    def page(self, task: int) -> int:
        return FIRST_PAGE + 0x2000 * task

    def call(self, task: int, name: str, *args: int, decode: Decoder = _same) -> Result | None:
        """What the call gives now; None: it sleeps."""
        registers = (*args, 0, 0, 0, 0, 0, 0)[:6]
        answer = self.machine.begin_call(self.tasks[task], NUMBERS[name], registers)
        if answer is None:
            self.decoders[task] = decode
            return None
        return _decoded(cast(int, answer), decode)

    def put(self, task: int, data: bytes) -> int:
        """Where `data` lies in the task's memory."""
        return self.put_at(self.page(task), data)

    def put_at(self, address: int, data: bytes) -> int:
        self.memory.copy_out(address, data)
        return address

    def get(self, task: int, layout: struct.Struct, count: int = 1) -> tuple[int, ...]:
        return tuple(
            number
            for index in range(count)
            for number in layout.unpack(self.memory.copy_in(self.page(task) + index * layout.size, layout.size))
        )

    def kind(self, task: int, fd: int) -> str:
        """The name of what a number stands for."""
        try:
            return self.tasks[task].own_fds.get(fd).name
        except Errno:
            return ""

    def settle(self) -> None:
        """Let everybody finish who can."""
        while True:
            self.handle_signals()
            task = self.machine.pick()
            if task is None:
                return
            answer = self.machine.resume_call(task)
            if answer is not None:
                number = self.index[cast(OwnTask, task)]
                self.told.append((number, _decoded(cast(int, answer), self.decoders[number])))

    def handle_signals(self) -> None:
        for number, task in enumerate(self.tasks):
            while task.blocked_call is None and has_pending_signals(task):
                info = pop_pending_unblocked(task)
                assert info is not None, "a signal that is not blocked is taken"
                self.handled.append((number, info.signo, info.value))

    def advance(self, span_ms: int) -> None:
        clock = self.machine.clock
        end = clock.now_ns + span_ms * MS
        while (due := clock.next_due_ns) <= end:
            self.machine.handle_timer_irq(max(due, clock.now_ns))
            self.settle()
        self.machine.handle_timer_irq(end)

    # Files

    def eventfd(self, task: int, count: int, semaphore: int, nonblock: int) -> Result | None:
        return self.call(task, "eventfd2", count, semaphore | nonblock * O_NONBLOCK)

    def timerfd(self, task: int, nonblock: int) -> Result | None:
        return self.call(task, "timerfd_create", CLOCK_MONOTONIC, nonblock * O_NONBLOCK)

    def signalfd(self, task: int, mask: int, nonblock: int) -> Result | None:
        return self.call(task, "signalfd4", WORDS_ALL, self.put(task, U64.pack(mask)), 8, nonblock * O_NONBLOCK)

    def epoll(self, task: int) -> Result | None:
        return self.call(task, "epoll_create1", 0)

    def pipe(self, task: int, nonblock: int) -> Result | None:
        result = self.call(task, "pipe2", self.page(task), nonblock * O_NONBLOCK)
        ends = self.get(task, struct.Struct("ii"))
        self.call(task, "fcntl", ends[1], F_SETPIPE_SZ, PAGE)
        return cast(int, result), *ends

    def dup(self, task: int, fd: int) -> Result | None:
        return self.call(task, "dup", fd)

    def close(self, task: int, fd: int) -> Result | None:
        return self.call(task, "close", fd)

    def read(self, task: int, fd: int, size: int) -> Result | None:
        kind = self.kind(task, fd)

        def decode(answer: int) -> Result:
            if kind == "signalfd":
                return answer, *self.get(task, SIGNALFD_SIGINFO, answer // 128)
            return answer if kind == "pipe" else (answer, *self.get(task, U64))

        return self.call(task, "read", fd, self.page(task), size, decode=decode)

    def write(self, task: int, fd: int, number: int) -> Result | None:
        is_pipe = self.kind(task, fd) == "pipe"
        if not is_pipe:
            self.put(task, U64.pack(number))
        return self.call(task, "write", fd, self.page(task), number if is_pipe else 8)

    def settime(self, task: int, fd: int, first: int, interval: int) -> Result | None:
        every, value = divmod(interval * MS, 10**9), divmod(first * MS, 10**9)
        new = self.put_at(self.page(task) + 512, ITIMERSPEC.pack(*every, *value))
        return self.call(task, "timerfd_settime", fd, 0, new, self.page(task), decode=lambda _: self._setting(task))

    def gettime(self, task: int, fd: int) -> Result | None:
        return self.call(task, "timerfd_gettime", fd, self.page(task), decode=lambda _: self._setting(task))

    def _setting(self, task: int) -> Result:
        every_s, every_ns, in_s, in_ns = self.get(task, ITIMERSPEC)
        return 0, every_s * 10**9 + every_ns, in_s * 10**9 + in_ns

    # Waiting for files

    def ctl(self, task: int, epfd: int, op: int, fd: int, events: int, data: int) -> Result | None:
        return self.call(task, "epoll_ctl", epfd, op, fd, self.put(task, EPOLL_EVENT.pack(events, data)))

    def wait(self, task: int, epfd: int, room: int, timeout: int) -> Result | None:
        def decode(answer: int) -> Result:
            return (answer, *self.get(task, EPOLL_EVENT, answer)) if answer else 0

        return self.call(task, "epoll_wait", epfd, self.page(task), room, timeout & 0xFFFFFFFF, decode=decode)

    def poll(self, task: int, first: int, first_events: int, other: int, events: int, timeout: int) -> Result | None:
        fds = self.put(task, POLLFD.pack(first, first_events, 0) + POLLFD.pack(other, events, 0))

        def decode(answer: int) -> Result:
            found = self.get(task, POLLFD, 2)
            return answer, found[2], found[5]

        return self.call(task, "poll", fds, 2, timeout & 0xFFFFFFFF, decode=decode)

    # Signals

    def mask(self, task: int, mask: int) -> Result | None:
        return self.call(task, "rt_sigprocmask", SIG_SETMASK, self.put(task, U64.pack(mask)), 0, 8)

    def pending(self, task: int) -> Result | None:
        return self.call(
            task, "rt_sigpending", self.page(task), 8, decode=lambda answer: (answer, *self.get(task, U64))
        )

    def queue(self, task: int, signo: int, value: int) -> Result | None:
        info = self.put(task, SigInfo(signo, SI_QUEUE, value=value).pack())
        return self.call(task, "rt_sigqueueinfo", self.tasks[0].tid, signo, info)

    def tgqueue(self, task: int, target: int, signo: int, value: int) -> Result | None:
        info = self.put(task, SigInfo(signo, SI_QUEUE, value=value).pack())
        return self.call(task, "rt_tgsigqueueinfo", self.tasks[0].tid, self.tasks[target].tid, signo, info)

    def sigtimedwait(self, task: int, mask: int, timeout: int) -> Result | None:
        def decode(answer: int) -> Result:
            info = SigInfo.unpack(self.memory.copy_in(self.page(task), 128))
            return answer, info.value

        span = self.put_at(self.page(task) + 512, TIMESPEC.pack(*divmod(timeout * MS, 10**9))) if timeout >= 0 else 0
        mask_at = self.put_at(self.page(task) + 768, U64.pack(mask))
        return self.call(task, "rt_sigtimedwait", mask_at, self.page(task), span, 8, decode=decode)

    # Futexes and time

    def store(self, task: int, word: int, value: int) -> Result | None:
        self.put_at(WORDS + 4 * word, WORD.pack(value))
        return 0

    def futex_wait(self, task: int, word: int, value: int, timeout: int) -> Result | None:
        span = self.put(task, TIMESPEC.pack(*divmod(timeout * MS, 10**9))) if timeout >= 0 else 0
        return self.call(task, "futex", WORDS + 4 * word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, value, span)

    def futex_wake(self, task: int, word: int, count: int) -> Result | None:
        return self.call(task, "futex", WORDS + 4 * word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count)

    def requeue(self, task: int, word: int, count: int, other: int, most: int) -> Result | None:
        operation = FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG
        return self.call(task, "futex", WORDS + 4 * word, operation, count, most, WORDS + 4 * other)

    def sleep(self, task: int, span: int) -> Result | None:
        return self.call(task, "nanosleep", self.put(task, TIMESPEC.pack(*divmod(span * MS, 10**9))), 0)


WORDS_ALL = 0xFFFFFFFF  # -1, for a new signalfd


def _decoded(answer: int, decode: Decoder) -> Result:
    if answer == INTERRUPTED or -ERESTART_RESTARTBLOCK <= answer <= -ERESTARTSYS:
        return INTERRUPTED
    return answer if answer < 0 else decode(answer)
