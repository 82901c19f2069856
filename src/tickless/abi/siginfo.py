"""sigaction(2): siginfo_t, what a signal says about its origin; signalfd(2): the record that signalfds give."""

from struct import Struct
from typing import Literal

from tickless.abi.integers import signed_32
from tickless.abi.signal import SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGIO, SIGSEGV, SIGSYS, SIGTRAP

# Where the signal is from. Above 0 (and below SI_KERNEL): said by the kernel, with a meaning per signal.

SI_USER = 0
SI_KERNEL = 128
SI_QUEUE = -1
SI_TIMER = -2
SI_MESGQ = -3
SI_ASYNCIO = -4
SI_SIGIO = -5
SI_TKILL = -6
SI_DETHREAD = -7
SI_ASYNCNL = -60

# SIGCHLD
CLD_EXITED = 1
CLD_KILLED = 2
CLD_DUMPED = 3
CLD_TRAPPED = 4
CLD_STOPPED = 5
CLD_CONTINUED = 6

# SIGIO
POLL_IN = 1
POLL_OUT = 2
POLL_MSG = 3
POLL_ERR = 4
POLL_PRI = 5
POLL_HUP = 6

# Faults: SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, and a call that seccomp refused: SIGSYS
SEGV_MAPERR = 1
SEGV_ACCERR = 2
SEGV_BNDERR = 3
SEGV_PKUERR = 4
BUS_ADRALN = 1
BUS_ADRERR = 2
BUS_OBJERR = 3
BUS_MCEERR_AR = 4
BUS_MCEERR_AO = 5
FPE_INTDIV = 1
ILL_ILLOPC = 1
TRAP_BRKPT = 1
TRAP_TRACE = 2
SYS_SECCOMP = 1

# signo, errno, code; then, from byte 16, a union: which member it is depends on signo and code.
SIGINFO_HEAD = Struct("<iii4x")
_UNION_OFFSET = 16
_KILL = Struct("<iI")  # pid, uid
_RT = Struct("<iIQ")  # pid, uid, value
_TIMER = Struct("<iiQ")  # timerid, overrun, value
_CHLD = Struct("<iIi4xqq")  # pid, uid, status, utime, stime
_FAULT = Struct("<Qh")  # addr, addr_lsb
_POLL = Struct("<qi")  # band, fd
_SYS = Struct("<QiI")  # addr, syscall, arch

SIGINFO_SIZE = 128
# How much of it the kernel keeps of what rt_sigqueueinfo(2) hands in.
KERNEL_SIGINFO_SIZE = 48

# ssi_signo, errno, code, pid, uid, fd, tid, band, overrun, trapno, status, int, ptr, utime, stime, addr, addr_lsb,
# syscall, call_addr, arch
SIGNALFD_SIGINFO = Struct("<IiiIIiIIIIiiQQQQH2xiQI28x")

Layout = Literal["kill", "rt", "timer", "chld", "fault", "poll", "sys"]

# The highest code of each signal that has codes of its own, and what it then carries. kernel/signal.c, sig_sicodes.
_OWN_CODES: dict[int, tuple[int, Layout]] = {
    SIGILL: (11, "fault"),
    SIGFPE: (15, "fault"),
    SIGSEGV: (10, "fault"),
    SIGBUS: (5, "fault"),
    SIGTRAP: (6, "fault"),
    SIGCHLD: (6, "chld"),
    SIGIO: (6, "poll"),
    SIGSYS: (2, "sys"),
}
OWN_CODE_SIGNALS = frozenset(_OWN_CODES)


def siginfo_layout(signo: int, code: int) -> Layout:
    """Return which member of siginfo_t's union is meant. kernel/signal.c, siginfo_layout."""
    if SI_USER < code < SI_KERNEL:
        highest, layout = _OWN_CODES.get(signo, (0, "kill"))
        if code <= highest:
            return layout
        return "poll" if code <= POLL_HUP else "kill"
    if code == SI_TIMER:
        return "timer"
    if code == SI_SIGIO:
        return "poll"
    return "rt" if code < 0 else "kill"


