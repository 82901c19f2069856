"""The README's session is real: each command prints what is shown below it."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sessions() -> list[str]:
    return BLOCKS.findall((ROOT / "README.md").read_text())


def replay(session: str) -> str:
    """The session again, with what the commands print now."""
    commands = [line.removeprefix("$ ") for line in session.splitlines() if line.startswith("$ ")]
    script = "".join(f"echo '$ '{quoted(command)}\n{command}\n" for command in commands)
    return subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TZ": "UTC", "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def quoted(command: str) -> str:
    return "'" + command.replace("'", "'\\''") + "'"


def test_the_session_prints_what_it_shows() -> None:
    (session,) = sessions()

    assert replay(session) == session
