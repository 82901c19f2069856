"""Start a program under the filter and the tracer, stopped at the first instruction it has of its own.

The child shares our table of open files until its exec. So the listener it makes is ours at once, under the same
number, without pidfd_getfd(2) and its privileges; exec gives the program a table of its own and closes what is
close-on-exec, which is everything that Python opens. What was inherited stays open.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import select
import signal
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import NoReturn

from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.host import notify, ptrace, seccomp
from tickless.host.inherited import Inherited
from tickless.host.program import is_32_bit
from tickless.host.tsc import trap_tsc

CANNOT_RUN_HERE, NOT_EXECUTABLE, NOT_FOUND = 125, 126, 127  # exit statuses, as env(1) has them

CLONE_FILES = 0x400
PR_SET_PDEATHSIG = 1
GET_PERSONALITY, ADDR_NO_RANDOMIZE = 0xFFFFFFFF, 0x0040000  # personality(2)
DEFAULT_PATH = "/bin:/usr/bin"  # of execvp(3) without PATH

OPTIONS = (
    ptrace.PTRACE_O_TRACEFORK
    | ptrace.PTRACE_O_TRACEVFORK
    | ptrace.PTRACE_O_TRACECLONE
    | ptrace.PTRACE_O_TRACEEXEC
    | ptrace.PTRACE_O_TRACEVFORKDONE
    | ptrace.PTRACE_O_EXITKILL
)
AT_EXEC = signal.SIGTRAP | ptrace.PTRACE_EVENT_EXEC << 8  # as the high bits of waitpid's status

# What the child tells us: its listener (-1: none yet), the step that failed (0: none) and its errno. It is shared
# memory, because a write to a pipe would be trapped once the filter is there.
REPORT = Struct("iii")
CHDIR, FILTER, EXEC = 1, 2, 3
NOTICE_S = 0.001  # how soon we look for a call that is trapped between filter and exec; there is hardly ever one

_libc = ctypes.PyDLL(None, use_errno=True)


class LaunchError(Exception):
    """The program cannot start: one line for the user, and the exit status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Launched:
    """A program in its PTRACE_EVENT_EXEC stop, which is reaped: `ptrace.cont` starts it. All fds are close-on-exec."""

    pid: int
    listener: int
    pidfd: int


def launch(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str | None,
    filter_: bytes,
    cpu: int | None,
    inherited: Inherited | None = None,
    options: int = OPTIONS,
    *,
    virtual_tsc: bool = False,
) -> Launched:
    """Start `argv`, searched for in `env`'s PATH, and pin it and ourselves to `cpu`. Raises: LaunchError.

    `inherited` says what else the program gets; None: what we have now. With `virtual_tsc` rdtsc is a SIGSEGV that the
    caller has to serve. An ordinary user has to be dumpable until this is done, or the host refuses to trace the child.
    """
    inherited = inherited or Inherited.capture()
    plan = _Plan(argv, env, cwd, filter_, inherited, virtual_tsc=virtual_tsc)
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # or the host would reap our children for us
    with _all_signals_blocked():
        pid = _clone()
        if pid == 0:
            plan.carry_out()
        try:
            plan.trace(pid, options)
            plan.wait_for_exec(pid)
            # The signals that came so far are pending, and are the program's as soon as it runs.
            ptrace.setsigmask(pid, inherited.signal_mask)
        finally:
            plan.close()
    listener = plan.report()[0]
    notify.set_sync_wake_up(listener)
    return Launched(pid, listener, os.pidfd_open(pid))


def find_program(name: str, env: Mapping[str, str], cwd: str | None = None) -> str:
    """Return the path to execute, found as execvp(3) does; relative ones count from `cwd`. Raises: LaunchError."""
    candidates = [name]
    if "/" not in name:
        directories = env.get("PATH", DEFAULT_PATH).split(":")
        candidates = [f"{directory}/{name}" if directory else name for directory in directories]
    reason = None
    for candidate in candidates if name else ():
        obstacle = _obstacle(os.path.join(cwd or "", candidate))
        if obstacle is None:
            return candidate
        if obstacle not in (errno.ENOENT, errno.ENOTDIR):
            reason = reason or obstacle
        elif "/" in name:
            raise LaunchError(NOT_FOUND, f"{name}: {os.strerror(obstacle)}")
    if reason is None:
        raise LaunchError(NOT_FOUND, f"{name}: command not found")
    raise LaunchError(NOT_EXECUTABLE, f"{name}: {os.strerror(reason)}")


def _obstacle(path: str) -> int | None:
    """Return the errno that keeps us from executing `path`, as far as one can see from outside."""
    try:
        status = os.stat(path)
    except OSError as error:
        return error.errno
    if stat.S_ISDIR(status.st_mode):
        return errno.EISDIR
    if not stat.S_ISREG(status.st_mode) or not os.access(path, os.X_OK, effective_ids=True):
        return errno.EACCES
    return None


