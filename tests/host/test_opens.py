"""Opens that only the outside can end. What is like Linux is in tests/linux."""

import os
import sys
from pathlib import Path

import pytest

from tests.programs.harness import LIMIT_S, run_virtually, running, tickless


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def test_a_reader_waits_for_a_writer_outside(fifo: Path, tmp_path: Path) -> None:
    """fifo(7). Hours pass meanwhile for who has something to do."""
    script = f"(sleep 2h; echo slept >&2) & read line < {fifo}; echo $line; wait"
    with running(tickless(["bash", "-c", script]), tmp_path / "run") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "slept\n"
        fifo.write_text("from outside\n")
        out, _ = process.communicate(timeout=LIMIT_S)

    assert out == "from outside\n"


def test_a_writer_waits_for_a_reader_outside(fifo: Path, tmp_path: Path) -> None:
    with running(tickless(["sh", "-c", f"echo waiting >&2; echo to outside > {fifo}"]), tmp_path / "run") as process:
        assert process.stderr is not None
        process.stderr.readline()
        text = fifo.read_text()
        status = process.wait(LIMIT_S)

    assert (text, status) == ("to outside\n", 0)


def test_a_writer_outside_is_noticed_before_it_writes(fifo: Path, tmp_path: Path) -> None:
    """The open ends, though there is nothing to read yet."""
    with running(tickless(["sh", "-c", f"exec < {fifo}; echo open; cat"]), tmp_path / "run") as process:
        assert process.stdout is not None
        with fifo.open("w") as writer:
            first = process.stdout.readline()
            writer.write("then read\n")
        out, _ = process.communicate(timeout=LIMIT_S)

    assert (first, out) == ("open\n", "then read\n")


def test_without_an_outside_nobody_comes(fifo: Path, tmp_path: Path) -> None:
    """--no-external: a FIFO whose other end nobody opens is a deadlock."""
    ended = run_virtually(["cat", str(fifo)], tmp_path, ["--no-external"])

    assert ended.status == 121
    assert "main waits in openat" in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts and roots are root's to change")
def test_paths_are_those_of_the_task(tmp_path: Path) -> None:
    """chroot(2), mount_namespaces(7): the same path may be another file for the task than for us."""
    script = (
        "mkfifo above; mount -t tmpfs none $PWD; cd $PWD; mkfifo above; "
        "(sleep 1h; echo mounted > above) & cat $PWD/above"
    )
    ended = run_virtually(["unshare", "--mount", "sh", "-c", script], tmp_path)

    assert ended.stdout == "mounted\n", ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts and roots are root's to change")
def test_threads_have_one_root(tmp_path: Path) -> None:
    """clone(2), CLONE_FS: a chroot of one thread moves all of them, and the children that they make."""
    script = (
        "import os, threading; os.mkfifo('fifo'); mover = threading.Thread(target=os.chroot, args=('.',))\n"
        "mover.start(); mover.join(); reader = os.fork()\n"
        "if reader == 0: print(open('/fifo').read(), flush=True); os._exit(0)\n"
        "print('moved', file=open('/fifo', 'w')); os.wait()"
    )
    ended = run_virtually([sys.executable, "-c", script], tmp_path)

    assert (ended.stdout, ended.stderr) == ("moved\n\n", "")


def test_what_is_not_served_is_named(tmp_path: Path) -> None:
    """A pipe's two ends in one open file, by way of /proc."""
    ended = run_virtually(["bash", "-c", "echo | { exec 3<>/dev/fd/0; } 2>/dev/null"], tmp_path)

    assert "TL510: opening both ends of a pipe through /proc is not served" in ended.stderr
