"""futex_wait, futex_wake, futex_requeue, futex_waitv: one call for one purpose. The contract futex2."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import call, idle
from tests.kernel.futexes import NOWHERE, UNALIGNED, A, B, C, Wakes, call_futex, settle, start
from tickless.abi.errno import EAGAIN, EFAULT, EINTR, EINVAL, ETIMEDOUT
from tickless.abi.futex import (
    FUTEX2_NUMA,
    FUTEX2_PRIVATE,
    FUTEX2_SIZE_U8,
    FUTEX2_SIZE_U32,
    FUTEX_PRIVATE_FLAG,
    FUTEX_WAIT,
    FUTEX_WAITV,
    FUTEX_WAKE,
)
from tickless.abi.signal import SIGUSR1
from tickless.abi.time import CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLOCK_REALTIME, TIMESPEC, pack_timespec
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.clock import START_MONOTONIC_NS, START_REALTIME_NS
from tickless.kernel.machine import Calls, Machine, OwnTask, Program

U32 = FUTEX2_SIZE_U32
PRIVATE = FUTEX2_PRIVATE
LARGE = 1 << 32
PAST = pack_timespec(1)
WRONG = TIMESPEC.pack(0, SECOND)


def words(*waited: tuple[int, int, int]) -> bytes:
    """struct futex_waitv of each (address, value, flags)."""
    return b"".join(FUTEX_WAITV.pack(value, address, flags, 0) for address, value, flags in waited)


GOOD = words((A, 0, U32))
TWO = words((A, 0, U32), (B, 9, U32))


@pytest.mark.parametrize(
    ("name", "args", "errno"),
    [
        pytest.param("futex_wake", (A, 0, 1, U32), EINVAL, id="wake, mask 0"),
        pytest.param("futex_wake", (A, LARGE, 1, U32), EINVAL, id="wake, large mask"),
        pytest.param("futex_wake", (A, 1, 1, FUTEX2_SIZE_U8), EINVAL, id="wake, 8 bits"),
        pytest.param("futex_wake", (A, 1, 1, U32 | 0x10), EINVAL, id="wake, unknown flag"),
        pytest.param("futex_wake", (UNALIGNED, 1, 0, U32), EINVAL, id="wake none, unaligned"),
        pytest.param("futex_wait", (A, 1, 1, U32, 0, 0), EAGAIN, id="wait, another value"),
        pytest.param("futex_wait", (A, LARGE, 1, U32, 0, 0), EINVAL, id="wait, large value"),
        pytest.param("futex_wait", (A, 0, LARGE, U32, 0, 0), EINVAL, id="wait, large mask"),
        pytest.param("futex_wait", (A, 1, 0, U32, 0, 0), EINVAL, id="wait, mask 0"),
        pytest.param("futex_wait", (A, 1, 1, U32, 0, CLOCK_BOOTTIME), EAGAIN, id="wait, clock without timeout"),
        pytest.param("futex_wait", (A, 1, 1, U32, NOWHERE, CLOCK_BOOTTIME), EINVAL, id="wait, clock before pointer"),
        pytest.param("futex_wait", (A, 1, 1, U32, NOWHERE, CLOCK_REALTIME), EFAULT, id="wait, bad timeout"),
        pytest.param("futex_wait", (A, 0, 1, U32, PAST, CLOCK_MONOTONIC), ETIMEDOUT, id="wait, past"),
        pytest.param("futex_waitv", (GOOD, 0, 0, 0, 0), EINVAL, id="waitv, none"),
        pytest.param("futex_waitv", (0, 1, 0, 0, 0), EINVAL, id="waitv, null"),
        pytest.param("futex_waitv", (GOOD, 129, 0, 0, 0), EINVAL, id="waitv, too many"),
        pytest.param("futex_waitv", (GOOD, 1, 1, 0, 0), EINVAL, id="waitv, flags"),
        pytest.param("futex_waitv", (NOWHERE, 1, 0, WRONG, 0), EINVAL, id="waitv, timeout before pointer"),
        pytest.param("futex_waitv", (NOWHERE, 1, 0, 0, 0), EFAULT, id="waitv, bad pointer"),
        pytest.param("futex_waitv", (GOOD, 1, 0, PAST, CLOCK_MONOTONIC), ETIMEDOUT, id="waitv, past"),
        pytest.param("futex_waitv", (words((A, 0, U32), (B, 1, U32)), 2, 0, 0, 0), EAGAIN, id="waitv, another value"),
        pytest.param("futex_waitv", (words((A, LARGE, U32)), 1, 0, 0, 0), EINVAL, id="waitv, large value"),
        pytest.param("futex_waitv", (words((UNALIGNED, 0, U32)), 1, 0, 0, 0), EINVAL, id="waitv, unaligned"),
        pytest.param("futex_waitv", (FUTEX_WAITV.pack(0, A, U32, 1), 1, 0, 0, 0), EINVAL, id="waitv, reserved"),
        pytest.param("futex_requeue", (TWO, 1, 1, 1), EINVAL, id="requeue, flags"),
        pytest.param("futex_requeue", (0, 0, 1, 1), EINVAL, id="requeue, null"),
        pytest.param("futex_requeue", (NOWHERE, 0, -1, 1), EFAULT, id="requeue, pointer before counts"),
        pytest.param("futex_requeue", (TWO, 0, -1, 1), EINVAL, id="requeue, negative wake"),
        pytest.param("futex_requeue", (TWO, 0, 1, -1), EINVAL, id="requeue, negative requeue"),
        pytest.param("futex_requeue", (words((A, 1, U32), (B, 0, U32)), 0, 1, 1), EAGAIN, id="requeue, another value"),
    ],
)
def test_wrong_calls(kernel: Machine, name: str, args: tuple[int | bytes, ...], errno: int) -> None:
    assert call(kernel.spawn(idle), name, *args) == -errno


def test_numa_flags_are_named_as_unserved(kernel: Machine) -> None:
    named: list[str] = []
    kernel.on_refused = lambda task, unserved: named.append(unserved.id)

    assert call(kernel.spawn(idle), "futex_wake", A, 1, 1, U32 | FUTEX2_NUMA) == -EINVAL
    assert named == ["TL403"]


def waiting(kernel: Machine, results: list[int], name: str, *args: int | bytes) -> OwnTask:
    """A process with a thread that waits, and what it gave."""
    main = start(kernel, Wakes(), "")

    def program(sys: Calls) -> Program:
        results.append((yield getattr(sys, name)(*args)))

    kernel.spawn(program, main, same_group=True)
    settle(kernel)
    return main


def wake(kernel: Machine, task: OwnTask, *args: int) -> int:
    """futex_wake by another thread; what it wakes goes on."""
    answer = call(kernel.spawn(idle, task, same_group=True), "futex_wake", *args)
    settle(kernel)
    assert isinstance(answer, int)
    return answer


def test_a_wake_of_none_wakes_none(kernel: Machine) -> None:
    """Other than FUTEX_WAKE, which wakes one."""
    results: list[int] = []
    main = waiting(kernel, results, "futex_wait", A, 0, 1, U32, 0, 0)

    assert wake(kernel, main, A, 1, 0, U32) == 0
    assert results == []


def test_wait_and_wake_meet_those_of_futex(kernel: Machine) -> None:
    results: list[int] = []
    main = waiting(kernel, results, "futex_wait", A, 0, 2, U32 | PRIVATE, 0, 0)

    assert wake(kernel, main, A, 1, 9, U32 | PRIVATE) == 0
    assert wake(kernel, main, A, 2, 9, U32) == 0
    assert call_futex(kernel, main, A, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 9) == 1
    assert results == [0]


def test_requeue_takes_private_and_shared_words(kernel: Machine) -> None:
    wakes = Wakes()
    main = start(kernel, wakes, "ab", A, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0)
    both = words((A, 0, U32 | PRIVATE), (B, 9, U32))

    assert call(kernel.spawn(idle, main, same_group=True), "futex_requeue", both, 0, 1, 1) == 2
    settle(kernel)
    assert wakes.take() == "a"
    assert (call_futex(kernel, main, B, FUTEX_WAKE, 9), wakes.take()) == (1, "b")


def test_waitv_gives_the_index_of_the_woken_word_and_leaves_the_others(kernel: Machine) -> None:
    results: list[int] = []
    three = words((A, 0, U32), (B, 0, U32), (C, 0, U32))
    main = waiting(kernel, results, "futex_waitv", three, 3, 0, 0, 0)

    assert wake(kernel, main, B, 1, 9, U32) == 1
    assert results == [1]
    assert kernel.futexes.queues == {}


def test_waitv_gives_the_last_of_several_woken_words(kernel: Machine) -> None:
    results: list[int] = []
    three = words((A, 0, U32), (B, 0, U32), (C, 0, U32))
    main = waiting(kernel, results, "futex_waitv", three, 3, 0, 0, 0)
    waker = kernel.spawn(idle, main, same_group=True)
    counts = [call(waker, "futex_wake", word, 1, 9, U32) for word in (C, A, B)]
    settle(kernel)

    assert counts == [1, 1, 1]
    assert results == [2]


@pytest.mark.parametrize(
    ("clock_id", "start_ns"),
    [(CLOCK_MONOTONIC, START_MONOTONIC_NS), (CLOCK_REALTIME, START_REALTIME_NS)],
    ids=["CLOCK_MONOTONIC", "CLOCK_REALTIME"],
)
@pytest.mark.parametrize("name", ["futex_wait", "futex_waitv"])
def test_a_timeout_is_an_instant_of_its_clock(kernel: Machine, name: str, clock_id: int, start_ns: int) -> None:
    results: list[int] = []
    until = pack_timespec(start_ns + 3 * SECOND)
    args = (A, 0, 1, U32, until, clock_id) if name == "futex_wait" else (GOOD, 1, 0, until, clock_id)
    waiting(kernel, results, name, *args)
    kernel.jump()
    settle(kernel)

    assert results == [-ETIMEDOUT]
    assert kernel.now_ns == 3 * SECOND


@pytest.mark.parametrize("name", ["futex_wait", "futex_waitv"])
def test_a_handler_ends_the_wait(kernel: Machine, name: str) -> None:
    args = (A, 0, 1, U32, 0, 0) if name == "futex_wait" else (GOOD, 1, 0, 0, 0)
    results: list[int] = []

    def program(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None)
        results.append((yield getattr(sys, name)(*args)))

    task = kernel.spawn(program)
    settle(kernel)
    call(kernel.spawn(idle), "kill", task.tid, SIGUSR1)
    kernel.run()

    assert results == [-EINTR]
    assert kernel.futexes.queues == {}
