"""Whatever is done to files: nobody sleeps for what is true, and a ready list holds the ready interests."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fuzz.pure import MAKERS, Pair, Pick
from fuzz.strategies import pure_step
from tickless.abi.epoll import EPOLLET, EPOLLIN, EPOLLONESHOT, EPOLLOUT
from tickless.abi.numbers import number_of
from tickless.kernel.epoll import Epoll
from tickless.kernel.epoll_interest import Interest
from tickless.kernel.file import File
from tickless.kernel.machine import OwnTask
from tickless.kernel.pipe import PipeReader, PipeWriter
from tickless.kernel.task import BLOCKED, Task
from tickless.kernel.wait_queue import Sleeper


class ModelOfWaiting(RuleBasedStateMachine):
    """A process with three threads that make, watch, read, write and close files, send signals and let time pass."""

    @initialize(data=st.data())
    def start(self, data: st.DataObject) -> None:
        self.pair = Pair()
        for make in MAKERS:
            self.pair.step((0, *make(Pick(lambda count: data.draw(st.integers(0, count - 1)), None))))

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        self.pair.step(data.draw(pure_step(self.pair.model)))

    @property
    def tasks(self) -> list[OwnTask]:
        return self.pair.kernel.tasks

    def files(self) -> list[File]:
        return list(dict.fromkeys(self.tasks[0].own_fds.files.values()))

    def epolls(self) -> list[Epoll]:
        return [file for file in self.files() if isinstance(file, Epoll)]

    @invariant()
    def nobody_is_ready_and_left_alone(self) -> None:
        assert not self.pair.kernel.machine.ready

    @invariant()
    def nobody_sleeps_for_what_is_true(self) -> None:
        for file in self.files():
            queue = file.wait_queue if isinstance(file, Epoll) else file.queue
            for sleeper in queue.waiters:
                if isinstance(sleeper, Sleeper) and sleeper.task.call in TAKING:
                    assert not _events_of(file, sleeper.task) & EPOLLIN

    @invariant()
    def a_ready_list_holds_every_interest_that_is_ready(self) -> None:
        for epoll in self.epolls():
            for interest in epoll.interest_list.values():
                # A signalfd has something else for each thread, and whoever finds it empty takes it off the list.
                ready = all(_is_ready(interest, task) for task in self.tasks)
                if ready and not interest.events & (EPOLLET | EPOLLONESHOT):
                    assert interest in epoll.ready

    @invariant()
    def what_is_on_a_ready_list_is_watched(self) -> None:
        for epoll in self.epolls():
            assert set(epoll.ready) <= set(epoll.interest_list.values())

    @invariant()
    def who_sleeps_is_in_its_queues_and_nobody_else(self) -> None:
        for task in self.tasks:
            assert (task.state is BLOCKED) == (task.blocked_call is not None)
            for queue in task.sleeping_on:
                assert any(isinstance(waiter, Sleeper) and waiter.task is task for waiter in queue.waiters)


TAKING = (number_of("x86_64", "read"), number_of("x86_64", "epoll_wait"))


def _events_of(file: File, task: Task) -> int:
    """What poll would say, without a trace: a pipe remembers that it was polled, an epoll drops what is not ready."""
    if isinstance(file, Epoll):
        return EPOLLIN if any(_is_ready(interest, task) for interest in file.ready) else 0
    if isinstance(file, PipeReader):
        return EPOLLIN if file.pipe.slots else 0
    if isinstance(file, PipeWriter):
        return 0 if file.pipe.is_full else EPOLLOUT
    return file.poll(task)


def _is_ready(interest: Interest, task: Task) -> bool:
    return bool(_events_of(interest.file, task) & interest.events)


TestWaiting = ModelOfWaiting.TestCase
TestWaiting.settings = settings(deadline=None)  # other work on the machine is no failure
