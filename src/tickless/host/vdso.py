"""vdso(7): the virtual clock, read by real programs without a system call.

At the exec stop a program's private copy of the vDSO gets the code of vdso_clock_x86_64.S over the kernel's functions.
The code reads five 64-bit cells, which lie in a gap on the program's initial stack. Nothing is mapped, injected or
shared: fork copies code and cells, exec starts afresh, and the supervisor reaches the cells through /proc/PID/mem.
Before a task runs, `give` writes the time and how far reads may go; when it traps, `take` reads how far they went.
A task starts with limit 0, where every read is a system call, and is given more only once it is seen to read.

Where that code cannot be (another architecture, an image that is not as expected) the functions become plain system
calls; where not even these fit, the vDSO is hidden from the program.
"""

from os import pread, pwrite
from struct import Struct

from tickless.abi.arch import ARCH, Arch
from tickless.host import ptrace, vdso_code
from tickless.host.memory import PAGE_SIZE, AddressSpace
from tickless.host.vdso_elf import frame_descriptions, functions, own_vdso

AT_NULL, AT_IGNORE, AT_RANDOM, AT_SYSINFO_EHDR = 0, 1, 25, 33  # getauxval(3)
MAX_ARGUMENTS_SIZE = 1 << 26  # argc, the pointers and auxv; execve(2) allows no more than 6 MB of strings for them

CELLS = Struct("<QqqQQ")  # now, realtime and boottime offset, step, limit: vdso_clock_x86_64.S
NOW = Struct("<Q")
pack_cells, from_bytes = CELLS.pack, int.from_bytes
LIMIT_OFFSET = 32
LIMIT_REVOKED = bytes(8)
PLACEHOLDER = (0x1122334455667788).to_bytes(8, "little")  # for the address of the cells
STACK_UNIT = 1 << 14  # where the stack begins is a multiple of it
GAP = 128  # bytes on the stack: the cells' cache line and what aligning it may lose; keeps rsp a multiple of 16
LATE_CALL_SIZE = 7  # mov eax, NR; syscall: seccomp names the address behind it

ENDBR64 = bytes.fromhex("f30f1efa")
JUMP = ENDBR64 + b"\xe9"
JUMP_SIZE = len(JUMP) + 4


def _call_x86_64(number: int) -> bytes:
    return ENDBR64 + b"\xb8" + number.to_bytes(4, "little") + bytes.fromhex("0f05c3")  # mov eax, NR; syscall; ret


def _call_aarch64(number: int) -> bytes:
    return (0xD2800008 | number << 5).to_bytes(4, "little") + bytes.fromhex("010000d4c0035fd6")  # mov x8; svc; ret


# What each function becomes where the clock's code cannot be: its system call. getrandom says -ENOSYS, and libc makes
# the call itself: its probe for the vDSO's parameters has other arguments than the call.
SYSTEM_CALLS: dict[Arch, dict[str, bytes]] = {
    "x86_64": {
        "__vdso_clock_gettime": _call_x86_64(228),
        "__vdso_gettimeofday": _call_x86_64(96),
        "__vdso_time": _call_x86_64(201),
        "__vdso_clock_getres": _call_x86_64(229),
        "__vdso_getrandom": ENDBR64 + bytes.fromhex("48c7c0daffffffc3"),
    },
    "aarch64": {
        "__kernel_clock_gettime": _call_aarch64(113),
        "__kernel_gettimeofday": _call_aarch64(169),
        "__kernel_clock_getres": _call_aarch64(114),
        "__kernel_getrandom": bytes.fromhex("a0048092c0035fd6"),
    },
}


