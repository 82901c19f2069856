"""The lines of a trace: what happens, when, to whom."""

from __future__ import annotations

import pytest

from tests.trace.traced import nothing, trace_of
from tickless.abi.errno import EINVAL
from tickless.abi.numbers import number_of
from tickless.abi.siginfo import SI_USER, SigInfo
from tickless.abi.signal import SIG_BLOCK, SIGCHLD, SIGSET, SIGTERM, SIGUSR1, sigmask
from tickless.abi.time import CLOCK_MONOTONIC, ITIMERSPEC, ITIMERVAL, TIMESPEC
from tickless.abi.wait import WCOREFLAG
from tickless.kernel.errors import Errno
from tickless.kernel.machine import Calls, Machine, Program
from tickless.kernel.outcome import PASS_ON
from tickless.kernel.registry import Unserved
from tickless.kernel.task import Task
from tickless.trace.choice import all_calls, parse_trace
from tickless.trace.text import TextTrace

SECOND = 10**9
ITIMER_REAL = 0


def test_a_call_is_one_line_between_start_and_end() -> None:
    def program(sys: Calls) -> Program:
        yield sys.eventfd2(3, 0)
        return 7

    assert trace_of(program) == [
        "    0.000000000 main     +++ started +++",
        "    0.000000000 main     eventfd2(3, 0) = 0<eventfd>",
        "    0.000000000 main     +++ exited with 7 +++",
    ]


