"""io_submit(2), io_getevents(2): the disk is Linux's, but nobody may wait for it there.

Linux puts completions into a ring in the program's memory (`struct aio_ring`, fs/aio.c), from which a program may take
them by itself, and so may we. While somebody waits for operations that were submitted, the disk works for the run, and
the clock does not jump.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING, cast

from tickless.abi.errno import EFAULT, EINTR, EINVAL
from tickless.abi.types import S64, Address, TimespecPtr
from tickless.host.patience import Patience
from tickless.kernel.errors import Errno
from tickless.kernel.outcome import PASS_ON, Result
from tickless.kernel.registry import syscall, unserved
from tickless.kernel.timespec import read_timespec

if TYPE_CHECKING:
    from tickless.host.idle import Idle
    from tickless.host.memory import AddressSpace
    from tickless.host.tracee import Tracee
    from tickless.kernel.outcome import Blocked
    from tickless.kernel.task import Task

RING = Struct("<IIIII3I")  # id, nr, head, tail, magic, compat_features, incompat_features, header_length
MAGIC = 0xA10A10A1
HEAD = Struct("<I")
HEAD_OFFSET = 8
EVENT_SIZE = 32  # struct io_event
POINTER = Struct("<Q")
# struct iocb: data, key, rw_flags, opcode, priority, fildes, buf, nbytes, offset, reserved2, flags, resfd
IOCB = Struct("<QIiHhIQQqQII")
IOCB_FLAG_RESFD = 1
MOST_OPERATIONS = 0x10000
# Real time that operations may take while nothing else happens.
PATIENCE_S = 0.5
REASON = "operations of the disk"

VIRTUAL_FILE = unserved("TL131", "asynchronous I/O on a file of tickless, or telling an eventfd of it", EINVAL)


class Ring:
    """The completions of one context."""

    def __init__(self, memory: AddressSpace, context: int) -> None:
        """Raises: Errno(EFAULT) where no ring is."""
        self._memory = memory
        self._context = context
        _, _, _, self._seen, magic, *_ = self._header()
        if magic != MAGIC:
            raise Errno(EFAULT)
        self.under_way = 0  # operations, as far as we know
        self.waiting = 0  # tasks that wait for them

    def available(self) -> int:
        """How many completions there are to be taken. Raises: Errno(EFAULT) if the context has gone."""
        _, size, head, tail, *_ = self._header()
        self.under_way = max(self.under_way - (tail - self._seen) % size, 0)
        self._seen = tail
        return (tail - head) % size

    def take(self, task: Task, most: int, address: int) -> int:
        """Give `task` up to `most` completions, and return how many. Raises: Errno(EFAULT)."""
        _, size, head, tail, _, _, _, header_length = self._header()
        taken = b""
        count = min((tail - head) % size, most)
        for index in range(count):
            place = self._context + header_length + (head + index) % size * EVENT_SIZE
            taken += self._memory.copy_in(place, EVENT_SIZE)
        task.memory.copy_out(address, taken)
        self._memory.copy_out(self._context + HEAD_OFFSET, HEAD.pack((head + count) % size))
        return count

    def _header(self) -> tuple[int, ...]:
        return RING.unpack(self._memory.copy_in(self._context, RING.size))


class AsynchronousIo:
    """The contexts of a run that were heard of."""

    def __init__(self, idle: Idle) -> None:
        self._rings: dict[tuple[AddressSpace, int], Ring] = {}
        self._patience = Patience(idle, REASON, PATIENCE_S)
        self._left = 0  # operations that were under way at the last look
        self.waits = False  # somebody waits for completions

    def ring(self, task: Tracee, context: int) -> Ring | None:
        """The ring of a context; None if there is none."""
        key = (task.memory, context)
        if key not in self._rings:
            try:
                self._rings[key] = Ring(*key)
            except Errno:
                return None
        return self._rings[key]

    def forget(self, task: Tracee, context: int) -> None:
        self._rings.pop((task.memory, context), None)

    def hold(self) -> bool:
        """Nobody has anything to do: wait a moment for the disk, if somebody waits for it."""
        rings = [ring for ring in self._rings.values() if ring.waiting]
        self.waits = bool(rings)
        with suppress(Errno):  # a context has gone, and its operations are not waited for long
            for ring in rings:
                ring.available()
        left = sum(ring.under_way for ring in rings)
        if left != self._left:
            self._left = left
            self._patience.renew()
        if left and self._patience.wait():
            return True
        for ring in rings:
            ring.under_way = 0  # not what Linux has accepted, or a disk that does not answer: no longer waited for
        self._left = 0
        return False


@syscall
def io_submit(task: Task, ctx_id: Address, nr: S64, iocbpp: Address) -> Result:
    """Start operations; Linux says how many."""
    tracee = cast("Tracee", task)
    if not 0 < nr <= MOST_OPERATIONS:
        return PASS_ON
    for (address,) in POINTER.iter_unpack(task.memory.copy_in(iocbpp, nr * POINTER.size)):
        *_, fd, _, _, _, _, flags, told = IOCB.unpack(task.memory.copy_in(address, IOCB.size))
        files = [fd, told] if flags & IOCB_FLAG_RESFD else [fd]
        if any(_is_virtual(task, file) for file in files):
            task.kernel.refuse(task, VIRTUAL_FILE)
    if (ring := tracee.supervisor.idle.aio.ring(tracee, ctx_id)) is not None:
        ring.under_way += nr
    return PASS_ON


@syscall
def io_getevents(task: Task, ctx_id: Address, min_nr: S64, nr: S64, events: Address, timeout: TimespecPtr) -> Result:
    """Take completions, at least `min_nr` of them unless the time is over."""
    tracee = cast("Tracee", task)
    span_ns = read_timespec(task, timeout) if timeout else None
    if not 0 < min_nr <= nr or span_ns == 0:
        return PASS_ON
    ring = tracee.supervisor.idle.aio.ring(tracee, ctx_id)
    if ring is None or ring.available() >= min_nr:
        return PASS_ON
    return _sleep(tracee, ring, (min_nr, nr, events), task.kernel.clock.deadline_after(span_ns))


@syscall
def io_destroy(task: Task, ctx: Address) -> Result:
    """Give a context up."""
    tracee = cast("Tracee", task)
    tracee.supervisor.may_release = True
    tracee.supervisor.idle.aio.forget(tracee, ctx)
    return PASS_ON


def _is_virtual(task: Task, fd: int) -> bool:
    try:
        return not task.fds.get(fd).host
    except Errno:
        return False


def _sleep(task: Tracee, ring: Ring, wanted: tuple[int, int, int], deadline_ns: int | None) -> Blocked:
    least, most, address = wanted
    attempt = partial(_look, ring, least)
    ring.waiting += 1
    task.supervisor.idle.aio.waits = True
    try:
        error = yield from task.supervisor.retries.sleep_until(task, attempt, deadline_ns, interrupted_as=EINTR)
    except Errno:
        if not ring.available():
            raise
        error = 0  # what there is comes first
    finally:
        ring.waiting -= 1
    return error or ring.take(task, most, address)


def _look(ring: Ring, least: int) -> int | None:
    try:
        return 0 if ring.available() >= least else None
    except Errno:
        return -EINVAL
