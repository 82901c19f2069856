"""Debian's source packages: where suites are that no binary package brings."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from suites.running import BUILD

FOLDER = BUILD / "sources"
LIST = Path("/etc/apt/sources.list.d/tickless-suites.sources")
# What it takes to fetch them, and to build most of them.
PACKAGES = ("cmake", "dpkg-dev", "gcc", "make")


def unpacked(package: str) -> Path:
    """The folder of a source package, which is fetched if it is not there."""
    found = _folders(package)
    if not found:
        FOLDER.mkdir(parents=True, exist_ok=True)
        _enable()
        run(["apt-get", "-qq", "source", package], FOLDER)
        found = _folders(package)
    (folder,) = found
    return folder


def run(command: Sequence[str], folder: Path) -> None:
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _folders(package: str) -> list[Path]:
    return [path for path in FOLDER.glob(f"{package}-[0-9]*") if path.is_dir()]


def _enable() -> None:
    """A list of its own, so that it can be taken away again."""
    if LIST.exists():
        return
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    LIST.write_text(
        "Types: deb-src\nURIs: http://deb.debian.org/debian\n"
        f"Suites: {release['VERSION_CODENAME']}\nComponents: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    run(["apt-get", "-qq", "update"], FOLDER)
