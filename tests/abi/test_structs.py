"""Every structure has the size and the offsets that C gives it."""

import re
from pathlib import Path
from struct import Struct, calcsize

import pytest

from tests.abi.native import run_c
from tickless.abi import epoll, fcntl, futex, poll, resource, sched, siginfo, signal, stat, time
from tickless.abi.arch import ARCH

TIMES = "st_atime st_atime_nsec st_mtime st_mtime_nsec st_ctime st_ctime_nsec"
STATX_TIMES = " ".join(f"stx_{time}.tv_sec stx_{time}.tv_nsec" for time in ("atime", "btime", "ctime", "mtime"))

# Name in C, header, ours, its fields in our order.
STRUCTS = [
    ("struct epoll_event", "linux/eventpoll.h", epoll.EPOLL_EVENT, "events data"),
    ("struct pollfd", "linux/poll.h", poll.POLLFD, "fd events revents"),
    ("struct flock", "linux/fcntl.h", fcntl.FLOCK, "l_type l_whence l_start l_len l_pid"),
    ("struct f_owner_ex", "linux/fcntl.h", fcntl.F_OWNER_EX, "type pid"),
    ("struct iovec", "linux/uio.h", fcntl.IOVEC, "iov_base iov_len"),
    ("struct timespec", "time.h", time.TIMESPEC, "tv_sec tv_nsec"),
    ("struct timeval", "sys/time.h", time.TIMEVAL, "tv_sec tv_usec"),
    (
        "struct itimerspec",
        "time.h",
        time.ITIMERSPEC,
        "it_interval.tv_sec it_interval.tv_nsec it_value.tv_sec it_value.tv_nsec",
    ),
    (
        "struct itimerval",
        "sys/time.h",
        time.ITIMERVAL,
        "it_interval.tv_sec it_interval.tv_usec it_value.tv_sec it_value.tv_usec",
    ),
    ("struct sigevent", "linux/signal.h", time.SIGEVENT, "sigev_value sigev_signo sigev_notify _sigev_un._tid"),
    ("stack_t", "linux/signal.h", signal.STACK_T, "ss_sp ss_flags ss_size"),
    ("struct sigaction", "linux/signal.h", signal.KERNEL_SIGACTION, "sa_handler sa_flags sa_restorer sa_mask"),
    ("struct futex_waitv", "linux/futex.h", futex.FUTEX_WAITV, "val uaddr flags __reserved"),
    (
        "struct robust_list_head",
        "linux/futex.h",
        futex.ROBUST_LIST_HEAD,
        "list futex_offset list_op_pending",
    ),
    (
        "struct clone_args",
        "linux/sched.h",
        sched.CLONE_ARGS,
        "flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup",
    ),
    ("struct rlimit", "linux/resource.h", resource.RLIMIT, "rlim_cur rlim_max"),
    (
        "struct signalfd_siginfo",
        "linux/signalfd.h",
        siginfo.SIGNALFD_SIGINFO,
        "ssi_signo ssi_errno ssi_code ssi_pid ssi_uid ssi_fd ssi_tid ssi_band ssi_overrun ssi_trapno ssi_status "
        "ssi_int ssi_ptr ssi_utime ssi_stime ssi_addr ssi_addr_lsb ssi_syscall ssi_call_addr ssi_arch",
    ),
    (
        "struct stat",
        "asm-generic/stat.h",  # what aarch64 has
        stat.STAT_AARCH64,
        f"st_dev st_ino st_mode st_nlink st_uid st_gid st_rdev st_size st_blksize st_blocks {TIMES}",
    ),
    (
        "struct statx",
        "linux/stat.h",
        stat.STATX,
        "stx_mask stx_blksize stx_attributes stx_nlink stx_uid stx_gid stx_mode stx_ino stx_size stx_blocks "
        f"stx_attributes_mask {STATX_TIMES} stx_rdev_major stx_rdev_minor stx_dev_major stx_dev_minor stx_mnt_id",
    ),
]
if ARCH == "x86_64":
    fields = f"st_dev st_ino st_nlink st_mode st_uid st_gid st_rdev st_size st_blksize st_blocks {TIMES}"
    STRUCTS.append(("struct stat", "asm/stat.h", stat.STAT_X86_64, fields))


def offsets_of(struct: Struct) -> list[int]:
    """Return where each field of `struct` starts, and last its size."""
    offsets = []
    offset = 0
    for count, code in re.findall(r"(\d*)([a-zA-Z])", struct.format):
        fields = [f"{count}x"] if code == "x" else [code] * int(count or 1)
        for field in fields:
            offsets += [offset] if code != "x" else []
            offset += calcsize("<" + field)
    return [*offsets, offset]


@pytest.mark.parametrize(
    ("name", "header", "ours", "fields"), STRUCTS, ids=[f"{name}-{header}" for name, header, _, _ in STRUCTS]
)
def test_layout_is_that_of_c(name: str, header: str, ours: Struct, fields: str, tmp_path: Path) -> None:
    printed = "".join(f'printf("%zu ", offsetof({name}, {field}));\n' for field in fields.split())
    source = (
        f"#include <stddef.h>\n#include <stdio.h>\n#include <{header}>\n"
        f'int main(void) {{ {printed} printf("%zu", sizeof({name})); }}\n'
    )

    assert offsets_of(ours) == [int(word) for word in run_c(source, tmp_path).split()]


def test_rusage_is_two_times_and_fourteen_counters(tmp_path: Path) -> None:
    source = '#include <stdio.h>\n#include <sys/resource.h>\nint main(void) { printf("%zu", sizeof(struct rusage)); }\n'

    assert resource.RUSAGE.size == int(run_c(source, tmp_path))
