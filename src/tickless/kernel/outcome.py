"""A call returns a value, raises Errno, blocks (a generator), or is the host's to do (PASS_ON)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Final, final

if TYPE_CHECKING:
    from tickless.kernel.task import Task


@final
class PassOn:
    """The host kernel does this call; `amend` then changes what it has told the task."""

    __slots__ = ("amend",)

    def __init__(self, amend: Callable[[Task], object] | None = None) -> None:
        self.amend = amend

    def __repr__(self) -> str:
        return "PASS_ON"


PASS_ON: Final = PassOn()

# What a call is in the end. A negative value of -4095 .. -1 is an errno, as in Linux.
Answer = int | PassOn
# A call that waits: it yields to be resumed when something woke its task, and returns the answer.
Blocked = Generator[None, None, Answer]
Result = Answer | Blocked
