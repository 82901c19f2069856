"""proc(5): the times of the system and of processes in /proc, by the run's CLOCK_BOOTTIME, and what processes do.

What /proc says of threads does not matter to ps, and stays the host's.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from tickless.abi.time import CLOCK_BOOTTIME, CLOCK_REALTIME, NSEC_PER_SEC
from tickless.host.namespaces import credentials
from tickless.host.tracee import HostGroup
from tickless.kernel.task import BLOCKED, READY

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee
    from tickless.kernel.task import ThreadGroup

TICK_NS = 10_000_000  # sysconf(_SC_CLK_TCK) is 100
BOOT_TIME = re.compile(rb"^btime .*$", re.MULTILINE)
PROCESS = re.compile(rb"/proc/(\d+)/(?:stat|status)")
STATE = re.compile(rb"^State:.*$", re.MULTILINE)
STATE_NAMES = {b"R": b"running", b"S": b"sleeping", b"T": b"stopped"}
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
    shown = _shown_by_host(task, location)
    if shown is None:
        return None
    group = _group_at(task, location)
    name, bracket, rest = shown.rpartition(b") ")
    fields = rest.split(b" ")
    fields[0] = _state(task, group) or fields[0]
    fields[START_TIME] = b"%d" % (group.started_ns // TICK_NS if isinstance(group, HostGroup) else 0)
    return name + bracket + b" ".join(fields)


def process_status(task: Tracee, location: bytes) -> bytes | None:
    """/proc/PID/status with the run's word on what the process does. None: the host's."""
    state = _state(task, _group_at(task, location))
    shown = _shown_by_host(task, location) if state is not None else None
    if state is None or shown is None:
        return None
    return STATE.sub(b"State:\t%s (%s)" % (state, STATE_NAMES[state]), shown, count=1)


def _shown_by_host(task: Tracee, location: bytes) -> bytes | None:
    if PROCESS.fullmatch(location) is None:
        return None
    try:
        if credentials(task.tid)[0] != os.geteuid():
            return None  # Linux may show it less than us
        with open(location, "rb") as file:
            return file.read()
    except OSError:
        return None  # it is gone, and the host says so


def _group_at(task: Tracee, location: bytes) -> ThreadGroup | None:
    named = PROCESS.fullmatch(location)
    return None if named is None else task.kernel.groups.get(int(named[1]))


def _state(task: Tracee, group: ThreadGroup | None) -> bytes | None:
    """What the process' first thread does: stops and waits are ours. None where only the host knows."""
    leader = None if group is None else next((it for it in group.threads if it.tid == group.tgid), None)
    if group is None or leader is None:
        return None
    if group.stopped_by:
        return b"T"
    if leader is task:
        return b"R"
    return {READY: b"R", BLOCKED: b"S"}.get(leader.state)
