"""Run a command as a container's runtime would: `confine.py RULES COMMAND …`, RULES as {"ptrace": "EPERM", …} in JSON.

A rule of `personality` refuses only what fixes addresses; `listener` puts a listener there, as some runtimes have one.
"""

import ctypes
import errno
import json
import os
import struct
import sys

from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.host import seccomp

ADDR_NO_RANDOMIZE = 0x40000


def confine(rules: dict[str, str]) -> None:
    """Refuse calls from now on."""
    code = [seccomp._load(seccomp.NUMBER)]
    for name, error in rules.items():
        refuse = [seccomp._return(seccomp.RET_ERRNO | getattr(errno, error))]
        if name == "personality":
            # Its argument is all ones when it only asks.
            asked = [seccomp._load(seccomp.ARGUMENTS), seccomp._jump(seccomp.JUMP_EQUAL, 0xFFFFFFFF, 3, 0)]
            fixes = [seccomp._jump(seccomp.AND, ADDR_NO_RANDOMIZE, 0, 0), seccomp._jump(seccomp.JUMP_EQUAL, 0, 1, 0)]
            refuse = [*asked, *fixes, *refuse, seccomp._load(seccomp.NUMBER)]
        number = number_of(ARCH, name)
        assert number is not None, f"no call {name}"
        code += [seccomp._jump(seccomp.JUMP_EQUAL, number, 0, len(refuse)), *refuse]
    install(b"".join([*code, seccomp._return(seccomp.RET_ALLOW)]))


def install(program: bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("H6xQ", len(program) // seccomp.INSTRUCTION.size, ctypes.addressof(code))
    libc.prctl(seccomp.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.syscall(number_of(ARCH, "seccomp"), seccomp.SECCOMP_SET_MODE_FILTER, 0, fprog) != 0:
        sys.exit(f"confine: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    if wanted.pop("listener", None):
        os.set_inheritable(seccomp.install(seccomp.build_filter([])), True)
    if wanted:
        confine(wanted)
    os.execvp(sys.argv[2], sys.argv[2:])
