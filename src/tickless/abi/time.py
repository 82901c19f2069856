"""clock_gettime(2), timer_create(2), getitimer(2): clocks and the structures of time."""

from struct import Struct

# clock_gettime(2): clocks
CLOCK_REALTIME = 0
CLOCK_MONOTONIC = 1
CLOCK_PROCESS_CPUTIME_ID = 2
CLOCK_THREAD_CPUTIME_ID = 3
CLOCK_MONOTONIC_RAW = 4
CLOCK_REALTIME_COARSE = 5
CLOCK_MONOTONIC_COARSE = 6
CLOCK_BOOTTIME = 7
CLOCK_REALTIME_ALARM = 8
CLOCK_BOOTTIME_ALARM = 9
CLOCK_TAI = 11

# clock_getcpuclockid(3): a clock of CPU time is ~id << 3, with what is counted of it in the lowest bits.
CPUCLOCK_PROF = 0  # user and system time
CPUCLOCK_VIRT = 1  # user time
CPUCLOCK_SCHED = 2  # what the scheduler says
CPUCLOCK_PERTHREAD = 4


def cpu_clock_id(pid: int, kind: int) -> int:
    """The clock of a process."""
    return ~pid << 3 | kind


# clock_nanosleep(2), timer_settime(2)
TIMER_ABSTIME = 1

# getitimer(2)
ITIMER_REAL = 0
ITIMER_VIRTUAL = 1
ITIMER_PROF = 2

# sigevent(3)
SIGEV_SIGNAL = 0
SIGEV_NONE = 1
SIGEV_THREAD = 2
SIGEV_THREAD_ID = 4

NSEC_PER_USEC = 1_000
NSEC_PER_MSEC = 1_000_000
NSEC_PER_SEC = 1_000_000_000

# seconds, nanoseconds
TIMESPEC = Struct("<qq")
# interval, value: each seconds, nanoseconds
ITIMERSPEC = Struct("<qqqq")
# seconds, microseconds
TIMEVAL = Struct("<qq")
# interval, value: each seconds, microseconds
ITIMERVAL = Struct("<qqqq")
# value, signo, notify, tid; the rest is padding. sigevent(3)
SIGEVENT = Struct("<Qiii44x")
# user and system time of the process and of its children, in ticks. times(2)
TMS = Struct("<qqqq")


def timespec_to_ns(seconds: int, nanoseconds: int) -> int:
    return seconds * NSEC_PER_SEC + nanoseconds


def ns_to_timespec(ns: int) -> tuple[int, int]:
    """Return seconds and nanoseconds. Below 0 the seconds are rounded down, as Linux has it."""
    return divmod(ns, NSEC_PER_SEC)


def timeval_to_ns(seconds: int, microseconds: int) -> int:
    return seconds * NSEC_PER_SEC + microseconds * NSEC_PER_USEC


def ns_to_timeval(ns: int) -> tuple[int, int]:
    """Return seconds and whole microseconds, rounded down."""
    seconds, rest = divmod(ns, NSEC_PER_SEC)
    return seconds, rest // NSEC_PER_USEC


def pack_timespec(ns: int) -> bytes:
    return TIMESPEC.pack(*divmod(ns, NSEC_PER_SEC))


def pack_timeval(ns: int) -> bytes:
    return TIMEVAL.pack(*ns_to_timeval(ns))


def pack_itimerspec(interval_ns: int, value_ns: int) -> bytes:
    return ITIMERSPEC.pack(*divmod(interval_ns, NSEC_PER_SEC), *divmod(value_ns, NSEC_PER_SEC))


def pack_itimerval(interval_ns: int, value_ns: int) -> bytes:
    return ITIMERVAL.pack(*ns_to_timeval(interval_ns), *ns_to_timeval(value_ns))
