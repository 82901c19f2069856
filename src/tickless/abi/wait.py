"""wait(2): options, kinds of id, and the status word; pidfd_open(2) and pidfd_send_signal(2): flags."""

# Options
WNOHANG = 0x1
WUNTRACED = 0x2
WSTOPPED = 0x2
WEXITED = 0x4
WCONTINUED = 0x8
WNOWAIT = 0x1000000
__WNOTHREAD = 0x20000000
__WALL = 0x40000000
__WCLONE = 0x80000000

# waitid(2): kinds of id
P_ALL = 0
P_PID = 1
P_PGID = 2
P_PIDFD = 3

# pidfd_open(2)
PIDFD_NONBLOCK = 0o4000
PIDFD_THREAD = 0o200

# pidfd_send_signal(2)
PIDFD_SIGNAL_THREAD = 1
PIDFD_SIGNAL_THREAD_GROUP = 2
PIDFD_SIGNAL_PROCESS_GROUP = 4

WCOREFLAG = 0x80
# The status word of a child that continued.
W_CONTINUED = 0xFFFF


def exit_status(code: int) -> int:
    """Return the status word of a child that called exit(code)."""
    return (code & 0xFF) << 8


def signal_status(signo: int, *, core: bool) -> int:
    """Return the status word of a child that `signo` killed."""
    return signo | (WCOREFLAG if core else 0)


def stop_status(signo: int) -> int:
    """Return the status word of a child that `signo` stopped."""
    return signo << 8 | 0x7F
