"""Start programs under ptrace without the rest of the host layer, for the tests of its parts."""

import subprocess
from pathlib import Path


def compile_c(source: Path, folder: Path, *flags: str, compiler: str = "gcc") -> Path:
    """Compile one C file; the program's name tells its flags."""
    program = folder / "-".join([source.stem, compiler, *(flag.strip("-") for flag in flags)])
    subprocess.run([compiler, "-O1", "-g", "-o", program, source, "-pthread", *flags], check=True, timeout=60)
    return program
