"""Counts of calls, for --stats."""

from __future__ import annotations

from tests.trace.traced import nothing
from tickless.kernel.machine import Calls, Machine, Program
from tickless.kernel.outcome import PASS_ON, Blocked, Result
from tickless.kernel.task import Task
from tickless.trace.counts import CallCounts

WRITE = 1
CLOSE = 3


def test_calls_are_counted_by_name_whatever_became_of_them() -> None:
    def program(sys: Calls) -> Program:
        yield sys.eventfd2(1, 0)
        yield sys.read(0, bytearray(8), 8)
        yield sys.read(9, bytearray(8), 8)
        yield sys.nanosleep(bytes(16), 0)

    kernel = Machine()
    counts = CallCounts(kernel)
    kernel.spawn(program)
    kernel.run()

    assert counts.served_by_name() == {"eventfd2": 1, "read": 2, "nanosleep": 1}
    assert counts.passed_on_by_name() == {}


def test_calls_of_the_host_are_counted_apart_even_if_they_wait_first() -> None:
    def at_once(task: Task, *registers: int) -> Result:
        return PASS_ON

    def later(task: Task, *registers: int) -> Result:
        return sleep()

    def sleep() -> Blocked:
        yield
        return PASS_ON

    kernel = Machine()
    kernel.table[WRITE], kernel.table[CLOSE] = at_once, later
    counts = CallCounts(kernel)
    task = kernel.spawn(nothing)
    kernel.begin_call(task, WRITE, [0] * 6)
    blocked = kernel.begin_call(task, CLOSE, [0] * 6)

    assert blocked is None
    assert counts.served_by_name() == {"close": 1}
    assert kernel.resume_call(task) is PASS_ON
    assert counts.served_by_name() == {}
    assert counts.passed_on_by_name() == {"write": 1, "close": 1}
