"""Write src/tickless/abi/numbers_*.py from the kernel's headers (Debian: linux-libc-dev, gcc).

Usage: scripts/generate_abi.py [--check]. Numbers newer than Debian 12's headers are listed here.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ABI = Path(__file__).parent.parent / "src" / "tickless" / "abi"

# What arm64's own asm/unistd.h defines before it includes the generic table.
AARCH64_PROLOGUE = """
#define __ARCH_WANT_RENAMEAT
#define __ARCH_WANT_NEW_STAT
#define __ARCH_WANT_SET_GET_RLIMIT
#define __ARCH_WANT_TIME32_SYSCALLS
#define __ARCH_WANT_SYS_CLONE3
#define __ARCH_WANT_MEMFD_SECRET
#include <asm-generic/unistd.h>
"""
PROLOGUES = {"x86_64": "#include <asm/unistd_64.h>\n", "aarch64": AARCH64_PROLOGUE}

# Linux 6.2 to 6.17. The same numbers on every architecture from 424 on.
NEWER = {
    "cachestat": 451,
    "fchmodat2": 452,
    "map_shadow_stack": 453,
    "futex_wake": 454,
    "futex_wait": 455,
    "futex_requeue": 456,
    "statmount": 457,
    "listmount": 458,
    "lsm_get_self_attr": 459,
    "lsm_set_self_attr": 460,
    "lsm_list_modules": 461,
    "mseal": 462,
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
    "open_tree_attr": 467,
    "file_getattr": 468,
    "file_setattr": 469,
}
NEWER_X86_64 = {"uretprobe": 335, "uprobe": 336}
LAST = max(NEWER.values())

# Not calls: the size of the table, and where an architecture's own calls start.
NOT_CALLS = {"syscalls", "arch_specific_syscall"}


def header_numbers(arch: str) -> dict[str, int]:
    """Return the numbers that the installed headers give for `arch`, which need not be this machine's."""
    names = re.findall(r"^#define __NR_(\w+)", preprocess(PROLOGUES[arch], "-dM"), re.MULTILINE)
    expanded = preprocess(PROLOGUES[arch] + "".join(f"call {name}_ __NR_{name}\n" for name in names), "-P")
    pairs = re.findall(r"^call (\w+)_ (\d+)$", expanded, re.MULTILINE)
    return {name: int(number) for name, number in pairs if name not in NOT_CALLS and int(number) <= LAST}


def preprocess(source: str, option: str) -> str:
    command = ["gcc", "-E", option, "-x", "c", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True).stdout


def all_numbers(arch: str) -> dict[str, int]:
    """Return the numbers of `arch`, those newer than the headers included, in their order."""
    newer = NEWER | (NEWER_X86_64 if arch == "x86_64" else {})
    numbers = newer | header_numbers(arch)
    return dict(sorted(numbers.items(), key=lambda item: item[1]))


def module_text(arch: str) -> str:
    lines = [
        f'"""syscalls(2): the numbers of {arch}, written by scripts/generate_abi.py."""',
        "",
        "NUMBERS: dict[str, int] = {",
        *(f'    "{name}": {number},' for name, number in all_numbers(arch).items()),
        "}",
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if a file would change")
    check = parser.parse_args().check
    stale = 0
    for arch in PROLOGUES:
        path = ABI / f"numbers_{arch}.py"
        text = module_text(arch)
        if check and path.read_text() != text:
            print(f"{path} is stale", file=sys.stderr)
            stale = 1
        if not check:
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
