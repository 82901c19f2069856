"""The tickless command, which also looks whether a run has left anything: `checked.py run [options] -- PROGRAM`.

Its own exit status is LEFTOVERS, with a line for each on stderr, if so.
"""

from __future__ import annotations

import gc
import os
import sys

import tickless.run
from tickless import cli
from tickless.host.supervisor import Supervisor
from tickless.kernel.task import DEAD

LEFTOVERS = 99
found: list[str] = []


def leftovers(supervisor: Supervisor) -> list[str]:
    """What is wrong with a run whose last task has ended, in words."""
    kernel = supervisor.kernel
    counts = {
        "tasks": len(kernel.tasks),
        "ready tasks that live": sum(task.state is not DEAD for task in kernel.ready),
        "futex queues": len(kernel.futexes.queues) + len(kernel.futexes.locks),
        "calls that are tried again": len(supervisor.retries),
        "tasks in the host": len(supervisor.in_host),
        "watches of host files": len(supervisor.readiness.watches),
        "processes with threads": sum(bool(group.threads) for group in kernel.groups.values()),
        "processes whose parent would reap them": sum(group.parent is not None for group in kernel.groups.values()),
        "early stops": len(supervisor.life.early),
    }
    supervisor.placeholders.drain()
    counts["placeholders"] = len(supervisor.placeholders)
    # The listener, the last closes and our own signals.
    counts["watched fds"] = len(supervisor.master) - 3
    return [f"{count} {what}" for what, count in counts.items() if count]


class CheckedSupervisor(Supervisor):
    """A supervisor that is looked at when its run has come to its end."""

    def run(self) -> None:
        super().run()
        if self.ended_by is None:
            found.extend(leftovers(self))

    def finish(self) -> None:
        super().finish()
        if self.ended_by is not None:
            return
        gc.collect()
        links = {fd: _link(fd) for fd in os.listdir("/proc/self/fd")}
        kinds = ("anon_inode:[pidfd]", "anon_inode:[eventpoll]", "/proc/")
        found.extend(f"fd {fd} is still {link}" for fd, link in links.items() if link.startswith(kinds))


def _link(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        return ""  # the one that listed them


def main() -> None:
    tickless.run.Supervisor = CheckedSupervisor  # type: ignore[attr-defined]
    try:
        cli.main()
    finally:
        for line in found:
            print(f"left over: {line}", file=sys.stderr)
        if found:
            sys.stderr.flush()
            os._exit(LEFTOVERS)


if __name__ == "__main__":
    main()
