"""Compiles the programs that tests run, once: an artefact's name holds a hash of all it was made from."""

import hashlib
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "tests"
HERE = Path(__file__).resolve().parent

# How each flavour of C is built. A static-pie moves like a shared object but has no loader to help it.
C_TOOLCHAINS = {
    "glibc": ["gcc"],
    "glibc-static": ["gcc", "-static"],
    "glibc-static-pie": ["gcc", "-static-pie"],
    "musl": ["musl-gcc"],
    "musl-static": ["musl-gcc", "-static"],
}
C_FLAGS = ["-O1", "-pthread", "-std=gnu11"]


def compile_c(source: Path, toolchain: str = "glibc") -> Path:
    """The program of `source`, with the flags of a first-lines comment `build: FLAGS`."""
    return _build(source, [*C_TOOLCHAINS[toolchain], *C_FLAGS, str(source), "-o", "{}", *_own_flags(source)])


def compile_with_library(source: Path, package: str) -> Path:
    """The program of `source`, linked as pkg-config says for `package`."""
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", package], check=True, capture_output=True, text=True)
    return _build(source, ["gcc", *C_FLAGS, str(source), "-o", "{}", *flags.stdout.split()])


def compile_cpp(source: Path) -> Path:
    return _build(source, ["g++", "-O1", "-pthread", str(source), "-o", "{}"])


def compile_go(source: Path) -> Path:
    """A static program: Go makes its system calls itself."""
    environment = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local", "HOME": str(BUILD)}
    return _build(source, ["go", "build", "-o", "{}", str(source)], environment)


def _own_flags(source: Path) -> list[str]:
    for line in source.read_text().splitlines()[:3]:
        _, found, flags = line.partition("build: ")
        if found:
            return flags.removesuffix("*/").split()
    return []


def _build(source: Path, command: list[str], environment: dict[str, str] | None = None) -> Path:
    """Runs `command` with `{}` replaced by the artefact. Workers may race: the rename makes the last one win whole."""
    made_from = b"\0".join([" ".join(command).encode(), source.read_bytes(), *_headers_beside(source)])
    artefact = BUILD / f"{source.stem}-{hashlib.sha256(made_from).hexdigest()[:12]}"
    if not artefact.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        unfinished = BUILD / f"{artefact.name}.{os.getpid()}"
        filled = [word.replace("{}", str(unfinished)) for word in command]
        subprocess.run(filled, check=True, cwd=BUILD, env=os.environ | (environment or {}))
        unfinished.rename(artefact)
    return artefact


def _headers_beside(source: Path) -> list[bytes]:
    return [header.read_bytes() for header in sorted(source.parent.glob("*.h"))]
