"""getrandom(2), getauxval(3): the chance that a program can see, drawn from the run's seed.

So a program that seeds its hash tables or its back-off from it does the same in every run. Nothing here is secret.
"""

from __future__ import annotations

from _random import Random  # `import random` takes ten times as long
from typing import TYPE_CHECKING, cast

from tickless.abi.errno import EFAULT, EINVAL
from tickless.abi.types import BufferOut, GetrandomFlags, Size
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import Result
from tickless.kernel.registry import syscall

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee
    from tickless.kernel.task import Task

GRND_NONBLOCK, GRND_RANDOM, GRND_INSECURE = 1, 2, 4
AT_RANDOM_SIZE = 16
# A call gives at most this much, as any read does; what is asked for is a program's word, so it is made in pieces.
MAX_BYTES = 0x7FFFF000
PIECE = 1 << 16


class Chance:
    """A stream of bytes that depends on the seed alone."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        # Of a generator of its own, so that it is the same whenever it is asked for.
        self.boot_id = uuid_of(Random(~seed).getrandbits(128).to_bytes(16, "little"))

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        return self._random.getrandbits(8 * count).to_bytes(count, "little") if count else b""


def uuid_of(chance: bytes) -> str:
    """A random UUID of 16 bytes, as proc(5) shows it: RFC 4122's variant 1, version 4."""
    number = int.from_bytes(chance, "big")
    number = number & ~(0xF << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


@syscall
def getrandom(task: Task, buf: BufferOut, size: Size, flags: GetrandomFlags) -> Result:
    """Fill a buffer from the run's seed. EINVAL for unknown flags and for GRND_RANDOM with GRND_INSECURE."""
    if flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) or flags & 6 == GRND_RANDOM | GRND_INSECURE:
        raise Errno(EINVAL)
    tracee = cast("Tracee", task)
    size = min(size, MAX_BYTES)
    done = 0
    while done < size:
        piece = tracee.supervisor.chance.take(min(PIECE, size - done))
        written = tracee.memory.write_until_fault(buf + done, piece)
        done += written
        if written < len(piece):
            break
    if size and not done:
        raise Errno(EFAULT)
    return done