def test_a_blocked_call_has_two_lines_and_the_second_says_what_woke_it() -> None:
    def reader(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        yield sys.fork(writer)
        yield sys.read(0, bytearray(8), 8)

    def writer(sys: Calls) -> Program:
        yield sys.sleep_ns(5 * SECOND)
        yield sys.write(0, (3).to_bytes(8, "little"), 8)

    assert trace_of(reader)[2:] == [
        "    0.000000000 main.1   +++ started as a child of main +++",
        "    0.000000000 main.1   nanosleep({tv_sec=5, tv_nsec=0}, NULL <blocked>",
        "    0.000000000 main     read(0<eventfd>, <blocked>",
        "    0.000000000          ... clock jumps 5 s to the deadline of main.1's nanosleep",
        "    5.000000000 main.1   <... nanosleep resumed>) = 0 (woken by its deadline)",
        "    5.000000000 main.1   write(0<eventfd>, [3], 8) = 8",
        "    5.000000000 main     <... read resumed> [3], 8) = 8 (woken by main.1's write)",
        "    5.000000000 main.1   +++ exited with 0 +++",
        "    5.000000000 main     ... SIGCHLD sent by exit "
        "{si_signo=SIGCHLD, si_code=CLD_EXITED, si_status=0, from main.1}",
        "    5.000000000 main     +++ exited with 0 +++",
    ]


def test_a_call_that_is_woken_for_nothing_says_so() -> None:
    """Two readers of one eventfd are woken by a write that is enough for one."""

    def reader(sys: Calls) -> Program:
        yield sys.read(0, bytearray(8), 8)

    def program(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        yield sys.thread(reader)
        yield sys.thread(reader)
        yield sys.sleep_ns(SECOND)
        yield sys.write(0, (1).to_bytes(8, "little"), 8)
        yield sys.sleep_ns(SECOND)
        yield sys.write(0, (1).to_bytes(8, "little"), 8)

    lines = trace_of(program)

    assert "    1.000000000 main.2   <... read woken by main's write, blocked again>" in lines
    assert "    2.000000000 main.2   <... read resumed> [1], 8) = 8 (woken by main's write)" in lines


def test_what_a_call_does_follows_its_line() -> None:
    def program(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        yield sys.kill(100, SIGUSR1)

    assert trace_of(program)[2:-1] == [
        "    0.000000000 main     kill(main, SIGUSR1) = 0",
        "    0.000000000 main     ... SIGUSR1 sent by main's kill {si_signo=SIGUSR1, si_code=SI_USER, from main}",
        "    0.000000000 main     --- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, from main} ---",
    ]


def test_a_signal_to_one_thread_says_so() -> None:
    def program(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        yield sys.tgkill(100, 100, SIGUSR1)

    [sent] = [line for line in trace_of(program) if "sent" in line]

    assert "... SIGUSR1 sent to this thread by its own tgkill {si_signo=SIGUSR1, si_code=SI_TKILL, " in sent


def test_a_signal_from_nobody_of_the_run_is_from_outside() -> None:
    kernel, lines, trace = silent_trace()
    trace.signal_delivered(kernel.spawn(nothing), SigInfo(SIGTERM, SI_USER, pid=4242, uid=1000))

    assert lines[-1] == ("    0.000000000 main     --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, from outside} ---")


def test_a_signal_that_is_read_is_taken_and_its_sender_has_a_name() -> None:
    def program(sys: Calls) -> Program:
        mask = SIGSET.pack(sigmask(SIGCHLD))
        yield sys.rt_sigprocmask(SIG_BLOCK, mask, 0, 8)
        yield sys.signalfd4(-1, mask, 8, 0)
        yield sys.fork(nothing)
        yield sys.read(0, bytearray(128), 128)

    assert trace_of(program)[-3:-1] == [
        "    0.000000000 main     read(0<signalfd>, "
        "[{ssi_signo=SIGCHLD, ssi_code=CLD_EXITED, from main.1}], 128) = 128",
        "    0.000000000 main     ... SIGCHLD taken {si_signo=SIGCHLD, si_code=CLD_EXITED, si_status=0, from main.1}",
    ]


def test_a_clock_jump_names_whose_deadline_comes() -> None:
    """A timerfd by its first holder, a process's interval timer, a POSIX timer by its id, a sleep by its call."""

    def program(sys: Calls) -> Program:
        fd = yield sys.timerfd_create(CLOCK_MONOTONIC, 0)
        yield sys.timerfd_settime(fd, 0, ITIMERSPEC.pack(0, 0, 1, 0), 0)
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        yield sys.read(fd, bytearray(8), 8)
        yield sys.setitimer(ITIMER_REAL, ITIMERVAL.pack(0, 0, 1, 500_000), 0)
        yield sys.sigaction(14, lambda signo: None)
        yield sys.pause()
        yield sys.timer_create(CLOCK_MONOTONIC, 0, bytearray(4))
        yield sys.timer_settime(0, 0, ITIMERSPEC.pack(0, 0, 0, 250), 0)
        yield sys.pause()
        yield sys.nanosleep(TIMESPEC.pack(0, 1), 0)

    lines = trace_of(program)
    jumps = [line.split("jumps ")[1] for line in lines if "jumps" in line]
    woken = [line[26:-1].split("(woken by ")[1] for line in lines if "(woken by" in line]
    sent = [line.split("... ")[1].partition(" {")[0] for line in lines if "sent by" in line]

    assert jumps == [
        "1 s to the deadline of main's 0<timerfd:MONOTONIC>",
        "1.5 s to the deadline of main's interval timer",
        "0.00000025 s to the deadline of main's timer 0",
        "0.000000001 s to the deadline of main's nanosleep",
    ]
    assert woken == [
        "main's 0<timerfd:MONOTONIC>",
        "main's interval timer",
        "main's timer 0",
        "its deadline",
    ]
    assert sent == ["SIGALRM sent by main's interval timer", "SIGALRM sent by main's timer 0"]


def test_a_deadline_of_nobody_is_the_scenarios() -> None:
    machine = Machine()
    woken = []
    machine.clock.arm(machine.clock.start_ns + 60 * SECOND, lambda: woken.append(machine.now_ns))

    def program(sys: Calls) -> Program:
        yield sys.sleep_ns(90 * SECOND)

    lines = trace_of(program, machine=machine)

    assert woken == [60 * SECOND]
    assert lines[2] == "    0.000000000          ... clock jumps 60 s to the deadline of the scenario"


def test_deaths_by_signal_and_threads_are_told_apart() -> None:
    def thread(sys: Calls) -> Program:
        yield sys.pause()

    def program(sys: Calls) -> Program:
        yield sys.thread(thread)
        yield sys.sleep_ns(SECOND)
        yield sys.kill(100, SIGTERM)

    lines = trace_of(program)

    assert "    0.000000000 main.1   +++ started as a thread of main +++" in lines
    assert lines[-2:] == [
        "    1.000000000 main     +++ killed by SIGTERM +++",
        "    1.000000000 main.1   +++ killed by SIGTERM +++",
    ]


def test_a_core_dump_is_named() -> None:
    kernel, lines, trace = silent_trace()
    trace.task_ended(kernel.spawn(nothing), 11 | WCOREFLAG)

    assert lines[-1] == "    0.000000000 main     +++ killed by SIGSEGV (core dumped) +++"


def test_what_is_not_served_has_its_id() -> None:
    kernel, lines, trace = silent_trace()
    trace.refused(kernel.spawn(nothing), Unserved("TL999", "juggle", EINVAL))

    assert lines[-1] == "    0.000000000 main     ... TL999: juggle is not served"


def test_what_only_the_host_knows_is_in_its_words() -> None:
    kernel, lines, trace = silent_trace()
    trace.noted(kernel.spawn(nothing), "runs dash")

    assert lines[-1] == "    0.000000000 main     ... runs dash"


def test_only_the_calls_that_were_asked_for_are_there_but_every_other_event() -> None:
    def program(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        yield sys.sleep_ns(SECOND)

    assert [line[16:] for line in trace_of(program, calls=parse_trace("trace=eventfd2"))] == [
        "main     +++ started +++",
        "main     eventfd2(0, 0) = 0<eventfd>",
        "         ... clock jumps 1 s to the deadline of main's nanosleep",
        "main     +++ exited with 0 +++",
    ]


def test_a_call_that_the_host_does_has_no_result() -> None:
    kernel, lines, trace = silent_trace()
    task = make_call(kernel, "close", 5)
    trace.call_entered(task)
    trace.call_left(task, PASS_ON)

    assert lines[-1] == "    0.000000000 main     close(5) = ? (host)"


def test_a_call_that_ends_its_own_task_has_no_result_either() -> None:
    def program(sys: Calls) -> Program:
        yield sys.exit(3)

    assert trace_of(program)[1:] == [
        "    0.000000000 main     exit_group(3) = ?",
        "    0.000000000 main     +++ exited with 3 +++",
    ]


def test_a_call_that_never_returns_is_written_at_the_end() -> None:
    kernel, lines, trace = silent_trace()
    trace.call_entered(make_call(kernel, "pause"))
    trace.clock_jumped(0, SECOND)
    trace.close()

    assert lines[-2] == "    0.000000000 main     pause( <unfinished ...>"
    assert "clock jumps" in lines[-1]


def test_an_error_in_the_trace_ends_the_run() -> None:
    """A trace that cannot be trusted is worse than none."""
    kernel = Machine()

    def fail(line: str) -> None:
        raise Errno(EINVAL)

    kernel.listener = TextTrace(kernel, fail, all_calls())

    with pytest.raises(Errno):
        kernel.spawn(nothing)


def silent_trace() -> tuple[Machine, list[str], TextTrace]:
    """A trace of a kernel that does not tell it anything by itself."""
    kernel = Machine()
    lines: list[str] = []
    return kernel, lines, TextTrace(kernel, lines.append, all_calls())


def make_call(kernel: Machine, name: str, *args: int) -> Task:
    """A task that has just made a call."""
    task = kernel.spawn(nothing)
    task.call = number_of(kernel.architecture, name)
    task.args = (*args, *[0] * (6 - len(args)))
    return task


def test_times_of_more_than_a_day_stay_readable() -> None:
    def program(sys: Calls) -> Program:
        yield sys.sleep_ns(100_000 * SECOND)

    assert trace_of(program)[-1] == "100000.000000000 main     +++ exited with 0 +++"
