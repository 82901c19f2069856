"""Small C programs that say what the headers and the kernel of this machine say."""

import subprocess
from pathlib import Path


def build_c(source: str, folder: Path) -> Path:
    """Compile `source` and return the program."""
    file = folder / "program.c"
    file.write_text(source)
    subprocess.run(["gcc", "-O1", "-Wall", "-Werror", "-o", folder / "program", file], check=True, timeout=60)
    return folder / "program"


def run_c(source: str, folder: Path, *, stdin: bytes = b"") -> bytes:
    """Compile and run `source` and return what it printed."""
    program = build_c(source, folder)
    return subprocess.run([program], input=stdin, stdout=subprocess.PIPE, check=True, timeout=60).stdout
