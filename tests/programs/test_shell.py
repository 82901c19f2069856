"""Shells and the small tools around them: what prints the same on Linux, and what only a virtual clock lives to see."""

import signal
from pathlib import Path

import pytest

from tests.programs.harness import run_natively, run_virtually

# What each script prints, on Linux and here. Spans are short, for Linux.
SCRIPTS = {
    "process substitution": ("diff <(seq 3) <(seq 4); cat <(echo a) <(sleep 0.1; echo b)", "3a4\n> 4\na\nb\n"),
    "output substitution": ("{ seq 5 > >(tac); } | cat", "5\n4\n3\n2\n1\n"),
    "jobs": (
        "set -m; sleep 0.3 & (exit 3) & wait %2; echo $?; kill -STOP %1; kill -CONT %1; wait %1; echo $?",
        "3\n0\n",
    ),
    "traps": (
        "trap 'echo usr1' USR1; trap 'echo bye' EXIT; kill -USR1 $$; (sleep 0.1; kill -USR1 $$) & wait $!; echo $?",
        "usr1\nusr1\n138\nbye\n",
    ),
    "wait -n": ("(sleep 0.2; exit 2) & (sleep 0.1; exit 1) & wait -n; echo $?; wait -n; echo $?", "1\n2\n"),
    "a pipe's end": ("yes | head -n 2; echo ${PIPESTATUS[*]}", "y\ny\n141 0\n"),
    "a large pipeline": ("seq 1000000 | sort -n | uniq -c | tail -n 1 | tr -s ' '", " 1 1000000\n"),
    "many bytes": ("head -c 3000000 /dev/zero | tee >(wc -c >&2) | wc -c", "3000000\n"),
    "a child's child": ("sh -c 'sh -c \"sleep 0.1; exit 9\"'; echo $?", "9\n"),
    "parallel": ("seq 8 | xargs -P 4 -n 1 sh -c 'sleep 0.0$1; echo $1' x | sort | tr -d '\\n'", "12345678"),
    "a coprocess": ("coproc tr a-z A-Z; echo hi >&${COPROC[1]}; exec {COPROC[1]}>&-; cat <&${COPROC[0]}", "HI\n"),
    "here documents": ("cat <<< one; wc -c <<< \"$(seq 20000)\"", "one\n108894\n"),
    "busybox": ("busybox sh -c 'sleep 0.1; seq 3 | tac; timeout 1 true; echo $?'", "3\n2\n1\n0\n"),
}  # fmt: skip
each_script = pytest.mark.parametrize(("script", "expected"), SCRIPTS.values(), ids=SCRIPTS)


@each_script
def test_script_on_linux(script: str, expected: str, tmp_path: Path) -> None:
    ended = run_natively(["bash", "-c", script], tmp_path)

    assert ended.stdout == expected, ended.stderr


@each_script
def test_script_under_tickless(script: str, expected: str, tmp_path: Path) -> None:
    ended = run_virtually(["bash", "-c", script], tmp_path)

    assert ended.stdout == expected, ended.stderr


def elapsed(command: str) -> list[str]:
    """A shell that runs `command` and prints its status and how many seconds it took."""
    return ["sh", "-c", f"from=$(date +%s); {command}; echo $? after $(( $(date +%s) - from ))"]


# What takes hours, and what a shell prints for it.
LONG_COMMANDS = {
    "sleep 1d": "0 after 86400\n",
    "sleep 1h 30m 5s": "0 after 5405\n",
    "busybox sleep 1d": "0 after 86400\n",
    "timeout 1h sleep 2h": "124 after 3600\n",
    """timeout -k 10 1h sh -c 'trap "" TERM; sleep 2h'""": "137 after 3610\n",
    "timeout -s INT 1h sleep 2h": "124 after 3600\n",
    "bash -c 'read -t 86400 < <(sleep 2d)'": "142 after 86400\n",
    "bash -c 'sleep 2h & sleep 1h & wait -n; exit 5'": "5 after 3600\n",
}


@pytest.mark.parametrize(("command", "expected"), LONG_COMMANDS.items(), ids=list(LONG_COMMANDS))
def test_hours_pass_at_once_and_exactly(command: str, expected: str, tmp_path: Path) -> None:
    ended = run_virtually(elapsed(command), tmp_path)

    assert ended.stdout == expected, ended.stderr


def test_sleep_of_a_day(tmp_path: Path) -> None:
    ended = run_virtually(["sleep", "1d"], tmp_path)

    assert (ended.stdout, ended.stderr, ended.status) == ("", "", 0)


def test_timeout_that_has_to_kill(tmp_path: Path) -> None:
    """timeout(1), -k: SIGKILL to the whole group, timeout itself among it."""
    ended = run_virtually(["timeout", "-k", "10", "1h", "sh", "-c", 'trap "" TERM; sleep 2h'], tmp_path)

    assert ended.status == -signal.SIGKILL
