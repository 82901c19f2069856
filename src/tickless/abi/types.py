"""Argument types: how a 64-bit register becomes a Python value, and how that prints in a trace.

A call declares them as annotations: `def eventfd2(task: Task, initval: U32, flags: EfdFlags) -> Fd`. To a type
checker each is an int. The registry finds the `Decode` among an annotation's `__metadata__` and compiles its
expression once; the trace uses the rest.
"""

from typing import Annotated, Literal

from tickless.abi import show, tables
from tickless.abi.epoll import EPOLL_EVENT
from tickless.abi.fcntl import IOVEC
from tickless.abi.futex import FUTEX_WAITV
from tickless.abi.names import join_flags, name_or_number
from tickless.abi.poll import POLLFD
from tickless.abi.resource import RLIMIT, RUSAGE
from tickless.abi.show import ShowBytes, ShowValue
from tickless.abi.siginfo import SIGINFO_SIZE
from tickless.abi.signal import SIGSET
from tickless.abi.time import ITIMERSPEC, ITIMERVAL, SIGEVENT, TIMESPEC, TIMEVAL, TMS

UNSIGNED_16 = "{0} & 0xffff"
UNSIGNED_32 = "{0} & 0xffffffff"
SIGNED_32 = "(({0} & 0xffffffff) ^ 0x80000000) - 0x80000000"
UNSIGNED_64 = "{0}"
SIGNED_64 = "({0} ^ 0x8000000000000000) - 0x8000000000000000"

# What the trace has to treat by itself: it names tasks and pointers, and may add to an fd what it stands for.
Kind = Literal["value", "fd", "pid", "address", "ipc"]

# How much memory a pointer means: one structure; as many as the next argument or the call's result says; a string
# up to its NUL; or as many longs as hold a bit for each fd below the first argument.
Extent = Literal["one", "next", "result", "string", "fd_bits"]


class Decode:
    """How an argument is read from its register and how it prints.

    `expression` is Python over the register's unsigned value, for which it has `{0}`. `names`: the flags or values
    that print by name.
    """

    __slots__ = ("expression", "kind", "names", "show")

    def __init__(
        self, expression: str, show: ShowValue, kind: Kind = "value", names: tables.Names | None = None
    ) -> None:
        self.expression = expression
        self.show = show
        self.kind = kind
        self.names = names or {}


class Pointed(Decode):
    """A pointer: an address to the call. The trace may read what it points to, `size` bytes an element, and show it.

    `show_bytes` gets the bytes of all elements; None: there is nothing to print. `is_result`: the call fills it,
    so it is read when the call returns.
    """

    __slots__ = ("extent", "is_result", "show_bytes", "size", "struct_name")

    def __init__(
        self,
        struct_name: str,
        size: int,
        show_bytes: ShowBytes | None,
        *,
        extent: Extent = "one",
        is_result: bool = False,
    ) -> None:
        super().__init__(UNSIGNED_64, show.show_address, "address")
        self.struct_name = struct_name
        self.size = size
        self.show_bytes = show_bytes
        self.extent = extent
        self.is_result = is_result


def flags_type(names: dict[str, int], expression: str = UNSIGNED_32) -> Decode:
    """Return the type of an argument whose bits have these names."""
    return Decode(expression, lambda value: join_flags(value, names), names=names)


def enum_type(names: dict[str, int], expression: str = SIGNED_32) -> Decode:
    """Return the type of an argument whose values have these names."""
    return Decode(expression, lambda value: name_or_number(value, names), names=names)


# Numbers.
U32 = Annotated[int, Decode(UNSIGNED_32, show.show_decimal)]
S32 = Annotated[int, Decode(SIGNED_32, show.show_decimal)]
U64 = Annotated[int, Decode(UNSIGNED_64, show.show_decimal)]
S64 = Annotated[int, Decode(SIGNED_64, show.show_decimal)]
Size = Annotated[int, Decode(UNSIGNED_64, show.show_decimal)]
Offset = Annotated[int, Decode(SIGNED_64, show.show_decimal)]
Hex32 = Annotated[int, Decode(UNSIGNED_32, show.show_hex)]
Hex64 = Annotated[int, Decode(UNSIGNED_64, show.show_hex)]
NumberOrPointer = Annotated[int, Decode(UNSIGNED_64, show.show_number_or_pointer)]
Mode = Annotated[int, Decode(UNSIGNED_16, show.show_octal)]

