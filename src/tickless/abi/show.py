"""How values and structures print in a trace: strace's way.

Addresses differ from run to run, so none is printed here: what may be one shows as `ptr`.
"""

from collections.abc import Callable

from tickless.abi.epoll import EPOLL_EVENT
from tickless.abi.fcntl import AT_FDCWD, FD_CLOEXEC, FLOCK, IOVEC, O_ACCMODE
from tickless.abi.futex import FUTEX2_SIZE_MASK, FUTEX_CLOCK_REALTIME, FUTEX_CMD_MASK, FUTEX_PRIVATE_FLAG, FUTEX_WAITV
from tickless.abi.names import join_flags, name_or_number
from tickless.abi.poll import POLLFD
from tickless.abi.resource import RLIM_INFINITY, RLIMIT
from tickless.abi.sched import CLONE_ARGS, CLONE_ARGS_SIZE_VER2, CSIGNAL
from tickless.abi.siginfo import SigInfo, siginfo_layout
from tickless.abi.signal import SIGRTMAX, sigmask, signal_name, signals_in
from tickless.abi.tables import (
    ACCESS_MODES,
    CLONE_FLAGS,
    EPOLL_EVENTS,
    FUTEX2,
    FUTEX2_SIZES,
    FUTEX_COMMANDS,
    LOCK_TYPES,
    OPEN_FLAGS,
    OWN_CODES,
    POLL_EVENTS,
    SEEK_ORIGINS,
    SI_CODES,
    SIGEV_KINDS,
)
from tickless.abi.time import ITIMERSPEC, ITIMERVAL, SIGEV_SIGNAL, SIGEVENT, TIMESPEC, TIMEVAL
from tickless.abi.wait import W_CONTINUED, WCOREFLAG

ShowValue = Callable[[int], str]
ShowBytes = Callable[[bytes], str]

# Of longer strings and arrays only this many bytes or elements print, then "...".
MAX_SHOWN = 32
# No page below is ever mapped (vm.mmap_min_addr), so no number below is an address.
LOWEST_ADDRESS = 0x10000
# A number below is an fd rather than the lower half of an address.
MOST_FDS = 1 << 16

_ESCAPES = {ord('"'): '\\"', ord("\\"): "\\\\", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}


def show_decimal(value: int) -> str:
    return str(value)


def show_hex(value: int) -> str:
    return f"{value:#x}" if value else "0"


def show_octal(value: int) -> str:
    return f"0{value:o}" if value else "0"


def show_address(value: int) -> str:
    """Print a pointer of which nobody knows a name."""
    return "ptr" if value else "NULL"


def show_number_or_pointer(value: int) -> str:
    """Print what a program keeps for itself (epoll_data, sigval): a small number or an address."""
    return show_hex(value) if value < LOWEST_ADDRESS else "ptr"


def show_directory_fd(value: int) -> str:
    return "AT_FDCWD" if value == AT_FDCWD else str(value)


def show_signal(value: int) -> str:
    return signal_name(value)


def show_signal_set(mask: int) -> str:
    """Print `[INT TERM]`, or `~[KILL STOP]` for a set that lacks fewer signals than it has."""
    missing = sigmask(*range(1, SIGRTMAX + 1)) & ~mask
    inverted = missing.bit_count() < mask.bit_count() // 2
    names = [signal_name(signo).removeprefix("SIG") for signo in signals_in(missing if inverted else mask)]
    return f"{'~' if inverted else ''}[{' '.join(names)}]"


def show_open_flags(value: int) -> str:
    mode = name_or_number(value & O_ACCMODE, ACCESS_MODES)
    rest = value & ~O_ACCMODE
    return f"{mode}|{join_flags(rest, OPEN_FLAGS)}" if rest else mode


def show_fd_flags(value: int) -> str:
    """Print the flags of a number, of which there is one."""
    return join_flags(value, {"FD_CLOEXEC": FD_CLOEXEC})


def show_flock(packed: bytes) -> str:
    kind, whence, start, length, _ = FLOCK.unpack(packed)
    shown = f"l_type={name_or_number(kind, LOCK_TYPES)}, l_whence={name_or_number(whence, SEEK_ORIGINS)}"
    return f"{{{shown}, l_start={start}, l_len={length}}}"


