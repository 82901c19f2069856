"""`tickless conform`: what it prints, for people and for tools, and its status."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.programs.build import ROOT

CONFORM = [str(ROOT / ".venv" / "bin" / "tickless"), "conform"]

# Says 7 where the semaphore gives 1, and nothing about other rules.
OTHER_KERNEL = """#!/bin/sh
program=$1; shift
"$program" semaphore | sed 's/count: 1/count: 7/'
"""


def conform(*arguments: str, cache: Path, cc: str = "gcc") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"XDG_CACHE_HOME": str(cache), "CC": cc}
    command = [*CONFORM, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env=environment)


@pytest.fixture
def other_kernel(tmp_path: Path) -> str:
    command = tmp_path / "other-kernel"
    command.write_text(OTHER_KERNEL)
    command.chmod(0o755)
    return str(command)


def test_rules_that_agree_are_counted_by_page(tmp_path: Path) -> None:
    ended = conform("eventfd/semaphore", "eventfd/short_*", cache=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.split() for line in ended.stdout.splitlines()] == [
        ["page", "rules", "agreed", "differing"],
        ["eventfd(2)", "2", "2", "0"],
        ["all", "2", "2", "0"],
    ]


def test_a_difference_shows_both_outputs(tmp_path: Path, other_kernel: str) -> None:
    ended = conform("eventfd/semaphore", "--against", other_kernel, cache=tmp_path)

    assert ended.returncode == 1
    assert ended.stdout.splitlines()[:6] == [
        "eventfd/semaphore: eventfd(2): a read of a semaphore takes 1, and gives EAGAIN at 0",
        "    read(fd, &count, 8): 8",
        "  - count: 1",
        "  + count: 7",
        "    read(fd, &count, 8): 8",
        "  - count: 1",
    ]


def test_a_rule_that_was_not_run_differs(tmp_path: Path, other_kernel: str) -> None:
    ended = conform("eventfd/lowest_number", "--against", other_kernel, cache=tmp_path)

    assert ended.returncode == 1
    assert "  + (nothing: not run to its end)" in ended.stdout.splitlines()


def test_json_holds_every_rule(tmp_path: Path, other_kernel: str) -> None:
    ended = conform("eventfd/semaphore", "--json", "--against", other_kernel, cache=tmp_path)

    report = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert (report["schema"], report["agreed"], report["differing"]) == ("tickless.conform/1", 0, 1)
    assert report["other"] == other_kernel
    (rule,) = report["rules"]
    assert (rule["id"], rule["page"], rule["outcome"]) == ("eventfd/semaphore", "eventfd(2)", "differs")
    assert (rule["linux"][1], rule["other"][1]) == ("count: 1", "count: 7")


def test_junit_holds_every_rule(tmp_path: Path, other_kernel: str) -> None:
    file = tmp_path / "report.xml"

    conform("eventfd/semaphore", "--junit", str(file), "--against", other_kernel, cache=tmp_path)

    (suite,) = ElementTree.parse(file).getroot()
    assert suite.attrib == {"name": "eventfd(2)", "tests": "1", "failures": "1", "errors": "0", "skipped": "0"}
    (case,) = suite
    assert case.get("name") == "eventfd/semaphore"
    assert "+ count: 7" in (case.findtext("failure") or "").splitlines()


def test_under_the_kernel_itself_everything_agrees(tmp_path: Path) -> None:
    ended = conform("eventfd/semaphore", "--against", "env", cache=tmp_path)

    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    ("arguments", "cc", "status", "said"),
    [
        (["no_such_page"], "gcc", 2, "no rule is called no_such_page"),
        (["eventfd"], "no-such-compiler", 125, "there is no C compiler 'no-such-compiler'"),
        (["eventfd"], "false", 125, "eventfd.c does not compile"),
        (
            ["eventfd", "--against", "no-such-kernel"],
            "gcc",
            125,
            "cannot run no-such-kernel: No such file or directory",
        ),
        (["--clock", "slow"], "gcc", 2, "'slow'"),
        (["eventfd/semaphore", "--against", "env", "--junit", "/nowhere/x"], "gcc", 2, "/nowhere/x"),
    ],
    ids=["no such rule", "no compiler", "does not compile", "no such command", "no such clock", "no such file"],
)
def test_a_mistake_is_one_line(arguments: list[str], cc: str, status: int, said: str, tmp_path: Path) -> None:
    ended = conform(*arguments, cache=tmp_path, cc=cc)

    assert (ended.returncode, ended.stdout) == (status, "")
    assert said in ended.stderr.splitlines()[0]
    assert "Traceback" not in ended.stderr


# Knows no eventfd.
OLD_COMPILER = """#!/bin/sh
case "$*" in *eventfd.c*) echo "eventfd.c: no such header" >&2; exit 1 ;; esac
exec gcc "$@"
"""


def test_a_file_that_does_not_compile_costs_itself_alone(tmp_path: Path) -> None:
    compiler = tmp_path / "old-cc"
    compiler.write_text(OLD_COMPILER)
    compiler.chmod(0o755)
    report = tmp_path / "report.xml"
    asked = ("eventfd/semaphore", "eventfd/short_*", "pipe/create", "--against", "env")

    ended = conform(*asked, "--junit", str(report), cache=tmp_path, cc=str(compiler))

    assert (ended.returncode, ended.stderr) == (1, "")
    lines = ended.stdout.splitlines()
    assert lines[:2] == ["eventfd.c does not compile:", "eventfd.c: no such header"]
    assert [line.split() for line in lines[-3:]] == [
        ["eventfd(2)", "2", "0", "0", "(2", "not", "built)"],
        ["pipe2(2)", "1", "1", "0"],
        ["all", "3", "1", "0", "(2", "not", "built)"],
    ]
    first, second = ElementTree.parse(report).getroot()
    assert (first.get("errors"), second.get("errors")) == ("2", "0")
    assert "no such header" in (first[0].findtext("error") or "")
    counted = json.loads(conform(*asked, "--json", cache=tmp_path, cc=str(compiler)).stdout)
    assert (counted["agreed"], counted["not_built"]) == (1, 2)


def test_a_program_is_built_once(tmp_path: Path) -> None:
    conform("eventfd/semaphore", "--against", "env", cache=tmp_path)
    (program,) = (tmp_path / "tickless" / "contracts").iterdir()
    before = program.stat()

    conform("eventfd/lowest_number", "--against", "env", cache=tmp_path)

    assert [*program.parent.iterdir()] == [program]
    assert program.stat().st_mtime_ns == before.st_mtime_ns


def test_python_can_run_the_package() -> None:
    ended = subprocess.run([sys.executable, "-m", "tickless", "--version"], check=False, capture_output=True, text=True)

    assert ended.stdout.startswith("tickless ")
