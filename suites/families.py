"""All families, and how what they need is installed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from suites import cpython, libev, libevent, libraries, pypi, redis, stress_ng, systemd
from suites.model import Family

MODULES = (cpython, systemd, stress_ng, pypi, libraries, libevent, libev, redis)
FAMILIES: dict[str, Family] = {module.FAMILY.name: module.FAMILY for module in MODULES}


def prepare(family: Family) -> None:
    """Install Debian's packages that are missing, by name, and then what the family asks for."""
    _install(family)
    family.prepare()


def _install(family: Family) -> None:
    missing = [package for package in family.packages if not _is_installed(package)]
    if not missing:
        return
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    print(f"suites: installing {' '.join(missing)}")
    _quietly([*as_root, "apt-get", "-qq", "update"])
    install = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "install", "--no-install-recommends"]
    _quietly([*as_root, *install, *missing])


def _is_installed(package: str) -> bool:
    told = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package], capture_output=True, text=True)
    return told.stdout == "installed"


def _quietly(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
