"""A call returns a value, raises Errno, blocks (a generator), or is the host's to do (PASS_ON)."""

from collections.abc import Generator
from typing import Final, final


@final
class PassOn:
    """The host kernel does this call."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "PASS_ON"


PASS_ON: Final = PassOn()

# What a call is in the end. A negative value of -4095 .. -1 is an errno, as in Linux.
Answer = int | PassOn
# A call that waits: it yields to be resumed when something woke its task, and returns the answer.
Blocked = Generator[None, None, Answer]
Result = Answer | Blocked
