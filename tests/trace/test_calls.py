"""How calls print: arguments by the types of the registry, results, and what no trace may show."""

from __future__ import annotations

import pytest

from tests.trace.traced import calls_of, nothing, trace_of
from tickless.abi.epoll import EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_EVENT, EPOLLIN
from tickless.abi.fcntl import F_DUPFD, F_GETFD, F_SETOWN
from tickless.abi.futex import (
    FUTEX_CMP_REQUEUE,
    FUTEX_LOCK_PI,
    FUTEX_PRIVATE_FLAG,
    FUTEX_WAIT,
    FUTEX_WAKE,
    FUTEX_WAKE_OP,
)
from tickless.abi.numbers import number_of
from tickless.abi.poll import POLLFD, POLLIN
from tickless.abi.signal import SIGSET, SIGTERM, SIGUSR1, sigmask
from tickless.abi.time import CLOCK_REALTIME, ITIMERSPEC, NSEC_PER_SEC, TIMESPEC
from tickless.abi.wait import WNOHANG
from tickless.kernel.machine import Argument, Calls, Machine, OwnTask, Program
from tickless.trace.calls import call_text
from tickless.trace.names import MOST_POINTERS, Names
from tickless.trace.values import show_futex_value

PRIVATE = FUTEX_PRIVATE_FLAG
NOWHERE = 8  # an address that nothing is at
LEFT_OVER = 0x7FFC_1234_5678  # what lies in a register that a call does not look at


def test_flags_enumerations_and_structures_have_names() -> None:
    def program(sys: Calls) -> Program:
        yield sys.timerfd_create(CLOCK_REALTIME, 0o4000)
        yield sys.timerfd_settime(0, 1, ITIMERSPEC.pack(1, 0, 2, 500), bytearray(32))

    assert calls_of(program) == [
        "timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK) = 0<timerfd:REALTIME>",
        "timerfd_settime(0<timerfd:REALTIME>, TFD_TIMER_ABSTIME, "
        "{it_interval={tv_sec=1, tv_nsec=0}, it_value={tv_sec=2, tv_nsec=500}}, "
        "{it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=0, tv_nsec=0}}) = 0",
    ]


FAILURES = {
    "errno by name": ("read", (9, bytearray(8), 8), "read(9, ptr, 8) = -1 EBADF (Bad file descriptor)"),
    "memory that is not there": ("nanosleep", (NOWHERE, 0), "nanosleep(ptr, NULL) = -1 EFAULT (Bad address)"),
    "nothing was filled": (
        "clock_gettime",
        (77, bytearray(16)),
        "clock_gettime(0x4d, ptr) = -1 EINVAL (Invalid argument)",
    ),
    "null pointer": ("timerfd_gettime", (9, 0), "timerfd_gettime(9, NULL) = -1 EBADF (Bad file descriptor)"),
    "nobody has the pid": ("kill", (4242, SIGTERM), "kill(?, SIGTERM) = -1 ESRCH (No such process)"),
}


@pytest.mark.parametrize(("name", "args", "shown"), FAILURES.values(), ids=FAILURES)
def test_failures(name: str, args: tuple[Argument, ...], shown: str) -> None:
    def program(sys: Calls) -> Program:
        yield getattr(sys, name)(*args)

    assert calls_of(program) == [shown]


def test_pids_are_names() -> None:
    """The task's own, a child's, a process group's; those of the dead stay known."""

    def program(sys: Calls) -> Program:
        child = yield sys.fork(nothing)
        yield sys.wait4(-1, bytearray(4), 0, 0)
        yield sys.kill(child, 0)
        yield sys.kill(-100, 0)
        yield sys.getpid()
        yield sys.setpgid(0, 100)

    lines = [line[25:] for line in trace_of(program) if " main     " in line]

    assert "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = main.1" in lines
    assert "kill(main.1, 0) = -1 ESRCH (No such process)" in lines
    assert "kill(-main, 0) = 0" in lines
    assert "getpid() = main" in lines
    assert any(line.startswith("setpgid(0, main) = ") for line in lines)


