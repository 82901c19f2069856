"""The memory of real tasks, read and written through /proc/PID/mem, faulting where Linux faults. proc_pid_mem(5).

/proc/PID/mem ignores protections: it writes to read-only pages and reads from PROT_NONE ones, where a system call
gives EFAULT. process_vm_readv and process_vm_writev respect them, but cost three times as much. So a page is *proved*
readable or writable by one process_vm_* call and copied through /proc/PID/mem from then on, until a call that may
change mappings makes the proofs void (`forget`).
"""

import ctypes
import os
from collections.abc import Callable, Hashable, Sequence
from errno import EFAULT, ENAMETOOLONG, EPERM, ESRCH
from os import pread, pwrite

from tickless.host.mappings import Mappings
from tickless.kernel.errors import Errno

PAGE_SHIFT = 12  # a page may be larger (aarch64): then one page has several proofs, which is only slower
PAGE_SIZE = 1 << PAGE_SHIFT
USER_ADDRESS_END = 1 << 63  # the other half is the kernel's; below, each page's proof decides
MAX_RW_COUNT = 0x7FFFF000  # no Linux call copies more at once: read(2), notes
PAGES_PER_PROOF = 16
STRING_PIECE = 512  # how much is read at once of a string, which is seldom long; divides a page
ONE = ctypes.c_ulong(1)
NO_FLAGS = ctypes.c_ulong(0)


class _Iovec(ctypes.Structure):
    """struct iovec: process_vm_readv(2)."""

    _fields_ = [("base", ctypes.c_uint64), ("length", ctypes.c_uint64)]


def _load_process_vm(name: str) -> Callable[..., int]:
    # PyDLL keeps the interpreter's lock: giving it up and taking it again would cost as much as the call.
    function = getattr(ctypes.PyDLL(None, use_errno=True), name)
    function.restype = ctypes.c_long
    call: Callable[..., int] = function
    return call


process_vm_readv = _load_process_vm("process_vm_readv")
process_vm_writev = _load_process_vm("process_vm_writev")
# Arguments of proofs, which are made one at a time: making them for each address space is a good part of a fork.
_sample = ctypes.create_string_buffer(PAGES_PER_PROOF)
_local = _Iovec(ctypes.addressof(_sample), 1)
_remote = (_Iovec * PAGES_PER_PROOF)(*[_Iovec(0, 1) for _ in range(PAGES_PER_PROOF)])
_first_remote = _remote[0]
_local_pointer = ctypes.c_void_p(ctypes.addressof(_local))
_remote_pointer = ctypes.c_void_p(ctypes.addressof(_remote))


