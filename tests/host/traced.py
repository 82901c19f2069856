"""Start programs under ptrace without the rest of the host layer, for the tests of its parts."""

import ctypes
import os
import subprocess
from pathlib import Path
from signal import SIGKILL
from typing import Self

from tests.programs.harness import LIMIT_S
from tickless.host import ptrace

PTRACE_SINGLESTEP = 9
_libc_ptrace = ctypes.CDLL(None).ptrace

OPTIONS = (
    ptrace.PTRACE_O_EXITKILL
    | ptrace.PTRACE_O_TRACEEXEC
    | ptrace.PTRACE_O_TRACEFORK
    | ptrace.PTRACE_O_TRACEVFORK
    | ptrace.PTRACE_O_TRACECLONE
    | ptrace.PTRACE_O_TRACESYSGOOD
)


def compile_c(source: Path, folder: Path, *flags: str, compiler: str = "gcc") -> Path:
    """Compile one C file; the program's name tells its flags."""
    program = folder / "-".join([source.stem, compiler, *(flag.strip("-") for flag in flags)])
    subprocess.run([compiler, "-O1", "-g", "-o", program, source, "-pthread", *flags], check=True, timeout=LIMIT_S)
    return program


class Traced:
    """A program that stands at its exec stop; its input and output are pipes. Ended with the `with` statement."""

    def __init__(self, *argv: str | Path) -> None:
        gate, open_gate = os.pipe()
        child_in, self.stdin = os.pipe()
        self.stdout, child_out = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.dup2(child_in, 0)
                os.dup2(child_out, 1)
                os.read(gate, 1)
                os.execv(argv[0], [str(argument) for argument in argv])
            finally:
                os._exit(127)
        for fd in (gate, child_in, child_out):
            os.close(fd)
        ptrace.seize(self.pid, OPTIONS)
        os.write(open_gate, b"x")
        os.close(open_gate)
        self.tasks = {self.pid}
        tid, status = self.wait()
        assert (tid, ptrace.stop_event(status)) == (self.pid, ptrace.PTRACE_EVENT_EXEC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        for tid in tuple(self.tasks):
            try:
                os.kill(tid, SIGKILL)
            except ProcessLookupError:
                self.tasks.discard(tid)
        while self.tasks:
            self.wait()
        os.close(self.stdin)
        os.close(self.stdout)

    def wait(self, tid: int = -1) -> tuple[int, int]:
        """The next stop or death of any task (or of `tid`), with its waitpid status. New tasks are noted."""
        tid, status = os.waitpid(tid, ptrace.WALL)
        if os.WIFSTOPPED(status):
            self.tasks.add(tid)
        else:
            self.tasks.discard(tid)
        return tid, status

    def step_into(self, code: range, count: int) -> bool:
        """Step to the instruction that is `count` behind the first one in `code`. False if it was left before that."""
        entered = False
        for _ in range(2000):
            inside = ptrace.getregs(self.pid).words[ptrace.REGISTERS.instruction_pointer] in code
            if inside and count == 0:
                return True
            if entered and not inside:
                return False
            entered = inside
            count -= inside
            assert _libc_ptrace(PTRACE_SINGLESTEP, self.pid, None, None) == 0
            self.wait(self.pid)
        raise AssertionError("the code was never reached")

    def send_line(self, line: str = "") -> None:
        os.write(self.stdin, line.encode() + b"\n")

    def read_all(self) -> list[str]:
        """What the program has printed, when all of its tasks have ended."""
        text = b""
        while piece := os.read(self.stdout, 65536):
            text += piece
        return text.decode().splitlines()

    def read_line(self) -> str:
        """The next line that the running program prints."""
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(self.stdout, 1)
            assert byte, f"output ended after {line!r}"
            line += byte
        return line.decode().rstrip("\n")
