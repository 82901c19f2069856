"""Tables of names for traces: the flags and enumerations of each argument type."""

from tickless.abi import (
    epoll,
    eventfd,
    fcntl,
    flock,
    futex,
    ioctl,
    poll,
    prctl,
    resource,
    sched,
    siginfo,
    signal,
    signalfd,
    socket,
    stat,
    time,
    timerfd,
    wait,
)
from tickless.abi.names import names_of

Names = dict[str, int]

EVENTFD_FLAGS: Names = names_of(eventfd, "EFD_")
TIMERFD_FLAGS: Names = names_of(timerfd, "TFD_", but=("TFD_TIMER_", "TFD_IOC_"))
TIMERFD_SETTIME_FLAGS: Names = names_of(timerfd, "TFD_TIMER_")
SIGNALFD_FLAGS: Names = names_of(signalfd, "SFD_")
EPOLL_CREATE_FLAGS: Names = {"EPOLL_CLOEXEC": epoll.EPOLL_CLOEXEC}
EPOLL_OPERATIONS: Names = names_of(epoll, "EPOLL_CTL_")
EPOLL_EVENTS: Names = names_of(epoll, "EPOLL", but=("EPOLL_",))
POLL_EVENTS: Names = names_of(poll, "POLL", but=("POLLIN_", "POLLOUT_", "POLLEX_"))

ACCESS_MODES: Names = {"O_RDONLY": fcntl.O_RDONLY, "O_WRONLY": fcntl.O_WRONLY, "O_RDWR": fcntl.O_RDWR}
# Names of several bits come first.
OPEN_FLAGS: Names = {"O_SYNC": fcntl.O_SYNC, "O_TMPFILE": fcntl.O_TMPFILE} | names_of(
    fcntl, "O_", but=("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")
)
DUP_FLAGS: Names = {"O_CLOEXEC": fcntl.O_CLOEXEC}
PIPE_FLAGS: Names = DUP_FLAGS | {
    "O_NONBLOCK": fcntl.O_NONBLOCK,
    "O_DIRECT": fcntl.O_DIRECT,
    "O_NOTIFICATION_PIPE": fcntl.O_EXCL,
}
AT_FLAGS: Names = names_of(fcntl, "AT_", but=("AT_FDCWD", "AT_STATX_SYNC"))
FCNTL_COMMANDS: Names = names_of(fcntl, "F_", but=("F_RDLCK", "F_WRLCK", "F_UNLCK"))
LOCK_TYPES: Names = {"F_RDLCK": fcntl.F_RDLCK, "F_WRLCK": fcntl.F_WRLCK, "F_UNLCK": fcntl.F_UNLCK}
SEEK_ORIGINS: Names = names_of(fcntl, "SEEK_")
CLOSE_RANGE: Names = names_of(fcntl, "CLOSE_RANGE_")
READ_WRITE: Names = names_of(fcntl, "RWF_")
FLOCK_OPERATIONS: Names = names_of(flock, "LOCK_")
SPLICE: Names = names_of(fcntl, "SPLICE_F_")
GETRANDOM: Names = names_of(fcntl, "GRND_")

CLOCKS: Names = names_of(time, "CLOCK_")
INTERVAL_TIMERS: Names = names_of(time, "ITIMER_")
SIGEV_KINDS: Names = names_of(time, "SIGEV_")
TIMER_FLAGS: Names = {"TIMER_ABSTIME": time.TIMER_ABSTIME}

SIGMASK_HOW: Names = {
    "SIG_BLOCK": signal.SIG_BLOCK,
    "SIG_UNBLOCK": signal.SIG_UNBLOCK,
    "SIG_SETMASK": signal.SIG_SETMASK,
}
SI_CODES: Names = names_of(siginfo, "SI_")

FUTEX_COMMANDS: Names = {
    name: value for name, value in names_of(futex, "FUTEX_").items() if value <= futex.FUTEX_LOCK_PI2
}
FUTEX_OPERATIONS: Names = FUTEX_COMMANDS | {
    "FUTEX_PRIVATE_FLAG": futex.FUTEX_PRIVATE_FLAG,
    "FUTEX_CLOCK_REALTIME": futex.FUTEX_CLOCK_REALTIME,
}
FUTEX2: Names = names_of(futex, "FUTEX2_", but=("FUTEX2_SIZE_",))
FUTEX2_SIZES: Names = names_of(futex, "FUTEX2_SIZE_")

CLONE_FLAGS: Names = names_of(sched, "CLONE_", but=("CLONE_ARGS",))
WAIT_OPTIONS: Names = {**names_of(wait, "W", but=("WCOREFLAG", "W_CONTINUED")), **names_of(wait, "__W")}
ID_TYPES: Names = names_of(wait, "P_")
PIDFD_OPEN: Names = {"PIDFD_NONBLOCK": wait.PIDFD_NONBLOCK, "PIDFD_THREAD": wait.PIDFD_THREAD}
PIDFD_SIGNAL: Names = names_of(wait, "PIDFD_SIGNAL_")
PRCTL_OPTIONS: Names = names_of(prctl, "PR_", but=("PR_TSC_",))
IOCTLS: Names = (
    {name: value for prefix in ("FIO", "TC", "TIO", "SIOC") for name, value in names_of(ioctl, prefix).items()}
    | names_of(timerfd, "TFD_IOC_")
    | names_of(epoll, "EPIOC")
)
RESOURCES: Names = names_of(resource, "RLIMIT_")
MESSAGE_FLAGS: Names = names_of(socket, "MSG_")
SOCKET_OPTIONS: Names = names_of(socket, "SO_")
STATX_FIELDS: Names = names_of(stat, "STATX_", but=("STATX_BASIC_STATS",))

# The codes that only one signal uses, by signal.
OWN_CODES: dict[int, Names] = {
    signal.SIGCHLD: names_of(siginfo, "CLD_"),
    signal.SIGIO: names_of(siginfo, "POLL_"),
    signal.SIGSEGV: names_of(siginfo, "SEGV_"),
    signal.SIGBUS: names_of(siginfo, "BUS_"),
    signal.SIGFPE: names_of(siginfo, "FPE_"),
    signal.SIGILL: names_of(siginfo, "ILL_"),
    signal.SIGTRAP: names_of(siginfo, "TRAP_"),
    signal.SIGSYS: names_of(siginfo, "SYS_"),
}