class AddressSpace:
    """The memory of one or more tasks (threads, CLONE_VM children); exec starts a new one.

    Owned by the supervisor, which calls `join` and `leave` as tasks come and go; the last `leave` closes it.
    /proc/PID/mem is opened once: an open one goes on working after setuid or PR_SET_DUMPABLE(0), where opening it
    again fails. process_vm_* then fails too (EPERM), so pages of such a task are taken as readable and writable
    wherever they exist: PROT_NONE and read-only pages do not fault there.
    """

    def __init__(self, tid: int) -> None:
        """Everything faults in the memory of a task that was killed, or whose memory we may not look at: `is_open`."""
        try:
            self.fd = os.open(f"/proc/{tid}/mem", os.O_RDWR | os.O_CLOEXEC)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            self.fd = -1
        self._tids = {tid}
        self._mappings = Mappings()
        self._readable: set[int] = set()  # page numbers
        self._writable: set[int] = set()
        self._tid = ctypes.c_int(tid)  # of the task that proofs go through; one of _tids

    @property
    def is_open(self) -> bool:
        """Whether there is memory to look at."""
        return self.fd >= 0

    def join(self, tid: int) -> None:
        """One more task shares this memory: clone(2) with CLONE_VM."""
        self._tids.add(tid)

    def leave(self, tid: int) -> None:
        """A task has died or called exec. The last one closes the address space."""
        self._tids.discard(tid)
        if not self._tids:
            self.close()
        elif tid == self._tid.value:
            # After exec it has other memory, which would prove nothing here.
            self._tid.value = next(iter(self._tids))

    def forked(self, tid: int) -> "AddressSpace":
        """The copy that a fork without CLONE_VM made for `tid`. Raises: OSError as the constructor."""
        child = AddressSpace(tid)
        child._readable.update(self._readable)
        child._writable.update(self._writable)
        return child

    def close(self) -> None:
        """Give the memory back to the host: an open /proc/PID/mem of a dead task keeps a part of it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        self.forget()

    def forget(self) -> None:
        """A call that may unmap or protect pages is about to run, so proofs no longer hold."""
        self._readable.clear()
        self._writable.clear()
        self._mappings.forget()

    def shared_key(self, address: int) -> Hashable:
        """What every mapping of the word has in common. Raises: Errno(EFAULT). futex(7)."""
        key = self._mappings.key(self._tid.value, address)
        return (self, address) if key is None else key

    def copy_in(self, address: int, length: int) -> bytes:
        """Read exactly `length` bytes. Raises: Errno(EFAULT) where Linux faults."""
        page = address >> PAGE_SHIFT
        if page in self._readable and (address + length - 1) >> PAGE_SHIFT == page:
            try:
                data = pread(self.fd, length, address)
            except OSError:
                raise Errno(EFAULT) from None  # a proved page of a file that was truncated since
        else:
            data = self.read_until_fault(address, length)
        if len(data) < length:
            raise Errno(EFAULT)
        return data

    def copy_out(self, address: int, data: bytes) -> int:
        """Write all of `data`, return its length.

        Raises: Errno(EFAULT) where Linux faults; the bytes before the fault have been written, as on Linux.
        """
        page = address >> PAGE_SHIFT
        length = len(data)
        if page in self._writable and (address + length - 1) >> PAGE_SHIFT == page:
            try:
                written = pwrite(self.fd, data, address)
            except OSError:
                raise Errno(EFAULT) from None
        else:
            written = self.write_until_fault(address, data)
        if written < length:
            raise Errno(EFAULT)
        return length

    def read_until_fault(self, address: int, length: int) -> bytes:
        """Read up to `length` bytes, fewer (or none) where a fault ends them. Allocates only what is mapped."""
        available = self._proved_length(address, length, None)
        if not available:
            return b""
        try:
            return pread(self.fd, available, address)
        except OSError:
            return b""

    def write_until_fault(self, address: int, data: bytes) -> int:
        """Write up to all of `data`, return how many bytes came before a fault."""
        available = self._proved_length(address, len(data), data)
        if not available:
            return 0
        try:
            return pwrite(self.fd, memoryview(data)[:available], address)
        except OSError:
            return 0

    def read_string(self, address: int, limit: int) -> bytes:
        """Read up to a NUL and return what precedes it.

        Raises: Errno(EFAULT), Errno(ENAMETOOLONG) when `limit` bytes hold no NUL. A string that ends before an
        unmapped page is read whole: no byte behind its page is touched.
        """
        pieces: list[bytes] = []
        while limit > 0:
            piece = self.copy_in(address, min(limit, STRING_PIECE - address % STRING_PIECE))
            end = piece.find(0)
            if end >= 0:
                return b"".join([*pieces, piece[:end]]) if pieces else piece[:end]
            pieces.append(piece)
            address += len(piece)
            limit -= len(piece)
        raise Errno(ENAMETOOLONG)

    def _proved_length(self, address: int, length: int, data: bytes | None) -> int:
        """How many of `length` bytes come before a fault: of a read, or of writing `data`.

        A proof of writing is a write, of the first byte that `data` has on that page.
        """
        if length <= 0 or length > MAX_RW_COUNT or address + length > USER_ADDRESS_END:
            return 0
        known = self._readable if data is None else self._writable
        first = address >> PAGE_SHIFT
        end = ((address + length - 1) >> PAGE_SHIFT) + 1
        if end - first == 1 and (first in known or self._touch_one(address, data) == 1):
            known.add(first)
            return length
        for start in range(first, end, PAGES_PER_PROOF):
            pages = range(start, min(start + PAGES_PER_PROOF, end))
            if known.issuperset(pages):
                continue
            touched = [max(address, page << PAGE_SHIFT) for page in pages]
            sample = None if data is None else bytes(data[at - address] for at in touched)
            proved = self._prove(touched, sample)
            known.update(pages[:proved])
            if proved < len(pages):
                return touched[proved] - address
        return length

    def _prove(self, touched: Sequence[int], sample: bytes | None) -> int:
        """Read a byte at each of the addresses, or write `sample` to them; how many come before a fault."""
        proved = 0
        retried = None
        while proved < len(touched):
            error = 0
            count = self._touch(touched[proved:], None if sample is None else sample[proved:])
            if count < 0:
                error = ctypes.get_errno()
                count = 0
            proved += count
            if proved == len(touched):
                break
            if error == EPERM:
                return proved + self._count_existing(touched[proved:])
            if error == ESRCH and self._prove_through_another_task():
                continue
            # Linux lets a buffer below the stack's mapping grow it. process_vm_* does not since 6.5,
            # /proc/PID/mem does: if it finds the byte, the proof is worth a second try.
            if retried == proved or not self._count_existing(touched[proved : proved + 1]):
                break
            retried = proved
        return proved

    def _touch_one(self, address: int, data: bytes | None) -> int:
        """`_touch` for one address, which is nearly every proof; its arguments are prebuilt for speed."""
        _first_remote.base = address
        if data is None:
            return process_vm_readv(self._tid, _local_pointer, ONE, _remote_pointer, ONE, NO_FLAGS)
        _sample[0] = data[:1]
        return process_vm_writev(self._tid, _local_pointer, ONE, _remote_pointer, ONE, NO_FLAGS)

    def _touch(self, addresses: Sequence[int], sample: bytes | None) -> int:
        """One process_vm_* call of a byte per address: how many were copied, or -1 with ctypes' errno."""
        count = len(addresses)
        for iovec, address in zip(_remote, addresses, strict=False):
            iovec.base = address
        if sample is not None:
            ctypes.memmove(_sample, sample, count)
        call = process_vm_readv if sample is None else process_vm_writev
        _local.length = count
        copied = call(self._tid, _local_pointer, ONE, _remote_pointer, ctypes.c_ulong(count), NO_FLAGS)
        _local.length = 1
        return copied

    def _prove_through_another_task(self) -> bool:
        """The task that proofs went through is dead: a leader may end before its threads. False when none is left."""
        self._tids.discard(self._tid.value)
        if not self._tids:
            return False
        self._tid.value = next(iter(self._tids))
        return True

    def _count_existing(self, addresses: Sequence[int]) -> int:
        """How many of the addresses, from the first on, are mapped at all, whatever their protection."""
        for count, address in enumerate(addresses):
            try:
                if not pread(self.fd, 1, address):
                    return count
            except OSError:
                return count
        return len(addresses)