def test_a_wait_that_found_nobody_has_filled_nothing() -> None:
    def program(sys: Calls) -> Program:
        yield sys.fork(sleeper)
        yield sys.wait4(-1, bytearray(4), WNOHANG, 0)

    def sleeper(sys: Calls) -> Program:
        yield sys.sleep_ns(1)

    assert any(line.endswith("wait4(-1, ptr, WNOHANG, NULL) = 0") for line in trace_of(program))


def test_what_is_left_of_a_sleep_is_shown_only_when_a_signal_ends_it() -> None:
    def program(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        yield sys.fork(signaller)
        yield sys.nanosleep(TIMESPEC.pack(5, 0), bytearray(16))
        yield sys.nanosleep(TIMESPEC.pack(1, 0), bytearray(16))

    def signaller(sys: Calls) -> Program:
        yield sys.sleep_ns(2 * NSEC_PER_SEC)
        yield sys.kill(100, SIGUSR1)

    ends = [line[25:] for line in trace_of(program) if "main     <... nanosleep resumed" in line]

    assert ends == [
        "<... nanosleep resumed> {tv_sec=3, tv_nsec=0}) = ? ERESTART_RESTARTBLOCK (Interrupted by signal) "
        "(woken by main.1's kill)",
        "<... nanosleep resumed> ptr) = 0 (woken by its deadline)",
    ]


# Pointers


def test_pointers_are_numbered_as_they_appear() -> None:
    def program(sys: Calls) -> Program:
        for address in (0x20000, 0x30000, 0x20000, 0):
            yield sys.futex(address, FUTEX_WAKE, 1, 0, 0, 0)

    assert [line[:8] for line in calls_of(program)] == ["futex(&1", "futex(&2", "futex(&1", "futex(NU"]


def test_after_very_many_pointers_the_others_have_no_names() -> None:
    kernel = Machine()
    task = kernel.spawn(nothing)
    names = Names(kernel)
    last = [names.pointer(task, address) for address in range(1, MOST_POINTERS + 2)][-2:]

    assert last == [f"&{MOST_POINTERS}", "ptr"]


# Registers that a call does not look at

UNUSED = {
    "futex wake": (
        ("futex", 0x20000, FUTEX_WAKE | PRIVATE, 1, LEFT_OVER, LEFT_OVER, LEFT_OVER),
        "futex(&1, FUTEX_WAKE_PRIVATE, 1) = 0",
    ),
    "futex wait": (
        ("futex", 0x20000, FUTEX_WAIT, 7, TIMESPEC.pack(3, 0), LEFT_OVER, LEFT_OVER),
        "futex(&1, FUTEX_WAIT, 7, {tv_sec=3, tv_nsec=0}) = -1 EAGAIN (Resource temporarily unavailable)",
    ),
    "futex wait without end": (
        ("futex", 0x20000, FUTEX_WAIT, 7, 0, LEFT_OVER, LEFT_OVER),
        "futex(&1, FUTEX_WAIT, 7, NULL) = -1 EAGAIN (Resource temporarily unavailable)",
    ),
    "futex wait, timeout nowhere": (
        ("futex", 0x20000, FUTEX_WAIT, 7, NOWHERE, LEFT_OVER, LEFT_OVER),
        "futex(&1, FUTEX_WAIT, 7, ptr) = -1 EFAULT (Bad address)",
    ),
    "futex requeue": (
        ("futex", 0x20000, FUTEX_CMP_REQUEUE, 1, 2**31 - 1, 0x30000, 0),
        "futex(&1, FUTEX_CMP_REQUEUE, 1, 2147483647, &2, 0) = 0",
    ),
    "futex wake_op takes all": (
        ("futex", 0x20000, FUTEX_WAKE_OP, 1, 1, 0x30000, 0),
        "futex(&1, FUTEX_WAKE_OP, 1, 1, &2, 0) = 0",
    ),
    "futex lock": (
        ("futex", 0x20000, FUTEX_LOCK_PI, LEFT_OVER, 0, LEFT_OVER, LEFT_OVER),
        "futex(&1, FUTEX_LOCK_PI, NULL) = 0",
    ),
    "fcntl get": (("fcntl", 9, F_GETFD, LEFT_OVER), "fcntl(9, F_GETFD) = -1 EBADF (Bad file descriptor)"),
    "fcntl number": (("fcntl", 9, F_DUPFD, 10), "fcntl(9, F_DUPFD, 10) = -1 EBADF (Bad file descriptor)"),
    "fcntl pid": (("fcntl", 9, F_SETOWN, 100), "fcntl(9, F_SETOWN, main) = -1 EBADF (Bad file descriptor)"),
    "fcntl address": (("fcntl", 9, 99, LEFT_OVER), "fcntl(9, 0x63, ptr) = -1 EBADF (Bad file descriptor)"),
    "prctl": (
        ("prctl", 36, 1, LEFT_OVER, LEFT_OVER, LEFT_OVER),
        "prctl(PR_SET_CHILD_SUBREAPER, 0x1) = 0",
    ),
}


@pytest.mark.parametrize(("call", "shown"), UNUSED.values(), ids=UNUSED)
def test_registers_that_a_call_does_not_look_at_are_left_out(
    call: tuple[str, *tuple[Argument, ...]], shown: str
) -> None:
    name, *args = call

    def program(sys: Calls) -> Program:
        yield getattr(sys, name)(*args)

    assert calls_of(program) == [shown]


def test_removing_an_interest_needs_no_event() -> None:
    def program(sys: Calls) -> Program:
        yield sys.epoll_create1(0)
        yield sys.eventfd2(0, 0)
        yield sys.epoll_ctl(0, EPOLL_CTL_ADD, 1, EPOLL_EVENT.pack(EPOLLIN, 7))
        yield sys.epoll_ctl(0, EPOLL_CTL_DEL, 1, EPOLL_EVENT.pack(LEFT_OVER & 0xFFFF, LEFT_OVER))

    assert calls_of(program)[2:] == [
        "epoll_ctl(0<eventpoll>, EPOLL_CTL_ADD, 1<eventfd>, {events=EPOLLIN, data=0x7}) = 0",
        "epoll_ctl(0<eventpoll>, EPOLL_CTL_DEL, 1<eventfd>) = 0",
    ]


# What a word of a futex may hold


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(100, "100", id="a number that happens to be a pid"),
        pytest.param(101, "main1", id="the tid of the thread that is joined"),
        pytest.param(0x80000000 | 100, "FUTEX_WAITERS|main", id="the owner of a lock"),
        pytest.param(0x80000000, "2147483648", id="a lock without an owner"),
    ],
)
def test_tids_in_futex_words_are_names(value: int, shown: str) -> None:
    kernel = Machine()
    kernel.spawn(nothing)
    joined = kernel.spawn(nothing)
    joined.clear_child_tid = 0x20000

    assert show_futex_value(joined, 0x20000, value, Names(kernel), str) == shown


