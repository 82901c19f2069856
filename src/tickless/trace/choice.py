"""`-e trace=…`: which calls a trace shows, as strace's option of that name has it."""

from __future__ import annotations

from tickless.abi.arch import ARCH, Arch
from tickless.abi.numbers import number_of
from tickless.kernel.registry import SERVED, Registry

# %name stands for these; names that an architecture lacks are left out. strace(1) has more of them, and some longer.
GROUPS = {
    "file": (
        "access acct chdir chmod chown chroot creat execve execveat faccessat faccessat2 fchmodat fchmodat2 fchownat "
        "futimesat getcwd inotify_add_watch lchown link linkat lstat mkdir mkdirat mknod mknodat mount "
        "name_to_handle_at newfstatat open open_by_handle_at openat openat2 readlink readlinkat rename renameat "
        "renameat2 rmdir stat statfs statx swapoff swapon symlink symlinkat truncate umount2 unlink unlinkat utime "
        "utimensat utimes"
    ),
    "desc": (
        "accept accept4 close close_range copy_file_range dup dup2 dup3 epoll_create epoll_create1 epoll_ctl "
        "epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 fallocate fcntl fdatasync flock fstat fsync ftruncate "
        "getdents64 inotify_init inotify_init1 ioctl lseek memfd_create open openat openat2 pidfd_getfd pidfd_open "
        "pipe pipe2 poll ppoll pread64 preadv preadv2 pselect6 pwrite64 pwritev pwritev2 read readv recvfrom recvmmsg "
        "recvmsg select sendfile sendmmsg sendmsg sendto signalfd signalfd4 socket socketpair splice sync_file_range "
        "tee timerfd_create timerfd_gettime timerfd_settime vmsplice write writev"
    ),
    "process": (
        "clone clone3 execve execveat exit exit_group fork kill pidfd_open pidfd_send_signal rt_sigqueueinfo "
        "rt_tgsigqueueinfo tgkill tkill unshare vfork wait4 waitid"
    ),
    "signal": (
        "kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn "
        "rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack signalfd signalfd4 tgkill tkill"
    ),
    "time": (
        "adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep clock_settime getitimer gettimeofday "
        "nanosleep setitimer settimeofday time timer_create timer_delete timer_getoverrun timer_gettime timer_settime "
        "timerfd_create timerfd_gettime timerfd_settime times"
    ),
    # Their sizes and number depend on where memory lies, so that a trace with them differs from run to run.
    "memory": "brk madvise mmap mprotect mremap msync munmap pkey_mprotect shmat shmdt",
}


class Calls:
    """A set of calls by name; `but` those named, if it is inverted."""

    def __init__(self, names: frozenset[str], *, but: bool) -> None:
        self.names = names
        self.but = but

    def __contains__(self, name: str) -> bool:
        return (name in self.names) is not self.but

    def to_trap(self) -> frozenset[str]:
        """The calls that were asked for by name and would not be seen, or not always, since the host does them."""
        if self.but:
            return frozenset()
        declared = Registry.declarations
        return frozenset(name for name in self.names if name not in declared or declared[name].trap != SERVED)


def all_calls() -> Calls:
    """Every call that reaches tickless, but for those that only move memory."""
    return Calls(_members("memory"), but=True)


def parse_trace(text: str, architecture: Arch = ARCH) -> Calls:
    """Read `trace=read,write`, `trace=!futex`, `trace=%time`, `trace=all` or `trace=none`; `trace=` may be left out.

    Raises: ValueError, its message for the user.
    """
    qualifier, equals, wanted = text.rpartition("=")
    if equals and qualifier != "trace":
        raise ValueError(f"only trace= is known, not {qualifier}=")
    but, words = wanted.startswith("!"), wanted.removeprefix("!")
    if words == "none":
        but, words = not but, "all"
    if words == "all":
        return Calls(frozenset(), but=False) if but else all_calls()
    names = frozenset[str]().union(*(_named(word, architecture) for word in words.split(",")))
    return Calls(names | _members("memory") if but else names, but=but)


def _named(word: str, architecture: Arch) -> frozenset[str]:
    if word.startswith("%"):
        if word[1:] not in GROUPS:
            raise ValueError(f"no group {word!r} (there are {', '.join(f'%{name}' for name in GROUPS)})")
        return frozenset(name for name in _members(word[1:]) if number_of(architecture, name) is not None)
    if number_of(architecture, word) is None:
        raise ValueError(f"no system call {word!r}")
    return frozenset({word})


def _members(group: str) -> frozenset[str]:
    return frozenset(GROUPS[group].split())
