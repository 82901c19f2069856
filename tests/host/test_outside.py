"""Signals that do not come by way of tickless: from other programs, and from Linux itself."""

import os
import signal
from pathlib import Path

from tests.programs.harness import LIMIT_S, running, tickless


def test_another_program_may_signal_a_task_that_always_has_a_next_deadline(tmp_path: Path) -> None:
    """kill(2) of the task itself: the clock jumps on and on meanwhile, and nobody is ever idle for long."""
    script = "trap 'echo got it; exit 3' TERM; echo $$; while :; do sleep 1d & wait; done"
    with running(tickless(["bash", "-c", script]), tmp_path / "run") as process:
        assert process.stdout is not None
        os.kill(int(process.stdout.readline()), signal.SIGTERM)
        out, _ = process.communicate(timeout=LIMIT_S)

    assert (out, process.returncode) == ("got it\n", 3)