# Memory


def test_long_output_is_cut() -> None:
    def program(sys: Calls) -> Program:
        yield sys.pipe2(bytearray(8), 0)
        yield sys.write(1, b"x" * 40, 40)
        yield sys.read(0, bytearray(40), 40)
        yield sys.write(1, b"short\n", 6)

    shown = "x" * 32
    assert calls_of(program)[1:] == [
        f'write(1<pipe>, "{shown}"..., 40) = 40',
        f'read(0<pipe>, "{shown}"..., 40) = 40',
        'write(1<pipe>, "short\\n", 6) = 6',
    ]


def test_poll_shows_what_was_asked_and_what_came() -> None:
    def program(sys: Calls) -> Program:
        yield sys.eventfd2(1, 0)
        yield sys.eventfd2(0, 0)
        asked = bytearray(POLLFD.pack(0, POLLIN, 99) + POLLFD.pack(1, POLLIN, 99))
        yield sys.poll(asked, 2, -1)
        yield sys.poll(asked, 0, 0)

    assert calls_of(program)[2:] == [
        "poll([{fd=0, events=POLLIN}, {fd=1, events=POLLIN}], 2, -1) = 1 ([{fd=0, events=POLLIN, revents=POLLIN}])",
        "poll([], 0, 0) = 0",
    ]


def test_select_shows_what_was_asked_and_what_came() -> None:
    def program(sys: Calls) -> Program:
        yield sys.eventfd2(1, 0)
        yield sys.eventfd2(0, 0)
        yield sys.select(2, bytearray(b"\3" + bytes(7)), 0, 0, 0)

    assert calls_of(program)[2:] == ["select(2, [0 1], NULL, NULL, NULL) = 1 ([0])"]


