"""A supervisor that receives calls, answers them and does nothing else. `python -m benchmarks.bare PROGRAM ARG…`.

Its cost per call is the unit of the other figures. It is written as one would write it, with bytes for buffers; the
targets were set against that. tickless itself has bytearrays, which take less time: `BARE_WRITABLE=1` does so here.
"""

import os
import sys
from fcntl import ioctl

from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.host import ptrace, seccomp
from tickless.host.inherited import Inherited
from tickless.host.launch import launch
from tickless.host.notify import (
    ANSWER,
    ANSWER_SIZE,
    NOTIFICATION_SIZE,
    RECEIVE,
    SEND,
    pack_answer_into,
    unpack_notification,
)

TRAPPED = number_of(ARCH, "getppid")


def main(argv: list[str]) -> int:
    assert TRAPPED is not None
    inherited = Inherited.capture()
    answer = answer_from_bytearrays if "BARE_WRITABLE" in os.environ else answer_from_bytes
    program = launch(argv, inherited.environment, None, seccomp.build_filter([TRAPPED]), None, inherited)
    ptrace.cont(program.pid)
    while True:
        try:
            answer(program.listener)
        except FileNotFoundError:  # the last task has ended, or is about to
            ended, status = os.waitpid(program.pid, 0)
            if not os.WIFSTOPPED(status):
                return os.waitstatus_to_exitcode(status)
            ptrace.cont(program.pid, os.WSTOPSIG(status))


def answer_from_bytes(listener: int) -> None:
    control, receive, send, unpack, pack = ioctl, RECEIVE, SEND, unpack_notification, ANSWER.pack
    zeroed = bytes(NOTIFICATION_SIZE)
    while True:
        notification = unpack(control(listener, receive, zeroed))
        control(listener, send, pack(notification[0], 42, 0, 0))


def answer_from_bytearrays(listener: int) -> None:
    control, receive, send, unpack, pack_into = ioctl, RECEIVE, SEND, unpack_notification, pack_answer_into
    answer = bytearray(ANSWER_SIZE)
    while True:
        buffer = bytearray(NOTIFICATION_SIZE)
        control(listener, receive, buffer)
        notification = unpack(buffer)
        pack_into(answer, 0, notification[0], 42, 0, 0)
        control(listener, send, answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
