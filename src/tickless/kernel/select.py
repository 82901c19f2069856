"""select(2), pselect6(2): `poll` for sets of bits."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, cast

from tickless.abi.errno import EINVAL
from tickless.abi.poll import FD_SETSIZE, POLLEX_SET, POLLIN_SET, POLLNVAL, POLLOUT_SET, SIGSET_ARGPACK
from tickless.abi.time import NSEC_PER_USEC, TIMEVAL, pack_timespec, pack_timeval
from tickless.abi.types import S32, Address, FdSetPtr, TimespecPtr, TimevalPtr
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import Blocked, Result
from tickless.kernel.poll import read_temporary_mask, ready_events, sleep_until_ready, tell_time_left, write_time_left
from tickless.kernel.registry import syscall
from tickless.kernel.timespec import USEC_PER_SEC, read_timespec, timespec_ns
from tickless.kernel.wait_queue import sleep_masked

if TYPE_CHECKING:
    from tickless.kernel.task import Task

# What a bit of each set asks for, in the order of the arguments. A number closed meanwhile is ready for everything.
SETS = (POLLIN_SET | POLLNVAL, POLLOUT_SET | POLLNVAL, POLLEX_SET | POLLNVAL)
WORD_BITS = 64


class SelectCall:
    """One select or pselect6: its sets in memory, and what they ask for."""

    def __init__(self, task: Task, count: int, addresses: Sequence[int]) -> None:
        """Raises: Errno(EINVAL), Errno(EFAULT), Errno(EBADF) for a bit whose number is not open."""
        if count < 0:
            raise Errno(EINVAL)
        self.task = task
        if count > FD_SETSIZE:
            # No set reaches beyond the files that a task may have open.
            count = min(count, max(task.fds.limit_of(task), FD_SETSIZE))
        self.size = (count + WORD_BITS - 1) // WORD_BITS * 8
        self.addresses = addresses
        self.asked = [self._read(address) & ((1 << count) - 1) for address in addresses]
        numbers = _bits(self.asked[0] | self.asked[1] | self.asked[2])
        self.wants = [(fd, self._events_of(fd)) for fd in numbers]
        for fd in numbers:
            task.fds.get(fd)

    def tell(self, ready: list[int]) -> int:
        """Write the bits found and return their number. Raises: Errno(EFAULT)."""
        count = 0
        for address, asked, events in zip(self.addresses, self.asked, SETS, strict=True):
            found = 0
            for (fd, _), told in zip(self.wants, ready, strict=True):
                if told & events and asked >> fd & 1:
                    found |= 1 << fd
            count += found.bit_count()
            if address and self.size:
                self.task.memory.copy_out(address, found.to_bytes(self.size, "little"))
        return count

    def sleep(self, deadline_ns: int | None) -> Generator[None, None, int]:
        return self.tell((yield from sleep_until_ready(self.task, self.wants, deadline_ns, 0)))

    def look_or_sleep(
        self, timeout_ns: int | None, told: int, pack: Callable[[int], bytes], mask: int | None
    ) -> Result:
        """What is ready now, or a sleep that writes what is left of the time-out to `told`."""
        ready = ready_events(self.task, self.wants, 0)
        if any(ready):
            count = self.tell(ready)
            if timeout_ns:
                write_time_left(self.task, told, pack(timeout_ns))
            return count
        deadline_ns = None if timeout_ns is None else self.task.kernel.clock.now_ns + timeout_ns
        sleep = self.sleep(deadline_ns)
        if timeout_ns and deadline_ns is not None:
            sleep = tell_time_left(self.task, told, pack, deadline_ns, sleep)
        return sleep_masked(self.task, mask, cast(Blocked, sleep))

    def _read(self, address: int) -> int:
        if not address or not self.size:
            return 0
        return int.from_bytes(self.task.memory.copy_in(address, self.size), "little")

    def _events_of(self, fd: int) -> int:
        wanted = 0
        for asked, events in zip(self.asked, SETS, strict=True):
            if asked >> fd & 1:
                wanted |= events
        return wanted


def _bits(value: int) -> list[int]:
    """The numbers of the bits that are set, lowest first."""
    bits = []
    while value:
        lowest = value & -value
        bits.append(lowest.bit_length() - 1)
        value ^= lowest
    return bits


@syscall
def select(task: Task, n: S32, inp: FdSetPtr, outp: FdSetPtr, exp: FdSetPtr, tvp: TimevalPtr) -> Result:
    """Wait until a number of a set is ready, for `tvp` at most, of which what is left is told."""
    timeout_ns = _read_timeval(task, tvp) if tvp else None
    call = SelectCall(task, n, (inp, outp, exp))
    return call.look_or_sleep(timeout_ns, tvp, pack_timeval, None)


@syscall
def pselect6(
    task: Task, n: S32, inp: FdSetPtr, outp: FdSetPtr, exp: FdSetPtr, tsp: TimespecPtr, sig: Address
) -> Result:
    """`select` with a time-out in ns and a signal mask while it waits; `sig` tells where that is, and its size."""
    address, size = SIGSET_ARGPACK.unpack(task.memory.copy_in(sig, SIGSET_ARGPACK.size)) if sig else (0, 0)
    timeout_ns = read_timespec(task, tsp) if tsp else None
    mask = read_temporary_mask(task, address, size)
    call = SelectCall(task, n, (inp, outp, exp))
    return call.look_or_sleep(timeout_ns, tsp, pack_timespec, mask)


def _read_timeval(task: Task, address: int) -> int:
    """The timeval at `address` in ns; whole seconds of its microseconds count. Raises: Errno(EFAULT), Errno(EINVAL)."""
    seconds, microseconds = TIMEVAL.unpack(task.memory.copy_in(address, TIMEVAL.size))
    more_seconds = int(microseconds / USEC_PER_SEC)  # as C divides: towards 0
    return timespec_ns(seconds + more_seconds, (microseconds - more_seconds * USEC_PER_SEC) * NSEC_PER_USEC)
