"""The example that shows the kernel alone: its story is the same on every machine."""

import subprocess
import sys

from tests.programs.build import ROOT

STORY = """\
00:00  service: started as 102
00:34  watchdog: 10 s without a sign of life, sending SIGABRT
00:34  manager: SIGCHLD from 102
00:34  service: 102 was ended by SIGABRT
00:34  service: started as 103
01:00  manager: SIGHUP from 101
02:00  manager: SIGTERM from 101
02:00  manager: SIGCHLD from 103
02:00  service: 103 was ended by SIGTERM
02:00  nothing is left to manage
"""


def test_the_tour_tells_its_story() -> None:
    ended = subprocess.run(
        [sys.executable, ROOT / "examples" / "kernel_tour.py"], capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.stdout, ended.stderr, ended.returncode) == (STORY, "", 0)
