"""The wheel, installed into an empty environment: it runs from there, also for an ordinary user."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
AS_NOBODY = [
    "setpriv",
    f"--reuid={NOBODY}",
    f"--regid={NOBODY}",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
]
ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "UTC"}

pytestmark = pytest.mark.xdist_group("wheel")  # built once


def checked(command: list[str], *, folder: Path = ROOT) -> str:
    ended = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def shared_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def wheel(shared_folder: Path) -> Path:
    checked([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(shared_folder)])
    (built,) = shared_folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(shared_folder: Path, wheel: Path) -> Path:
    """The command in an empty environment, for an interpreter that everybody may execute."""
    environment = shared_folder / "environment"
    checked([python_for_everybody(), "-m", "venv", "--without-pip", str(environment)])
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "install", "--quiet"]
    checked([*pip, "--disable-pip-version-check", str(wheel)])
    return environment / "bin" / "tickless"


def python_for_everybody() -> str:
    """Ours, or the system's where ours lies in a private home."""
    ours = os.path.realpath(sys.executable)
    private = any(not folder.stat().st_mode & 0o001 for folder in Path(ours).parents)
    return "/usr/bin/python3" if private else ours


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=60, env=ENVIRONMENT)


def test_the_wheel_holds_the_package_and_its_data(wheel: Path) -> None:
    names = checked([sys.executable, "-m", "zipfile", "-l", str(wheel)])

    assert "tickless/py.typed" in names
    assert "tickless/kernel/eventfd.py" in names
    assert "licenses/LICENSE" in names
    assert "tests/" not in names


def test_the_installed_command_runs(installed: Path, shared_folder: Path) -> None:
    ended = run([str(installed), "run", "--", "sh", "-c", "sleep 1d; echo over"], shared_folder)

    assert (ended.stdout, ended.returncode) == ("over\n", 0), ended.stderr


def test_it_says_its_version(installed: Path, shared_folder: Path) -> None:
    ended = run([str(installed), "--version"], shared_folder)

    assert ended.stdout.startswith("tickless"), ended.stderr
    assert ended.returncode == 0


SCRIPT = """
sleep 1d &
seq 1000 | sort -n | tail -n 1
wait
trap 'echo usr1' USR1
kill -USR1 $$
timeout 1h sleep 2h
echo $?
"""


def test_it_runs_for_an_ordinary_user(installed: Path, shared_folder: Path) -> None:
    """As uid 65534 without capabilities: user notification, ptrace and the task's memory need none."""
    if os.geteuid() == 0:
        ended = run([*AS_NOBODY, str(installed), "run", "--", "bash", "-c", SCRIPT], shared_folder)
    else:
        ended = run([str(installed), "run", "--", "bash", "-c", SCRIPT], shared_folder)

    assert (ended.stdout, ended.returncode) == ("1000\nusr1\n124\n", 0), ended.stderr
