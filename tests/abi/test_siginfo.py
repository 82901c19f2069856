"""sigaction(2), signalfd(2): siginfo_t and signalfd's record, compared with what Linux gives."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.abi.native import run_c
from tickless.abi import signal as sig
from tickless.abi.siginfo import (
    CLD_CONTINUED,
    CLD_DUMPED,
    CLD_EXITED,
    CLD_KILLED,
    CLD_STOPPED,
    KERNEL_SIGINFO_SIZE,
    SEGV_MAPERR,
    SI_ASYNCNL,
    SI_KERNEL,
    SI_QUEUE,
    SI_SIGIO,
    SI_TIMER,
    SI_TKILL,
    SI_USER,
    SIGINFO_SIZE,
    SigInfo,
    siginfo_layout,
    signalfd_siginfo,
)

# A process may queue to itself a siginfo_t of any code. So a signalfd can be asked about all of them.
ECHO = r"""
#define _GNU_SOURCE
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    char info[128], record[128];
    unsigned long all = ~0UL;  // the C library would leave out 32 and 33
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, 0, 8);
    int fd = syscall(SYS_signalfd4, -1, &all, 8, SFD_NONBLOCK);
    while (read(0, info, sizeof info) == sizeof info) {
        if (syscall(SYS_rt_sigqueueinfo, getpid(), *(int *)info, info)) return 1;
        if (read(fd, record, sizeof record) != sizeof record) return 2;
        if (write(1, record, sizeof record) != sizeof record) return 3;
    }
}
"""

# Prints siginfo_t, 128 bytes each, of signals from every source, and before them the pids that matter.
SOURCES = r"""
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char raw[128];
static sigjmp_buf back;
static int *volatile nowhere = (int *)0x10;

static void show(const char *what) {
    printf("%s ", what);
    for (int i = 0; i < 128; i++) printf("%02x", raw[i] & 0xff);
    puts("");
}

static void take(const char *what) {
    unsigned long all = ~0UL;
    memset(raw, 0xaa, sizeof raw);
    if (syscall(SYS_rt_sigtimedwait, &all, raw, 0, 8) < 0) exit(1);
    show(what);
}

static void on_fault(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)context;
    memcpy(raw, info, sizeof raw);
    siglongjmp(back, 1);
}

static pid_t child(int how) {
    pid_t pid = fork();
    if (pid) return pid;
    signal(SIGQUIT, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    if (how == 0) _exit(7);
    kill(getpid(), how);
    pause();
    _exit(1);
}

int main(void) {
    setvbuf(stdout, 0, _IONBF, 0);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, 0);
    printf("self %d\n", getpid());

    kill(getpid(), SIGUSR1);
    take("kill");
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_ptr = (void *)-5L});
    take("sigqueue");
    syscall(SYS_tgkill, getpid(), gettid(), SIGUSR2);
    take("tgkill");
    ualarm(1, 0);
    take("alarm");

    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    event.sigev_value.sival_ptr = (void *)0x1122334455667788;
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    struct itimerspec spec = {{0, 0}, {0, 1}};
    timer_settime(timer, 0, &spec, 0);
    take("timer");

    pid_t pid = child(0);
    take("exit");
    printf("exited %d\n", pid);
    waitpid(pid, 0, 0);
    pid = child(SIGQUIT);
    take("dump");
    waitpid(pid, 0, 0);
    pid = child(SIGSTOP);
    take("stop");
    printf("stopped %d\n", pid);
    kill(pid, SIGCONT);
    take("continue");
    kill(pid, SIGKILL);
    take("killed");
    waitpid(pid, 0, 0);

    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0);
    sigset_t segv;
    sigemptyset(&segv);
    sigaddset(&segv, SIGSEGV);
    sigprocmask(SIG_UNBLOCK, &segv, 0);
    if (!sigsetjmp(back, 1)) *nowhere = 1;
    show("fault");
}
"""

CODES = [SI_ASYNCNL, *range(-8, 18), SI_KERNEL - 1, SI_KERNEL, SI_KERNEL + 1, 0x7FFFFFFF, -0x80000000]
SIGNALS = [signo for signo in range(1, 65) if signo not in (sig.SIGKILL, sig.SIGSTOP)]


def random_siginfos(chance: Random) -> Iterator[bytes]:
    """Yield a siginfo_t for every signal and code, its errno and union random."""
    for signo in SIGNALS:
        for code in CODES:
            if (signo, code) == (sig.SIGSEGV, 10):
                continue  # SEGV_CPERR: known to Linux since 6.6
            head = signo.to_bytes(4, "little") + chance.randbytes(4) + code.to_bytes(4, "little", signed=True)
            info = bytearray((head + bytes(4)).ljust(SIGINFO_SIZE, b"\0"))
            info[16:KERNEL_SIGINFO_SIZE] = chance.randbytes(KERNEL_SIGINFO_SIZE - 16)
            if siginfo_layout(signo, code) == "chld":
                info[28:32] = bytes(4)  # padding before si_utime
            yield bytes(info)


def test_signalfd_record_is_linux_own_for_every_signal_and_code(tmp_path: Path) -> None:
    """signalfd(2), struct signalfd_siginfo: which field is filled depends on signal and code."""
    infos = list(random_siginfos(Random(0)))

    records = run_c(ECHO, tmp_path, stdin=b"".join(infos))

    expected = [records[start : start + 128] for start in range(0, len(records), 128)]
    assert [signalfd_siginfo(SigInfo.unpack(info)) for info in infos] == expected


def test_packing_gives_back_what_was_unpacked() -> None:
    """rt_sigqueueinfo(2): the receiver sees all that the sender put in, fields without a name as well."""
    infos = list(random_siginfos(Random(1)))

    assert [SigInfo.unpack(info).pack() for info in infos] == infos


def test_changed_fields_go_over_the_bytes_they_came_from() -> None:
    info = SigInfo.unpack(SigInfo(sig.SIGUSR1, SI_QUEUE, pid=10, uid=0, value=7).pack())

    info.pid = 11

    assert SigInfo.unpack(info.pack()).pid == 11
    assert SigInfo.unpack(info.pack()).value == 7


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What SOURCES prints: a pid or siginfo_t in hex by name."""
    lines = run_c(SOURCES, tmp_path_factory.mktemp("sources")).decode().splitlines()
    return dict(line.split() for line in lines)


