"""docs/systemd.md is right: its session prints what it shows."""

import os
import re
from pathlib import Path

import pytest

from tests.programs.build import ROOT
from tests.programs.harness import TICKLESS, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and cgroups are root's to make"),
]

# What the manager says of the machine, before it starts anything.
OF_THE_MACHINE = re.compile(r"ignoring: Input/output error|Failed to connect to system bus|Startup finished in")


def test_the_session_prints_what_it_shows(tmp_path: Path) -> None:
    (session,) = re.findall(r"^```console\n# (.*?)^```$", (ROOT / "docs" / "systemd.md").read_text(), re.M | re.S)
    command, _, expected = session.partition("\n")
    on_a_terminal = f"cd {ROOT} && TICKLESS={TICKLESS} {command}"

    ended = run(["script", "--quiet", "--return", "--command", on_a_terminal, "log"], tmp_path / "run")

    lines = [line for line in ended.stdout.splitlines() if line and not OF_THE_MACHINE.search(line)]
    assert lines == expected.splitlines()
    assert ended.status == 0
