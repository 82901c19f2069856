"""What tests of signals share."""

from tickless.abi.siginfo import SI_USER, SIGINFO_SIZE, SigInfo
from tickless.abi.signal import SIG_BLOCK, SIG_UNBLOCK, SIGSET, sigmask
from tickless.kernel.machine import Call, Calls, Machine
from tickless.kernel.signals import send_signal
from tickless.kernel.task import ThreadGroup


def block(sys: Calls, *signals: int) -> Call:
    return sys.rt_sigprocmask(SIG_BLOCK, SIGSET.pack(sigmask(*signals)), 0, 8)


def unblock(sys: Calls, *signals: int) -> Call:
    return sys.rt_sigprocmask(SIG_UNBLOCK, SIGSET.pack(sigmask(*signals)), 0, 8)


def send_at(kernel: Machine, at_ns: int, group: ThreadGroup, *signals: int) -> None:
    """Somebody outside sends signals to the process, `at_ns` after the start."""

    def send() -> None:
        for signo in signals:
            send_signal(group, SigInfo(signo, SI_USER))

    kernel.clock.arm(kernel.clock.start_ns + at_ns, send)


def queued(code: int, *, value: int = 0, tail: bytes = b"") -> bytes:
    """A siginfo_t as sigqueue(3) makes it; `tail` is at its very end."""
    packed = SigInfo(0, code, pid=1, uid=2, value=value).pack()
    return packed[: SIGINFO_SIZE - len(tail)] + tail