def test_events_are_shown_as_many_as_came() -> None:
    def program(sys: Calls) -> Program:
        yield sys.epoll_create1(0)
        yield sys.eventfd2(1, 0)
        yield sys.epoll_ctl(0, EPOLL_CTL_ADD, 1, EPOLL_EVENT.pack(EPOLLIN, LEFT_OVER))
        yield sys.epoll_wait(0, bytearray(5 * EPOLL_EVENT.size), 5, 0)
        yield sys.read(1, bytearray(8), 8)
        yield sys.epoll_wait(0, bytearray(5 * EPOLL_EVENT.size), 5, 0)

    lines = calls_of(program)

    assert lines[3] == "epoll_wait(0<eventpoll>, [{events=EPOLLIN, data=ptr}], 5, 0) = 1"
    assert lines[5] == "epoll_wait(0<eventpoll>, [], 5, 0) = 0"


def test_a_siginfo_names_its_sender() -> None:
    def program(sys: Calls) -> Program:
        mask = SIGSET.pack(sigmask(SIGUSR1))
        yield sys.rt_sigprocmask(0, mask, 0, 8)
        yield sys.kill(100, SIGUSR1)
        yield sys.rt_sigtimedwait(mask, bytearray(128), 0, 8)

    assert "rt_sigtimedwait([USR1], {si_signo=SIGUSR1, si_code=SI_USER, from main}, NULL, 8) = 10" in calls_of(program)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        pytest.param(b"/dev/null\0", '"/dev/null"', id="in one page"),
        pytest.param(b"/usr/share/a/path/that/is/quite/long\0", '"/usr/share/a/path/that/is/quite/"...', id="long"),
        pytest.param(b"/across/pages\0", '"/across/pages"', id="on two pages"),
    ],
)
def test_a_path_is_read_no_further_than_its_end(path: bytes, shown: str) -> None:
    """What follows in memory may not be there."""
    kernel = Machine()
    task = kernel.spawn(nothing)
    memory = task.own_memory
    end = memory.base + len(memory.bytes)
    address = end - len(path) if "pages" not in str(path) else end - 4096 - 5
    memory.copy_out(address, path)

    assert path_of(task, address) == shown


def test_a_path_without_an_end_is_a_pointer() -> None:
    kernel = Machine()
    task = kernel.spawn(nothing)
    memory = task.own_memory
    memory.copy_out(memory.base + len(memory.bytes) - 4, b"/dev")

    assert path_of(task, memory.base + len(memory.bytes) - 4) == "ptr"


def path_of(task: OwnTask, address: int) -> str | None:
    number = number_of("x86_64", "newfstatat")
    assert number is not None
    task.args = (0, address, 0, 0, 0, 0)
    text = call_text("x86_64", number)
    return text.entered(task, Names(task.kernel), text.values(task.args))[1]


# Calls that nobody has declared


def test_a_call_that_is_not_declared_is_named_without_its_arguments() -> None:
    kernel = Machine()
    task = kernel.spawn(nothing)
    number = number_of("x86_64", "execve")
    assert number is not None
    text, names = call_text("x86_64", number), Names(kernel)

    assert text.name == "execve"
    assert text.values(task.args) == ()
    assert text.entered(task, names, ()) == ["..."]
    assert text.left(task, names, (), ["..."], 0) == ["..."]


def test_every_record_of_a_signalfd_is_shown() -> None:
    def program(sys: Calls) -> Program:
        mask = SIGSET.pack(sigmask(SIGUSR1, SIGTERM))
        yield sys.rt_sigprocmask(0, mask, 0, 8)
        yield sys.signalfd4(-1, mask, 8, 0)
        yield sys.kill(100, SIGUSR1)
        yield sys.kill(100, SIGTERM)
        yield sys.read(0, bytearray(512), 512)

    assert next(line for line in calls_of(program) if line.startswith("read")) == (
        "read(0<signalfd>, [{ssi_signo=SIGUSR1, ssi_code=SI_USER, from main}, "
        "{ssi_signo=SIGTERM, ssi_code=SI_USER, from main}], 512) = 256"
    )
