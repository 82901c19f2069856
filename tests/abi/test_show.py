"""How structures in a program's memory print: strace's way, and never an address."""

from collections.abc import Callable

import pytest

from tickless.abi import show
from tickless.abi import signal as sig
from tickless.abi.epoll import EPOLL_EVENT, EPOLLET, EPOLLIN
from tickless.abi.fcntl import IOVEC
from tickless.abi.futex import FUTEX2_PRIVATE, FUTEX2_SIZE_U32, FUTEX_WAITV
from tickless.abi.poll import POLLFD, POLLIN
from tickless.abi.resource import RLIM_INFINITY, RLIMIT
from tickless.abi.sched import CLONE_ARGS, CLONE_VFORK
from tickless.abi.siginfo import CLD_EXITED, CLD_KILLED, SEGV_MAPERR, SI_QUEUE, SI_TIMER, SigInfo
from tickless.abi.time import (
    SIGEV_NONE,
    SIGEV_SIGNAL,
    SIGEV_THREAD_ID,
    SIGEVENT,
    pack_itimerspec,
    pack_itimerval,
    pack_timespec,
    pack_timeval,
)
from tickless.abi.wait import W_CONTINUED, exit_status, signal_status, stop_status

HALF = 500_000_000
HEAP = 0x55F012345678


def status(word: int) -> bytes:
    return word.to_bytes(4, "little")


