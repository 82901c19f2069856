"""signal(7), sigaction(2): signals, what they do by default, sets of them."""

from collections.abc import Iterator
from struct import Struct
from typing import Literal

SIGHUP = 1
SIGINT = 2
SIGQUIT = 3
SIGILL = 4
SIGTRAP = 5
SIGABRT = 6
SIGBUS = 7
SIGFPE = 8
SIGKILL = 9
SIGUSR1 = 10
SIGSEGV = 11
SIGUSR2 = 12
SIGPIPE = 13
SIGALRM = 14
SIGTERM = 15
SIGSTKFLT = 16
SIGCHLD = 17
SIGCONT = 18
SIGSTOP = 19
SIGTSTP = 20
SIGTTIN = 21
SIGTTOU = 22
SIGURG = 23
SIGXCPU = 24
SIGXFSZ = 25
SIGVTALRM = 26
SIGPROF = 27
SIGWINCH = 28
SIGIO = 29
SIGPOLL = 29  # the second name of SIGIO
SIGPWR = 30
SIGSYS = 31

# The kernel's range; the C library keeps the first two or three for itself and starts later.
SIGRTMIN = 32
SIGRTMAX = 64

# sigprocmask(2)
SIG_BLOCK = 0
SIG_UNBLOCK = 1
SIG_SETMASK = 2

# sigaction(2)
SIG_DFL = 0
SIG_IGN = 1

SA_NOCLDSTOP = 0x1
SA_NOCLDWAIT = 0x2
SA_SIGINFO = 0x4
SA_UNSUPPORTED = 0x400
SA_EXPOSE_TAGBITS = 0x800
SA_RESTORER = 0x4000000
SA_ONSTACK = 0x8000000
SA_RESTART = 0x10000000
SA_NODEFER = 0x40000000
SA_RESETHAND = 0x80000000

# sigaltstack(2)
SS_ONSTACK = 0x1
SS_DISABLE = 0x2
SS_AUTODISARM = 0x80000000

# sigaltstack(2): struct sigaltstack (sp, flags, size)
STACK_T = Struct("<Qi4xQ")
# sigaction(2) as the kernel has it: handler, flags, restorer, mask
KERNEL_SIGACTION = Struct("<QQQQ")
# A set of signals: bit n - 1 is signal n.
SIGSET = Struct("<Q")


def sigmask(*signals: int) -> int:
    """Return the set of these signals."""
    mask = 0
    for signo in signals:
        mask |= 1 << (signo - 1)
    return mask


def signals_in(mask: int) -> Iterator[int]:
    """Yield the signals of a set, lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length()
        mask ^= lowest


# No task can block, ignore or catch these.
UNBLOCKABLE = sigmask(SIGKILL, SIGSTOP)
# Below SIGRTMIN a signal that is pending already is not queued again.
STANDARD_SIGNALS = (1 << (SIGRTMIN - 1)) - 1
# Faults of the running instruction. Delivered first.
SYNCHRONOUS_SIGNALS = sigmask(SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS)

DefaultAction = Literal["terminate", "core", "ignore", "stop", "continue"]

IGNORED_BY_DEFAULT = sigmask(SIGCHLD, SIGURG, SIGWINCH)
STOPPING_BY_DEFAULT = sigmask(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU)
DUMPING_BY_DEFAULT = sigmask(SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS)


def default_action(signo: int) -> DefaultAction:
    """Return what SIG_DFL means for `signo` (1 to 64). signal(7), Standard signals.

    SIGCONT continues whatever its disposition is; once delivered it does nothing.
    """
    bit = 1 << (signo - 1)
    if signo == SIGCONT:
        return "continue"
    if bit & IGNORED_BY_DEFAULT:
        return "ignore"
    if bit & STOPPING_BY_DEFAULT:
        return "stop"
    return "core" if bit & DUMPING_BY_DEFAULT else "terminate"


# "SIGRTMIN" in the mouth of programs and people is glibc's.
LIBC_SIGRTMIN = 34

SIGNALS: dict[str, int] = {
    name: value
    for name, value in list(globals().items())
    if name.startswith("SIG") and isinstance(value, int) and 1 <= value <= SIGSYS and "_" not in name
}
_NAMES: dict[int, str] = {value: name for name, value in reversed(SIGNALS.items())}


def signal_name(signo: int) -> str:
    """Return `SIGTERM`, `SIGRTMIN+3` as kill(1) counts them (32 is `SIGRTMIN-2`), or a number that is no signal."""
    if SIGRTMIN <= signo <= SIGRTMAX:
        above = signo - LIBC_SIGRTMIN
        return f"SIGRTMIN{above:+d}" if above else "SIGRTMIN"
    return _NAMES.get(signo) or str(signo)


def signal_number(text: str) -> int | None:
    """Return the signal that `TERM`, `SIGTERM`, `15`, `RTMIN+3` or `RTMAX-1` names, None if it names none."""
    if text.isdecimal():
        return int(text) if 1 <= int(text) <= SIGRTMAX else None
    name = text.upper().removeprefix("SIG")
    for base, signo in (("RTMIN", LIBC_SIGRTMIN), ("RTMAX", SIGRTMAX)):
        if name.startswith(base):
            return _real_time_signal(signo, name.removeprefix(base))
    return SIGNALS.get("SIG" + name)


def _real_time_signal(base: int, offset: str) -> int | None:
    if offset and not (offset[0] in "+-" and offset[1:].isdecimal()):
        return None
    signo = base + int(offset or "0")
    return signo if SIGRTMIN <= signo <= SIGRTMAX else None
