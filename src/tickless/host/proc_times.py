"""proc(5): the times of the system and of processes in /proc, by the run's CLOCK_BOOTTIME. Those of threads do not
matter to ps, and stay the host's.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from tickless.abi.time import CLOCK_BOOTTIME, CLOCK_REALTIME, NSEC_PER_SEC
from tickless.host.namespaces import credentials
from tickless.host.tracee import HostGroup

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee

TICK_NS = 10_000_000  # sysconf(_SC_CLK_TCK) is 100
BOOT_TIME = re.compile(rb"^btime .*$", re.MULTILINE)
PROCESS = re.compile(rb"/proc/(\d+)/stat")
# The place of starttime, field 22, behind the name, which is in brackets and may hold anything.
START_TIME = 19


def uptime(task: Tracee) -> bytes:
    """/proc/uptime: seconds since the system started, and those that its CPUs were idle: all of them."""
    ticks = task.kernel.clock.read(CLOCK_BOOTTIME) // TICK_NS
    seconds = b"%d.%02d" % divmod(ticks, 100)
    return b"%s %s\n" % (seconds, seconds)


def system_stat(task: Tracee) -> bytes:
    """/proc/stat with the run's time of boot; what the CPUs did is the host's."""
    clock = task.kernel.clock
    booted = (clock.read(CLOCK_REALTIME) - clock.read(CLOCK_BOOTTIME)) // NSEC_PER_SEC
    with open("/proc/stat", "rb") as file:
        return BOOT_TIME.sub(b"btime %d" % booted, file.read())


def process_stat(task: Tracee, location: bytes) -> bytes | None:
    """/proc/PID/stat with the run's start time; processes outside started with the system. None: the host's."""
    named = PROCESS.fullmatch(location)
    if named is None:
        return None
    try:
        if credentials(task.tid)[0] != os.geteuid():
            return None  # Linux may show it less than us
        with open(location, "rb") as file:
            name, bracket, rest = file.read().rpartition(b") ")
    except OSError:
        return None  # it is gone, and the host says so
    group = task.kernel.groups.get(int(named[1]))
    fields = rest.split(b" ")
    fields[START_TIME] = b"%d" % (group.started_ns // TICK_NS if isinstance(group, HostGroup) else 0)
    return name + bracket + b" ".join(fields)
