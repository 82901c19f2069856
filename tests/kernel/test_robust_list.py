"""set_robust_list(2), set_tid_address(2): the words that a dying thread changes, and whom it wakes."""

from __future__ import annotations

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tests.kernel.futexes import (
    NOWHERE,
    PAGE,
    UNALIGNED,
    A,
    B,
    C,
    Wakes,
    load,
    pausing,
    settle,
    start,
    store,
    store_pointer,
)
from tickless.abi.futex import (
    FUTEX_LOCK_PI,
    FUTEX_OWNER_DIED,
    FUTEX_PRIVATE_FLAG,
    FUTEX_TID_MASK,
    FUTEX_WAIT,
    FUTEX_WAITERS,
)
from tickless.kernel.machine import Machine, OwnTask
from tickless.kernel.process import exit_task

DIED = FUTEX_OWNER_DIED
WAITERS = FUTEX_WAITERS
# Where a lock's word is, from its entry in the list on.
OFFSET = 16
HEAD = PAGE + 256
ENTRIES = [PAGE + 512 + 64 * n for n in range(4)]
WORDS = [entry + OFFSET for entry in ENTRIES]


def owner_of(kernel: Machine, waiting: Wakes, names: str) -> OwnTask:
    """A thread that is about to die; threads of its process wait for the first word, which it holds."""
    main = start(kernel, Wakes(), "")
    owner = kernel.spawn(pausing, main, same_group=True)
    store(owner, WORDS[0], owner.tid | (WAITERS if names else 0))
    for name in names:
        kernel.spawn(waiting.waiter(name, WORDS[0], FUTEX_WAIT, load(owner, WORDS[0])), main, same_group=True)
    settle(kernel)
    return owner


def set_list(task: OwnTask, *entries: int, pending: int = 0, offset: int = OFFSET) -> None:
    """Give the thread a robust list: entries with a lowest bit of 1 are priority-inheriting locks."""
    chain = [HEAD, *entries, HEAD]
    for here, following in zip(chain, chain[1:], strict=False):
        store_pointer(task, here & ~1, following)
    store_pointer(task, HEAD + 8, offset)
    store_pointer(task, HEAD + 16, pending)
    assert call(task, "set_robust_list", HEAD, 24) == 0


def die(kernel: Machine, task: OwnTask) -> None:
    exit_task(kernel, task, 0)
    settle(kernel)


@pytest.fixture
def woken() -> Wakes:
    return Wakes()


def test_a_held_lock_says_that_its_owner_died_and_one_waiter_goes_on(kernel: Machine, woken: Wakes) -> None:
    owner = owner_of(kernel, woken, "ab")
    set_list(owner, ENTRIES[0])
    die(kernel, owner)

    assert load(owner, WORDS[0]) == DIED | WAITERS
    assert woken.take() == "a"


def test_without_the_waiters_bit_nobody_is_woken(kernel: Machine, woken: Wakes) -> None:
    owner = owner_of(kernel, woken, "a")
    store(owner, WORDS[0], owner.tid)
    set_list(owner, ENTRIES[0])
    die(kernel, owner)

    assert load(owner, WORDS[0]) == DIED
    assert woken.take() == ""


def test_a_private_wait_is_not_reached(kernel: Machine, woken: Wakes) -> None:
    """The kernel's wakes are shared ones: glibc's robust mutexes never wait privately."""
    owner = owner_of(kernel, woken, "")
    store(owner, WORDS[0], owner.tid | WAITERS)
    waiter = woken.waiter("a", WORDS[0], FUTEX_WAIT | FUTEX_PRIVATE_FLAG, owner.tid | WAITERS)
    kernel.spawn(waiter, owner, same_group=True)
    settle(kernel)
    set_list(owner, ENTRIES[0])
    die(kernel, owner)

    assert woken.take() == ""


def test_every_lock_of_the_list_is_released_but_those_of_others(kernel: Machine, woken: Wakes) -> None:
    owner = owner_of(kernel, woken, "a")
    for number, word in enumerate(WORDS[1:], 1):
        store(owner, word, 77 if number == 1 else owner.tid)
    set_list(owner, *ENTRIES)
    die(kernel, owner)

    assert [load(owner, word) for word in WORDS] == [DIED | WAITERS, 77, DIED, DIED]


def test_a_lock_being_taken_is_looked_at_once_and_last(kernel: Machine, woken: Wakes) -> None:
    owner = owner_of(kernel, woken, "ab")
    set_list(owner, ENTRIES[1], ENTRIES[0], pending=ENTRIES[0])
    die(kernel, owner)

    assert load(owner, WORDS[0]) == DIED | WAITERS
    assert woken.take() == "a"


def test_a_free_lock_in_the_list_wakes_nobody(kernel: Machine, woken: Wakes) -> None:
    """Only of a lock that is being given back it is not known whether its waiter was woken."""
    owner = owner_of(kernel, woken, "a")
    store(owner, WORDS[0], 0)
    set_list(owner, ENTRIES[0])
    die(kernel, owner)

    assert woken.take() == ""


@pytest.mark.parametrize(("inheriting", "reached"), [(0, "a"), (1, "")])
def test_a_lock_given_back_whose_waiter_was_not_woken_yet(
    kernel: Machine, woken: Wakes, inheriting: int, reached: str
) -> None:
    """The word is free already: kernel/futex/core.c, handle_futex_death, first race."""
    owner = owner_of(kernel, woken, "ab")
    store(owner, WORDS[0], 0)
    set_list(owner, pending=ENTRIES[0] | inheriting)
    die(kernel, owner)

    assert load(owner, WORDS[0]) == 0
    assert woken.take() == reached