class VdsoImage:
    """A vDSO and what replaces its functions; one serves all programs of a run."""

    def __init__(self, image: bytes, arch: Arch = ARCH) -> None:
        exported = functions(image)
        replacements = SYSTEM_CALLS[arch]
        changed = bytearray(image)
        self.known = {name: exported[name] for name in replacements if name in exported}
        # Where CODE lies in the image; None: reads are always system calls.
        self.code_offset = self._put_clock(changed) if arch == "x86_64" else None
        fits = all(function.size >= len(replacements[name]) for name, function in self.known.items())
        # Not even system calls fit, or nothing is where we look for it.
        self.hidden = self.code_offset is None and not (self.known and fits)
        if self.code_offset is None and not self.hidden:
            for name, function in self.known.items():
                changed[function.offset : function.offset + len(replacements[name])] = replacements[name]
        if not self.hidden:
            self._flatten_frames(changed)
        self._find_changes(image, changed)

    @classmethod
    def of_this_kernel(cls) -> "VdsoImage | None":
        """None where the kernel has no vDSO: then all reads are system calls anyway."""
        image = own_vdso()
        return None if image is None else cls(image)

    def text_for(self, cells: int) -> bytes:
        """What comes to `start` of a vDSO whose cells are at address `cells`."""
        return self.text.replace(PLACEHOLDER, NOW.pack(cells))

    def rescue(self, offset: int) -> int | None:
        """For code at `offset` that faulted on a cell: the offset of its function's system call."""
        if self.code_offset is None:
            return None
        at = offset - self.code_offset
        calls = [call for name, call in vdso_code.LATE_CALLS.items() if vdso_code.ENTRIES[name] <= at <= call]
        return self.code_offset + calls[0] if calls else None

    def _put_clock(self, changed: bytearray) -> int | None:
        """Put CODE behind a jump into the first function that has room, and jumps to it into the others."""
        prefix = "__vdso_"
        room = JUMP_SIZE + len(vdso_code.CODE)
        hosts = [function for function in self.known.values() if function.size >= room]
        if not hosts or any(function.size < JUMP_SIZE for function in self.known.values()):
            return None
        base = hosts[0].offset + JUMP_SIZE
        changed[base : base + len(vdso_code.CODE)] = vdso_code.CODE
        for name, function in self.known.items():
            behind = function.offset + JUMP_SIZE
            distance = base + vdso_code.ENTRIES[name.removeprefix(prefix)] - behind
            changed[function.offset : behind] = JUMP + distance.to_bytes(4, "little", signed=True)
        return base

    def _flatten_frames(self, changed: bytearray) -> None:
        """Say of the replaced code that it has no stack frame, or a backtrace out of a signal handler crashes."""
        replaced = [(function.offset, function.offset + function.size) for function in self.known.values()]
        for frame in frame_descriptions(bytes(changed)):
            if any(frame.first < end and frame.last > start for start, end in replaced):
                changed[frame.start : frame.end] = bytes(frame.end - frame.start)  # DW_CFA_nop

    def _find_changes(self, image: bytes, changed: bytearray) -> None:
        """Set `start` and the bytes from there on, before and after: whole words, from the first to the last change."""
        words = [at for at in range(0, len(image), 8) if image[at : at + 8] != changed[at : at + 8]]
        self.start = words[0] if words else 0
        end = words[-1] + 8 if words else 0
        self.original = image[self.start : end]
        self.text = bytes(changed[self.start : end])


# What is given at once to one whose reads must not become calls, in ns: more than anybody reads without a call.
ALWAYS_NS = 3600 * 10**9


class ClockGrant:
    """Who reads the clock gets it, others pay nothing: `wanted` says whether a task's reads are worth a give and take.

    Such a pair costs a quarter of a trapped read, and is paid at every trap while `wanted` is set.
    """

    READS_TO_WANT = 3  # trapped reads
    IDLE_TO_STOP = 16  # takes in a row that found no read

    __slots__ = ("always", "idle_takes", "trapped_reads", "wanted")

    def __init__(self) -> None:
        self.wanted = False
        self.always = False  # its reads must not become calls: the program has forbidden those to itself
        self.trapped_reads = 0  # since `wanted` was cleared; 0 .. READS_TO_WANT
        self.idle_takes = 0  # since the last read; 0 .. IDLE_TO_STOP

    def note_trapped_read(self) -> None:
        """A system call has asked for a time that the vDSO serves."""
        self.idle_takes = 0
        if not self.wanted:
            self.trapped_reads += 1
            self.wanted = self.trapped_reads >= self.READS_TO_WANT

    def never_trap(self) -> None:
        """Give the clock at every trap, and so much of it that reads hardly become calls."""
        self.wanted = self.always = True

    def note_take(self, *, moved: bool) -> None:
        """Whether the task has read the clock since it was last given."""
        if moved or self.always:
            self.idle_takes = 0
            return
        self.idle_takes += 1
        if self.idle_takes >= self.IDLE_TO_STOP:
            self.wanted = False
            self.trapped_reads = 0
            self.idle_takes = 0


