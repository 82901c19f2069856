"""`tickless doctor` where a host refuses something, and what `tickless run` says there."""

import json
import sys
from pathlib import Path

import pytest

from tests.programs.build import ROOT
from tests.programs.harness import TICKLESS, Ended, run

CONFINE = Path(__file__).parent / "confine.py"
CANNOT_RUN_HERE = 125

# The default profiles, as far as they refuse what tickless or a program under it asks for. Both allow seccomp(2) with a
# listener, and ptrace(2) and process_vm_readv(2) from Linux 4.8 on. github.com/moby/profiles, containers/common.
DOCKER = {
    "pidfd_getfd": "EPERM",
    "kcmp": "EPERM",
    "personality": "EPERM",
    "clone3": "ENOSYS",
    "io_uring_setup": "EPERM",
}
PODMAN = {"personality": "EPERM", "io_uring_setup": "ENOSYS"}
# Kubernetes' RuntimeDefault of older containerd, which gives out tracing with CAP_SYS_PTRACE only.
KUBERNETES = {"ptrace": "EPERM", "process_vm_readv": "EPERM", "process_vm_writev": "EPERM", **DOCKER}

ALLOW_PTRACE = "remedy: in a container: `docker run --cap-add=SYS_PTRACE`, or a seccomp profile that allows ptrace"
ALLOW_GETFD = "remedy: in a container: `docker run --cap-add=SYS_PTRACE`, or a seccomp profile that allows pidfd_getfd"
EMULATED = "remedy: an emulated CPU (qemu-user, Rosetta) has no ptrace: use an image for the machine's own architecture"
ALREADY = "remedy: one is there already, and Linux allows one"

NO_TRACE = "cannot trace sleep: Operation not permitted (`tickless doctor` says what to do)"


def confined(rules: dict[str, str], directory: Path, *command: str) -> Ended:
    """Run a command of tickless under rules of confine.py."""
    prefix = ["env", f"PYTHONPATH={ROOT}", sys.executable, str(CONFINE), json.dumps(rules)]
    return run([*prefix, TICKLESS, *command], directory / command[0])


def lines_of(ended: Ended, state: str) -> set[str]:
    """The names of the checks that came out so."""
    lines = [line.split("  ") for line in ended.stdout.splitlines()]
    return {fields[1].strip() for fields in lines if fields[0].strip() == state and len(fields) > 1}


def test_all_is_well_where_the_tests_run(tmp_path: Path) -> None:
    ended = run([TICKLESS, "doctor"], tmp_path / "run")

    assert ended.stdout.splitlines()[-1] == "tickless runs here."
    assert lines_of(ended, "missing") == set()
    assert (ended.stderr, ended.status) == ("", 0)


@pytest.mark.parametrize(("profile", "limited"), [(DOCKER, {"pidfd_getfd", "addresses"}), (PODMAN, {"addresses"})])
def test_default_profiles_let_programs_run(profile: dict[str, str], limited: set[str], tmp_path: Path) -> None:
    ended = confined(profile, tmp_path, "doctor")

    assert ended.status == 0
    assert (lines_of(ended, "missing"), lines_of(ended, "limited") - {"sock_diag"}) == (set(), limited)
    assert (ALLOW_GETFD in ended.stdout) == ("pidfd_getfd" in profile)
    assert (
        confined(profile, tmp_path, "run", "sh", "-c", "sleep 1h & sleep 2h; wait; echo done | cat").stdout == "done\n"
    )


@pytest.mark.parametrize(
    ("rules", "missing", "remedy", "refusal"),
    [
        (KUBERNETES, "ptrace", ALLOW_PTRACE, NO_TRACE),
        ({"ptrace": "EPERM"}, "ptrace", ALLOW_PTRACE, NO_TRACE),
        ({"ptrace": "ENOSYS"}, "ptrace", EMULATED, "cannot trace sleep: Function not implemented"),
        ({"seccomp": "EPERM"}, "seccomp listener", "that allows seccomp", "notification is not available here"),
        ({"seccomp": "ENOSYS"}, "seccomp listener", "has no seccomp", "notification is not available here"),
        ({"seccomp": "EINVAL"}, "seccomp listener", "Linux 5.19 or newer", "the kernel is too old"),
        ({"listener": "yes"}, "seccomp listener", ALREADY, "a seccomp listener is already there"),
        ({"process_vm_readv": "EPERM"}, "memory of tasks", "that allows process_vm_readv", None),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_missing_has_a_name_and_a_remedy(
    rules: dict[str, str], missing: str, remedy: str, refusal: str | None, tmp_path: Path
) -> None:
    ended = confined(rules, tmp_path, "doctor")

    assert (lines_of(ended, "missing"), ended.status) == ({missing}, CANNOT_RUN_HERE), ended.stdout
    assert remedy in ended.stdout
    assert ended.stdout.endswith("tickless cannot run here.\n")
    if refusal is not None:
        refused = confined(rules, tmp_path, "run", "sleep", "1h")
        assert refusal in refused.stderr
        assert (len(refused.stderr.splitlines()), refused.status) == (1, CANNOT_RUN_HERE)


def test_a_debugger_is_named(tmp_path: Path) -> None:
    """tickless traces its tasks, as strace would: a second tracer has no chance."""
    ended = run([TICKLESS, "run", "--", TICKLESS, "doctor"], tmp_path / "run")

    assert "no other tracer" in lines_of(ended, "missing")
    assert "traces tickless" in ended.stdout
    assert ended.status == CANNOT_RUN_HERE


def test_the_object_says_the_same(tmp_path: Path) -> None:
    ended = confined(DOCKER, tmp_path, "doctor", "--json")

    report = json.loads(ended.stdout)
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert (report["schema"], report["works"]) == ("tickless.doctor/1", True)
    assert (states["ptrace"], states["pidfd_getfd"], states["addresses"]) == ("works", "limited", "limited")
    assert all(check["remedy"] for check in report["checks"] if check["state"] != "works")


def test_a_socket_that_cannot_be_watched_is_refused_by_name(tmp_path: Path) -> None:
    script = "import select, socket; select.select([socket.socketpair()[0]], [], [], 5)"

    ended = confined(DOCKER, tmp_path, "run", "python3", "-c", script)

    assert "TL505: watching a file that tickless may not get at" in ended.stderr
    assert "PermissionError" in ended.stderr
