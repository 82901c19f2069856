"""A pipe and the task that has it, for tests that make its calls one by one."""

from __future__ import annotations

from dataclasses import dataclass

from tests.kernel.fake_host import call, idle
from tickless.abi.signal import SIG_IGN, SIGPIPE
from tickless.kernel.machine import Machine, OwnTask
from tickless.kernel.memory import PAGE_SIZE
from tickless.kernel.pipe import PipeReader, PipeWriter

CAPACITY = 16 * PAGE_SIZE
INTS = 8  # bytes that pipe2 fills


@dataclass
class Ends:
    """A task and the numbers of its pipe's ends."""

    kernel: Machine
    task: OwnTask
    read_fd: int
    write_fd: int

    @property
    def reader(self) -> PipeReader:
        file = self.task.fds.get(self.read_fd)
        assert isinstance(file, PipeReader)
        return file

    @property
    def writer(self) -> PipeWriter:
        file = self.task.fds.get(self.write_fd)
        assert isinstance(file, PipeWriter)
        return file

    def read(self, count: int) -> bytes | int:
        """What was read, or -errno."""
        buffer = bytearray(count)
        answer = call(self.task, "read", self.read_fd, buffer, count)
        assert isinstance(answer, int)
        return answer if answer < 0 else bytes(buffer[:answer])

    def write(self, data: bytes) -> int:
        answer = call(self.task, "write", self.write_fd, data, len(data))
        assert isinstance(answer, int)
        return answer


def new_pipe(kernel: Machine, flags: int) -> Ends:
    task = kernel.spawn(idle)
    fds = bytearray(INTS)
    assert call(task, "pipe2", fds, flags) == 0
    call(task, "rt_sigaction", SIGPIPE, SIG_IGN.to_bytes(8, "little") + bytes(24), 0, 8)
    return Ends(kernel, task, int.from_bytes(fds[:4], "little"), int.from_bytes(fds[4:], "little"))