class TaskClock(ClockGrant):
    """The clock in one address space, shared by the tasks that share it.

    What it reads back is a program's own memory: never believed beyond what was given.
    """

    __slots__ = ("_fd", "_image", "_late", "_usable", "cells", "given", "reads_taken", "vdso")

    def __init__(self, memory: AddressSpace, image: VdsoImage | None = None, vdso: int = 0, cells: int = 0) -> None:
        """`vdso` and `cells` are addresses there; without an image or cells all reads are system calls."""
        super().__init__()
        self._fd = memory.fd
        self._image = image
        self.vdso = vdso
        self.cells = cells
        self._usable = bool(cells)  # False for good when the cells are no longer ours
        self._late: frozenset[int] = frozenset()  # return addresses of the reads that have moved NOW themselves
        if image is not None and image.code_offset is not None:
            base = vdso + image.code_offset + LATE_CALL_SIZE
            self._late = frozenset(base + call for call in vdso_code.LATE_CALLS.values())
        # What the cells were last given: now, step, limit. None: nothing to take.
        self.given: tuple[int, int, int] | None = None
        self.reads_taken = 0  # by the last `take`: reads that were answered there

    @classmethod
    def install(cls, image: VdsoImage | None, tid: int, memory: AddressSpace, chance: bytes = b"") -> "TaskClock":
        """Put the clock into a task that stands at PTRACE_EVENT_EXEC. Costs 30 microseconds.

        `chance` replaces the 16 bytes that the host gave it as AT_RANDOM, unless it is empty.

        Raises: OSError(ESRCH) when the task was killed meanwhile.
        """
        stack = ptrace.getregs(tid).words[ptrace.REGISTERS.stack_pointer]
        block, auxv = _initial_stack(memory.fd, stack)
        if chance and AT_RANDOM in auxv:
            pwrite(memory.fd, chance, auxv[AT_RANDOM])
        vdso = auxv.get(AT_SYSINFO_EHDR, 0)
        if image is None or not vdso:
            return cls(memory)
        if image.hidden:
            _hide_vdso(memory.fd, stack + len(block))
            return cls(memory)
        # A 32-bit program has another vDSO. Its calls are refused, so its clock is nobody's concern.
        if pread(memory.fd, len(image.original), vdso + image.start) != image.original:
            return cls(memory)
        cells = 0
        if image.code_offset is not None:
            cells = _make_gap(tid, memory.fd, stack, block)
        _write_text(tid, memory.fd, vdso + image.start, image.text_for(cells))
        return cls(memory, image, vdso, cells)

    def forked(self, memory: AddressSpace) -> "TaskClock":
        """The clock of a fork's child, before it first runs: its own copy, and nothing given yet."""
        child = TaskClock(memory, self._image, self.vdso, self.cells)
        child._usable = self._usable
        child.wanted = child.always = self.always
        child.revoke()
        return child

    def note_trapped_read(self) -> None:
        if self._usable:
            super().note_trapped_read()

    def give(
        self, now_ns: int, realtime_offset_ns: int, step_ns: int, limit_ns: int, boottime_offset_ns: int = 0
    ) -> None:
        """Let reads be served without us: the first gets `now_ns`, each moves on by `step_ns`, up to `limit_ns`.

        Every task of this address space has to stand still. A limit of 0 makes every read a system call.
        """
        if not self._usable:
            return
        if self.always:
            limit_ns = max(limit_ns, now_ns + ALWAYS_NS)
        if now_ns + realtime_offset_ns < 0:
            limit_ns = 0  # the code divides without sign; before 1970 the kernel does it
        self.given = (now_ns, step_ns, limit_ns)
        cells = pack_cells(now_ns, realtime_offset_ns, boottime_offset_ns, step_ns, limit_ns)
        try:
            pwrite(self._fd, cells, self.cells)
        except OSError:
            self._lose()  # unmapped

    def take(self, now_ns: int, instruction_pointer: int = 0) -> int:
        """The time after the reads since `give`: at least `now_ns`, less than the limit that was given plus a step.

        `instruction_pointer` is that of the trapped call. If it is a read that came to the limit, its step is taken
        back out: it is still to be answered.
        """
        self.reads_taken = 0
        if self.given is None:
            return now_ns
        start, step, limit = self.given
        try:
            told = from_bytes(pread(self._fd, NOW.size, self.cells), "little")
        except OSError:
            told = -1  # unmapped
        if told == start:
            self.note_take(moved=False)
            if not self.wanted:
                self.revoke()
                self.given = None
            return max(now_ns, start)
        # Signal handlers may each have begun a read beyond the limit. Anything else was not written by the code:
        # the program has put something of its own there, so never touch it again.
        if not start < told <= max(start, limit) + 64 * step:
            self._lose()
            return now_ns
        self.idle_takes = 0
        if instruction_pointer in self._late:
            told -= step
        self.reads_taken = (told - start) // step
        return max(now_ns, min(told, limit + step - 1))

    def revoke(self) -> None:
        """Make the next read a system call. At any moment, also while the task runs; reads before it count."""
        if not self._usable or self.always:
            return
        try:
            pwrite(self._fd, LIMIT_REVOKED, self.cells + LIMIT_OFFSET)
        except OSError:
            self._lose()

    def rescue(self, fault_address: int, instruction_pointer: int) -> int | None:
        """For a SIGSEGV: where to set the instruction pointer if the fault was on the cells, else None.

        A program may unmap or protect the top of its stack. Its reads then become system calls.
        """
        if self._image is None or not self.cells <= fault_address < self.cells + CELLS.size:
            return None
        offset = self._image.rescue(instruction_pointer - self.vdso)
        if offset is None:
            return None
        self._lose()
        return self.vdso + offset

    def _lose(self) -> None:
        self._usable = False
        self.wanted = False
        self.given = None


