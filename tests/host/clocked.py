"""Programs with the virtual clock in their vDSO, for its tests."""

import os
import signal
from pathlib import Path

from tests.host.traced import Traced
from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.host import ptrace
from tickless.host.memory import AddressSpace
from tickless.host.vdso import TaskClock, VdsoImage

SOURCE = Path(__file__).parent / "c" / "vdso.c"
CLOCK_CALLS = {number_of(ARCH, name): name for name in ("clock_gettime", "gettimeofday", "time", "clock_getres")}
SYSCALL_STOP = signal.SIGTRAP | 0x80

NOW = 5_000_000_007
REALTIME = 1_767_225_600_000_000_000
BOOTTIME = 3_600_000_000_000
STEP = 20
FAR = NOW + 10**12
PAGE = 4096


class Clocked(Traced):
    """A traced program at its exec stop, with the clock installed but nothing given."""

    def __init__(self, image: VdsoImage | None, *argv: str | Path) -> None:
        super().__init__(*argv)
        os.sched_setaffinity(self.pid, {min(os.sched_getaffinity(0))})  # as the host layer does
        self.memory = AddressSpace(self.pid)
        self.clock = TaskClock.install(image, self.pid, self.memory)

    def __exit__(self, *unused: object) -> None:
        super().__exit__()
        self.memory.close()

    def give(self, limit_ns: int = FAR, now_ns: int = NOW) -> None:
        self.clock.give(now_ns, REALTIME, STEP, limit_ns, BOOTTIME)

    def run_to_end(self) -> list[str]:
        """Let everything run; what was printed. Signals are delivered."""
        ptrace.cont(self.pid)
        while self.tasks:
            tid, status = self.wait()
            if os.WIFSTOPPED(status):
                event = ptrace.stop_event(status)
                ptrace.cont(tid, 0 if event else os.WSTOPSIG(status))
        return self.read_all()

    def next_clock_call(self) -> tuple[str, int] | None:
        """Run the one task to its next clock call: its name and instruction pointer. None at its end."""
        while True:
            ptrace.cont_to_syscall(self.pid)
            _, status = self.wait()
            if not os.WIFSTOPPED(status):
                return None
            words = ptrace.getregs(self.pid).words
            # At a call's entry the result register holds -ENOSYS.
            if os.WSTOPSIG(status) == SYSCALL_STOP and words[ptrace.REGISTERS.result] == 2**64 - 38:
                name = CLOCK_CALLS.get(words[ptrace.REGISTERS.call_number])
                if name:
                    return name, words[ptrace.REGISTERS.instruction_pointer]

    def clock_calls(self) -> list[str]:
        calls = []
        while call := self.next_clock_call():
            calls.append(call[0])
        return calls


def expected_reads() -> list[str]:
    """What `every_clock` prints, with one STEP per read."""
    reads = []
    now = NOW
    offsets = {0: REALTIME, 1: 0, 4: 0, 5: REALTIME, 6: 0, 7: BOOTTIME, 11: REALTIME}
    for clock, offset in offsets.items():
        reads.append(f"clock {clock} {now + offset}")
        now += STEP
    reads.append(f"gettimeofday {(now + REALTIME) // 1000}")
    reads.append(f"time {(now + STEP + REALTIME) // 10**9}")
    reads += ["same 1", "zone 0 0", "unknown -22 -22", "cpu 1"]
    now += 4 * STEP  # gettimeofday, time, time, gettimeofday
    return [*reads, f"clock 1 {now}"]
