"""The checks of `tickless doctor`, in the order in which a start needs what they try."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import sys
from _socket import socketpair
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.doctor.finding import Finding, Refused, State, in_child
from tickless.host import notify, ptrace, seccomp
from tickless.host.launch import ADDR_NO_RANDOMIZE, GET_PERSONALITY, LaunchError, launch
from tickless.host.reach import unix_peers
from tickless.host.shortage import shortage_in

OLDEST = (5, 19)  # WAIT_KILLABLE_RECV
SERVED_ARCHITECTURES = ("x86_64", "aarch64")
CONTAINER = "in a container: `docker run --cap-add=SYS_PTRACE`, or a seccomp profile that allows {call}"
EMULATED = "an emulated CPU (qemu-user, Rosetta) has no {call}: use an image for the machine's own architecture"
SHORTAGE = "this is a limit on files, memory or processes, not a lack of the machine: `ulimit -a` shows yours"
YAMA = {
    "2": "sysctl kernel.yama.ptrace_scope=1, or give tickless CAP_SYS_PTRACE",
    "3": "kernel.yama.ptrace_scope is 3, which lasts until the next boot: boot without it",
}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def findings() -> Iterator[Finding]:
    """What the checks find, each when it is asked for; those are left out that need what is missing."""
    missing: set[str] = set()
    for check, needs in CHECKS:
        if missing.isdisjoint(needs):
            finding = check()
            if finding.state == "missing":
                missing.add(finding.name)
            yield finding


def kernel() -> Finding:
    release = platform.release()
    detail = f"Linux {release} on {platform.machine()}"
    version = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if platform.machine() not in SERVED_ARCHITECTURES:
        return Finding("kernel", "missing", detail, f"a machine of {' or '.join(SERVED_ARCHITECTURES)} is needed")
    if version < OLDEST:
        older = "`wsl --update` gives a newer one" if "microsoft" in release.lower() else "a newer kernel is needed"
        return Finding("kernel", "missing", f"{detail}; tickless needs 5.19 or newer", older)
    return Finding("kernel", "works", detail)


def listener() -> Finding:
    """seccomp(2) with a listener: how calls come to tickless."""

    def attempt() -> str:
        seccomp.install(seccomp.build_filter([]))
        return "calls can be received"

    return _tried("seccomp listener", attempt, _listener_remedy)


def _listener_remedy(error: int) -> str:
    if error == errno.EBUSY:
        return (
            "one is there already, and Linux allows one: do not run tickless inside tickless, nor in a container "
            "whose runtime intercepts calls, nor in a WSL2 whose init does"
        )
    if error == errno.EINVAL:
        return "Linux 5.19 or newer is needed (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)"
    if error == errno.ENOSYS:
        return EMULATED.format(call="seccomp")
    return CONTAINER.format(call="seccomp")


def tracing() -> Finding:
    """ptrace(2) of a child: how programs are stopped, and signals delivered."""

    def attempt() -> str:
        with _traced_child():
            return "children can be traced"

    return _tried("ptrace", attempt, _tracing_remedy)


def _tracing_remedy(error: int) -> str:
    if error == errno.ENOSYS:
        return EMULATED.format(call="ptrace")
    scope = ""
    with suppress(OSError):
        scope = Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip()
    return YAMA.get(scope, CONTAINER.format(call="ptrace"))


def traced_already() -> Finding:
    status = Path("/proc/self/status").read_text()
    tracer = next(line.split()[1] for line in status.splitlines() if line.startswith("TracerPid:"))
    if tracer == "0":
        return Finding("no other tracer", "works", "tickless is not traced itself")
    remedy = "detach the debugger, strace or other tickless: what it traces nobody else can"
    return Finding("no other tracer", "missing", f"process {tracer} traces tickless", remedy)


def start() -> Finding:
    """A program under filter and tracer, as `tickless run` starts it."""

    def attempt() -> str:
        try:
            launched = launch(["true"], dict(os.environ), None, seccomp.build_filter([]), None)
        except LaunchError as error:
            return error.message
        os.kill(launched.pid, signal.SIGKILL)
        os.waitpid(launched.pid, ptrace.WALL)
        return ""

    try:
        failure = in_child(attempt)
    except (Refused, ChildProcessError) as error:
        failure = str(error)
    if failure:
        return Finding("start", "missing", failure, "please report this, with `tickless doctor --json`")
    return Finding("start", "works", "a program starts under filter and tracer")


def memory() -> Finding:
    """/proc/PID/mem and process_vm_readv(2): how arguments are read and results written."""

    def attempt() -> str:
        with _traced_child() as pid:
            os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))
            _read_memory(pid)
        return "a task's memory can be read and written"

    return _tried("memory of tasks", attempt, lambda error: CONTAINER.format(call="process_vm_readv and writev"))


def _read_memory(pid: int) -> None:
    word = ctypes.create_string_buffer(8)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(word), 8)
    number = number_of(ARCH, "process_vm_readv")
    _call(number, pid, ctypes.byref(vector), 1, ctypes.byref(vector), 1, 0)


def host_files() -> Finding:
    """pidfd_getfd(2): how sockets and terminals of tasks are watched."""

    def attempt() -> str:
        with _traced_child() as pid:
            os.close(_call(number_of(ARCH, "pidfd_getfd"), os.pidfd_open(pid), 0, 0))
        return "sockets and terminals of tasks can be watched"

    detail = "waits for sockets, terminals and inotify block in the host, where the virtual clock does not end them"
    return _tried(
        "pidfd_getfd", attempt, lambda error: CONTAINER.format(call="pidfd_getfd"), state="limited", without=detail
    )


def wake_ups() -> Finding:
    """SECCOMP_IOCTL_NOTIF_SET_FLAGS: a call's way to tickless and back on one CPU."""

    def attempt() -> str:
        if not notify.set_sync_wake_up(seccomp.install(seccomp.build_filter([]))):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return "a call changes to tickless and back at once"

    remedy = "Linux 6.6 or newer"
    return _tried(
        "wake-ups", attempt, lambda error: remedy, state="limited", without="calls take a little longer than they could"
    )