def test_a_priority_inheriting_lock_goes_to_its_waiter(kernel: Machine) -> None:
    owner = kernel.spawn(idle)
    waiter = kernel.spawn(idle, owner, same_group=True)
    assert call(owner, "futex", WORDS[0], FUTEX_LOCK_PI, 0) == 0
    assert call(waiter, "futex", WORDS[0], FUTEX_LOCK_PI, 0) is None
    set_list(owner, ENTRIES[0] | 1)
    exit_task(kernel, owner, 0)

    assert load(waiter, WORDS[0]) == waiter.tid | WAITERS | DIED


def test_a_list_that_goes_round_is_left_after_2048_entries(kernel: Machine, woken: Wakes) -> None:
    owner = owner_of(kernel, woken, "a")
    set_list(owner, ENTRIES[0])
    store_pointer(owner, ENTRIES[0], ENTRIES[0])
    die(kernel, owner)

    assert woken.take() == "a"


@pytest.mark.parametrize("broken", ["head", "entry", "word"])
def test_a_list_that_cannot_be_read_ends_there(kernel: Machine, woken: Wakes, broken: str) -> None:
    owner = owner_of(kernel, woken, "a")
    store(owner, WORDS[1], owner.tid)
    set_list(owner, ENTRIES[0], ENTRIES[1])
    if broken == "entry":
        store_pointer(owner, ENTRIES[0], NOWHERE)
    if broken == "head":
        owner.robust_list = NOWHERE
    if broken == "word":
        store_pointer(owner, HEAD + 8, UNALIGNED)
    die(kernel, owner)

    assert woken.take() == ("a" if broken == "entry" else "")
    assert load(owner, WORDS[1]) == owner.tid


# With a host, which changes the words itself


@pytest.mark.parametrize(
    ("left", "reached"),
    [
        pytest.param(DIED | WAITERS, "a", id="released"),
        pytest.param(DIED, "a", id="released, bit for waiters lost"),
        pytest.param(DIED | WAITERS | 5, "", id="taken by another already"),
        pytest.param(WAITERS, "", id="not released"),
    ],
)
def test_a_word_that_the_host_released_wakes_its_waiter(kernel: Machine, woken: Wakes, left: int, reached: str) -> None:
    owner = owner_of(kernel, woken, "ab")
    set_list(owner, ENTRIES[0])
    kernel.host = FakeHost()
    store(owner, WORDS[0], left)
    die(kernel, owner)

    assert load(owner, WORDS[0]) == left
    assert woken.take() == reached


def test_with_a_host_private_waits_and_unmapped_words_are_passed_over(kernel: Machine, woken: Wakes) -> None:
    owner = owner_of(kernel, woken, "a")
    waiter = woken.waiter("b", B, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0)
    kernel.spawn(waiter, owner, same_group=True)
    settle(kernel)
    set_list(owner, ENTRIES[0])
    kernel.host = FakeHost()
    store(owner, B, DIED)
    for queue in kernel.futexes.queues.values():
        for entry in queue:
            entry.address = NOWHERE if entry.address == WORDS[0] else entry.address
    die(kernel, owner)

    assert woken.take() == ""


# The word of pthread_join


def joined(kernel: Machine, woken: Wakes, op: int) -> OwnTask:
    """A thread whose tid is in a word that others wait on."""
    main = start(kernel, Wakes(), "")
    thread = kernel.spawn(pausing, main, same_group=True)
    store(thread, A, thread.tid)
    call(thread, "set_tid_address", A)
    for name in "ab":
        kernel.spawn(woken.waiter(name, A, op, thread.tid), main, same_group=True)
    settle(kernel)
    return thread


def test_a_threads_end_clears_its_word_and_wakes_one(kernel: Machine, woken: Wakes) -> None:
    thread = joined(kernel, woken, FUTEX_WAIT)
    die(kernel, thread)

    assert load(thread, A) == 0
    assert woken.take() == "a"


def test_the_wake_is_a_shared_one(kernel: Machine, woken: Wakes) -> None:
    thread = joined(kernel, woken, FUTEX_WAIT | FUTEX_PRIVATE_FLAG)
    die(kernel, thread)

    assert load(thread, A) == 0
    assert woken.take() == ""


def test_the_last_user_of_the_memory_clears_nothing(kernel: Machine) -> None:
    """kernel/fork.c, mm_release: nobody else could see it."""
    task = kernel.spawn(idle)
    store(task, A, task.tid)
    call(task, "set_tid_address", A)
    exit_task(kernel, task, 0)

    assert load(task, A) == task.tid


def test_a_host_clears_the_word_itself(kernel: Machine, woken: Wakes) -> None:
    thread = joined(kernel, woken, FUTEX_WAIT)
    kernel.host = FakeHost()
    die(kernel, thread)

    assert load(thread, A) & FUTEX_TID_MASK == thread.tid
    assert woken.take() == "a"


@pytest.mark.parametrize("address", [NOWHERE, UNALIGNED])
def test_a_wrong_address_is_no_error(kernel: Machine, woken: Wakes, address: int) -> None:
    thread = joined(kernel, woken, FUTEX_WAIT)
    call(thread, "set_tid_address", address)
    die(kernel, thread)

    assert woken.take() == ""
    assert load(thread, C) == 0