def show_pipe_flags(value: int) -> str:
    return join_flags(value, OPEN_FLAGS)


def show_clone_flags(value: int) -> str:
    """Print clone(2)'s flags, whose low byte is the signal at exit."""
    flags = join_flags(value & ~CSIGNAL, CLONE_FLAGS)
    signo = value & CSIGNAL
    if not signo:
        return flags
    return f"{flags}|{signal_name(signo)}" if value & ~CSIGNAL else signal_name(signo)


def show_futex_operation(value: int) -> str:
    name = name_or_number(value & FUTEX_CMD_MASK, FUTEX_COMMANDS)
    private = "_PRIVATE" if value & FUTEX_PRIVATE_FLAG else ""
    return f"{name}{private}{'|FUTEX_CLOCK_REALTIME' if value & FUTEX_CLOCK_REALTIME else ''}"


def show_futex2_flags(value: int) -> str:
    size = name_or_number(value & FUTEX2_SIZE_MASK, FUTEX2_SIZES)
    rest = value & ~FUTEX2_SIZE_MASK
    return f"{size}|{join_flags(rest, FUTEX2)}" if rest else size


def quoted(data: bytes) -> str:
    """Print bytes as a C string, at most MAX_SHOWN of them."""
    shown = []
    for index, byte in enumerate(data[:MAX_SHOWN]):
        following = data[index + 1 : index + 2]
        if byte in _ESCAPES:
            shown.append(_ESCAPES[byte])
        elif 32 <= byte < 127:
            shown.append(chr(byte))
        else:  # a digit that follows would be read as part of a shorter octal escape
            shown.append(f"\\{byte:03o}" if following.isdigit() else f"\\{byte:o}")
    return f'"{"".join(shown)}"{"..." if len(data) > MAX_SHOWN else ""}'


def show_path(data: bytes) -> str:
    """Print a string that ends at its NUL."""
    return quoted(data.partition(b"\0")[0])


def show_array(packed: bytes, size: int, show_one: ShowBytes) -> str:
    elements = [packed[start : start + size] for start in range(0, len(packed) - size + 1, size)]
    shown = [show_one(element) for element in elements[:MAX_SHOWN]]
    return f"[{', '.join(shown + ['...'] * (len(elements) > MAX_SHOWN))}]"


def show_int(packed: bytes) -> str:
    return f"[{int.from_bytes(packed[:4], 'little', signed=True)}]"


def show_long(packed: bytes) -> str:
    return f"[{int.from_bytes(packed[:8], 'little', signed=True)}]"


def show_ints(packed: bytes) -> str:
    return show_array(packed, 4, lambda one: str(int.from_bytes(one, "little", signed=True)))


def show_timespec(packed: bytes) -> str:
    return "{{tv_sec={}, tv_nsec={}}}".format(*TIMESPEC.unpack(packed))


def show_timeval(packed: bytes) -> str:
    return "{{tv_sec={}, tv_usec={}}}".format(*TIMEVAL.unpack(packed))


def show_itimerspec(packed: bytes) -> str:
    half = ITIMERSPEC.size // 2
    return f"{{it_interval={show_timespec(packed[:half])}, it_value={show_timespec(packed[half:])}}}"


def show_itimerval(packed: bytes) -> str:
    half = ITIMERVAL.size // 2
    return f"{{it_interval={show_timeval(packed[:half])}, it_value={show_timeval(packed[half:])}}}"


def show_sigset(packed: bytes) -> str:
    return show_signal_set(int.from_bytes(packed[:8], "little"))


def show_epoll_event(packed: bytes) -> str:
    events, data = EPOLL_EVENT.unpack(packed)
    return f"{{events={join_flags(events, EPOLL_EVENTS)}, data={_show_epoll_data(data)}}}"


def _show_epoll_data(data: int) -> str:
    """An fd alone has whatever was on the stack for its upper half. epoll_event(3type)."""
    fd = data & 0xFFFFFFFF
    return show_hex(fd) if fd < MOST_FDS else show_number_or_pointer(data)


