"""When tickless itself has too little of something: calls fail as on Linux, and it never ends without a word."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs.build import compile_c
from tests.programs.harness import TICKLESS, Ended, processes_of, run

HERE = Path(__file__).resolve().parent
CHECKED = str(HERE / "checked.py")
ORDINARY = str(HERE / "ordinary.py")
CANNOT_RUN_HERE = 125

# What it takes too much of, under which limit, what it prints then, and what tickless says.
HOARDS = {
    "files": ("--nofile=300:300", "own limit first: 0, all: 8\n", "TL601"),
    "processes": ("--nofile=300:300", "made some: 1, all told: 1, reaped all: 1\n", "TL602"),
    "waits": ("--nofile=300:300", "some fail: 1\n", "TL602"),
    "memory": ("--as=64000000", "filled some: 1, then error 12\n", "TL603"),
}


@pytest.mark.parametrize("what", HOARDS)
def test_a_supervisor_that_has_run_out_lets_calls_fail(what: str, tmp_path: Path) -> None:
    """It keeps some files for each file and process of the run; when all is given back, all goes on. errno(3)."""
    limit, prints, diagnostic = HOARDS[what]
    program = [str(compile_c(HERE / "hoard.c")), what]

    ended = run(["prlimit", limit, sys.executable, CHECKED, "run", "--", *program], tmp_path / "run")

    assert ended.stdout == prints + "afterwards: 1 500\n", ended.stderr
    assert ended.status == 0
    assert diagnostic in ended.stderr


def is_one_line_of_ours(ended: Ended) -> bool:
    return ended.stderr.startswith("tickless: cannot ") and ended.stderr.count("\n") == 1


@pytest.mark.parametrize("limit", ["--nofile=6:6", "--nofile=8:8", "--nofile=10:10"])
def test_who_cannot_even_start_says_so_in_a_line(limit: str, tmp_path: Path) -> None:
    ended = run(["prlimit", limit, TICKLESS, "run", "-o", "trace", "--", "true"], tmp_path / "run")

    assert is_one_line_of_ours(ended), ended.stderr
    assert ended.status == CANNOT_RUN_HERE


def test_doctor_tells_a_limit_from_what_the_machine_lacks(tmp_path: Path) -> None:
    ended = run(["prlimit", "--nofile=6:6", TICKLESS, "doctor"], tmp_path / "run")

    assert "Too many open files (EMFILE)" in ended.stdout, ended.stderr
    assert "remedy: this is a limit" in ended.stdout
    assert (ended.stderr, ended.status) == ("", CANNOT_RUN_HERE)


def as_ordinary_user(limit: str, command: list[str], folder: Path) -> Ended:
    """Root has no limit of processes."""
    limited = ["prlimit", limit, sys.executable, ORDINARY, *command]
    return run(["sh", "-c", 'chmod 777 .; exec "$@"', "sh", *limited], folder)


def test_a_user_who_has_too_many_processes_gets_what_linux_gives(tmp_path: Path) -> None:
    """fork(2), EAGAIN: RLIMIT_NPROC counts tickless as well, and is Linux's."""
    program = str(compile_c(HERE / "hoard.c"))
    ended = as_ordinary_user("--nproc=100:100", ["run", "--", program, "processes"], tmp_path / "run")

    assert ended.stdout == "made some: 1, all told: 1, reaped all: 1\nafterwards: 1 500\n", ended.stderr
    assert (ended.stderr, ended.status) == ("", 0)


def test_a_user_who_may_have_no_process_is_told(tmp_path: Path) -> None:
    ended = as_ordinary_user("--nproc=1:1", ["run", "--", "/bin/true"], tmp_path / "run")
    doctor = as_ordinary_user("--nproc=1:1", ["doctor"], tmp_path / "doctor")

    assert ended.stderr == "tickless: cannot make a process: Resource temporarily unavailable\n"
    assert ended.status == CANNOT_RUN_HERE
    assert "Resource temporarily unavailable (EAGAIN)" in doctor.stdout, doctor.stderr
    assert "remedy: this is a limit" in doctor.stdout


SMALL_DISK = 'mkdir small; mount -t tmpfs -o size=16k none small && "$@"; echo $?; ls -s small; cat small/trace >&3'


MOUNTS = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]


def may_mount() -> bool:
    """user_namespaces(7): an ordinary user may not in a chroot, or where the machine's owner forbids it."""
    return subprocess.run([*MOUNTS, "true"], stderr=subprocess.DEVNULL).returncode == 0


def with_a_small_disk(options: list[str], folder: Path) -> tuple[Ended, str]:
    """Run a program beside a file system of four pages, `small`; and the trace that is there afterwards."""
    program = [TICKLESS, "run", *options, "--", "sh", "-c", "for i in 1 2 3 4 5; do sleep $i; done; echo the end"]
    ended = run([*MOUNTS, "sh", "-c", f"exec 3>left; {SMALL_DISK}", "sh", *program], folder)
    assert processes_of(folder) == []
    return ended, (folder / "left").read_text()


@pytest.mark.skipif(not may_mount(), reason="mounts and user namespaces are root's here")
def test_a_trace_that_fills_the_disk_ends_with_a_whole_line_and_the_run_goes_on(tmp_path: Path) -> None:
    ended, trace = with_a_small_disk(["-o", "small/trace", "--stats"], tmp_path / "run")

    assert ended.stdout.startswith("the end\n0\n")
    assert ended.stderr.count("tickless: the trace ends here: No space left on device\n") == 1
    assert "simulated time       15" in ended.stderr
    assert len(trace) > 12_000
    assert trace.endswith("\n")


def test_a_report_that_does_not_fit_is_not_there(tmp_path: Path) -> None:
    """setrlimit(2), RLIMIT_FSIZE: the file takes what it may, then fails. Python must not write its caches so."""
    limited = ["env", "PYTHONDONTWRITEBYTECODE=1", "prlimit", "--fsize=100"]
    ended = run([*limited, TICKLESS, "run", "--json", "report", "--", "true"], tmp_path / "run")

    assert ended.stderr == "tickless: --json could not be written: File too large\n"
    assert (tmp_path / "run" / "report").read_bytes() == b""
    assert ended.status == 0


def test_a_full_disk_under_what_tickless_says_changes_nothing(tmp_path: Path) -> None:
    command = f"{TICKLESS} run -v --stats -- sh -c 'sleep 1; echo out; exit 3' 2>/dev/full"

    ended = run(["sh", "-c", command], tmp_path / "run")

    assert (ended.stdout, ended.status) == ("out\n", 3)
