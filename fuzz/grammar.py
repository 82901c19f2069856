"""What scripts are made of: one grammar, for a seeded generator and for Hypothesis alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fuzz.generator import CLOCKS, COUNT_MAX, SENT, SIGNALS, Choose, Generator
from fuzz.scripts import RULER, TASKS, TIMERS, WORDS, Script
from tickless.abi.epoll import EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT
from tickless.abi.fcntl import O_DIRECT, O_NONBLOCK
from tickless.abi.signal import SA_NODEFER, SA_RESETHAND, SA_RESTART, SIGCHLD, SIGKILL, SIGURG
from tickless.abi.wait import WEXITED, WNOHANG, WNOWAIT

Action = Callable[[Generator, int], None]


def make_eventfd(g: Generator, task: int) -> None:
    count = g.one_of((0, 0, 1, 3, 2**32 - 1))
    g.add(task, "eventfd2", g.new("eventfd"), count, g.flags(O_NONBLOCK, 1))


def make_timerfd(g: Generator, task: int) -> None:
    g.add(task, "timerfd_create", g.new("timerfd"), g.one_of(CLOCKS), g.flags(O_NONBLOCK))


def make_signalfd(g: Generator, task: int) -> None:
    mask = g.some_signals(60)
    if g.chance(70):
        g.add(task, "rt_sigprocmask", 0, mask)
    g.add(task, "signalfd4", g.new("signalfd"), -1, mask, g.flags(O_NONBLOCK))


def change_signalfd(g: Generator, task: int) -> None:
    g.add(task, "signalfd4", 0, g.file("signalfd"), g.some_signals(60), 0)


def make_epoll(g: Generator, task: int) -> None:
    epoll = g.new("epoll")
    g.add(task, "epoll_create1", epoll, 0)
    for _ in range(g.choose(4)):
        control(g, task)


def make_pipe(g: Generator, task: int) -> None:
    flags = g.flags(O_NONBLOCK) | (O_DIRECT if g.chance(10) else 0)
    g.add(task, "pipe2", g.new("pipe_out"), g.new("pipe_in"), flags)


def make_socketpair(g: Generator, task: int) -> None:
    kind = g.one_of((1, 5, 2)) | g.flags(O_NONBLOCK)
    g.add(task, "socketpair", g.new("socket"), g.new("socket_end"), kind)


def duplicate(g: Generator, task: int) -> None:
    source = g.file()
    kind = g.kinds.get(source, "eventfd")
    if g.chance(60):
        g.add(task, "dup", g.new(kind), source)
    else:
        target = g.file()
        g.kinds[target] = kind
        g.add(task, "dup2", target, source)


def close(g: Generator, task: int) -> None:
    variable = g.file()
    g.kinds.pop(variable, None)
    g.add(task, "close", variable)


def set_nonblock(g: Generator, task: int) -> None:
    g.add(task, "fcntl", g.file(), g.flags(O_NONBLOCK))


def read(g: Generator, task: int) -> None:
    match g.choose(6):
        case 0 | 1:
            g.add(task, "read8", g.file("eventfd", "timerfd"))
        case 2 | 3:
            g.add(task, "read", g.file("pipe_out", "socket", "socket_end"), g.one_of((1, 5, 100, 4096, 0)))
        case 4:
            g.add(task, "read_siginfo", g.file("signalfd"), 1 + g.choose(3))
        case _:
            g.add(task, "read", g.file(), g.one_of((8, 1, 7)))


def write(g: Generator, task: int) -> None:
    if g.chance(50):
        value = g.one_of((1, 2, 0, COUNT_MAX, COUNT_MAX - 1, COUNT_MAX, COUNT_MAX + 1))
        g.add(task, "write8", g.file("eventfd"), value - 2**64 if value >= 2**63 else value)
    else:
        g.add(
            task, "write", g.file("pipe_in", "socket", "socket_end"), g.one_of((1, 5, 100, 4096, 4096, 3000, 6000, 0))
        )


def fill(g: Generator, task: int) -> None:
    """Write what fills a file, then more: that sleeps, and often a signal ends it."""
    target = g.file("eventfd", "pipe_in", "socket", "socket_end")
    if g.kinds.get(target) == "eventfd":
        g.add(task, "write8", target, COUNT_MAX - 2**64)
        g.add(task, "write8", target, g.one_of((1, 2, COUNT_MAX - 2**64)))
    else:
        g.add(task, "write", target, 4096)
        g.add(task, "write", target, g.one_of((1, 5, 100, 4096, 6000)))
    if g.chance(60):
        interrupt(g, task)


def control(g: Generator, task: int) -> None:
    op = g.one_of((1, 1, 1, 1, 3, 2))
    events = g.events() | g.flags(EPOLLET, EPOLLONESHOT)
    if g.chance(10):
        events = (events & ~EPOLLONESHOT) | EPOLLEXCLUSIVE
    kinds = () if g.chance(20) else ("eventfd", "timerfd", "signalfd", "pipe_out", "pipe_in", "socket", "socket_end")
    g.add(task, "epoll_ctl", g.file("epoll"), op, g.file(*kinds), events, len(g.steps))


def epoll_wait(g: Generator, task: int) -> None:
    call = g.one_of(("epoll_wait", "epoll_wait", "epoll_pwait", "epoll_pwait2"))
    args = (g.file("epoll"), g.one_of((4, 1, 8, 2)), g.timeout())
    g.add(task, call, *args, *(() if call == "epoll_wait" else (temporary_mask(g),)))


def pairs(g: Generator, values: Sequence[int]) -> list[int]:
    found = []
    for _ in range(1 + g.choose(3)):
        found += [g.file(), g.one_of(values)]
    return found


def poll(g: Generator, task: int) -> None:
    timeout = g.timeout()
    if g.chance(50):
        g.add(task, "poll", timeout, *pairs(g, (1, 4, 5, 0x2001)))
    else:
        g.add(task, "ppoll", timeout, temporary_mask(g), *pairs(g, (1, 4, 5)))


def select(g: Generator, task: int) -> None:
    timeout = g.timeout()
    if g.chance(50):
        g.add(task, "select", timeout, *pairs(g, (1, 2, 3, 5)))
    else:
        g.add(task, "pselect6", timeout, temporary_mask(g), *pairs(g, (1, 2, 3)))


def set_timerfd(g: Generator, task: int) -> None:
    first = g.span() if g.chance(90) else 0
    interval = g.one_of((0, 0, 1, 2, 3))
    g.add(task, "timerfd_settime", g.file("timerfd"), first, interval, g.flags(1))


def look_at_timerfd(g: Generator, task: int) -> None:
    g.add(task, "timerfd_gettime", g.file("timerfd"))


def make_timer(g: Generator, task: int) -> None:
    timer = g.choose(TIMERS)
    notify = g.one_of((0, 0, 4, 1))
    g.timers.append(timer)
    g.add(task, "timer_create", timer, g.one_of(CLOCKS), notify, g.one_of(SENT), 40 + len(g.steps))
    g.add(task, "timer_settime", timer, g.span(), g.one_of((0, 1, 2)), g.flags(1))


def use_timer(g: Generator, task: int) -> None:
    timer = g.one_of(g.timers) if g.timers else g.choose(TIMERS)
    match g.choose(5):
        case 0 | 1:
            g.add(task, "timer_settime", timer, g.span(), g.one_of((0, 0, 1, 2)), g.flags(1))
        case 2:
            g.add(task, "timer_gettime", timer)
        case 3:
            g.add(task, "timer_getoverrun", timer)
        case _:
            g.add(task, "timer_delete", timer)


def itimer(g: Generator, task: int) -> None:
    if g.chance(70):
        g.add(task, "setitimer", g.span(), g.one_of((0, 1, 2)))
    else:
        g.add(task, "getitimer")


def sleep(g: Generator, task: int) -> None:
    if not (span := g.span()):
        return
    if g.chance(50):
        g.add(task, "nanosleep", span)
    else:
        g.add(task, "clock_nanosleep", g.one_of(CLOCKS), g.choose(2), span)


def mask_signals(g: Generator, task: int) -> None:
    g.add(task, "rt_sigprocmask", g.one_of((0, 1, 2)), g.some_signals(50))


def look_at_pending(g: Generator, task: int) -> None:
    g.add(task, "rt_sigpending")


def set_action(g: Generator, task: int) -> None:
    signo = g.one_of(SIGNALS)
    handlers = (2, 2, 1, 0) if signo in (SIGURG, SIGCHLD) else (2, 2, 1)
    flags = g.flags(SA_RESTART, SA_NODEFER) | (SA_RESETHAND if g.chance(5) else 0)
    g.add(task, "rt_sigaction", signo, g.one_of(handlers), flags, g.some_signals(20))


def wait_for_signal(g: Generator, task: int) -> None:
    match g.choose(4):
        case 0 | 1:
            g.add(task, "rt_sigtimedwait", g.some_signals(60), g.timeout())
        case 2:
            g.add(task, "rt_sigsuspend", g.some_signals(30))
        case _:
            g.add(task, "pause")


def send(g: Generator, task: int) -> None:
    target, signo = g.one_of(g.tasks), g.one_of(SENT)
    match g.choose(3):
        case 0:
            g.add(task, "kill", target, signo)
        case 1:
            g.add(task, "tgkill", target, signo)
        case _:
            g.add(task, "rt_sigqueueinfo", target, signo, len(g.steps))


def interrupt(g: Generator, sleeper: int) -> None:
    """Send a signal to one who probably sleeps."""
    others = [task for task in g.tasks if task != sleeper]
    if sleeper in g.leaders and (not others or g.chance(50)):
        g.add(RULER, "kill", sleeper, g.one_of(SENT))
    elif others:
        g.add(g.one_of(others), "tgkill", sleeper, g.one_of(SENT))


def futex(g: Generator, task: int) -> None:
    word = g.choose(WORDS)
    match g.choose(8):
        case 0 | 1 | 2:
            g.add(task, "futex_wait", word, g.one_of((0, 0, 0, 1)), g.patience())
        case 3 | 4:
            g.add(task, "futex_wake", word, g.one_of((1, 1, 2, 0)))
        case 5:
            g.add(task, "futex_requeue", word, g.choose(2), g.choose(WORDS), g.choose(3), g.one_of((0, 0, 0, 1)))
        case 6:
            g.add(task, "futex_wait_bitset", word, g.one_of((0, 0, 0, 1)), g.patience(), g.one_of((1, 2, 3, 0)))
        case _:
            g.add(task, "futex_wake_bitset", word, 1 + g.choose(2), g.one_of((1, 2, -1, 0)))


def store(g: Generator, task: int) -> None:
    g.add(task, "store", g.choose(WORDS), g.choose(2))


def begin_task(g: Generator, task: int) -> None:
    number = len(g.tasks)
    if number < TASKS:
        g.tasks.append(number)
        if g.chance(45):
            g.parents.append(task)
            g.leaders.append(number)
            g.add(task, "fork", number)
        else:
            g.add(task, "thread", number)


def end_task(g: Generator, task: int) -> None:
    if task and g.chance(80):
        g.add(task, "exit", g.choose(3))
    elif len(g.tasks) > 1:
        g.add(0, "kill", g.one_of(g.tasks[1:]), SIGKILL)


def wait_for_child(g: Generator, task: int) -> None:
    options = WEXITED | g.flags(WNOHANG, WNOWAIT)
    if g.parents and g.chance(85):
        task = g.one_of(g.parents)
    g.add(task, "waitid", -1 if g.chance(60) else g.choose(TASKS), options)


def temporary_mask(g: Generator) -> int:
    return -1 if g.chance(40) else g.some_signals(40)


MAKERS: tuple[Action, ...] = (make_eventfd, make_epoll, make_pipe, make_timerfd, make_signalfd, make_socketpair)
# How often an action is in the list is how likely it is.
ACTIONS: tuple[Action, ...] = (
    *MAKERS,
    *(
        [read] * 9
        + [write] * 7
        + [fill] * 2
        + [control] * 7
        + [epoll_wait] * 6
        + [poll] * 4
        + [select] * 3
        + [futex] * 6
    ),
    *([send] * 7 + [wait_for_signal] * 3 + [mask_signals] * 3 + [set_timerfd] * 4 + [itimer, sleep, sleep] * 2),
    *([wait_for_child] * 2 + [begin_task] * 2 + [duplicate] * 2 + [close] * 2 + [make_timer, use_timer, use_timer]),
    *(look_at_pending, look_at_timerfd, set_action, change_signalfd, set_nonblock, store, store, end_task),
)


def prepare(g: Generator) -> None:
    """Every signal is caught or ignored at first, or the first one would end the script."""
    for signo in SENT:
        handler = 2 if g.chance(85) else 1
        g.add(0, "rt_sigaction", signo, handler, g.flags(SA_RESTART, SA_NODEFER), g.some_signals(30))
    for _ in range(g.choose(3)):
        begin_task(g, 0)
    for _ in range(1 + g.choose(3)):
        g.one_of(MAKERS)(g, g.one_of(g.tasks))


def write_script(choose: Choose, most_steps: int = 30) -> Script:
    """A script of this grammar, drawn by `choose`."""
    g = Generator(choose)
    prepare(g)
    for _ in range(4 + choose(most_steps - 3)):
        if g.now < g.units and g.chance(20):
            g.advance()
        elif g.chance(11):
            g.add(RULER, "kill", g.one_of(g.leaders), g.one_of(SENT))
        else:
            g.one_of(ACTIONS)(g, g.one_of(g.tasks))
    while g.now < g.units:
        g.advance()
    return tuple(g.steps)