class _Plan:
    """One launch, made up before the child is there, so that the child has little left to do."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str | None,
        filter_: bytes,
        inherited: Inherited,
        *,
        virtual_tsc: bool,
    ) -> None:
        self.name = argv[0]
        self.path = os.fsencode(find_program(argv[0], env, cwd))
        self.argv = _strings(argv)
        self.env = _strings([f"{name}={value}" for name, value in env.items()])
        self.cwd = cwd
        self.filter = filter_
        self.inherited = inherited
        self.virtual_tsc = virtual_tsc
        self.parent = os.getpid()
        self.page = mmap.mmap(-1, REPORT.size)
        self.page[:] = REPORT.pack(-1, 0, 0)
        self.traced, self.trace_it = os.pipe()  # a byte comes through when the child is traced

    def report(self) -> tuple[int, int, int]:
        """Return (listener or -1, failed step or 0, its errno)."""
        listener, step, error = REPORT.unpack(self.page[:])
        return listener, step, error

    def close(self) -> None:
        os.close(self.traced)
        os.close(self.trace_it)

    # --- the child

    def carry_out(self) -> NoReturn:
        """Become the program."""
        listener, step = -1, CHDIR
        try:
            # Until we are traced with EXITKILL this is what ends us with our parent.
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self.parent:
                os._exit(CANNOT_RUN_HERE)
            os.read(self.traced, 1)
            _libc.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)
            self.inherited.restore()
            if self.cwd is not None:
                os.chdir(self.cwd)
            # Where a container refuses this, addresses differ from run to run.
            _libc.personality(_libc.personality(GET_PERSONALITY) | ADDR_NO_RANDOMIZE)
            if self.virtual_tsc:
                trap_tsc(_libc)
            step = FILTER
            listener = seccomp.install(self.filter)
            self.page[:] = REPORT.pack(listener, 0, 0)
            step = EXEC
            _libc.execve(self.path, self.argv, self.env)
            self.page[:] = REPORT.pack(listener, EXEC, ctypes.get_errno())
        except OSError as error:
            self.page[:] = REPORT.pack(listener, step, error.errno or 0)
        finally:
            os._exit(CANNOT_RUN_HERE)

    # --- the supervisor

    def trace(self, pid: int, options: int) -> None:
        """Become the child's tracer and let it go on."""
        try:
            ptrace.seize(pid, options)
        except OSError as error:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise LaunchError(
                CANNOT_RUN_HERE,
                f"cannot trace {self.name}: {error.strerror} (`tickless doctor` says what to do)",
            ) from error
        os.write(self.trace_it, b"!")

    def wait_for_exec(self, pid: int) -> None:
        """Return when the child stops at its exec. Raises: LaunchError if it ended instead."""
        while True:
            # A blocked SIGCHLD waits to be taken, so none is missed between looking and waiting.
            waited, status = os.waitpid(pid, os.WNOHANG | ptrace.WALL)
            if waited == 0:
                self._pass_on_calls()
                signal.sigtimedwait({signal.SIGCHLD}, NOTICE_S)
            elif not os.WIFSTOPPED(status):
                raise self._failure(status)
            elif status >> 8 == AT_EXEC:
                self._check_program(pid)
                return
            else:
                signo = 0 if ptrace.stop_event(status) else os.WSTOPSIG(status)
                # The program isn't there yet to be stopped.
                ptrace.cont(pid, 0 if signo == signal.SIGSTOP else signo)

    def _check_program(self, pid: int) -> None:
        """An ordinary user may execute what he may not read, but then we may not look into it. ptrace(2), dumpable."""
        if not os.access(f"/proc/{pid}/mem", os.R_OK | os.W_OK):
            reason = "you may not read it, so tickless cannot run it as you"
        elif is_32_bit(pid):
            reason = "it is a 32-bit program, which tickless cannot run"
        else:
            return
        os.kill(pid, signal.SIGKILL)
        while os.WIFSTOPPED(os.waitpid(pid, ptrace.WALL)[1]):
            pass  # a stop that came before it was killed
        raise LaunchError(NOT_EXECUTABLE, f"{self.name}: {reason}")

    def _pass_on_calls(self) -> None:
        """Let the child, which is still our own code, make what the filter traps: malloc may need brk or munmap."""
        listener = self.report()[0]
        with contextlib.suppress(FileNotFoundError):  # the child has died
            while listener >= 0 and _readable(listener):
                notify.pass_on(listener, notify.receive(listener)[0])

    def _failure(self, status: int) -> LaunchError:
        listener, step, error = self.report()
        if listener >= 0:
            os.close(listener)
        if step == CHDIR:
            return LaunchError(CANNOT_RUN_HERE, f"cannot change directory to {self.cwd}: {os.strerror(error)}")
        if step == FILTER:
            return LaunchError(CANNOT_RUN_HERE, _filter_refused(error))
        if step == EXEC:
            return _exec_failed(self.name, error)
        ended = os.waitstatus_to_exitcode(status)
        return LaunchError(CANNOT_RUN_HERE, f"{self.name}: ended before its start (status {ended})")


def _exec_failed(name: str, error: int) -> LaunchError:
    if error == errno.ENOENT:  # the file itself was there a moment ago
        return LaunchError(NOT_FOUND, f"{name}: its interpreter or loader is missing")
    return LaunchError(NOT_EXECUTABLE, f"{name}: {os.strerror(error)}")


def _filter_refused(error: int) -> str:
    if error in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        return f"cannot start: {os.strerror(error)}"
    if error == errno.EBUSY:
        return (
            "a seccomp listener is already there, and Linux allows one: "
            "tickless cannot run inside tickless, nor in a container or WSL2 that has its own"
        )
    if error == errno.EINVAL:
        return "the kernel is too old: tickless needs seccomp user notification as Linux 5.19 has it"
    return f"seccomp user notification is not available here: {os.strerror(error)} (`tickless doctor` says what to do)"


def _clone() -> int:
    """fork(2), but with one table of open files for both; 0 in the child. Python doesn't notice: call no more of it
    there than exec needs."""
    pid: int = _libc.syscall(
        *map(ctypes.c_long, (number_of(ARCH, "clone") or 0, CLONE_FILES | signal.SIGCHLD, 0, 0, 0, 0))
    )
    if pid < 0:
        raise LaunchError(CANNOT_RUN_HERE, f"cannot make a process: {os.strerror(ctypes.get_errno())}")
    return pid


@contextlib.contextmanager
def _all_signals_blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _strings(strings: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(strings) + 1))(*map(os.fsencode, strings), None)


def _readable(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
