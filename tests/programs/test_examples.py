"""examples/testing and docs/testing.md: the tests pass as a user would run them, and the page quotes them."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.programs.build import ROOT

EXAMPLE = ROOT / "examples" / "testing"
PAGE = (ROOT / "docs" / "testing.md").read_text()


def with_tickless() -> dict[str, str]:
    return {"PATH": f"{ROOT}/.venv/bin:{os.environ['PATH']}", "TZ": "UTC", "LANG": "C.UTF-8"}


def test_the_example_passes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "base")]
    ended = subprocess.run(
        [*command, str(EXAMPLE)], cwd=tmp_path, env=with_tickless(), capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout
    assert "4 passed" in ended.stdout


def test_the_page_quotes_the_example() -> None:
    (quoted,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

    assert quoted in (EXAMPLE / "test_lease.py").read_text()


def test_the_page_shows_what_is_printed() -> None:
    (session,) = re.findall(r"^```console\n\$ (.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    command, _, expected = session.partition("\n")
    ended = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=with_tickless(), stdout=subprocess.PIPE, text=True, check=True
    )

    assert ended.stdout == expected
