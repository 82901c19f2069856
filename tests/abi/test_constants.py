"""Every constant is what the C headers of this machine say."""

from pathlib import Path
from types import ModuleType

import pytest

from tests.abi.native import run_c
from tickless.abi import (
    epoll,
    errno,
    eventfd,
    fcntl,
    flock,
    futex,
    ioctl,
    ipc,
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

# The headers of each page: the kernel's own, where the C library does not keep them from programs.
HEADERS: dict[ModuleType, list[str]] = {
    epoll: ["sys/ioctl.h", "linux/eventpoll.h"],
    errno: ["errno.h"],
    eventfd: ["sys/eventfd.h"],
    fcntl: ["linux/fcntl.h", "linux/fs.h", "linux/limits.h", "linux/random.h", "linux/close_range.h", "linux/uio.h"],
    flock: ["sys/file.h"],
    futex: ["linux/futex.h"],
    ioctl: ["asm/termbits.h", "asm/ioctls.h", "linux/sockios.h"],
    ipc: ["linux/ipc.h", "linux/sem.h", "linux/msg.h"],
    poll: ["poll.h", "sys/select.h"],
    prctl: ["linux/prctl.h"],
    resource: ["linux/resource.h"],
    sched: ["linux/sched.h"],
    siginfo: ["linux/signal.h"],
    signal: ["linux/signal.h"],
    signalfd: ["linux/signalfd.h"],
    socket: ["sys/socket.h"],
    stat: ["sys/stat.h"],
    time: ["linux/signal.h", "linux/time.h"],
    timerfd: ["linux/timerfd.h"],
    wait: ["sys/wait.h", "linux/pidfd.h"],
}

# Names that are ours, or that the kernel keeps in headers it does not export (the C library has some of these).
OURS = {
    "EFD_FLAGS", "COUNT_MAX", "SFD_FLAGS", "TFD_CREATE_FLAGS", "TFD_SETTIME_FLAGS", "PIPE_FLAGS",
    "EP_MAX_EVENTS", "EP_MAX_NESTS", "POLLIN_SET", "POLLOUT_SET", "POLLEX_SET",
    "ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "ERESTART_RESTARTBLOCK",
    "PIPE_DEF_BUFFERS", "PIPE_MAX_SIZE", "MAX_RW_COUNT", "O_ASYNC", "O_RSYNC", "FUTEX_CMD_MASK", "ROBUST_LIST_LIMIT",
    "SPLICE_F_MOVE", "SPLICE_F_NONBLOCK", "SPLICE_F_MORE", "SPLICE_F_GIFT",
    "CPUCLOCK_PROF", "CPUCLOCK_VIRT", "CPUCLOCK_SCHED", "CPUCLOCK_PERTHREAD",
    "LIBC_SIGRTMIN", "SIGRTMAX", "UNBLOCKABLE", "STANDARD_SIGNALS", "SYNCHRONOUS_SIGNALS",
    "IGNORED_BY_DEFAULT", "STOPPING_BY_DEFAULT", "DUMPING_BY_DEFAULT", "SIGINFO_SIZE", "KERNEL_SIGINFO_SIZE",
    "NSEC_PER_USEC", "NSEC_PER_MSEC", "NSEC_PER_SEC", "W_CONTINUED", "BLOCK_SIZE",
}  # fmt: skip

# Newer than the headers of Debian 12, Linux 6.1. Newer headers have them, and then they are compared.
NEWER = {
    "EPIOCSPARAMS", "EPIOCGPARAMS", "F_DUPFD_QUERY", "F_CREATED_QUERY", "PIDFD_THREAD", "PIDFD_SIGNAL_THREAD",
    "PIDFD_SIGNAL_THREAD_GROUP", "PIDFD_SIGNAL_PROCESS_GROUP", "PR_SET_MDWE", "PR_GET_MDWE", "SCHED_EXT",
    "FUTEX2_SIZE_U8", "FUTEX2_SIZE_U16", "FUTEX2_SIZE_U32", "FUTEX2_SIZE_U64", "FUTEX2_SIZE_MASK", "FUTEX2_NUMA",
    "FUTEX2_MPOL", "FUTEX2_PRIVATE", "RWF_NOAPPEND", "RWF_NOSIGNAL",
}  # fmt: skip

# Enumerators of the C library, which the preprocessor does not see.
ENUMERATORS = {"P_ALL", "P_PID", "P_PGID", "P_PIDFD", "__WNOTHREAD", "__WALL", "__WCLONE"}


def constants_of(module: ModuleType) -> dict[str, int]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, int) and name.isupper() and name not in OURS and not _is_private(name)
    }


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def values_in_c(names: list[str], headers: list[str], folder: Path) -> dict[str, int]:
    """Return the values of those of `names` that the headers define, as 64 unsigned bits."""
    lines = [f"#include <{header}>" for header in ("stdio.h", *headers)] + ["int main(void) {"]
    for name in names:
        line = f'printf("{name} %llu\\n", (unsigned long long)({name}));'
        lines += [line] if name in ENUMERATORS else [f"#ifdef {name}", line, "#endif"]
    output = run_c("\n".join(["#define _GNU_SOURCE", *lines, "}"]) + "\n", folder).decode()
    return {name: int(value) for name, value in (line.split() for line in output.splitlines())}


@pytest.mark.parametrize("module", HEADERS, ids=lambda module: module.__name__.rpartition(".")[2])
def test_constants_are_those_of_the_headers(module: ModuleType, tmp_path: Path) -> None:
    ours = constants_of(module)

    theirs = values_in_c(list(ours), HEADERS[module], tmp_path)

    assert {name: ours[name] % 2**64 for name in theirs} == theirs
    assert set(ours) - set(theirs) <= NEWER


def test_exceptions_are_all_needed() -> None:
    """A name that is gone from the modules has no place in the lists of exceptions."""
    names = {name for module in HEADERS for name in vars(module)}

    assert names >= OURS | NEWER | ENUMERATORS