@pytest.mark.parametrize(
    ("show_bytes", "packed", "text"),
    [
        (show.quoted, b"hello\n", '"hello\\n"'),
        (show.quoted, b'a"b\\', '"a\\"b\\\\"'),
        (show.quoted, b"\x00\x011\xff", '"\\0\\0011\\377"'),
        (show.quoted, b"x" * 33, f'"{"x" * 32}"...'),
        (show.quoted, b"x" * 32, f'"{"x" * 32}"'),
        (show.show_path, b"/dev/null\0rest", '"/dev/null"'),
        (show.show_timespec, pack_timespec(1_000_000_005), "{tv_sec=1, tv_nsec=5}"),
        (show.show_timeval, pack_timeval(1_000_005_000), "{tv_sec=1, tv_usec=5}"),
        (
            show.show_itimerspec,
            pack_itimerspec(HALF, 2 * HALF),
            "{it_interval={tv_sec=0, tv_nsec=500000000}, it_value={tv_sec=1, tv_nsec=0}}",
        ),
        (
            show.show_itimerval,
            pack_itimerval(HALF, 2 * HALF),
            "{it_interval={tv_sec=0, tv_usec=500000}, it_value={tv_sec=1, tv_usec=0}}",
        ),
        (show.show_sigset, sig.SIGSET.pack(sig.sigmask(2, 15, 35)), "[INT TERM RTMIN+1]"),
        (show.show_epoll_event, EPOLL_EVENT.pack(EPOLLIN | EPOLLET, 5), "{events=EPOLLIN|EPOLLET, data=0x5}"),
        (show.show_epoll_event, EPOLL_EVENT.pack(EPOLLIN, HEAP), "{events=EPOLLIN, data=ptr}"),
        (show.show_epoll_events, b"", "[]"),
        (
            show.show_epoll_events,
            EPOLL_EVENT.pack(EPOLLIN, 0) * 2,
            "[{events=EPOLLIN, data=0}, {events=EPOLLIN, data=0}]",
        ),
        (
            show.show_pollfds,
            POLLFD.pack(3, POLLIN, 0) + POLLFD.pack(-1, POLLIN, POLLIN),
            "[{fd=3, events=POLLIN}, {fd=-1, events=POLLIN, revents=POLLIN}]",
        ),
        (show.show_fd_set, bytes([0b101000, 1]), "[3 5 8]"),
        (show.show_iovecs, IOVEC.pack(HEAP, 8), "[{iov_len=8}]"),
        (show.show_ints, bytes([3, 0, 0, 0, 4, 0, 0, 0]), "[3, 4]"),
        (show.show_ints, bytes(4) * 33, f"[{'0, ' * 32}...]"),
        (show.show_int, status(2**32 - 1), "[-1]"),
        (show.show_long, bytes([7] + [0] * 7), "[7]"),
        (show.show_wait_status, status(exit_status(256 + 7)), "[{WIFEXITED(s) && WEXITSTATUS(s) == 7}]"),
        (
            show.show_wait_status,
            status(signal_status(sig.SIGTERM, core=False)),
            "[{WIFSIGNALED(s) && WTERMSIG(s) == SIGTERM}]",
        ),
        (
            show.show_wait_status,
            status(signal_status(sig.SIGQUIT, core=True)),
            "[{WIFSIGNALED(s) && WTERMSIG(s) == SIGQUIT && WCOREDUMP(s)}]",
        ),
        (
            show.show_wait_status,
            status(stop_status(sig.SIGTSTP)),
            "[{WIFSTOPPED(s) && WSTOPSIG(s) == SIGTSTP}]",
        ),
        (show.show_wait_status, status(W_CONTINUED), "[{WIFCONTINUED(s)}]"),
        (
            show.show_siginfo,
            SigInfo(sig.SIGCHLD, CLD_EXITED, pid=1234, status=7).pack(),
            "{si_signo=SIGCHLD, si_code=CLD_EXITED, si_status=7}",
        ),
        (
            show.show_siginfo,
            SigInfo(sig.SIGCHLD, CLD_KILLED, status=9).pack(),
            "{si_signo=SIGCHLD, si_code=CLD_KILLED, si_status=SIGKILL}",
        ),
        (
            show.show_siginfo,
            SigInfo(sig.SIGUSR1, SI_QUEUE, pid=1234, value=3).pack(),
            "{si_signo=SIGUSR1, si_code=SI_QUEUE, si_value=0x3}",
        ),
        (
            show.show_siginfo,
            SigInfo(sig.SIGALRM, SI_TIMER, overrun=2, value=HEAP).pack(),
            "{si_signo=SIGALRM, si_code=SI_TIMER, si_overrun=2, si_value=ptr}",
        ),
        (
            show.show_siginfo,
            SigInfo(sig.SIGSEGV, SEGV_MAPERR, addr=HEAP).pack(),
            "{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=ptr}",
        ),
        (
            show.show_sigevent,
            SIGEVENT.pack(0, sig.SIGALRM, SIGEV_SIGNAL, 0),
            "{sigev_value=0, sigev_signo=SIGALRM, sigev_notify=SIGEV_SIGNAL}",
        ),
        (show.show_sigevent, SIGEVENT.pack(HEAP, 0, SIGEV_NONE, 0), "{sigev_value=ptr, sigev_notify=SIGEV_NONE}"),
        (
            show.show_sigevent,
            SIGEVENT.pack(0, 32, SIGEV_THREAD_ID, 77),
            "{sigev_value=0, sigev_signo=SIGRTMIN-2, sigev_notify=SIGEV_THREAD_ID}",
        ),
        (
            show.show_clone_args,
            CLONE_ARGS.pack(CLONE_VFORK, 0, 0, 0, sig.SIGCHLD, 0, 0, 0, 0, 0, 0)[:64],
            "{flags=CLONE_VFORK, exit_signal=SIGCHLD}",
        ),
        (
            show.show_futex_waiters,
            FUTEX_WAITV.pack(1, HEAP, FUTEX2_SIZE_U32 | FUTEX2_PRIVATE, 0),
            "[{val=0x1, flags=FUTEX2_SIZE_U32|FUTEX2_PRIVATE}]",
        ),
        (show.show_rlimit, RLIMIT.pack(1024, RLIM_INFINITY), "{rlim_cur=1024, rlim_max=RLIM64_INFINITY}"),
    ],
)
def test_structure_prints_as_strace_prints_it(show_bytes: Callable[[bytes], str], packed: bytes, text: str) -> None:
    assert show_bytes(packed) == text
