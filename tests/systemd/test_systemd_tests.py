"""systemd's own tests of its event loop, signals, processes and managers, from Debian's package systemd-tests."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.programs.build import ROOT
from tests.programs.harness import Ended, run, tickless

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces and cgroups are root's to make"),
]

OWN_CGROUP = ROOT / "examples" / "systemd" / "own_cgroup.sh"
TESTS = [
    "test-async",
    "test-bus-watch-bind",
    "test-copy",
    "test-daemon",
    "test-engine",  # managers in test mode
    "test-event",
    "test-exec-util",
    "test-fd-util",
    "test-journal-send",
    "test-ndisc-rs",  # time-outs of a network protocol
    "test-netlink",
    "test-oomd-util",
    "test-path",  # a whole manager, seven times
    "test-process-util",
    "test-ratelimit",
    "test-resolved-stream",  # TCP between threads
    "test-sched-prio",
    "test-signal-util",
    "test-socket-util",
    "test-udev-event",
    "test-varlink",
    "test-watch-pid",
]


def program(name: str) -> Path:
    """Debian 13 has a folder of its own for unit tests."""
    return next(Path("/usr/lib/systemd/tests").rglob(name))


def run_in_own_cgroup(command: list[str], folder: Path) -> Ended:
    return run(["bash", str(OWN_CGROUP), *command], folder, limit_s=120)


@pytest.mark.parametrize("name", TESTS)
def test_the_verdict_is_the_same_as_on_linux(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    path = str(program(name))

    native = run_in_own_cgroup([path], tmp_path / "native")
    virtual = run_in_own_cgroup(tickless([path], ["--quiet"]), tmp_path / "virtual")
    record_property("told", f"status {native.status} natively, {virtual.status} under tickless")

    assert native.status == 0, native.stderr
    assert virtual.status == native.status, virtual.stderr
