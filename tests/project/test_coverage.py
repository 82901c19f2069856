"""docs/coverage.md: as the source has it, and its tables of time and chance as a program finds them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import tickless.run  # noqa: F401  declares every call
from scripts.answers import answers_of
from scripts.refusals import TOLD, WHAT_TO_DO, WITHOUT_HOST
from scripts.time_sources import CHANCE_SOURCES, TIME_SOURCES
from tests.programs.build import ROOT, compile_c
from tests.programs.harness import run_virtually
from tickless.abi.arch import ARCH
from tickless.kernel.registry import Registry

PROGRAM = Path(__file__).parent / "time_sources.c"


def sources_of_a_run(directory: Path) -> dict[str, str]:
    """What the program prints: a verdict by each source of time, bytes by each of chance."""
    directory.mkdir()
    ended = run_virtually([str(compile_c(PROGRAM))], directory)
    assert (ended.stderr, ended.status) == ("", 0)
    return dict(line.split(": ", 1) for line in ended.stdout.splitlines())


def test_the_page_is_what_the_script_generates() -> None:
    script = ROOT / "scripts" / "generate_coverage.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, timeout=60)

    assert (done.stderr, done.returncode) == ("", 0)


def test_time_and_chance_are_as_the_page_says(tmp_path: Path) -> None:
    first, second = sources_of_a_run(tmp_path / "first"), sources_of_a_run(tmp_path / "second")
    time = {name: source.whose for source in TIME_SOURCES for name in source.names}
    chance = {source.name: source.repeats for source in CHANCE_SOURCES}
    if ARCH != "x86_64":
        del time["rdtsc"]

    assert {name: verdict for name, verdict in first.items() if name not in chance} == time
    assert {name: first[name] == second[name] for name in first if name not in time} == chance


def test_every_diagnostic_says_what_to_do_and_no_other() -> None:
    sources = (ROOT / "src").rglob("*.py")
    in_source = {id for source in sources for id in re.findall(r'"(TL\d+)"', source.read_text())}

    assert WHAT_TO_DO.keys() | WITHOUT_HOST == Registry.unserved.keys()
    assert Registry.unserved.keys() | TOLD.keys() == in_source


@pytest.mark.parametrize(
    ("call", "ours", "linux", "refused"),
    [
        ("eventfd2", True, False, set()),
        ("read", True, True, set()),
        ("mprotect", False, True, set()),
        ("set_tid_address", False, True, set()),  # without a host it answers for itself
        ("accept", False, True, set()),
        ("connect", True, True, set()),
        ("io_uring_setup", False, False, {"TL130"}),
        ("futex", True, False, {"TL401", "TL402"}),
        ("fcntl", True, True, {"TL113"}),
        ("setitimer", True, True, set()),  # without a host it refuses
    ],
)
def test_who_answers_is_read_from_the_source(call: str, ours: bool, linux: bool, refused: set[str]) -> None:
    answers = answers_of(Registry.declarations[call].function)

    assert (answers.ours, answers.linux) == (ours, linux)
    assert {unserved.id for unserved in answers.refused} == refused
