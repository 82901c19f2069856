"""All of Debian's systemd-tests, each in namespaces of its own."""

from __future__ import annotations

import os
from pathlib import Path

from suites.model import END, Difference, Family, Piece, whole
from suites.running import ROOT

FOLDER = Path("/usr/lib/systemd/tests")
# Meson's: the program found nothing that it could try.
SKIPPED = 77
OWN_CGROUP = ("bash", str(ROOT / "examples" / "systemd" / "own_cgroup.sh"))
# And a network and a host name of its own.
OWN_MACHINE = (*OWN_CGROUP, "unshare", "--net", "--uts", "--ipc", "sh", "-c", 'ip link set lo up; exec "$@"', "sh")
DIFFERENCES = {
    f"test-compress-benchmark {END}": Difference(
        "passed", "hung", "It computes for as long as the clock says, and computing takes no virtual time."
    ),
    f"test-execute {END}": Difference(
        "passed", "failed", "A service makes a pid namespace, which is refused by name: TL304, docs/coverage.md."
    ),
}


def pieces() -> list[Piece]:
    # Debian 13 has a folder of its own for unit tests.
    folder = FOLDER / "unit-tests" if (FOLDER / "unit-tests").is_dir() else FOLDER
    programs = sorted(path for path in folder.glob("test-*") if path.is_file() and os.access(path, os.X_OK))
    return [
        Piece("systemd-tests", path.name, (str(path),), whole(SKIPPED), limit_s=120, outside=OWN_MACHINE)
        for path in programs
    ]


FAMILY = Family("systemd", ("systemd-tests", "iproute2"), pieces, DIFFERENCES)
