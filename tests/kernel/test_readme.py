"""`kernel/README.md` is the map of the kernel: a file that is not on it is lost."""

import re
from pathlib import Path

import tickless.kernel

FOLDER = Path(tickless.kernel.__file__).parent


def test_the_map_has_every_file_and_no_other() -> None:
    named = set(re.findall(r"`(\w+\.py)`", (FOLDER / "README.md").read_text()))
    there = {path.name for path in FOLDER.glob("*.py")} - {"__init__.py"}

    assert named == there
