"""Starting programs: what they get, what goes wrong, and that none outlives us."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tickless
from tests.programs.harness import LIMIT_S
from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.host.launch import LaunchError, find_program

SUPERVISE = Path(__file__).with_name("supervise.py")
PACKAGES = str(Path(tickless.__file__).parents[1])
# Root can be an ordinary user as well; an ordinary user is one already.
USERS: list[int | None] = [None, 65534] if os.geteuid() == 0 else [None]
TRAPPED = [number_of(ARCH, name) for name in ("write", "brk", "munmap", "close", "wait4", "rt_sigaction")]
GETPPID = number_of(ARCH, "getppid")

FACTS = r"""
env | sort | grep -v ^_=
pwd; umask; ulimit -n; ulimit -Hn
readlink /proc/$$/fd/*
cut -d ' ' -f 5-6 /proc/self/stat
"""


def run(command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": PACKAGES}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, **options)


def supervised(user: int | None = None, **config: Any) -> list[str]:
    config |= {} if user is None else {"user": user}
    return [sys.executable, str(SUPERVISE), json.dumps(config)]


@pytest.mark.parametrize("user", USERS)
def test_the_program_gets_what_we_inherited(user: int | None) -> None:
    """Environment (without Python's LC_CTYPE), directory, limits, open files, process group and session."""
    shell = ["/bin/sh", "-c", FACTS]
    read_end, write_end = os.pipe()
    options: dict[str, Any] = {"cwd": "/tmp", "pass_fds": (read_end,)}
    limits = ["prlimit", "--nofile=500:1000"]
    native = run([*limits, *as_user(user), *shell], **options)
    launched = run([*limits, *supervised(user, argv=shell, trapped=TRAPPED)], **options)
    os.close(read_end)
    os.close(write_end)

    assert _without_pipes(launched.stdout) == _without_pipes(native.stdout)
    assert (launched.stderr, launched.returncode) == ("", 0)


@pytest.mark.parametrize("user", USERS)
def test_signals_and_privileges_are_the_inherited_ones(user: int | None) -> None:
    """But for the filter, and for no_new_privs where only that allows a filter. No shell: some clear their mask."""
    signals = ["env", "--ignore-signal=USR1", "--block-signal=USR2"]
    program = ["grep", "-E", "^(Sig[PBIC]|Shd|NoNewPrivs|Seccomp_filters|Cpus_allowed_list|Cap)", "/proc/self/status"]
    native = run([*signals, *as_user(user), *program])
    launched = run([*signals, *supervised(user, argv=program, trapped=TRAPPED)])

    expected = native.stdout.replace("Seccomp_filters:\t0", "Seccomp_filters:\t1")
    if user is not None or os.geteuid() != 0:
        expected = expected.replace("NoNewPrivs:\t0", "NoNewPrivs:\t1")
    assert launched.stdout == expected
    assert "SigBlk:\t0000000000000800" in expected


def as_user(user: int | None) -> list[str]:
    return [] if user is None else ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def _without_pipes(facts: str) -> list[str]:
    """The lines without the numbers of the pipes, which differ from run to run."""
    return [line.split("[")[0] for line in facts.splitlines()]


@pytest.mark.parametrize("user", USERS)
def test_the_status_is_the_programs(user: int | None) -> None:
    done = run(supervised(user, argv=["sh", "-c", "exit 7"], trapped=TRAPPED))

    assert (done.returncode, done.stderr) == (7, "")


def test_trapped_calls_come_to_the_listener() -> None:
    """A shell asks for its parent at its start, and remembers the answer."""
    done = run(supervised(argv=["sh", "-c", "echo $PPID"], answers={str(GETPPID): 4242}))

    assert done.stdout == "4242\n"


def test_a_filter_over_all_numbers_reaches_the_program() -> None:
    """Everything that malloc and exec may call between filter and program is trapped here."""
    everything = [number for number in range(450) if number != number_of(ARCH, "rt_sigreturn")]
    done = run(supervised(argv=["/bin/echo", "hello"], trapped=everything))

    assert (done.stdout, done.returncode) == ("hello\n", 0)


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Files that cannot be executed, each for a reason of its own."""
    (tmp_path / "plain").write_text("#!/bin/sh\n")
    (tmp_path / "script").write_text("#!/nonexistent/interpreter\n")
    (tmp_path / "garbage").write_bytes(b"neither ELF nor script\n")
    (tmp_path / "directory").mkdir()
    for name in ("script", "garbage"):
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        pytest.param("nosuch", 127, "nosuch: command not found", id="not in PATH"),
        pytest.param("", 127, ": command not found", id="empty name"),
        pytest.param("./nosuch", 127, "./nosuch: No such file or directory", id="missing"),
        pytest.param("./plain/x", 127, "./plain/x: Not a directory", id="below a file"),
        pytest.param("./plain", 126, "./plain: Permission denied", id="no x bit"),
        pytest.param("./directory", 126, "./directory: Is a directory", id="directory"),
        pytest.param("./garbage", 126, "./garbage: Exec format error", id="bad format"),
        pytest.param("./script", 127, "./script: its interpreter or loader is missing", id="no interpreter"),
    ],
)
def test_what_cannot_be_executed(programs: Path, name: str, status: int, message: str) -> None:
    """127 for what isn't there, 126 for what cannot run, as the shells have it; one line each."""
    done = run(supervised(argv=[name], trapped=TRAPPED, cwd=str(programs)))

    assert (done.returncode, done.stderr) == (status, message + "\n")


def test_too_long_arguments() -> None:
    """execve(2): one argument may have 128 KiB."""
    done = run(supervised(argv=["/bin/true"], long_arguments=[1 << 17]))

    assert (done.returncode, done.stderr) == (126, "/bin/true: Argument list too long\n")


def test_a_missing_directory() -> None:
    done = run(supervised(argv=["/bin/true"], cwd="/nonexistent"))

    assert done.returncode == 125
    assert done.stderr == "cannot change directory to /nonexistent: No such file or directory\n"


def test_a_second_listener_is_refused_clearly() -> None:
    """seccomp(2): a second listener in one chain of filters is EBUSY."""
    done = run(supervised(argv=["/bin/true"], listener_already=True))

    assert done.returncode == 125
    assert done.stderr.startswith("a seccomp listener is already there")
    assert done.stderr.count("\n") == 1


def test_inside_a_tracer_is_refused_clearly() -> None:
    """ptrace(2): a process has one tracer, so a launch under a supervisor of our own kind gets EPERM."""
    done = run(supervised(argv=supervised(argv=["/bin/true"])))

    assert done.returncode == 125
    assert done.stderr.startswith("cannot trace /bin/true: Operation not permitted")


DIES_BEFORE_EXEC = """
import ctypes
from tickless.host import launch, seccomp
seccomp.install = lambda _: ctypes.string_at(0)  # as a bug of ours, or a stack that cannot grow, would
try:
    launch.launch(["true"], {}, None, b"", None)
except launch.LaunchError as error:
    print(error.status, error.message)
"""


def test_a_child_that_dies_of_a_signal_before_its_exec_is_told() -> None:
    """A fault comes again and again unless it is delivered."""
    ended = subprocess.run(
        [sys.executable, "-c", DIES_BEFORE_EXEC], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )

    assert ended.stdout == f"125 true: ended before its start (status -{signal.SIGSEGV.value})\n", ended.stderr


def test_path_search_follows_execvp(tmp_path: Path) -> None:
    """exec(3): what isn't executable is passed over, an empty element is the current directory."""
    for directory, mode in (("first", 0o644), ("second", 0o755)):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "tool").write_text("#!/bin/sh\n")
        (tmp_path / directory / "tool").chmod(mode)
    (tmp_path / "tool").mkdir()
    path = {"PATH": f"{tmp_path}/none:{tmp_path}/first:{tmp_path}/second"}

    assert find_program("tool", path) == f"{tmp_path}/second/tool"
    assert find_program("tool", {"PATH": ":/bin"}, str(tmp_path / "second")) == "tool"
    assert find_program("sh", {}) == "/bin/sh"
    with pytest.raises(LaunchError, match="tool: Permission denied") as denied:
        find_program("tool", {"PATH": f"{tmp_path}/first:{tmp_path}/none"})
    assert denied.value.status == 126


@pytest.mark.parametrize("before_tracing", [False, True], ids=["running", "not yet traced"])
def test_no_program_outlives_a_killed_supervisor(before_tracing: bool) -> None:
    """Nor does it need a call of its own to end."""
    busy = ["sh", "-c", "echo $$; while :; do :; done"]
    command = supervised(argv=busy, trapped=TRAPPED, die_before_tracing=before_tracing)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": PACKAGES}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        program = int(supervisor.stdout.readline())
        supervisor.send_signal(signal.SIGKILL)
        supervisor.wait()
    ended = _ends_within(program, seconds=10)

    assert ended


def _ends_within(pid: int, *, seconds: int) -> bool:
    """Whether a process of somebody else ends in time; it does in any case after this."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    ended = bool(poll.poll(seconds * 1000))
    if not ended:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
    return ended
