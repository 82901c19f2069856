"""stress-ng's stressors of what waits, signals and forks, which look at their own results: --verify."""

from __future__ import annotations

from suites.model import END, Family, Piece, Ran, Verdicts

# How many of its operations each makes: about a second's natively.
OPERATIONS = {
    **dict.fromkeys(
        ("epoll", "eventfd", "sigfd", "poll", "pipe", "fifo", "ring-pipe", "sockpair", "futex", "mutex"), 2000
    ),
    **dict.fromkeys(("timerfd", "timer", "hrtimers", "itimer", "alarm", "clock", "nanosleep", "sleep", "cyclic"), 200),
    **dict.fromkeys(("signal", "sigpending", "sigq", "sigrt", "sigsuspend", "sigpipe", "signest", "kill"), 2000),
    **dict.fromkeys(("sigabrt", "sigchld", "sigfpe", "sigsegv", "sigtrap", "sigio"), 200),
    **dict.fromkeys(
        ("fork", "vfork", "vforkmany", "clone", "spawn", "exec", "daemon", "wait", "zombie", "session"), 100
    ),
    **dict.fromkeys(("exit-group", "pthread", "context", "pidfd", "ptrace", "nice", "dup", "close"), 100),
    **dict.fromkeys(("sem", "sem-sysv", "mq", "msg", "shm-sysv", "flock", "lockf", "lockofd", "lease"), 500),
    **dict.fromkeys(("inotify", "dnotify", "fcntl", "splice", "tee", "vm-splice", "sendfile", "copy-file"), 200),
    **dict.fromkeys(("sock", "sockmany", "sockfd", "udp", "sigsuspend", "switch", "yield", "resched"), 200),
    **dict.fromkeys(("get", "set", "sysinfo", "getrandom", "urandom", "vdso", "utime", "schedpolicy", "affinity"), 200),
    **dict.fromkeys(("membarrier", "rseq", "prctl", "aio", "aiol", "io-uring", "resources", "race-sched"), 50),
    "pty": 1,  # opens all ptys that there may be
}
# What --help says of its exit status.
NOT_TRIED = (3, 4)
LONGEST_S = 60


def pieces() -> list[Piece]:
    return [_piece(stressor, operations) for stressor, operations in sorted(OPERATIONS.items())]


def _piece(stressor: str, operations: int) -> Piece:
    bounded = (f"--{stressor}", "1", f"--{stressor}-ops", str(operations), "--timeout", str(LONGEST_S))
    return Piece("stress-ng", stressor, ("stress-ng", "--verify", *bounded), _read, limit_s=2 * LONGEST_S)


def _read(ran: Ran) -> Verdicts:
    if ran.end != "passed":
        return {END: ran.end}
    if ran.status in NOT_TRIED or "skipped" in ran.log:
        return {END: "skipped"}
    return {END: "failed" if ran.status else "passed"}


FAMILY = Family("stress-ng", ("stress-ng",), pieces)
