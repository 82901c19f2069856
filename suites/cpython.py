"""CPython's own tests of what waits: Debian's packaged test suite, with Debian's Python."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from suites.model import SPINS, Difference, Family, Piece, cases_of_lines

PYTHON = "/usr/bin/python3"
REPORTER = Path(__file__).parent / "reporters" / "unittest_lines.py"
MODULES = [
    *("selectors", "epoll", "poll", "select", "signal", "threadsignals", "eintr", "subprocess", "threading", "time"),
    *("os", "posix", "queue", "concurrent_futures"),
    *(f"multiprocessing_{way}" for way in ("fork", "forkserver", "spawn", "main_handling")),
]
# In their test_thread_safety two threads hand Python's lock to each other, a microsecond each, for four seconds.
SPINNING = ("test_multiprocessing_fork", "test_multiprocessing_spawn")  # and forkserver
NOTES = (f"`test_multiprocessing_*` with `{SPINS}`: in `test_thread_safety` two threads never wait for four seconds.",)
FILE_TIME = Difference("passed", "failed", "Files are stamped by the host's clock, unless --file-times says otherwise.")
DIFFERENCES = {
    **{f"test_os test.test_os.UtimeTests.test_utime_current{what}": FILE_TIME for what in ("", "_old")},
}


@cache
def version() -> str:
    told = subprocess.run(
        [PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
    )
    return told.stdout.strip()


def pieces() -> list[Piece]:
    folder = Path(f"/usr/lib/python{version()}/test")
    asyncio = sorted(path.stem for path in (folder / "test_asyncio").glob("test_*.py"))
    return [
        *(piece(f"test_{module}", f"test_{module}") for module in MODULES),
        *(piece("test_asyncio", f"test_asyncio.{module}") for module in asyncio),
    ]


def piece(suite: str, module: str) -> Piece:
    command = (PYTHON, str(REPORTER), f"test.{module}")
    options = (SPINS,) if module.startswith(SPINNING) else ()
    return Piece(suite, module, command, cases_of_lines, limit_s=600, options=options)


FAMILY = Family("cpython", (f"libpython{version()}-testsuite",), pieces, DIFFERENCES, notes=NOTES)
