"""PR_SET_PDEATHSIG(2const), PR_SET_CHILD_SUBREAPER(2const). The contract orphans."""

from struct import Struct

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tickless.abi.errno import EFAULT, EINVAL
from tickless.abi.prctl import (
    PR_GET_CHILD_SUBREAPER,
    PR_GET_PDEATHSIG,
    PR_SET_CHILD_SUBREAPER,
    PR_SET_DUMPABLE,
    PR_SET_NAME,
    PR_SET_PDEATHSIG,
    PR_SET_TSC,
    PR_TSC_SIGSEGV,
)
from tickless.abi.signal import SIGRTMAX, SIGTERM
from tickless.kernel.machine import Machine
from tickless.kernel.outcome import PASS_ON
from tickless.kernel.prctl import TIME_STAMP_COUNTER

INT = Struct("<i")


@pytest.mark.parametrize("signo", [0, SIGTERM, SIGRTMAX])
def test_the_death_signal_is_kept_and_told(kernel: Machine, signo: int) -> None:
    task = kernel.spawn(idle)
    value = bytearray(INT.size)

    assert call(task, "prctl", PR_SET_PDEATHSIG, signo) == 0
    assert call(task, "prctl", PR_GET_PDEATHSIG, value) == 0
    assert INT.unpack(value) == (signo,)


def test_a_child_begins_without_a_death_signal_and_is_no_subreaper(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    call(parent, "prctl", PR_SET_PDEATHSIG, SIGTERM)
    call(parent, "prctl", PR_SET_CHILD_SUBREAPER, 1)
    child = kernel.spawn(idle, parent)

    for option in PR_GET_PDEATHSIG, PR_GET_CHILD_SUBREAPER:
        value = bytearray(b"\x55" * INT.size)
        assert call(child, "prctl", option, value) == 0
        assert INT.unpack(value) == (0,)


def test_any_number_but_0_makes_a_subreaper(kernel: Machine) -> None:
    """The threads of a process share the attribute."""
    task = kernel.spawn(idle)
    thread = kernel.spawn(idle, task, same_group=True)
    seen = []
    for number in 1, 1 << 40, 0:
        call(task, "prctl", PR_SET_CHILD_SUBREAPER, number)
        value = bytearray(INT.size)
        call(thread, "prctl", PR_GET_CHILD_SUBREAPER, value)
        seen.append(INT.unpack(value)[0])

    assert seen == [1, 1, 0]


@pytest.mark.parametrize(
    ("option", "argument", "errno"),
    [
        pytest.param(PR_SET_PDEATHSIG, SIGRTMAX + 1, EINVAL, id="signal 65"),
        pytest.param(PR_SET_PDEATHSIG, -1, EINVAL, id="signal -1"),
        pytest.param(PR_GET_PDEATHSIG, 16, EFAULT, id="bad pointer"),
        pytest.param(PR_SET_NAME, 0, EINVAL, id="not there without a host"),
        pytest.param(-1, 0, EINVAL, id="unknown option"),
    ],
)
def test_arguments_of_prctl(kernel: Machine, option: int, argument: int, errno: int) -> None:
    assert call(kernel.spawn(idle), "prctl", option, argument) == -errno


def test_the_time_stamp_counter_is_refused_by_name(kernel: Machine) -> None:
    refused = []
    kernel.on_refused = lambda task, unserved: refused.append(unserved)
    task = kernel.spawn(idle)

    assert call(task, "prctl", PR_SET_TSC, PR_TSC_SIGSEGV) == -EINVAL
    assert refused == [TIME_STAMP_COUNTER]


def test_with_a_host_options_are_noted_and_passed_on(kernel: Machine) -> None:
    kernel.host = FakeHost()
    task = kernel.spawn(idle)

    assert call(task, "prctl", PR_SET_PDEATHSIG, SIGTERM) is PASS_ON
    assert call(task, "prctl", PR_SET_CHILD_SUBREAPER, 1) is PASS_ON
    assert call(task, "prctl", PR_SET_DUMPABLE, 0) is PASS_ON
    assert call(task, "prctl", PR_SET_PDEATHSIG, 65) == -EINVAL
    assert task.death_signal == SIGTERM
    assert task.group.is_subreaper
