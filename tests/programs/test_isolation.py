"""Nothing of the mechanisms is delegated to the host, and what cannot be served is refused by name."""

import array
import fcntl
import os
import termios
from pathlib import Path

from tests.programs.build import HERE, compile_c
from tests.programs.harness import processes_of, run_virtually, running, tickless

VIRTUAL = HERE / "virtual"
# Two pipe ends, an eventfd, a timerfd, a signalfd, an epoll and the eventfd's duplicate.
MADE_INSIDE = range(3, 10)
HOST_MECHANISMS = ("eventfd", "eventpoll", "timerfd", "signalfd")


def links_of(pid: int) -> dict[str, str]:
    """Where each descriptor of each task of a process leads, seen from outside."""
    links = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        for fd in (task / "fd").iterdir():
            links[str(fd)] = os.readlink(fd)
    return links


def bytes_in(fd_path: str) -> int:
    """How many bytes the host's pipe behind a descriptor holds."""
    fd = os.open(fd_path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        count = array.array("i", [0])
        fcntl.ioctl(fd, termios.FIONREAD, count)
        return count[0]
    finally:
        os.close(fd)


def test_no_task_has_a_host_mechanism_open(tmp_path: Path) -> None:
    """An eventfd, timerfd, signalfd, epoll or pipe made inside is, for the host, the end of an empty pipe."""
    folder = tmp_path / "run"
    with running(tickless([str(compile_c(VIRTUAL / "descriptors.c"))]), folder) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready 2\n"
        tasks = [pid for pid in processes_of(folder) if pid != process.pid]
        links = {fd: link for pid in tasks for fd, link in links_of(pid).items()}
        inside = {fd: link for fd, link in links.items() if int(Path(fd).name) in MADE_INSIDE}
        readable = [fd for fd in inside if is_readable(fd)]
        held = {fd: bytes_in(fd) for fd in readable}
        process.stdin.write("\n")
        process.stdin.flush()

        assert process.stdout.readline() == "the child: killed by 15\n"
        assert process.wait(20) == 0
    assert len(tasks) == 2
    assert [link for link in links.values() if any(name in link for name in HOST_MECHANISMS)] == []
    assert len(inside) == len(tasks) * len(MADE_INSIDE)
    assert [link for link in inside.values() if not link.startswith("pipe:")] == []
    assert set(held.values()) == {0}


def is_readable(fd_path: str) -> bool:
    """By the mode of the link: a read end shows r."""
    return bool(os.lstat(fd_path).st_mode & 0o400)


def test_a_32_bit_program_is_refused(tmp_path: Path) -> None:
    """elf(5), EI_CLASS: none of its calls is known here, so it must not come to make one."""
    ended = run_virtually([str(compile_c(VIRTUAL / "bits32.c"))], tmp_path)

    assert (ended.status, ended.stdout) == (126, "")
    assert "it is a 32-bit program" in ended.stderr


def test_a_32_bit_child_is_killed_by_name(tmp_path: Path) -> None:
    program = compile_c(VIRTUAL / "bits32.c")

    ended = run_virtually(["sh", "-c", f"{program}; echo $?; sleep 1h; echo later"], tmp_path)

    assert ended.stdout == "137\nlater\n", ended.stderr
    assert ended.stderr.count("TL514: a 32-bit program is not served (main.1); it is killed\n") == 1


def test_calls_that_cannot_be_served_are_refused(tmp_path: Path) -> None:
    ended = run_virtually([str(compile_c(VIRTUAL / "refused.c"))], tmp_path)

    assert ended.stdout == "io_uring: refused 1\nx32: refused 1\nint 0x80: refused 1\n", ended.stderr
    assert ended.status == 0
    assert ended.stderr.count("io_uring") == 1
