"""A supervisor of a few lines, run as a process of its own by the tests of the launch: `supervise.py JSON`.

It answers the calls in `answers`, passes every other trapped one on, and ends with the program's status, or with the
message and status of a LaunchError.
"""

import ctypes
import json
import os
import select
import signal
import sys
from typing import Any

from tickless.host import launch, notify, ptrace, seccomp
from tickless.host.inherited import Inherited
from tickless.host.placeholder import raise_descriptor_limit

PR_SET_DUMPABLE = 4


def become(user: int) -> None:
    """Give up root. An ordinary user's process is dumpable, one that has changed its user is not."""
    os.setgroups(())
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def main(config: dict[str, Any]) -> int:
    if "user" in config:
        become(config["user"])
    inherited = Inherited.capture()
    raise_descriptor_limit()
    answers = {int(number): value for number, value in config.get("answers", {}).items()}
    trapped = [*answers, *config.get("trapped", ())]
    filter_ = seccomp.build_filter(trapped)
    if config.get("die_before_tracing"):
        ptrace.seize = die
    try:
        if config.get("listener_already"):
            seccomp.install(seccomp.build_filter(()))
        argv = config["argv"] + ["x" * length for length in config.get("long_arguments", ())]
        launched = launch.launch(argv, inherited.environment, config.get("cwd"), filter_, None, inherited)
    except launch.LaunchError as error:
        print(error.message, file=sys.stderr)
        return error.status
    ptrace.cont(launched.pid)
    return supervise(launched, answers)


def die(pid: int, options: int) -> None:
    print(pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def supervise(launched: launch.Launched, answers: dict[int, int]) -> int:
    poll = select.poll()
    poll.register(launched.listener, select.POLLIN)
    while True:
        waited, status = os.waitpid(-1, os.WNOHANG | ptrace.WALL)
        if waited == launched.pid and not os.WIFSTOPPED(status):
            return os.waitstatus_to_exitcode(status)
        if waited and os.WIFSTOPPED(status):
            ptrace.cont(waited, 0 if ptrace.stop_event(status) else os.WSTOPSIG(status))
        elif poll.poll(1):
            try:
                notification = notify.receive(launched.listener)
            except FileNotFoundError:
                continue
            if notification[2] in answers:
                notify.answer(launched.listener, notification[0], answers[notification[2]], 0)
            else:
                notify.pass_on(launched.listener, notification[0])


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