def addresses() -> Finding:
    """personality(2): the same addresses in every run."""

    def attempt() -> str:
        before = _call(number_of(ARCH, "personality"), GET_PERSONALITY)
        _call(number_of(ARCH, "personality"), before | ADDR_NO_RANDOMIZE)
        return "a program has the same addresses in every run"

    detail = "addresses differ from run to run, so a program that prints or sorts by them does"
    remedy = CONTAINER.format(call="personality").replace("--cap-add=SYS_PTRACE", "--security-opt seccomp=PROFILE")
    return _tried("addresses", attempt, lambda error: remedy, state="limited", without=detail)


def sockets() -> Finding:
    """sock_diag(7): who has the other end of a socket."""

    def attempt() -> str:
        one, other = socketpair()
        with closing(one), closing(other):
            if os.fstat(one.fileno()).st_ino not in dict(unix_peers()):
                raise OSError(errno.ENOENT, "no answer about a pair of sockets")
        return "deadlocks over sockets are found"

    detail = "a deadlock over sockets is taken for waiting for the outside, but with --no-external"
    return _tried("sock_diag", attempt, lambda error: "modprobe unix_diag", state="limited", without=detail)


def cpu() -> Finding:
    """sched_setaffinity(2): tickless and its tasks on one CPU."""

    def attempt() -> str:
        cpus = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(cpus)})
        return f"a run has one of {len(cpus)} CPUs for itself" if len(cpus) > 1 else "there is one CPU"

    detail = "tickless and its tasks run on several CPUs, and a call takes twenty times as long"
    return _tried("one CPU", attempt, lambda error: "allow sched_setaffinity", state="limited", without=detail)


# Each with the names of those without which it cannot be tried.
CHECKS: tuple[tuple[Callable[[], Finding], tuple[str, ...]], ...] = (
    (kernel, ()),
    (traced_already, ()),
    (listener, ()),
    (tracing, ()),
    (memory, ("ptrace",)),
    (start, ("no other tracer", "seccomp listener", "ptrace")),
    (host_files, ("ptrace",)),
    (wake_ups, ("seccomp listener",)),
    (addresses, ()),
    (sockets, ()),
    (cpu, ()),
)


@contextmanager
def _traced_child() -> Iterator[int]:
    """A child that waits, and that we trace. Raises: OSError."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
    try:
        ptrace.seize(pid, ptrace.PTRACE_O_EXITKILL)
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _call(number: int | None, *arguments: object) -> int:
    """A system call. Raises: OSError."""
    # Whole registers: a C int on the stack, where the last of six goes, has anything in its upper half.
    whole = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result: int = _libc.syscall(number, *whole)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def _tried(
    name: str,
    attempt: Callable[[], str],
    remedy: Callable[[int], str],
    *,
    state: State = "missing",
    without: str = "",
) -> Finding:
    """Make an attempt in a child. `state` and `without` say what it means if that fails."""
    try:
        return Finding(name, "works", in_child(attempt))
    except Refused as refused:
        said = f"{refused} ({errno.errorcode.get(refused.errno, refused.errno)})"
        is_limit = refused.errno == errno.EAGAIN or shortage_in(OSError(refused.errno, "")) is not None
        what_to_do = SHORTAGE if is_limit else remedy(refused.errno)
        return Finding(name, state, f"{without}: {said}" if without else said, what_to_do)
    except ChildProcessError as error:
        return Finding(name, state, f"the child that tried it: {error}", CONTAINER.format(call=name))


def python() -> str:
    """The interpreter, for a report."""
    return f"Python {platform.python_version()} ({sys.implementation.name})"
