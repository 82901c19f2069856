"""Sleeping and waking: who is woken in which order, and what holds when several things are true at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.kernel.fake_host import idle
from tickless.abi.epoll import EPOLLIN, EPOLLOUT
from tickless.abi.errno import ERESTARTNOHAND, ERESTARTSYS
from tickless.abi.siginfo import SigInfo
from tickless.abi.signal import SIGUSR1
from tickless.abi.time import CLOCK_REALTIME
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.clock import START_REALTIME_NS
from tickless.kernel.machine import Machine, OwnTask
from tickless.kernel.outcome import Answer, Blocked
from tickless.kernel.signals import send_signal
from tickless.kernel.task import BLOCKED, READY, Task
from tickless.kernel.wait_queue import ANY_EVENT, WaitQueue, sleep_until


def never() -> int | None:
    """A condition that does not come true."""
    return None


class Sleepers:
    """Tasks that sleep on one queue; a task is known by the order in which it came."""

    def __init__(self, kernel: Machine) -> None:
        self.kernel = kernel
        self.queue = WaitQueue()
        self.tasks: list[OwnTask] = []

    def add(
        self,
        condition: Callable[[], int | None] = never,
        *,
        events: int = ANY_EVENT,
        exclusive: bool = False,
        deadline_ns: int | None = None,
    ) -> OwnTask:
        task = self.kernel.spawn(idle)
        self.kernel.ready.clear()
        self.tasks.append(task)
        sleep = self.queue.sleep_signalable_until(task, condition, deadline_ns, events=events, exclusive=exclusive)
        assert self.kernel.take_result(task, sleep) is None, "it does not sleep"  # type: ignore[arg-type]
        return task

    def woken(self) -> list[int]:
        """Who is ready, in the order of their turns; they stay so."""
        return [self.tasks.index(task) for task in self.kernel.ready if isinstance(task, OwnTask)]

    def go_on(self) -> list[int]:
        """Let all who are ready look again: who they were, in order."""
        turns = []
        while (task := self.kernel.pick()) is not None:
            assert isinstance(task, OwnTask)
            turns.append(self.tasks.index(task))
            self.kernel.resume_call(task)
        return turns


@pytest.fixture
def sleepers(kernel: Machine) -> Sleepers:
    return Sleepers(kernel)


def begin(kernel: Machine, task: Task, queues: Sequence[WaitQueue], **how: object) -> Answer | None:
    """Sleep: the answer, or None if the task sleeps on."""
    condition = how.pop("condition", never)
    return kernel.take_result(task, sleep_until(task, queues, condition, **how))  # type: ignore[arg-type]


def signal_to(task: Task) -> None:
    send_signal(task.group, SigInfo(SIGUSR1))


# Wake order


def test_all_are_woken_in_the_order_of_arrival(sleepers: Sleepers) -> None:
    for _ in range(4):
        sleepers.add()

    assert sleepers.queue.wake_all() == 4
    assert sleepers.woken() == [0, 1, 2, 3]


def test_who_looked_again_in_vain_keeps_its_place(sleepers: Sleepers) -> None:
    """Linux leaves a waiter queued, too, until it has what it waits for."""
    for _ in range(3):
        sleepers.add(exclusive=True)
    sleepers.queue.wake_all()
    first = sleepers.go_on()
    sleepers.queue.wake_all()

    assert (first, sleepers.woken()) == ([0], [0])


def test_of_exclusive_waiters_one_is_woken_with_all_the_others(sleepers: Sleepers) -> None:
    for exclusive in (True, False, True, False):
        sleepers.add(exclusive=exclusive)

    assert sleepers.queue.wake_all() == 3
    assert sleepers.woken() == [0, 1, 3]


def test_unless_it_says_so_no_sleep_is_exclusive(kernel: Machine) -> None:
    queue = WaitQueue()
    begin(kernel, kernel.spawn(idle), (queue,))
    for task in kernel.spawn(idle), kernel.spawn(idle):
        kernel.take_result(task, queue.sleep_signalable_until(task, never))  # type: ignore[arg-type]
    begin(kernel, kernel.spawn(idle), (queue,))

    assert queue.wake_all() == 4


def test_a_second_wake_before_the_first_was_seen_reaches_the_next_exclusive_waiter(sleepers: Sleepers) -> None:
    for _ in range(3):
        sleepers.add(exclusive=True)

    assert [sleepers.queue.wake_all() for _ in range(4)] == [1, 1, 1, 0]
    assert sleepers.woken() == [0, 1, 2]


def test_wake_one_passes_over_who_is_not_exclusive(sleepers: Sleepers) -> None:
    for exclusive in (False, True, True):
        sleepers.add(exclusive=exclusive)

    assert sleepers.queue.wake_one() == 1
    assert sleepers.woken() == [1]


def test_wake_one_finds_nobody(sleepers: Sleepers) -> None:
    sleepers.add()

    assert sleepers.queue.wake_one() == 0
    assert sleepers.woken() == []


def test_wake_everybody_wakes_all_exclusive_waiters(sleepers: Sleepers) -> None:
    for exclusive in (True, False, True):
        sleepers.add(exclusive=exclusive)
    sleepers.queue.wake_everybody()

    assert sleepers.woken() == [0, 1, 2]


def test_only_who_waits_for_one_of_the_events_is_woken(sleepers: Sleepers) -> None:
    sleepers.add(events=EPOLLIN, exclusive=True)
    sleepers.add(events=EPOLLOUT, exclusive=True)
    sleepers.add(events=EPOLLIN | EPOLLOUT)

    assert sleepers.queue.wake_all(EPOLLOUT) == 2
    assert sleepers.woken() == [1, 2]


def test_an_empty_queue_wakes_nobody() -> None:
    queue = WaitQueue()

    assert (queue.wake_all(), queue.wake_one(), queue.waiter_count) == (0, 0, 0)


# Deaths


def test_an_exclusive_waiter_that_dies_after_its_wake_passes_it_on(kernel: Machine, sleepers: Sleepers) -> None:
    for _ in range(3):
        sleepers.add(exclusive=True)
    sleepers.queue.wake_all()
    kernel.abandon_call(sleepers.tasks[0])

    assert sleepers.woken() == [0, 1]
    assert sleepers.queue.waiter_count == 2


def test_wakes_are_passed_on_along_a_line_of_deaths(kernel: Machine, sleepers: Sleepers) -> None:
    for _ in range(4):
        sleepers.add(exclusive=True)
    sleepers.queue.wake_all()
    for task in sleepers.tasks[:3]:
        kernel.abandon_call(task)

    assert sleepers.woken()[-1] == 3
    assert sleepers.queue.waiter_count == 1


@pytest.mark.parametrize(("exclusive", "woken"), [(True, False), (False, True), (False, False)])
def test_otherwise_a_death_wakes_nobody(kernel: Machine, sleepers: Sleepers, exclusive: bool, woken: bool) -> None:
    dying = sleepers.add(exclusive=exclusive)
    sleepers.add(exclusive=True)
    if woken:
        kernel.make_ready(dying)
    kernel.abandon_call(dying)

    assert sleepers.woken() == ([0] if woken else [])


def test_a_stop_passes_a_wake_on_too(kernel: Machine, sleepers: Sleepers) -> None:
    for _ in range(2):
        sleepers.add(exclusive=True)
    sleepers.queue.wake_all()

    assert kernel.interrupt_call(sleepers.tasks[0]) == -ERESTARTSYS
    assert sleepers.woken() == [0, 1]


def test_who_had_what_it_waited_for_passes_nothing_on(kernel: Machine, sleepers: Sleepers) -> None:
    full = [False]
    for _ in range(2):
        sleepers.add(lambda: 7 if full[0] else None, exclusive=True)
    full[0] = True
    sleepers.queue.wake_all()

    assert sleepers.go_on() == [0]
    assert sleepers.queue.waiter_count == 1


# What holds first


@pytest.mark.parametrize(
    ("true_now", "answer"),
    [
        pytest.param("condition deadline signal", 7, id="the condition wins over all"),
        pytest.param("condition signal", 7, id="over a signal"),
        pytest.param("condition deadline", 7, id="over a deadline"),
        pytest.param("deadline signal", None, id="the deadline wins over a signal"),
        pytest.param("signal", -ERESTARTSYS, id="then the signal"),
    ],
)
@pytest.mark.parametrize("asleep", [False, True])
def test_when_several_things_are_true_at_once(kernel: Machine, true_now: str, answer: int | None, asleep: bool) -> None:
    """At the first look as at any later one."""
    task = kernel.spawn(idle)
    task.own_signals.set_action(SIGUSR1, task.own_signals.action(SIGUSR1)._replace(handler=0x1000))
    full = [False]
    at_ns = kernel.clock.now_ns + (SECOND if asleep else 0)
    results: list[int | None] = []

    def become_true() -> None:
        full[0] = "condition" in true_now
        if "signal" in true_now:
            signal_to(task)
        kernel.clock.now_ns = at_ns
        kernel.make_ready(task)

    def call() -> Blocked:
        result = yield from sleep_until(
            task, (), lambda: 7 if full[0] else None, at_ns if "deadline" in true_now else None
        )
        results.append(result)
        return 0

    if not asleep:
        become_true()
    given = kernel.take_result(task, call())
    if asleep:
        assert given is None
        become_true()
        given = kernel.resume_call(task)

    assert results == ([] if answer == -ERESTARTSYS else [answer])
    assert given == (answer if answer == -ERESTARTSYS else 0)


def test_a_true_condition_does_not_sleep(kernel: Machine) -> None:
    queue = WaitQueue()

    assert begin(kernel, kernel.spawn(idle), (queue,), condition=lambda: 0) == 0
    assert queue.waiter_count == 0


def test_who_has_just_looked_sleeps_before_it_looks_again(kernel: Machine) -> None:
    """What was looked at a moment ago is not looked at twice, but after every wake."""
    looks = []
    task, queue = kernel.spawn(idle), WaitQueue()
    blocks = begin(kernel, task, (queue,), condition=lambda: looks.append("look"), looked=True)
    before_the_wake = list(looks)
    queue.wake_all()
    kernel.resume_call(task)

    assert (blocks, before_the_wake, looks) == (None, [], ["look"])


def test_a_deadline_gives_what_the_call_wants_then(kernel: Machine) -> None:
    """epoll_wait(2): 0 when the time-out has passed."""
    task = kernel.spawn(idle)

    assert begin(kernel, task, (WaitQueue(),), deadline_ns=kernel.clock.now_ns, late=0) == 0


def test_a_wake_that_comes_while_it_looks_is_not_lost(kernel: Machine) -> None:
    """Looking may itself change something: it looks again at once."""
    queue = WaitQueue()
    looks: list[int] = []

    def condition() -> int | None:
        looks.append(queue.wake_all() if not looks else 0)
        return 5 if len(looks) > 1 else None

    assert begin(kernel, kernel.spawn(idle), (queue,), condition=condition) == 5
    assert looks == [1, 0]


def test_a_call_says_how_it_restarts(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    task.own_signals.set_action(SIGUSR1, task.own_signals.action(SIGUSR1)._replace(handler=0x1000))
    assert begin(kernel, task, (), interrupted_as=ERESTARTNOHAND) is None
    signal_to(task)

    assert task.state is READY
    assert kernel.resume_call(task) == -ERESTARTNOHAND


def test_what_no_signal_ends_sleeps_on(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    task.own_signals.set_action(SIGUSR1, task.own_signals.action(SIGUSR1)._replace(handler=0x1000))
    assert begin(kernel, task, (), signalable=False) is None
    signal_to(task)

    assert kernel.resume_call(task) is None
    assert task.state is BLOCKED
    assert task.interrupted_as == 0


# Deadlines


def test_a_deadline_is_kept_through_wakes_in_vain(kernel: Machine, sleepers: Sleepers) -> None:
    sleepers.add(deadline_ns=kernel.clock.now_ns + 10 * SECOND)
    for _ in range(3):
        kernel.handle_timer_irq(kernel.clock.now_ns + SECOND)
        sleepers.queue.wake_all()
        sleepers.go_on()
    kernel.jump()

    assert kernel.now_ns == 10 * SECOND
    assert sleepers.go_on() == [0]
    assert sleepers.queue.waiter_count == 0
    assert not kernel.jump()


def test_a_deadline_may_be_of_another_clock(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    begin(kernel, task, (), deadline_ns=START_REALTIME_NS + 10 * SECOND, clock_id=CLOCK_REALTIME)
    kernel.clock.set_realtime(START_REALTIME_NS + 4 * SECOND)
    kernel.jump()

    assert kernel.now_ns == 6 * SECOND
    assert task.state is READY


# What is left behind


@pytest.mark.parametrize("end", ["condition", "deadline", "signal", "death"])
def test_however_a_sleep_ends_nothing_is_left_behind(kernel: Machine, end: str) -> None:
    queues = WaitQueue(), WaitQueue()
    task = kernel.spawn(idle)
    task.own_signals.set_action(SIGUSR1, task.own_signals.action(SIGUSR1)._replace(handler=0x1000))
    full = [False]
    begin(
        kernel,
        task,
        queues,
        condition=lambda: 1 if full[0] else None,
        deadline_ns=kernel.clock.now_ns + SECOND,
    )
    assert [queue.waiter_count for queue in queues] == [1, 1]
    assert list(task.sleeping_on) == list(queues)
    if end == "death":
        kernel.abandon_call(task)
    else:
        full[0] = end == "condition"
        if end == "signal":
            signal_to(task)
        if end == "deadline":
            kernel.jump()
        kernel.resume_call(task)

    assert [queue.waiter_count for queue in queues] == [0, 0]
    assert not task.sleeping_on
    assert not kernel.jump()


def test_a_wake_of_any_of_its_queues_lets_it_look(kernel: Machine) -> None:
    queues = WaitQueue(), WaitQueue()
    task = kernel.spawn(idle)
    begin(kernel, task, queues)

    assert queues[1].wake_all() == 1
    assert task.state is READY
    assert queues[0].wake_all() == 0