def show_epoll_events(packed: bytes) -> str:
    return show_array(packed, EPOLL_EVENT.size, show_epoll_event)


def show_pollfds(packed: bytes) -> str:
    """Print an array of struct pollfd; revents only where there are any."""

    def show_one(one: bytes) -> str:
        fd, events, revents = POLLFD.unpack(one)
        shown = f"fd={fd}, events={join_flags(events, POLL_EVENTS)}"
        return f"{{{shown}, revents={join_flags(revents, POLL_EVENTS)}}}" if revents else f"{{{shown}}}"

    return show_array(packed, POLLFD.size, show_one)


def show_fd_set(packed: bytes) -> str:
    bits = int.from_bytes(packed, "little")
    return f"[{' '.join(str(fd) for fd in range(bits.bit_length()) if bits >> fd & 1)}]"


def show_iovecs(packed: bytes) -> str:
    return show_array(packed, IOVEC.size, lambda one: f"{{iov_len={IOVEC.unpack(one)[1]}}}")


def show_siginfo(packed: bytes) -> str:
    """Print siginfo_t with the fields that its signal and code have; pids are the trace's business, not printed."""
    info = SigInfo.unpack(packed)
    codes = OWN_CODES.get(info.signo, {}) if 0 < info.code < 0x80 else SI_CODES
    fields = [f"si_signo={signal_name(info.signo)}", f"si_code={name_or_number(info.code, codes)}"]
    layout = siginfo_layout(info.signo, info.code)
    if layout == "chld":
        fields.append(f"si_status={info.status if codes.get('CLD_EXITED') == info.code else signal_name(info.status)}")
    if layout == "timer":
        fields.append(f"si_overrun={info.overrun}")
    if layout in ("rt", "timer"):
        fields.append(f"si_value={show_number_or_pointer(info.value)}")
    if layout == "fault":
        fields.append(f"si_addr={show_address(info.addr)}")
    return f"{{{', '.join(fields)}}}"


def show_sigevent(packed: bytes) -> str:
    value, signo, notify, _ = SIGEVENT.unpack(packed)
    kind = name_or_number(notify, SIGEV_KINDS)
    signals = notify == SIGEV_SIGNAL or signo > 0
    sent = f"sigev_signo={signal_name(signo)}, " if signals else ""
    return f"{{sigev_value={show_number_or_pointer(value)}, {sent}sigev_notify={kind}}}"


def show_wait_status(packed: bytes) -> str:
    """Print wait(2)'s status word as strace does: which of the macros hold."""
    status = int.from_bytes(packed[:4], "little")
    signo = status & 0x7F
    if status == W_CONTINUED:
        return "[{WIFCONTINUED(s)}]"
    if signo == 0x7F:
        return f"[{{WIFSTOPPED(s) && WSTOPSIG(s) == {signal_name(status >> 8)}}}]"
    if signo:
        core = " && WCOREDUMP(s)" if status & WCOREFLAG else ""
        return f"[{{WIFSIGNALED(s) && WTERMSIG(s) == {signal_name(signo)}{core}}}]"
    return f"[{{WIFEXITED(s) && WEXITSTATUS(s) == {status >> 8 & 0xFF}}}]"


def show_clone_args(packed: bytes) -> str:
    """Print struct clone_args; programs may pass only its first fields."""
    fields = CLONE_ARGS.unpack(packed[:CLONE_ARGS_SIZE_VER2].ljust(CLONE_ARGS_SIZE_VER2, b"\0"))
    return f"{{flags={join_flags(fields[0], CLONE_FLAGS)}, exit_signal={signal_name(fields[4])}}}"


def show_futex_waiters(packed: bytes) -> str:
    def show_one(one: bytes) -> str:
        value, _, flags, _ = FUTEX_WAITV.unpack(one)
        return f"{{val={value:#x}, flags={show_futex2_flags(flags)}}}"

    return show_array(packed, FUTEX_WAITV.size, show_one)


def show_rlimit(packed: bytes) -> str:
    soft, hard = ("RLIM64_INFINITY" if limit == RLIM_INFINITY else str(limit) for limit in RLIMIT.unpack(packed))
    return f"{{rlim_cur={soft}, rlim_max={hard}}}"
