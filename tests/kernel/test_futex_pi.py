"""FUTEX_LOCK_PI(2const): the word holds the owner, and the kernel hands it on. tests/linux/thread_ends.c."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import call, idle
from tests.kernel.futexes import NOWHERE, UNALIGNED, A, load, store
from tickless.abi.errno import EAGAIN, EDEADLK, EFAULT, EINVAL, ENOSYS, EPERM, ESRCH, ETIMEDOUT
from tickless.abi.futex import (
    FUTEX_CLOCK_REALTIME,
    FUTEX_LOCK_PI,
    FUTEX_LOCK_PI2,
    FUTEX_OWNER_DIED,
    FUTEX_REQUEUE,
    FUTEX_TRYLOCK_PI,
    FUTEX_UNLOCK_PI,
    FUTEX_WAIT,
    FUTEX_WAITERS,
    FUTEX_WAKE,
)
from tickless.abi.signal import SIGUSR1
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.time import TIMESPEC, pack_timespec
from tickless.kernel.clock import START_MONOTONIC_NS, START_REALTIME_NS
from tickless.kernel.machine import Calls, Machine, OwnTask, Program
from tickless.kernel.process import exit_task

NOBODY = 0x3FFFFFFF
WRONG = TIMESPEC.pack(0, SECOND)
DIED = FUTEX_OWNER_DIED


def threads(kernel: Machine, count: int) -> list[OwnTask]:
    """Threads of one process that make only the calls a test makes for them."""
    first = kernel.spawn(idle)
    rest = [kernel.spawn(idle, first, same_group=True) for _ in range(count - 1)]
    kernel.ready.clear()
    return [first, *rest]


def answers(kernel: Machine) -> dict[str, int]:
    """What the calls of those who were woken gave, by name, in the order of their turns."""
    given = {}
    while (task := kernel.pick()) is not None:
        answer = kernel.resume_call(task)
        assert isinstance(answer, int)
        given[task.name] = answer
    return given


def test_a_free_lock_is_taken_and_given_back(kernel: Machine) -> None:
    (task,) = threads(kernel, 1)

    assert call(task, "futex", A, FUTEX_LOCK_PI, 0) == 0
    assert load(task, A) == task.tid
    assert call(task, "futex", A, FUTEX_UNLOCK_PI, 0) == 0
    assert load(task, A) == 0


@pytest.mark.parametrize("command", [FUTEX_LOCK_PI, FUTEX_TRYLOCK_PI])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (FUTEX_WAITERS, 0), (DIED, DIED), (DIED | FUTEX_WAITERS, DIED)])
def test_a_word_without_owner_is_a_free_lock(kernel: Machine, command: int, before: int, after: int) -> None:
    """The bit that says that the owner died stays; the one for waiters does not, since there are none."""
    (task,) = threads(kernel, 1)
    store(task, A, before)

    assert call(task, "futex", A, command, 0) == 0
    assert load(task, A) == after | task.tid


def test_errors_in_linux_order(kernel: Machine) -> None:
    (task,) = threads(kernel, 1)
    store(task, A, task.tid)
    realtime = FUTEX_CLOCK_REALTIME
    asked = {
        "lock, mine": call(task, "futex", A, FUTEX_LOCK_PI, 0),
        "trylock, mine": call(task, "futex", A, FUTEX_TRYLOCK_PI, 0),
        "trylock has no timeout": call(task, "futex", A, FUTEX_TRYLOCK_PI, 0, WRONG),
        "wrong timeout first": call(task, "futex", A, FUTEX_LOCK_PI, 0, WRONG),
        "lock, realtime": call(task, "futex", A, FUTEX_LOCK_PI | realtime, 0),
        "lock2, realtime, mine": call(task, "futex", A, FUTEX_LOCK_PI2 | realtime, 0),
        "lock, unaligned": call(task, "futex", UNALIGNED, FUTEX_LOCK_PI, 0),
        "lock, unmapped": call(task, "futex", NOWHERE, FUTEX_LOCK_PI, 0),
        "unlock, unmapped": call(task, "futex", NOWHERE, FUTEX_UNLOCK_PI, 0),
        "unlock, unaligned": call(task, "futex", UNALIGNED, FUTEX_UNLOCK_PI, 0),
    }

    assert asked == {
        "lock, mine": -EDEADLK,
        "trylock, mine": -EDEADLK,
        "trylock has no timeout": -EDEADLK,
        "wrong timeout first": -EINVAL,
        "lock, realtime": -ENOSYS,
        "lock2, realtime, mine": -EDEADLK,
        "lock, unaligned": -EINVAL,
        "lock, unmapped": -EFAULT,
        "unlock, unmapped": -EFAULT,
        "unlock, unaligned": -EPERM,
    }


@pytest.mark.parametrize("command", [FUTEX_LOCK_PI, FUTEX_TRYLOCK_PI])
def test_an_owner_that_is_nobody_is_esrch_and_leaves_the_waiters_bit(kernel: Machine, command: int) -> None:
    (task,) = threads(kernel, 1)
    store(task, A, NOBODY)

    assert call(task, "futex", A, command, 0) == -ESRCH
    assert load(task, A) == NOBODY | FUTEX_WAITERS


def test_trylock_of_a_lock_with_an_owner_is_eagain(kernel: Machine) -> None:
    owner, other, third = threads(kernel, 3)
    call(owner, "futex", A, FUTEX_LOCK_PI, 0)

    assert call(other, "futex", A, FUTEX_TRYLOCK_PI, 0) == -EAGAIN
    assert load(owner, A) == owner.tid | FUTEX_WAITERS
    assert call(other, "futex", A, FUTEX_LOCK_PI, 0) is None
    assert call(third, "futex", A, FUTEX_TRYLOCK_PI, 0) == -EAGAIN


def test_unlock_hands_the_lock_to_who_waits_longest(kernel: Machine) -> None:
    owner, second, third, stranger = threads(kernel, 4)
    call(owner, "futex", A, FUTEX_LOCK_PI, 0)
    assert call(second, "futex", A, FUTEX_LOCK_PI, 0) is None
    assert call(third, "futex", A, FUTEX_LOCK_PI, 0) is None

    assert call(stranger, "futex", A, FUTEX_UNLOCK_PI, 0) == -EPERM
    assert call(owner, "futex", A, FUTEX_UNLOCK_PI, 0) == 0
    assert load(owner, A) == second.tid | FUTEX_WAITERS
    assert answers(kernel) == {second.name: 0}


def test_a_lock_and_a_plain_wait_do_not_mix(kernel: Machine) -> None:
    owner, waiter, other = threads(kernel, 3)
    call(owner, "futex", A, FUTEX_LOCK_PI, 0)
    assert call(waiter, "futex", A, FUTEX_LOCK_PI, 0) is None

    assert call(other, "futex", A, FUTEX_WAKE, 1) == -EINVAL
    assert call(other, "futex", A, FUTEX_REQUEUE, 1, 1, A + 4) == -EINVAL
    assert call(other, "futex", A + 4, FUTEX_REQUEUE, 1, 1, A) == -EINVAL


@pytest.mark.parametrize("command", [FUTEX_LOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI])
def test_a_word_that_others_wait_on_plainly_is_no_lock(kernel: Machine, command: int) -> None:
    waiter, task = threads(kernel, 2)
    word = task.tid if command == FUTEX_UNLOCK_PI else 0
    store(task, A, word)
    assert call(waiter, "futex", A, FUTEX_WAIT, word) is None

    assert call(task, "futex", A, command, 0) == -EINVAL


@pytest.mark.parametrize(
    ("op", "start_ns"),
    [
        pytest.param(FUTEX_LOCK_PI, START_REALTIME_NS, id="LOCK_PI, CLOCK_REALTIME"),
        pytest.param(FUTEX_LOCK_PI2, START_MONOTONIC_NS, id="LOCK_PI2, CLOCK_MONOTONIC"),
        pytest.param(FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, START_REALTIME_NS, id="LOCK_PI2, CLOCK_REALTIME"),
    ],
)
def test_a_lock_waits_until_an_instant(kernel: Machine, op: int, start_ns: int) -> None:
    owner, waiter = threads(kernel, 2)
    call(owner, "futex", A, FUTEX_LOCK_PI, 0)
    assert call(waiter, "futex", A, op, 0, pack_timespec(start_ns + 5 * SECOND)) is None
    kernel.jump()

    assert kernel.now_ns == 5 * SECOND
    assert answers(kernel) == {waiter.name: -ETIMEDOUT}
    assert kernel.futexes.locks == {}
    assert call(owner, "futex", A, FUTEX_UNLOCK_PI, 0) == 0
    assert load(owner, A) == 0


def test_a_lock_goes_on_from_a_dying_owner_to_one_waiter_after_the_other(kernel: Machine) -> None:
    owner, second, third = threads(kernel, 3)
    call(owner, "futex", A, FUTEX_LOCK_PI, 0)
    for waiter in (second, third):
        assert call(waiter, "futex", A, FUTEX_LOCK_PI, 0) is None
    exit_task(kernel, owner, 0)
    words = [load(second, A)]
    exit_task(kernel, second, 0)  # killed before it has its turn
    words.append(load(third, A))

    assert words == [tid | FUTEX_WAITERS | DIED for tid in (second.tid, third.tid)]
    assert answers(kernel) == {third.name: 0}


def test_the_end_of_somebody_else_changes_no_lock(kernel: Machine) -> None:
    owner, waiter, other = threads(kernel, 3)
    call(owner, "futex", A, FUTEX_LOCK_PI, 0)
    assert call(waiter, "futex", A, FUTEX_LOCK_PI, 0) is None
    exit_task(kernel, other, 0)

    assert load(owner, A) == owner.tid | FUTEX_WAITERS
    assert answers(kernel) == {}


def test_a_handler_leaves_a_lock_waiting_whatever_its_flags(kernel: Machine) -> None:
    """kernel/futex/pi.c: an interrupted wait for a lock is ERESTARTNOINTR."""
    log: list[str | int] = []

    def owner(sys: Calls) -> Program:
        yield sys.futex(A, FUTEX_LOCK_PI, 0)
        yield sys.thread(waiter)
        yield sys.sleep_ns(SECOND)
        yield sys.tgkill(main.tid, main.group.threads[1].tid, SIGUSR1)
        yield sys.sleep_ns(SECOND)
        yield sys.futex(A, FUTEX_UNLOCK_PI, 0)

    def waiter(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: log.append("handled"))
        log.append((yield sys.futex(A, FUTEX_LOCK_PI, 0)))
        log.append(kernel.now_ns // SECOND)

    main = kernel.spawn(owner)
    kernel.run()

    assert log == ["handled", 0, 2]