def _initial_stack(mem: int, stack: int) -> tuple[bytes, dict[int, int]]:
    """argc, argv, envp and auxv as exec leaves them at the stack pointer: the bytes, and auxv. Empty if not such."""
    size = PAGE_SIZE
    while size <= MAX_ARGUMENTS_SIZE:
        block = pread(mem, size, stack)
        auxv, end = _parse_auxv(memoryview(block[: len(block) & -8]).cast("Q").tolist())
        if auxv:
            return block[: 8 * end], auxv
        if len(block) < size:
            break
        size *= 4
    return b"", {}


def _parse_auxv(words: list[int]) -> tuple[dict[int, int], int]:
    """The auxv that follows argc, argv and envp, and the index behind it; empty and 0 if `words` end before it."""
    try:
        envp = words[0] + 2  # behind argc, argv and its NULL
        start = words.index(0, envp) + 1
        end = start + words[start::2].index(AT_NULL) * 2
    except (IndexError, ValueError):
        return {}, 0
    if end + 2 > len(words):
        return {}, 0
    return dict(zip(words[start:end:2], words[start + 1 : end : 2], strict=True)), end + 2


def _make_gap(tid: int, mem: int, stack: int, block: bytes) -> int:
    """Move what exec put on the stack down by GAP or more; the address of the zeroed cells in what gets free.

    It goes down to a round address: what lies on the stack then has the same address in runs whose arguments and
    environment have another length, which programs use as chance (mktemp, for one).
    """
    end = stack + len(block)
    try:
        new = (stack - GAP) & -STACK_UNIT
        pwrite(mem, block, new)
    except OSError:  # the stack may not become that large
        new = stack - GAP
        pwrite(mem, block, new)
    pwrite(mem, bytes(GAP), end - GAP)
    # Unlike the result register this one is left alone by exec's return.
    ptrace.poke_register(tid, ptrace.REGISTERS.stack_pointer, new)
    return (end - GAP + 63) & -64


def _hide_vdso(mem: int, end: int) -> None:
    """Make libc believe that there is no vDSO: the entry before `end`, where auxv ends, that names it is ignored."""
    at = end - 16
    while True:
        at -= 16
        if pread(mem, 8, at) == NOW.pack(AT_SYSINFO_EHDR):
            pwrite(mem, NOW.pack(AT_IGNORE), at)
            return


def _write_text(tid: int, mem: int, address: int, text: bytes) -> None:
    try:
        pwrite(mem, text, address)
    except OSError:
        # Kernels from 6.12 on can be built so that /proc/PID/mem heeds protections; ptrace(2) still writes.
        for at in range(0, len(text), 8):
            ptrace.poke_memory(tid, address + at, NOW.unpack_from(text, at)[0])
