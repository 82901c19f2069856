"""Waits that only the host can end, with the outside: locks, semaphores. What is like Linux is in tests/linux."""

import errno
import fcntl
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.programs.harness import LIMIT_S, run_natively, run_virtually, running, tickless
from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of

LOCKING = "import fcntl, os, sys; f = open(sys.argv[1], 'w'); print('waits', flush=True); {}; print('has it')"
KINDS = {"flock": "fcntl.flock(f, fcntl.LOCK_EX)", "fcntl": "fcntl.lockf(f, fcntl.LOCK_EX)"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_that_somebody_outside_holds(kind: str, tmp_path: Path) -> None:
    """flock(2), fcntl(2): it is waited for in real time, when nothing else can happen."""
    held = tmp_path / "held"
    take = fcntl.flock if kind == "flock" else fcntl.lockf
    command = [sys.executable, "-c", LOCKING.format(KINDS[kind]), str(held)]
    with held.open("w") as ours:
        take(ours, fcntl.LOCK_EX)
        with running(tickless(command), tmp_path / "run") as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "waits\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.1)
            take(ours, fcntl.LOCK_UN)
            out, _ = process.communicate(timeout=LIMIT_S)

    assert out == "has it\n"


def test_hours_pass_while_a_lock_is_held(tmp_path: Path) -> None:
    """The clock jumps over the wait: nobody waits in the host."""
    script = (
        "(flock 9; echo first; sleep 10h; echo last) 9> lock & sleep 1h; exec 8> lock; "
        "flock 8 && echo $(( $(date +%s) - start )); flock -w 60 8 && echo again; wait"
    )
    ended = run_virtually(["bash", "-c", f"start=$(date +%s); {script}"], tmp_path)

    assert ended.stdout == "first\nlast\n36000\nagain\n"
    assert ended.stderr == ""


def test_a_lock_with_a_time_out(tmp_path: Path) -> None:
    """flock(1), -w: an alarm ends the wait, with status 1."""
    script = "(flock 9; sleep {0}) 9> lock & sleep {1}; exec 8> lock; flock -w {2} 8; echo $?; wait"
    native = run_natively(["bash", "-c", script.format("0.6", "0.1", "0.2")], tmp_path)
    virtual = run_virtually(["bash", "-c", script.format("6h", "1h", "7200")], tmp_path)

    assert (native.stdout, virtual.stdout) == ("1\n", "1\n")


def test_locks_that_block_each_other_are_a_deadlock(tmp_path: Path) -> None:
    """With --no-external nobody else can let go of one."""
    script = "exec 8> a 9> b; flock 8; (flock 8) 8> a & flock 9; exec 7> b; sleep 1; flock 7"
    ended = run_virtually(["bash", "-c", script], tmp_path, ["--no-external"])

    assert ended.status == 121
    assert "waits in flock" in ended.stderr


FULL_QUEUE = (
    "import os, socket, time; listener = socket.socket(socket.AF_UNIX); listener.bind('s'); listener.listen(0)\n"
    "clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]; clients[0].connect('s'); start = time.time()\n"
    "clients[2].settimeout(0); print(clients[2].connect_ex('s'))\n"
    "if os.fork() == 0: clients[1].connect('s'); print(round(time.time() - start), flush=True); os._exit(0)\n"
    "time.sleep(3600); [listener.accept() for _ in range(2)]; print(os.wait()[1])"
)
# Its layers are in two file systems.
OVERLAY = (
    "mkdir lower layers all && mount -t tmpfs none layers && mkdir layers/upper layers/work && "
    "mount -t overlay none -o lowerdir=lower,upperdir=layers/upper,workdir=layers/work all"
)


def may_mount_overlays() -> bool:
    with TemporaryDirectory() as folder:
        command = ["unshare", "--mount", "sh", "-c", OVERLAY]
        return subprocess.run(command, cwd=folder, capture_output=True).returncode == 0


def test_a_unix_socket_waits_for_room_in_its_peers_queue(tmp_path: Path) -> None:
    """connect(2), listen(2): until an accept, an hour later."""
    ended = run_virtually([sys.executable, "-uc", FULL_QUEUE], tmp_path)

    assert (ended.stdout, ended.stderr) == (f"{errno.EAGAIN}\n3600\n0\n", "")


@pytest.mark.skipif(not may_mount_overlays(), reason="mounts are root's to make")
def test_a_unix_socket_in_an_overlay_does_as_well(tmp_path: Path) -> None:
    """There stat(2) shows a layer's device, sock_diag(7) the overlay's."""
    mounted = ["unshare", "--mount", "sh", "-c", f'{OVERLAY} && cd all && exec "$@"', "sh"]
    ended = run_virtually([*mounted, sys.executable, "-uc", FULL_QUEUE], tmp_path)

    assert (ended.stdout, ended.stderr) == (f"{errno.EAGAIN}\n3600\n0\n", "")


def test_what_waits_in_linux_after_all_is_named(tmp_path: Path) -> None:
    """io_pgetevents(2): its time-out passes in real time."""
    script = (
        "import ctypes; libc = ctypes.CDLL(None)\n"
        "context = ctypes.c_ulong(0); span = (ctypes.c_long * 2)(1, 0)\n"
        f"print(libc.syscall({number_of(ARCH, 'io_setup')}, 1, ctypes.byref(context)))\n"
        f"print(libc.syscall({number_of(ARCH, 'io_pgetevents')}, context, 1, 1, ctypes.byref(context), span, None))"
    )
    ended = run_virtually([sys.executable, "-c", script], tmp_path)

    assert ended.stdout == "0\n0\n"
    assert "TL502: waiting in io_pgetevents is not served (main); the clock may be wrong" in ended.stderr


def test_a_task_cannot_be_traced_twice(tmp_path: Path) -> None:
    """ptrace(2), EPERM: PTRACE_TRACEME of a task that is traced already."""
    script = "import ctypes; print(ctypes.CDLL(None).ptrace(0, 0, 0, 0))"
    ended = run_virtually([sys.executable, "-c", script], tmp_path)

    assert ended.stdout == "-1\n"
    assert "TL511: ptrace is not served" in ended.stderr


def test_asynchronous_io_on_a_file_of_ours_is_refused_by_name(tmp_path: Path) -> None:
    """struct iocb with IOCB_CMD_POLL, for an eventfd."""
    script = (
        "import ctypes, os, struct; libc = ctypes.CDLL(None)\n"
        "context = ctypes.c_ulong(0)\n"
        f"libc.syscall({number_of(ARCH, 'io_setup')}, 1, ctypes.byref(context))\n"
        "packed = struct.pack('QIiHhIQQqQII', 0, 0, 0, 5, 0, os.eventfd(1), 1, 0, 0, 0, 0, 0)\n"
        "operation = ctypes.create_string_buffer(packed)\n"
        "one = ctypes.c_void_p(ctypes.addressof(operation))\n"
        f"print(libc.syscall({number_of(ARCH, 'io_submit')}, context, 1, ctypes.byref(one)))"
    )
    ended = run_virtually([sys.executable, "-c", script], tmp_path)

    assert ended.stdout == "-1\n"
    assert "TL131" in ended.stderr
