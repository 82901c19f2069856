"""Signals from outside that hit calls at any moment: none is lost, and no call that cannot block fails with EINTR."""

import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.programs.build import HERE, compile_c
from tests.programs.harness import processes_of, running, tickless


def test_a_signal_between_a_call_and_its_notification_does_not_fail_the_call(tmp_path: Path) -> None:
    """The host cancels a trapped call that we have not received yet; the program must not see that. signal(7)."""
    folder = tmp_path / "run"
    with running(tickless([str(compile_c(HERE / "virtual" / "storm.c"))]), folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (program,) = [pid for pid in processes_of(folder) if pid != process.pid]
        with suppress(ProcessLookupError):  # until it has ended
            while process.poll() is None:
                os.kill(program, signal.SIGUSR1)
                os.sched_yield()

        assert process.stdout.read() == "failed: 0\n"
        assert process.wait(20) == 0
