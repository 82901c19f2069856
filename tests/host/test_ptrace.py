"""Each request of ptrace(2) that the host layer uses, on a real tracee."""

import os
import signal
import struct
from collections.abc import Iterator
from errno import ENOENT
from pathlib import Path

import pytest

from tests.host.traced import OPTIONS, Traced, compile_c
from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.host import ptrace

SOURCE = Path(__file__).parent / "c" / "ptrace.c"
SYSCALL_STOP = signal.SIGTRAP | 0x80  # PTRACE_O_TRACESYSGOOD


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_c(SOURCE, tmp_path_factory.mktemp("ptrace"))


@pytest.fixture
def tracee(program: Path) -> Iterator[Traced]:
    """Stands at its exec stop."""
    with Traced(program) as tracee:
        yield tracee


def interrupt(tracee: Traced) -> None:
    ptrace.interrupt(tracee.pid)
    _, status = tracee.wait()
    assert ptrace.stop_event(status) == ptrace.PTRACE_EVENT_STOP


def test_a_seized_program_runs_on_after_its_exec_stop(tracee: Traced) -> None:
    """ptrace(2), PTRACE_EVENT_EXEC: the message is the task's former thread id."""
    assert ptrace.geteventmsg(tracee.pid) == tracee.pid

    ptrace.cont(tracee.pid)
    tracee.send_line()
    pid, status = tracee.wait()

    assert (pid, os.WEXITSTATUS(status)) == (tracee.pid, 7)


def test_requests_need_a_stopped_tracee(tracee: Traced) -> None:
    ptrace.cont(tracee.pid)

    with pytest.raises(ProcessLookupError):  # ESRCH
        ptrace.getregs(tracee.pid)
    with pytest.raises(ProcessLookupError):
        ptrace.peek_register(tracee.pid, ptrace.REGISTERS.result)
    with pytest.raises(PermissionError):  # EPERM: it is traced already
        ptrace.seize(tracee.pid, OPTIONS)


def test_a_blocked_signal_is_seen_unblocked_and_changed(tracee: Traced) -> None:
    """A pending signal shows in PEEKSIGINFO; once unblocked it stops the tracee, which gets the siginfo we set."""
    ptrace.cont(tracee.pid)
    tracee.read_line()
    os.kill(tracee.pid, signal.SIGUSR1)
    interrupt(tracee)

    (pending,) = ptrace.peeksiginfo(tracee.pid, 4, shared=True)
    of_the_thread = ptrace.peeksiginfo(tracee.pid, 4, shared=False)
    mask = ptrace.getsigmask(tracee.pid)
    ptrace.setsigmask(tracee.pid, 0)
    ptrace.cont(tracee.pid)
    _, status = tracee.wait()
    siginfo = bytearray(ptrace.getsiginfo(tracee.pid))
    struct.pack_into("i", siginfo, 24, 42)  # si_value
    ptrace.setsiginfo(tracee.pid, bytes(siginfo))
    ptrace.cont(tracee.pid, signal.SIGUSR1)

    assert struct.unpack_from("i", pending) == (signal.SIGUSR1,)
    assert of_the_thread == []
    assert mask == 1 << signal.SIGUSR1 - 1
    assert (os.WSTOPSIG(status), ptrace.stop_event(status)) == (signal.SIGUSR1, 0)
    assert bytes(siginfo[:16]) == pending[:16]
    assert tracee.read_line() == f"signal {signal.SIGUSR1} value 42"


def test_a_suppressed_signal_is_not_delivered(tracee: Traced) -> None:
    ptrace.cont(tracee.pid)
    tracee.read_line()
    os.kill(tracee.pid, signal.SIGTERM)
    _, status = tracee.wait()
    ptrace.cont(tracee.pid, 0)
    tracee.send_line()
    _, end = tracee.wait()

    assert os.WSTOPSIG(status) == signal.SIGTERM
    assert os.WEXITSTATUS(end) == 7


def test_memory_and_registers_can_be_poked(tracee: Traced) -> None:
    """A call's number and arguments are where REGISTERS says, and so is its result."""
    getppid = number_of(ARCH, "getppid")
    ptrace.cont(tracee.pid)
    address = int(tracee.read_line())
    interrupt(tracee)
    ptrace.poke_memory(tracee.pid, address, 99)
    tracee.send_line()
    names = ptrace.REGISTERS
    while True:
        ptrace.cont_to_syscall(tracee.pid)
        _, status = tracee.wait()
        words = ptrace.getregs(tracee.pid).words
        if os.WSTOPSIG(status) == SYSCALL_STOP and words[names.call_number] == getppid:
            break
    arguments = [words[index] for index in names.arguments]
    ptrace.cont_to_syscall(tracee.pid)
    tracee.wait()
    ptrace.poke_register(tracee.pid, names.result, -ENOENT)
    after = ptrace.getregs(tracee.pid)
    peeked = ptrace.peek_register(tracee.pid, names.result)
    ptrace.poke_register(tracee.pid, names.result, 1234)
    ptrace.cont(tracee.pid)

    assert arguments == [11, 22, 33, 44, 55, 66]
    assert after.words[names.result] == 2**64 - ENOENT
    assert peeked == -ENOENT
    assert after.words[names.instruction_pointer] == words[names.instruction_pointer]
    assert tracee.read_line() == "variable 99"
    assert tracee.read_line() == "result 1234"


def test_setregs_sets_what_getregs_gets(tracee: Traced) -> None:
    registers = ptrace.getregs(tracee.pid)
    before = registers.words[ptrace.REGISTERS.stack_pointer]
    registers.words[ptrace.REGISTERS.stack_pointer] = before - 128

    ptrace.setregs(tracee.pid, registers)

    assert ptrace.getregs(tracee.pid).words[ptrace.REGISTERS.stack_pointer] == before - 128


def test_a_group_stop_is_listened_to_and_ends_with_sigcont(tracee: Traced) -> None:
    """ptrace(2), "Group-stop": after PTRACE_LISTEN the tracee stays stopped, and SIGCONT is reported."""
    ptrace.cont(tracee.pid)
    tracee.read_line()
    os.kill(tracee.pid, signal.SIGSTOP)
    _, delivery = tracee.wait()
    ptrace.cont(tracee.pid, signal.SIGSTOP)
    _, group_stop = tracee.wait()
    ptrace.listen(tracee.pid)
    os.kill(tracee.pid, signal.SIGCONT)
    _, resumed = tracee.wait()

    assert (os.WSTOPSIG(delivery), ptrace.stop_event(delivery)) == (signal.SIGSTOP, 0)
    assert (os.WSTOPSIG(group_stop), ptrace.stop_event(group_stop)) == (signal.SIGSTOP, ptrace.PTRACE_EVENT_STOP)
    assert (os.WSTOPSIG(resumed), ptrace.stop_event(resumed)) == (signal.SIGTRAP, ptrace.PTRACE_EVENT_STOP)


def test_a_detached_tracee_is_free(tracee: Traced) -> None:
    ptrace.detach(tracee.pid)
    tracee.send_line()
    _, status = tracee.wait()

    assert os.WEXITSTATUS(status) == 7