class SigInfo:
    """A siginfo_t: which fields mean something, `siginfo_layout(signo, code)` says.

    `value` is sigval as 64 bits; `utime` and `stime` are clock ticks of 10 ms. `raw` is the siginfo_t of 128 bytes
    that it was unpacked from: a program's own may hold more than any field names, and the reader gets that, too.
    """

    __slots__ = (
        "addr",
        "addr_lsb",
        "arch",
        "band",
        "code",
        "errno",
        "fd",
        "overrun",
        "pid",
        "raw",
        "signo",
        "status",
        "stime",
        "syscall",
        "timerid",
        "uid",
        "utime",
        "value",
    )

    def __init__(
        self,
        signo: int,
        code: int = SI_USER,
        *,
        errno: int = 0,
        pid: int = 0,
        uid: int = 0,
        status: int = 0,
        utime: int = 0,
        stime: int = 0,
        value: int = 0,
        timerid: int = 0,
        overrun: int = 0,
        band: int = 0,
        fd: int = 0,
        addr: int = 0,
        raw: bytes | None = None,
    ) -> None:
        self.signo = signo
        self.code = code
        self.errno = errno
        self.pid = pid
        self.uid = uid
        self.status = status
        self.utime = utime
        self.stime = stime
        self.value = value
        self.timerid = timerid
        self.overrun = overrun
        self.band = band
        self.fd = fd
        self.addr = addr
        self.addr_lsb = 0
        self.syscall = 0
        self.arch = 0
        self.raw = raw

    def pack(self) -> bytes:
        """Return siginfo_t, 128 bytes."""
        packed = bytearray(self.raw or SIGINFO_SIZE)
        SIGINFO_HEAD.pack_into(packed, 0, self.signo, self.errno, self.code)
        member, names = _MEMBERS[siginfo_layout(self.signo, self.code)]
        member.pack_into(packed, _UNION_OFFSET, *[getattr(self, name) for name in names])
        return bytes(packed)

    @classmethod
    def unpack(cls, packed: bytes) -> "SigInfo":
        """Read a siginfo_t of 128 bytes."""
        signo, errno, code = SIGINFO_HEAD.unpack_from(packed)
        info = cls(signo, code, errno=errno)
        info._take_union(bytes(packed))
        return info

    def send_as(self, signo: int) -> None:
        """Go under another signal, with the same bytes: its reader gets them, whatever that signal's fields are."""
        packed = self.pack()
        self.signo = signo
        self._take_union(packed)

    def _take_union(self, packed: bytes) -> None:
        self.raw = packed
        member, names = _MEMBERS[siginfo_layout(self.signo, self.code)]
        for name, value in zip(names, member.unpack_from(packed, _UNION_OFFSET), strict=True):
            setattr(self, name, value)

    def __repr__(self) -> str:
        _, names = _MEMBERS[siginfo_layout(self.signo, self.code)]
        fields = [f"{name}={getattr(self, name)}" for name in ("signo", "code", *names)]
        return f"SigInfo({', '.join(fields)})"


_MEMBERS: dict[Layout, tuple[Struct, tuple[str, ...]]] = {
    "kill": (_KILL, ("pid", "uid")),
    "rt": (_RT, ("pid", "uid", "value")),
    "timer": (_TIMER, ("timerid", "overrun", "value")),
    "chld": (_CHLD, ("pid", "uid", "status", "utime", "stime")),
    "fault": (_FAULT, ("addr", "addr_lsb")),
    "poll": (_POLL, ("band", "fd")),
    "sys": (_SYS, ("addr", "syscall", "arch")),
}


def signalfd_siginfo(info: SigInfo) -> bytes:
    """Return the record of 128 bytes that a signalfd gives for `info`. fs/signalfd.c, signalfd_copyinfo."""
    layout = siginfo_layout(info.signo, info.code)
    named = layout in ("kill", "rt", "chld")  # these say who sent it
    carries = layout in ("rt", "timer")  # these carry a value
    return SIGNALFD_SIGINFO.pack(
        info.signo,
        info.errno,
        info.code,
        info.pid & 0xFFFFFFFF if named else 0,
        info.uid if named else 0,
        info.fd if layout == "poll" else 0,
        info.timerid & 0xFFFFFFFF if layout == "timer" else 0,
        info.band & 0xFFFFFFFF if layout == "poll" else 0,
        info.overrun & 0xFFFFFFFF if layout == "timer" else 0,
        0,
        info.status if layout == "chld" else 0,
        signed_32(info.value) if carries else 0,
        info.value if carries else 0,
        info.utime & _U64 if layout == "chld" else 0,
        info.stime & _U64 if layout == "chld" else 0,
        info.addr if layout == "fault" else 0,
        info.addr_lsb & 0xFFFF if layout == "fault" and info.signo == SIGBUS and info.code >= BUS_MCEERR_AR else 0,
        info.syscall if layout == "sys" else 0,
        info.addr if layout == "sys" else 0,
        info.arch if layout == "sys" else 0,
    )


_U64 = 2**64 - 1
