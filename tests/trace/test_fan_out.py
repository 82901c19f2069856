"""Several listeners as one."""

from __future__ import annotations

import inspect
from typing import cast

import pytest

from tickless.kernel.kernel import Listener
from tickless.trace.fan_out import FanOut

EVENTS = [name for name in vars(Listener) if not name.startswith("_")]


class Recorder:
    """Any listener at all."""

    def __init__(self, name: str, heard: list[tuple[object, ...]]) -> None:
        self.name = name
        self.heard = heard

    def __getattr__(self, event: str) -> object:
        return lambda *args: self.heard.append((self.name, event, *args))


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_reaches_every_listener_in_their_order(event: str) -> None:
    heard: list[tuple[object, ...]] = []
    fan_out = FanOut([cast(Listener, Recorder("first", heard)), cast(Listener, Recorder("second", heard))])
    args = list(range(len(inspect.signature(getattr(Listener, event)).parameters) - 1))
    getattr(fan_out, event)(*args)

    assert heard == [("first", event, *args), ("second", event, *args)]
