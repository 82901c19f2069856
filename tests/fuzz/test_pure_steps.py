"""The kernel without a host gives what its model gives, and a kernel that is broken is found out."""

import random
from typing import Any, cast

import pytest
from hypothesis import given, settings

from fuzz.pure import Difference, PureStep, replay, run, shrink
from fuzz.scripts import Script, is_promised, to_text
from fuzz.strategies import pure_steps, scripts
from tickless.kernel.epoll import Epoll
from tickless.kernel.eventfd import COUNT, EventFd
from tickless.kernel.timerfd import TimerFd


def test_fixed_steps_agree() -> None:
    assert sum(len(pair.done) for pair in run(1, 20_000)) >= 20_000


def test_fresh_steps_agree() -> None:
    """A failure prints the seed: `python -m fuzz --scripts 0 --steps 20000 --seed …` makes them again."""
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")

    assert sum(len(pair.done) for pair in run(seed, 20_000)) >= 20_000


@pytest.mark.slow
def test_many_fresh_steps_agree() -> None:
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")

    assert sum(len(pair.done) for pair in run(seed, 2_000_000)) >= 2_000_000


@given(pure_steps())
@settings(deadline=None)
def test_drawn_steps_agree(steps: list[PureStep]) -> None:
    assert replay(steps) is None


@given(scripts())
@settings(deadline=None)
def test_drawn_scripts_keep_races_out(script: Script) -> None:
    assert is_promised(script), to_text(script)


def _take_all(self: EventFd, *args: Any) -> int:
    """A read of an eventfd that is never a semaphore."""
    taken, self.count = self.count, 0
    self.queue.wake_all()
    return cast(int, args[1].copy_out(COUNT.pack(taken)))


BREAKS: dict[str, tuple[type, str, Any]] = {
    "a semaphore gives all it has": (EventFd, "_take", _take_all),
    "an expired timer has no overruns": (TimerFd, "_count_overruns", TimerFd._disarm),
    "an epoll forgets what it has told": (Epoll, "_take_ready", lambda self, task, room: []),
}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_kernel_is_found(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, broken = BREAKS[what]
    monkeypatch.setattr(owner, name, broken)

    with pytest.raises(Difference) as found:
        for _ in run(1, 20_000):
            pass
    smallest = shrink(found.value)

    assert len(smallest.steps) <= 25
    assert replay(smallest.steps) is not None
