"""The architecture of this machine, in the words of Linux's own folders."""

from os import uname
from typing import Literal

Arch = Literal["x86_64", "aarch64"]

# Programs run on the machine that tickless runs on. macOS says arm64; the kernel's tests run there, too.
ARCH: Arch = "aarch64" if uname().machine in ("aarch64", "arm64") else "x86_64"
