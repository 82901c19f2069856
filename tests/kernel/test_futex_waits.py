"""futex(2): deadlines, signals and deaths of those who wait."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kernel.fake_host import call, idle
from tests.kernel.futexes import A, Wakes, call_futex, settle, start, store
from tickless.abi.errno import (
    EAGAIN,
    EINTR,
    ETIMEDOUT,
)
from tickless.abi.futex import (
    FUTEX_BITSET_MATCH_ANY,
    FUTEX_CLOCK_REALTIME,
    FUTEX_WAIT,
    FUTEX_WAIT_BITSET,
    FUTEX_WAKE,
)
from tickless.abi.signal import SA_RESTART, SIGCONT, SIGKILL, SIGSTOP, SIGUSR1
from tickless.abi.time import CLOCK_REALTIME, pack_timespec
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.clock import START_REALTIME_NS
from tickless.kernel.machine import Call, Calls, Machine, Main, Program
from tickless.kernel.process import exit_group, exit_task

ANY = FUTEX_BITSET_MATCH_ANY
SOON = pack_timespec(SECOND)


def timed(*steps: tuple[int, Call | Callable[[Calls], Call]]) -> Main:
    """A program that makes calls, each so many ns after the one before."""

    def program(sys: Calls) -> Program:
        for span_ns, make in steps:
            yield sys.sleep_ns(span_ns)
            yield make(sys) if callable(make) else make

    return program


# Time


def test_a_plain_wait_gives_a_span(kernel: Machine) -> None:
    wakes = Wakes()
    kernel.spawn(timed((3 * SECOND, lambda sys: sys.futex(A, FUTEX_WAIT, 0, SOON))))
    kernel.run()

    assert kernel.now_ns == 4 * SECOND
    assert wakes.results == {}


@pytest.mark.parametrize(
    ("flag", "start_ns"),
    [
        pytest.param(0, None, id="CLOCK_MONOTONIC"),
        pytest.param(FUTEX_CLOCK_REALTIME, START_REALTIME_NS, id="CLOCK_REALTIME"),
    ],
)
def test_a_bitset_wait_gives_an_instant(kernel: Machine, flag: int, start_ns: int | None) -> None:
    wakes = Wakes()
    until = (kernel.clock.start_ns if start_ns is None else start_ns) + 7 * SECOND
    kernel.spawn(wakes.waiter("a", A, FUTEX_WAIT_BITSET | flag, 0, pack_timespec(until), 0, ANY))
    kernel.run()

    assert wakes.results == {"a": -ETIMEDOUT}
    assert kernel.now_ns == 7 * SECOND


def test_a_clock_step_moves_only_waits_on_realtime(kernel: Machine) -> None:
    ends: dict[str, int] = {}

    def waiter(name: str, op: int, until_ns: int) -> Main:
        def program(sys: Calls) -> Program:
            yield sys.futex(A, op, 0, pack_timespec(until_ns), 0, ANY)
            ends[name] = kernel.now_ns

        return program

    kernel.spawn(waiter("span", FUTEX_WAIT, 10 * SECOND))
    kernel.spawn(waiter("monotonic", FUTEX_WAIT_BITSET, kernel.clock.start_ns + 10 * SECOND))
    kernel.spawn(waiter("realtime", FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, START_REALTIME_NS + 10 * SECOND))
    earlier = pack_timespec(START_REALTIME_NS - 3600 * SECOND)
    kernel.spawn(timed((SECOND, lambda sys: sys.clock_settime(CLOCK_REALTIME, earlier))))
    kernel.run()

    assert ends == {"span": 10 * SECOND, "monotonic": 10 * SECOND, "realtime": 3611 * SECOND}


def test_a_wake_at_the_deadline_wins(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "a", A, FUTEX_WAIT, 0, SOON)
    waker = kernel.spawn(idle, main, same_group=True)
    kernel.jump()
    count = call(waker, "futex", A, FUTEX_WAKE, 1)
    settle(kernel)

    assert count == 1
    assert wakes.results == {"a": 0}


# Signals


def interrupted(kernel: Machine, flags: int, *args: int | bytes) -> tuple[int, int, int]:
    """A futex call that SIGUSR1 interrupts after 1 s and a wake ends after 5 s: its result, when, and handlers run."""
    handled: list[int] = []
    ended: list[int] = []

    def program(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, handled.append, flags)
        ended.append((yield sys.futex(*args)))
        ended.append(kernel.now_ns)

    main = kernel.spawn(program)
    kernel.spawn(timed((SECOND, lambda sys: sys.kill(main.tid, SIGUSR1))))
    waker = timed((5 * SECOND, lambda sys: sys.futex(A, FUTEX_WAKE, 1)))
    kernel.spawn(waker, main, same_group=True)
    kernel.run()
    return ended[0], ended[1] // SECOND, len(handled)


def test_a_handler_ends_a_wait_with_eintr(kernel: Machine) -> None:
    assert interrupted(kernel, 0, A, FUTEX_WAIT, 0) == (-EINTR, 1, 1)


def test_a_handler_with_sa_restart_lets_a_wait_without_timeout_go_on(kernel: Machine) -> None:
    assert interrupted(kernel, SA_RESTART, A, FUTEX_WAIT, 0) == (0, 5, 1)


@pytest.mark.parametrize("flags", [0, SA_RESTART])
def test_a_handler_ends_a_wait_with_a_timeout_whatever_its_flags(kernel: Machine, flags: int) -> None:
    """signal(7) says that SA_RESTART restarts FUTEX_WAIT; with a time-out Linux gives ERESTART_RESTARTBLOCK."""
    assert interrupted(kernel, flags, A, FUTEX_WAIT, 0, pack_timespec(60 * SECOND)) == (-EINTR, 1, 1)


@pytest.mark.parametrize("changed", [False, True])
def test_a_stop_keeps_the_deadline_and_looks_at_the_word_again(kernel: Machine, changed: bool) -> None:
    ended: list[int] = []

    def program(sys: Calls) -> Program:
        ended.append((yield sys.futex(A, FUTEX_WAIT, 0, pack_timespec(10 * SECOND))))
        ended.append(kernel.now_ns // SECOND)

    def outside(sys: Calls) -> Program:
        yield sys.sleep_ns(2 * SECOND)
        yield sys.kill(main.tid, SIGSTOP)
        if changed:
            store(main, A, 1)
        yield sys.sleep_ns(SECOND)
        yield sys.kill(main.tid, SIGCONT)

    main = kernel.spawn(program)
    kernel.spawn(outside)
    kernel.run()

    assert ended == ([-EAGAIN, 3] if changed else [-ETIMEDOUT, 10])


# Ends


def test_a_waiter_that_dies_leaves_the_queue(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "abc", A, FUTEX_WAIT, 0)
    exit_task(kernel, main.group.threads[1], 0)

    assert (call_futex(kernel, main, A, FUTEX_WAKE, 1), wakes.take()) == (1, "b")


def test_a_wake_is_lost_with_a_waiter_that_dies_before_it_runs(kernel: Machine) -> None:
    """As on Linux: the waker has counted it, and nobody else is woken in its place."""
    wakes = Wakes()
    main = start(kernel, wakes, "ab", A, FUTEX_WAIT, 0)
    waker = kernel.spawn(idle, main, same_group=True)
    count = call(waker, "futex", A, FUTEX_WAKE, 1)
    exit_task(kernel, main.group.threads[1], 0)
    settle(kernel)

    assert count == 1
    assert wakes.take() == ""
    assert (call_futex(kernel, main, A, FUTEX_WAKE, 1), wakes.take()) == (1, "b")


def test_no_empty_queue_is_kept(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "ab", A, FUTEX_WAIT, 0)
    call_futex(kernel, main, A, FUTEX_WAKE, 1)
    exit_group(kernel, main.group, SIGKILL)

    assert kernel.futexes.queues == {}