# Things. Linux takes an fd as unsigned int: -1 is 4294967295, which is no fd either.
Fd = Annotated[int, Decode(UNSIGNED_32, show.show_decimal, "fd")]
SignedFd = Annotated[int, Decode(SIGNED_32, show.show_directory_fd, "fd")]
Pid = Annotated[int, Decode(SIGNED_32, show.show_decimal, "pid")]
IpcId = Annotated[int, Decode(SIGNED_32, show.show_decimal, "ipc")]  # of a queue, a set of semaphores. sysvipc(7)
Address = Annotated[int, Decode(UNSIGNED_64, show.show_address, "address")]
Signal = Annotated[int, Decode(SIGNED_32, show.show_signal)]
SignalMask = Annotated[int, Decode(UNSIGNED_64, show.show_signal_set)]
TimerId = Annotated[int, Decode(SIGNED_32, show.show_decimal)]

# Enumerations.
ClockId = Annotated[int, enum_type(tables.CLOCKS)]
EpollOp = Annotated[int, enum_type(tables.EPOLL_OPERATIONS)]
FcntlCommand = Annotated[int, enum_type(tables.FCNTL_COMMANDS, UNSIGNED_32)]
WhichTimer = Annotated[int, enum_type(tables.INTERVAL_TIMERS)]
SigHow = Annotated[int, enum_type(tables.SIGMASK_HOW)]
PrctlOption = Annotated[int, enum_type(tables.PRCTL_OPTIONS)]
IdType = Annotated[int, enum_type(tables.ID_TYPES)]
Resource = Annotated[int, enum_type(tables.RESOURCES, UNSIGNED_32)]
SocketOption = Annotated[int, enum_type(tables.SOCKET_OPTIONS)]
IoctlRequest = Annotated[int, enum_type(tables.IOCTLS, UNSIGNED_32)]

# Flags.
EfdFlags = Annotated[int, flags_type(tables.EVENTFD_FLAGS)]
TfdFlags = Annotated[int, flags_type(tables.TIMERFD_FLAGS)]
TfdSettimeFlags = Annotated[int, flags_type(tables.TIMERFD_SETTIME_FLAGS)]
SfdFlags = Annotated[int, flags_type(tables.SIGNALFD_FLAGS)]
EpollCreateFlags = Annotated[int, flags_type(tables.EPOLL_CREATE_FLAGS)]
EpollEvents = Annotated[int, flags_type(tables.EPOLL_EVENTS)]
PollEvents = Annotated[int, flags_type(tables.POLL_EVENTS)]
OpenFlags = Annotated[int, Decode(UNSIGNED_32, show.show_open_flags, names=tables.ACCESS_MODES | tables.OPEN_FLAGS)]
PipeFlags = Annotated[int, Decode(UNSIGNED_32, show.show_pipe_flags, names=tables.PIPE_FLAGS)]
DupFlags = Annotated[int, Decode(UNSIGNED_32, show.show_pipe_flags, names=tables.DUP_FLAGS)]
AtFlags = Annotated[int, flags_type(tables.AT_FLAGS)]
CloseRangeFlags = Annotated[int, flags_type(tables.CLOSE_RANGE)]
ReadWriteFlags = Annotated[int, flags_type(tables.READ_WRITE)]
FlockOperation = Annotated[int, flags_type(tables.FLOCK_OPERATIONS)]
SpliceFlags = Annotated[int, flags_type(tables.SPLICE)]
GetrandomFlags = Annotated[int, flags_type(tables.GETRANDOM)]
TimerFlags = Annotated[int, flags_type(tables.TIMER_FLAGS)]
CloneFlags = Annotated[int, Decode(UNSIGNED_64, show.show_clone_flags, names=tables.CLONE_FLAGS)]
UnshareFlags = Annotated[int, flags_type(tables.CLONE_FLAGS, UNSIGNED_64)]
WaitOptions = Annotated[int, flags_type(tables.WAIT_OPTIONS)]
PidfdOpenFlags = Annotated[int, flags_type(tables.PIDFD_OPEN)]
PidfdSignalFlags = Annotated[int, flags_type(tables.PIDFD_SIGNAL)]
FutexOp = Annotated[int, Decode(UNSIGNED_32, show.show_futex_operation, names=tables.FUTEX_OPERATIONS)]
Futex2Flags = Annotated[int, Decode(UNSIGNED_32, show.show_futex2_flags, names=tables.FUTEX2_SIZES | tables.FUTEX2)]
MsgFlags = Annotated[int, flags_type(tables.MESSAGE_FLAGS)]
StatxMask = Annotated[int, flags_type(tables.STATX_FIELDS)]