Expected = Callable[[dict[str, str]], SigInfo]


def own(signo: int, code: int, *, value: int = 0) -> Expected:
    return lambda sources: SigInfo(signo, code, pid=int(sources["self"]), uid=os.getuid(), value=value)


def from_child(which: str, code: int, status: int) -> Expected:
    return lambda sources: SigInfo(sig.SIGCHLD, code, pid=int(sources[which]), uid=os.getuid(), status=status)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("kill", own(sig.SIGUSR1, SI_USER)),
        ("sigqueue", own(35, SI_QUEUE, value=2**64 - 5)),
        ("tgkill", own(sig.SIGUSR2, SI_TKILL)),
        ("alarm", lambda _: SigInfo(sig.SIGALRM, SI_KERNEL)),
        ("timer", lambda _: SigInfo(34, SI_TIMER, value=0x1122334455667788)),
        ("exit", from_child("exited", CLD_EXITED, 7)),
        ("stop", from_child("stopped", CLD_STOPPED, sig.SIGSTOP)),
        ("continue", from_child("stopped", CLD_CONTINUED, sig.SIGCONT)),
        ("killed", from_child("stopped", CLD_KILLED, sig.SIGKILL)),
        ("fault", lambda _: SigInfo(sig.SIGSEGV, SEGV_MAPERR, addr=0x10)),
    ],
)
def test_linux_fills_in_these_fields(source: str, expected: Expected, sources: dict[str, str]) -> None:
    """sigaction(2), The siginfo_t argument to a SA_SIGINFO handler."""
    info = SigInfo.unpack(bytes.fromhex(sources[source]))
    info.utime = info.stime = 0  # the child's CPU time

    assert repr(info) == repr(expected(sources))
    assert info.pack() == expected(sources).pack()


def test_a_core_dump_that_a_limit_forbids_counts_as_killed(sources: dict[str, str]) -> None:
    """core(5): CLD_DUMPED says that a core was written, not that the signal's action is to write one."""
    info = SigInfo.unpack(bytes.fromhex(sources["dump"]))

    assert (info.status, info.code) == (sig.SIGQUIT, CLD_KILLED)
    assert CLD_DUMPED != CLD_KILLED


@pytest.mark.parametrize(
    ("signo", "code", "layout"),
    [
        (sig.SIGCHLD, CLD_EXITED, "chld"),
        (sig.SIGCHLD, SI_USER, "kill"),
        (sig.SIGCHLD, SI_QUEUE, "rt"),
        (sig.SIGUSR1, 1, "poll"),
        (sig.SIGUSR1, 7, "kill"),
        (sig.SIGALRM, SI_TIMER, "timer"),
        (sig.SIGIO, SI_SIGIO, "poll"),
        (sig.SIGSEGV, 11, "kill"),
    ],
)
def test_layout_depends_on_signal_and_code(signo: int, code: int, layout: str) -> None:
    assert siginfo_layout(signo, code) == layout


def test_sent_as_another_signal_it_has_the_same_bytes() -> None:
    """clone(2): the exit signal of a child may be any, the kernel fills in what SIGCHLD carries."""
    info = SigInfo(sig.SIGCHLD, CLD_EXITED, pid=7, uid=1000, status=3)
    as_sigchld = info.pack()
    info.send_as(sig.SIGUSR1)

    assert info.pack()[4:] == as_sigchld[4:]
    assert info.pack()[:4] == sig.SIGUSR1.to_bytes(4, "little")
    assert (info.pid, info.status) == (7, 3)
