"""Hypothesis strategies for scripts and for steps of the kernel without a host, by the grammars of the generators."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from fuzz.grammar import write_script
from fuzz.model_calls import ModelOfCalls
from fuzz.pure import ACTIONS, MAKERS, TASKS, Pick, PureStep
from fuzz.scripts import Script


def chooser(draw: st.DrawFn) -> Callable[[int], int]:
    return lambda count: draw(st.integers(0, count - 1))


@st.composite
def scripts(draw: st.DrawFn, most_steps: int = 12) -> Script:
    """Scripts for the host."""
    return write_script(chooser(draw), most_steps)


@st.composite
def pure_step(draw: st.DrawFn, model: ModelOfCalls | None = None) -> PureStep:
    """A step for the kernel without a host; where `model` is known, most make sense."""
    pick = Pick(chooser(draw), model)
    if pick.below(10) == 9:
        return -1, "advance", (pick.below(4),)
    return pick.below(TASKS), *draw(st.sampled_from(ACTIONS))(pick)


@st.composite
def pure_steps(draw: st.DrawFn) -> list[PureStep]:
    """Steps for the kernel without a host; each kind of file is there at first."""
    made = [(0, *make(Pick(chooser(draw), None))) for make in MAKERS]
    return [*made, *draw(st.lists(pure_step(), max_size=60))]
