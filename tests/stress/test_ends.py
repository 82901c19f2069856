"""However a run ends, nothing is left of it: no process, no file where temporary ones are, none in /dev/shm."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.programs.harness import TICKLESS, processes_of, run, running, tickless

PRIVATE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
# With a /dev/shm of our own. It prints the status, and whatever is left.
LOOKING = 'mount -t tmpfs none /dev/shm && "$@"; echo $?; ls -A . /dev/shm'
NOTHING = ".:\n\n/dev/shm:\n"

TREE = "(sleep 1h; sleep 9h) & (sleep 2h | cat) & (trap '' TERM; sleep 1d) & "
STUCK = "coproc cat; read line <&${COPROC[0]}"
ENDS = {
    "exit": ([], TREE + "exit 3", 3),
    "killed": ([], TREE + "kill -TERM $$; sleep 1", 128 + signal.SIGTERM),
    "until": (["--until", "30min"], TREE + "wait", 0),
    "timeout": (["--timeout", "300ms"], TREE + "while :; do :; done", 124),
    "deadlock": ([], STUCK, 121),
    "verified": (["--verify"], TREE + "exit 3", 3),
    "not the same": (["--verify"], TREE + "echo $$", 122),
    "verified until": (["--verify", "--until", "30min"], TREE + "wait", 0),
    "cannot start": ([], "", 127),
}


@pytest.mark.parametrize("end", ENDS)
def test_nothing_is_left_after_any_end(end: str, tmp_path: Path) -> None:
    options, script, status = ENDS[end]
    program = ["bash", "-c", script] if script else ["no such program"]

    ended = run([*PRIVATE, "sh", "-c", LOOKING, "sh", TICKLESS, "run", *options, "--", *program], tmp_path / "run")

    told = ended.stdout.splitlines(keepends=True)
    assert "".join(told[-4:]) == f"{status}\n{NOTHING}", ended.stderr
    assert processes_of(tmp_path / "run") == []


@pytest.mark.parametrize("options", [[], ["--verify"], ["--clock", "real"]], ids=" ".join)
def test_nothing_is_left_after_a_second_ctrl_c(options: Sequence[str], tmp_path: Path) -> None:
    """The program takes no notice of either. Its output comes only when --verify is through."""
    folder = tmp_path / "run"
    script = TREE + "trap 'touch seen' INT; touch ready; while :; do read -t 1 line; done"
    with running(tickless(["bash", "-c", script], options), folder) as process:
        wait_for(folder / "ready")
        process.send_signal(signal.SIGINT)
        wait_for(folder / "seen")
        process.send_signal(signal.SIGINT)
        status = process.wait(30)

    assert status == 128 + signal.SIGINT
    assert (sorted(os.listdir(folder)), processes_of(folder)) == (["ready", "seen"], [])


def wait_for(path: Path) -> None:
    """The test's time limit is what ends this if it never comes."""
    while not path.exists():
        time.sleep(0.01)
