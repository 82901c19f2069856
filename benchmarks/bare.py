"""The least that a supervisor in Python can do: receive a call and answer it. `python -m benchmarks.bare PROGRAM ARG…`.

Its cost per call is the unit of the other figures.
"""

import os
import sys
from fcntl import ioctl

from tickless.abi.arch import ARCH
from tickless.abi.numbers import number_of
from tickless.host import ptrace, seccomp
from tickless.host.inherited import Inherited
from tickless.host.launch import launch
from tickless.host.notify import RECEIVE, SEND, ZEROED, pack_answer, unpack_notification

TRAPPED = number_of(ARCH, "getppid")


def main(argv: list[str]) -> int:
    assert TRAPPED is not None
    inherited = Inherited.capture()
    program = launch(argv, inherited.environment, None, seccomp.build_filter([TRAPPED]), None, inherited)
    ptrace.cont(program.pid)
    while True:
        try:
            answer_all(program.listener)
        except FileNotFoundError:  # the last task has ended, or is about to
            ended, status = os.waitpid(program.pid, 0)
            if not os.WIFSTOPPED(status):
                return os.waitstatus_to_exitcode(status)
            ptrace.cont(program.pid, os.WSTOPSIG(status))


def answer_all(listener: int) -> None:
    control, receive, send, zeroed, unpack, pack = ioctl, RECEIVE, SEND, ZEROED, unpack_notification, pack_answer
    while True:
        notification = unpack(control(listener, receive, zeroed))
        control(listener, send, pack(notification[0], 42, 0, 0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
