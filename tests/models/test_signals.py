"""Whatever is sent, blocked and taken: no blocked signal is lost, none interrupts, and standard ones coalesce."""

from __future__ import annotations

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tickless.abi.errno import EINTR
from tickless.abi.siginfo import SI_QUEUE, SigInfo
from tickless.abi.signal import SIGCHLD, SIGRTMIN, SIGUSR1, SIGUSR2, sigmask, signals_in
from tickless.kernel.machine import Calls, Machine, OwnTask, Program
from tickless.kernel.signals import has_pending_signals, pending_mask, pop_pending_masked, send_signal

# Two standard signals that are caught, one that is ignored by default, two that queue.
SIGNALS = (SIGUSR1, SIGUSR2, SIGCHLD, SIGRTMIN, SIGRTMIN + 1)
CAUGHT = (SIGUSR1, SIGUSR2, SIGRTMIN, SIGRTMIN + 1)

signal_sets = st.sets(st.sampled_from(SIGNALS)).map(lambda signals: sigmask(*signals))


class ModelOfSignals(RuleBasedStateMachine):
    """A task in pause, whom somebody sends signals, changes the mask and reads signals as a signalfd does.

    The model is what Linux's pages say: per signal the numbers of those that are pending, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0  # every signal carries its number
        self.mask = 0
        self.own: dict[int, deque[int]] = {signo: deque() for signo in SIGNALS}
        self.shared: dict[int, deque[int]] = {signo: deque() for signo in SIGNALS}
        self.handled: list[int] = []  # numbers, as the handlers saw them
        self.expected: set[int] = set()  # numbers that handlers must see
        self.interrupted = 0  # how often pause gave EINTR

    @initialize()
    def start(self) -> None:
        self.kernel = Machine()
        self.task: OwnTask = self.kernel.spawn(self._program)
        self._let_it_run()

    def _program(self, sys: Calls) -> Program:
        for signo in CAUGHT:
            yield sys.sigaction(signo, self._handler, 0x4)
        while True:
            if (yield sys.pause()) == -EINTR:
                self.interrupted += 1

    def _handler(self, signo: int, info: SigInfo) -> None:
        self.handled.append(info.value)

    @rule(signo=st.sampled_from(SIGNALS), to_thread=st.booleans())
    def send(self, signo: int, to_thread: bool) -> None:
        self.sent += 1
        send_signal(self.task.group, SigInfo(signo, SI_QUEUE, value=self.sent), thread=self.task if to_thread else None)
        blocked = self.mask & sigmask(signo)
        queue = (self.own if to_thread else self.shared)[signo]
        if not blocked:
            if signo != SIGCHLD:
                self.expected.add(self.sent)
        elif signo >= SIGRTMIN or not queue:
            queue.append(self.sent)
        self._let_it_run()

    @rule(mask=signal_sets)
    def change_mask(self, mask: int) -> None:
        self.mask = mask
        self.task.own_signals.set_mask(mask)
        for pending in (self.own, self.shared):
            for signo in signals_in(sigmask(*SIGNALS) & ~mask):
                if signo != SIGCHLD:
                    self.expected.update(pending[signo])
                pending[signo].clear()
        if has_pending_signals(self.task):
            self.kernel.make_ready(self.task)
        self._let_it_run()

    @rule(mask=signal_sets)
    def read(self, mask: int) -> None:
        """A signalfd takes the thread's own signals first, then the lowest number, then the oldest."""
        info = pop_pending_masked(self.task, mask)
        for pending in (self.own, self.shared):
            for signo in signals_in(mask):
                if pending[signo]:
                    assert info is not None
                    assert (info.signo, info.value) == (signo, pending[signo].popleft())
                    return
        assert info is None

    @invariant()
    def nothing_is_lost_and_nothing_is_delivered_twice(self) -> None:
        if self.sent:
            assert sorted(self.handled) == sorted(self.expected)
            assert pending_mask(self.task) == sigmask(*(signo for signo in SIGNALS if self._pending(signo)))

    @invariant()
    def only_handlers_interrupt(self) -> None:
        assert (self.interrupted > 0) == bool(self.handled)
        assert self.interrupted <= len(self.handled)

    def _pending(self, signo: int) -> int:
        return len(self.own[signo]) + len(self.shared[signo])

    def _let_it_run(self) -> None:
        while (task := self.kernel.pick()) is not None:
            assert isinstance(task, OwnTask)
            self.kernel.run_step(task)


TestSignals = ModelOfSignals.TestCase
TestSignals.settings = settings(deadline=None)  # other work on the machine is no failure
