"""Whose time a program gets from where: the table of docs/coverage.md, which tests/project/test_coverage.py tries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Whose = Literal["virtual", "host"]


@dataclass(frozen=True)
class TimeSource:
    """One way to read time. `names` are those that tests/project/time_sources.c prints."""

    what: str
    names: tuple[str, ...]
    whose: Whose
    note: str


@dataclass(frozen=True)
class ChanceSource:
    """One way to get something random, or that differs from run to run."""

    what: str
    name: str
    repeats: bool  # in a second run with the same seed, on the same machine
    note: str


TIME_SOURCES = (
    TimeSource(
        "`clock_gettime` of every clock that is not CPU time, with and without the vDSO",
        (
            "CLOCK_REALTIME",
            "CLOCK_REALTIME_COARSE",
            "CLOCK_TAI",
            "CLOCK_MONOTONIC",
            "CLOCK_MONOTONIC_RAW",
            "CLOCK_BOOTTIME",
            "clock_gettime without vDSO",
        ),
        "virtual",
        "`--start` sets CLOCK_REALTIME. The coarse clocks are as exact as the others",
    ),
    TimeSource("`gettimeofday`, `time`, `adjtimex`", ("gettimeofday", "time", "adjtimex"), "virtual", ""),
    TimeSource("`sysinfo`, uptime", ("sysinfo",), "virtual", "CLOCK_BOOTTIME; memory and load are the host's"),
    TimeSource("`times`, its result", ("times",), "virtual", "CLOCK_MONOTONIC in ticks of 10 ms"),
    TimeSource("`/proc/uptime`", ("/proc/uptime",), "virtual", "CLOCK_BOOTTIME, and all of it idle"),
    TimeSource(
        "`/proc/stat` btime, start times in `/proc/PID/stat` (`ps`)",
        ("/proc/stat btime", "/proc/PID/stat starttime"),
        "virtual",
        "processes outside the run started at the boot, threads in the host's time. A task with another user id than "
        "tickless reads the host's, since Linux may show it less",
    ),
    TimeSource("SO_RCVTIMEO, SO_SNDTIMEO", ("SO_RCVTIMEO",), "virtual", ""),
    TimeSource(
        "`rdtsc`, `rdtscp`", ("rdtsc",), "virtual", "x86-64; counts ns. Each read is trapped, and costs several µs"
    ),
    TimeSource(
        "CPU time: its clocks, `getrusage`, `wait4`, the fields that `times` fills",
        (
            "CLOCK_PROCESS_CPUTIME_ID",
            "CLOCK_THREAD_CPUTIME_ID",
            "getrusage",
            "wait4 rusage",
            "times tms_utime",
        ),
        "host",
        "computing takes no virtual time, but a program may want to know what it has used. Not repeatable, nor are "
        "timers and sleeps on them, which are looked at every 10 ms of real time; `setitimer(ITIMER_PROF)`, "
        "RLIMIT_CPU and SIGXCPU are Linux's",
    ),
    TimeSource(
        "File times that Linux sets: a new file, a write, `utimensat` with NULL or UTIME_NOW (`touch`)",
        ("st_mtime of a new file", "stx_btime of a new file", "futimens NULL", "futimens UTIME_NOW"),
        "host",
        "all of them from one clock, so that `make` and caches, which compare files with each other, are right. Age "
        "against CLOCK_REALTIME is wrong, unless by [`--file-times virtual`](file-times.md)",
    ),
    TimeSource(
        "File times that the program gives: `utimensat`, `utimes`, `touch -d`",
        ("futimens with a time",),
        "virtual",
        "kept as given, so what a program took from its clock stays virtual",
    ),
    TimeSource(
        "Time stamps of datagrams: SO_TIMESTAMP, SO_TIMESTAMPNS, SIOCGSTAMP",
        ("SO_TIMESTAMP", "SO_TIMESTAMPNS", "SIOCGSTAMP"),
        "host",
        "taken by the network stack. Its own timers (retransmission, keep-alive, TCP_INFO) are in real time as well",
    ),
    TimeSource("System V IPC: msg_stime, sem_otime, shm_atime …", ("msg_stime",), "host", ""),
)

# Without a program that could try them everywhere.
UNTRIED = (
    ("/dev/rtc, /dev/ptp0", "host", "devices; setting them through a clock is refused (TL421, TL424)"),
    ("perf_event_open, keyctl time-outs, leases, quotas", "host", "Linux's own clocks and timers"),
)

CHANCE_SOURCES = (
    ChanceSource("`getrandom`", "getrandom", True, "drawn from `--seed`, without one from 0"),
    ChanceSource("AT_RANDOM: stack protector, hash seeds", "AT_RANDOM", True, "the same"),
    ChanceSource("addresses of memory", "address of a variable", True, "no ASLR where the host lets us turn it off"),
    ChanceSource("`/proc/sys/kernel/random/boot_id`", "boot_id", True, "the same"),
    ChanceSource("`/proc/sys/kernel/random/uuid`", "uuid", True, "the same"),
    ChanceSource("`/dev/urandom`, `/dev/random`", "/dev/urandom", False, "the host's; most libraries use getrandom"),
    ChanceSource("pids and what is made of them ($$, mktemp in old shells)", "getpid", False, "the host's"),
)
