"""adjtimex(2), clock_adjtime(2): the state of CLOCK_REALTIME, and stepping it. tests/linux/clock_rules.c."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.test_time_calls import CPU_TIME_OF_SELF, DEVICE, Unprivileged, read_clock
from tickless.abi.capability import CAP_SYS_TIME
from tickless.abi.errno import EFAULT, EINVAL, EOPNOTSUPP, EPERM
from tickless.abi.time import CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_REALTIME
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.timex import (
    ADJ_ADJTIME,
    ADJ_FREQUENCY,
    ADJ_MICRO,
    ADJ_NANO,
    ADJ_OFFSET_SINGLESHOT,
    ADJ_OFFSET_SS_READ,
    ADJ_SETOFFSET,
    STA_NANO,
    TIME_OK,
    TIMEX,
)
from tickless.kernel.clock import START_REALTIME_NS
from tickless.kernel.machine import Machine, OwnTask

NOWHERE = 16


@pytest.fixture
def task(kernel: Machine) -> OwnTask:
    return kernel.spawn(idle)


def timex(modes: int = 0, seconds: int = 0, fraction: int = 0) -> bytearray:
    return bytearray(TIMEX.pack(modes, *[0] * 8, seconds, fraction, *[0] * 10))


def test_the_clock_is_exact_and_synchronized(kernel: Machine, task: OwnTask) -> None:
    kernel.handle_timer_irq(kernel.clock.now_ns + 1_999)
    state = timex()

    assert call(task, "adjtimex", state) == TIME_OK
    fields = TIMEX.unpack(state)
    assert fields[:6] == (0, 0, 0, 0, 0, 0)  # modes, offset, frequency, both errors, status
    assert fields[6:9] == (2, 1, 32_768_000)  # what a fresh kernel says: constant, precision, tolerance
    assert fields[11] == 10_000
    assert fields[9:11] == (START_REALTIME_NS // SECOND, 1)


def test_reading_is_no_step(kernel: Machine, task: OwnTask) -> None:
    told: list[int] = []
    kernel.clock.on_step.append(lambda: told.append(1))
    call(task, "adjtimex", timex())

    assert told == []


@pytest.mark.parametrize(
    ("modes", "seconds", "fraction", "step_ns"),
    [
        pytest.param(ADJ_SETOFFSET, 5, 250_000, 5 * SECOND + 250_000_000, id="microseconds"),
        pytest.param(ADJ_SETOFFSET | ADJ_MICRO, 5, 250_000, 5 * SECOND + 250_000_000, id="microseconds, said so"),
        pytest.param(ADJ_SETOFFSET | ADJ_NANO, 5, 250_000, 5 * SECOND + 250_000, id="nanoseconds"),
        pytest.param(ADJ_SETOFFSET | ADJ_NANO, -1, 999_999_999, -1, id="backwards"),
        pytest.param(ADJ_SETOFFSET, 1, 0, SECOND, id="a whole second"),
    ],
)
def test_setoffset_steps_the_clock_and_tells_the_new_time(
    task: OwnTask, modes: int, seconds: int, fraction: int, step_ns: int
) -> None:
    state = timex(modes, seconds, fraction)

    assert call(task, "adjtimex", state) == TIME_OK
    fields = TIMEX.unpack(state)
    unit, status = (1, STA_NANO) if modes & ADJ_NANO else (1_000, 0)
    assert read_clock(task, CLOCK_REALTIME) == START_REALTIME_NS + step_ns
    assert fields[9] * SECOND + fields[10] * unit == START_REALTIME_NS + step_ns
    assert fields[5] == status


@pytest.mark.parametrize(
    ("state", "errno"),
    [
        pytest.param(timex(ADJ_ADJTIME), EINVAL, id="adjtime without an offset"),
        pytest.param(timex(ADJ_SETOFFSET, 0, -1), EINVAL, id="negative fraction"),
        pytest.param(timex(ADJ_SETOFFSET, 0, 1_000_000), EINVAL, id="a second in microseconds"),
        pytest.param(timex(ADJ_SETOFFSET | ADJ_NANO, 0, SECOND), EINVAL, id="a second in nanoseconds"),
        pytest.param(timex(ADJ_SETOFFSET, -(START_REALTIME_NS // SECOND)), EINVAL, id="to before the machine booted"),
    ],
)
def test_wrong_adjustments(task: OwnTask, state: bytearray, errno: int) -> None:
    assert call(task, "adjtimex", state) == -errno
    assert read_clock(task, CLOCK_REALTIME) == START_REALTIME_NS


def test_anything_but_reading_needs_cap_sys_time(kernel: Machine, task: OwnTask) -> None:
    host = kernel.host = Unprivileged()
    modes = [0, ADJ_OFFSET_SS_READ, ADJ_OFFSET_SINGLESHOT, ADJ_SETOFFSET, ADJ_FREQUENCY]

    assert [call(task, "adjtimex", timex(mode)) for mode in modes] == [TIME_OK, TIME_OK, -EPERM, -EPERM, -EPERM]
    assert host.asked == [CAP_SYS_TIME] * 3


@pytest.mark.parametrize("modes", [ADJ_FREQUENCY, ADJ_OFFSET_SINGLESHOT, ADJ_NANO, ADJ_SETOFFSET | ADJ_FREQUENCY])
def test_other_adjustments_are_named_as_unserved(kernel: Machine, task: OwnTask, modes: int) -> None:
    named: list[str] = []
    kernel.on_refused = lambda task, unserved: named.append(unserved.id)

    assert call(task, "adjtimex", timex(modes)) == -EPERM
    assert named == ["TL423"]


@pytest.mark.parametrize(
    ("clock", "buf", "result"),
    [
        pytest.param(CLOCK_REALTIME, timex(), TIME_OK, id="CLOCK_REALTIME"),
        pytest.param(99, NOWHERE, -EFAULT, id="pointer before clock"),
        pytest.param(99, timex(), -EINVAL, id="no clock"),
        pytest.param(CLOCK_MONOTONIC, timex(), -EOPNOTSUPP, id="CLOCK_MONOTONIC"),
        pytest.param(CLOCK_PROCESS_CPUTIME_ID, timex(), -EOPNOTSUPP, id="CPU time of the caller"),
        pytest.param(CPU_TIME_OF_SELF, timex(), -EOPNOTSUPP, id="CPU time of a process"),
    ],
)
def test_one_clock_can_be_adjusted(task: OwnTask, clock: int, buf: int | bytearray, result: int) -> None:
    assert call(task, "clock_adjtime", clock, buf) == result


def test_a_devices_clock_is_named_as_unserved(kernel: Machine, task: OwnTask) -> None:
    kernel.host = FakeHost()
    named: list[str] = []
    kernel.on_refused = lambda task, unserved: named.append(unserved.id)

    assert call(task, "clock_adjtime", DEVICE, timex()) == -EOPNOTSUPP
    assert named == ["TL424"]
