"""Programs that change who they are, what they may do and what they see: served as on Linux, or refused by name."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.programs.build import compile_c
from tests.programs.harness import run, run_natively, run_virtually

HERE = Path(__file__).resolve().parent
LIKE_LINUX = (
    *("drop", "drop undumpable", "drop-and-back", "undumpable", "mdwe", "chroot", "namespaces", "close-all"),
    *("no-clock", "no-sigtimedwait", "no-futex", "trap", "kill", "strict"),
)
EPERM, EBUSY, EINVAL = 1, 16, 22
REFUSED = {"ptrace": (EPERM, "TL511"), "listener": (EBUSY, "TL512"), "pids": (EINVAL, "TL304")}


@pytest.mark.parametrize("way", LIKE_LINUX)
def test_a_program_with_other_privileges_goes_on_as_on_linux(way: str, tmp_path: Path) -> None:
    program = [str(compile_c(HERE / "privileges.c")), *way.split()]

    linux = run_natively(program, tmp_path)
    tickless = run_virtually(program, tmp_path)

    assert linux.stdout, "a program without facts"
    assert tickless.stdout == linux.stdout, tickless.stderr
    assert tickless.status == linux.status


@pytest.mark.parametrize("way", REFUSED)
def test_what_cannot_be_served_is_refused_by_name(way: str, tmp_path: Path) -> None:
    errno, diagnostic = REFUSED[way]

    ended = run_virtually([str(compile_c(HERE / "privileges.c")), way], tmp_path)

    assert ended.stdout == f"{way}: {errno}\n"
    assert ended.stderr.count(diagnostic) == 1


def test_a_set_uid_program_gets_its_privileges(tmp_path: Path) -> None:
    """execve(2). Where tickless has no privileges itself, Linux demands no_new_privs, which disarms such programs."""
    program = str(compile_c(HERE / "privileges.c"))
    armed = tmp_path / "armed"
    shutil.copy(program, armed)
    armed.chmod(0o4755)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)

    linux = run_natively([program, "set-uid", str(armed)], tmp_path)
    tickless = run_virtually([program, "set-uid", str(armed)], tmp_path)

    assert "who: tasks 300 400 7" in linux.stdout
    assert tickless.stdout == linux.stdout, tickless.stderr


def test_an_ordinary_user_is_told_what_he_may_not_run(tmp_path: Path) -> None:
    """A program without read permission can be executed, but not looked into. ptrace(2), PR_SET_DUMPABLE(2const)."""
    hidden = tmp_path / "hidden"
    shutil.copy(shutil.which("sleep") or "", hidden)
    hidden.chmod(0o111)
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)
    ordinary = [sys.executable, str(HERE / "ordinary.py"), "run", "--"]

    as_program = run([*ordinary, str(hidden), "1"], tmp_path / "program")
    as_child = run([*ordinary, "sh", "-c", f"{hidden} 1; echo $?"], tmp_path / "child")

    assert as_program.status == 126
    assert "you may not read it" in as_program.stderr
    assert as_child.stdout == "137\n", as_child.stderr
    assert as_child.stderr.count("TL513") == 1