# Pointers: …Ptr is read by the call, …Out is filled by it.
PathPtr = Annotated[int, Pointed("path", 1, show.show_path, extent="string")]
BufferPtr = Annotated[int, Pointed("buffer", 1, show.quoted, extent="next")]
BufferOut = Annotated[int, Pointed("buffer", 1, show.quoted, extent="result", is_result=True)]
IovecPtr = Annotated[int, Pointed("iovec", IOVEC.size, show.show_iovecs, extent="next")]
IntPtr = Annotated[int, Pointed("int", 4, show.show_int)]
IntOut = Annotated[int, Pointed("int", 4, show.show_int, is_result=True)]
LongOut = Annotated[int, Pointed("long", 8, show.show_long, is_result=True)]
FdPairOut = Annotated[int, Pointed("fds", 8, show.show_ints, is_result=True)]

TimespecPtr = Annotated[int, Pointed("timespec", TIMESPEC.size, show.show_timespec)]
TimespecOut = Annotated[int, Pointed("timespec", TIMESPEC.size, show.show_timespec, is_result=True)]
TimevalPtr = Annotated[int, Pointed("timeval", TIMEVAL.size, show.show_timeval)]
TimevalOut = Annotated[int, Pointed("timeval", TIMEVAL.size, show.show_timeval, is_result=True)]
ItimerspecPtr = Annotated[int, Pointed("itimerspec", ITIMERSPEC.size, show.show_itimerspec)]
ItimerspecOut = Annotated[int, Pointed("itimerspec", ITIMERSPEC.size, show.show_itimerspec, is_result=True)]
ItimervalPtr = Annotated[int, Pointed("itimerval", ITIMERVAL.size, show.show_itimerval)]
ItimervalOut = Annotated[int, Pointed("itimerval", ITIMERVAL.size, show.show_itimerval, is_result=True)]
TmsOut = Annotated[int, Pointed("tms", TMS.size, None, is_result=True)]  # real CPU time: no trace shows it
SigeventPtr = Annotated[int, Pointed("sigevent", SIGEVENT.size, show.show_sigevent)]

SigsetPtr = Annotated[int, Pointed("sigset", SIGSET.size, show.show_sigset)]
SigsetOut = Annotated[int, Pointed("sigset", SIGSET.size, show.show_sigset, is_result=True)]
SiginfoPtr = Annotated[int, Pointed("siginfo", SIGINFO_SIZE, show.show_siginfo)]
SiginfoOut = Annotated[int, Pointed("siginfo", SIGINFO_SIZE, show.show_siginfo, is_result=True)]
WaitStatusOut = Annotated[int, Pointed("status", 4, show.show_wait_status, is_result=True)]
RusageOut = Annotated[int, Pointed("rusage", RUSAGE.size, None, is_result=True)]

EpollEventPtr = Annotated[int, Pointed("event", EPOLL_EVENT.size, show.show_epoll_event)]
EpollEventsOut = Annotated[
    int, Pointed("events", EPOLL_EVENT.size, show.show_epoll_events, extent="result", is_result=True)
]
PollfdsPtr = Annotated[int, Pointed("pollfds", POLLFD.size, show.show_pollfds, extent="next")]
FdSetPtr = Annotated[int, Pointed("fd_set", 8, show.show_fd_set, extent="fd_bits")]

CloneArgsPtr = Annotated[int, Pointed("clone_args", 1, show.show_clone_args, extent="next")]
FutexWaitersPtr = Annotated[int, Pointed("waiters", FUTEX_WAITV.size, show.show_futex_waiters, extent="next")]
RlimitPtr = Annotated[int, Pointed("rlimit", RLIMIT.size, show.show_rlimit)]
RlimitOut = Annotated[int, Pointed("rlimit", RLIMIT.size, show.show_rlimit, is_result=True)]
