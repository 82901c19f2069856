"""Ctrl-Z and `fg` at a terminal: a program under tickless stops and goes on as any job of a shell does."""

import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.programs.harness import PATIENCE, TICKLESS, environment, processes_of

CTRL_C, CTRL_D, CTRL_Z = "\x03", "\x04", "\x1a"
PROMPT = "ready$ "
LIMIT_S = 20 * PATIENCE

pytestmark = pytest.mark.timeout(90 * PATIENCE)


class Shell:
    """An interactive bash at a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(
                "bash", ["bash", "--norc", "--noprofile", "--noediting", "-i"], environment(folder) | {"PS1": PROMPT}
            )
        self.screen = ""
        self.until(PROMPT)

    def until(self, text: str) -> str:
        """Read up to `text` and return what came before it."""
        deadline = time.monotonic() + LIMIT_S
        while text not in self.screen:
            readable, _, _ = select.select([self.terminal], [], [], max(deadline - time.monotonic(), 0))
            assert readable, f"{text!r} does not come after {self.screen!r}"
            self.screen += os.read(self.terminal, 4096).decode()
        before, _, self.screen = self.screen.partition(text)
        return before

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def run(self, line: str) -> None:
        """Enter a command and let its echo pass."""
        self.type(line + "\n")
        self.until(line)

    def close(self) -> None:
        os.close(self.terminal)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    folder = tmp_path / "shell"
    shell = Shell(folder)
    yield shell
    shell.close()
    for pid in processes_of(folder):
        with suppress(ProcessLookupError):  # the hang-up of the terminal has ended it meanwhile
            os.kill(pid, signal.SIGKILL)


def under_tickless(program: str, *options: str) -> str:
    return f"{TICKLESS} run -q {' '.join(options)} -- {program}"


def python(script: str) -> str:
    return f'{sys.executable} -Sc "{script}"'


def test_a_waiting_program_stops_and_goes_on(shell: Shell) -> None:
    shell.run(under_tickless("cat"))
    shell.run("first")
    shell.until("first")
    shell.type(CTRL_Z)
    shell.until("Stopped")
    shell.until(PROMPT)
    shell.run("fg")
    shell.run("second")
    shell.until("second")
    shell.type(CTRL_D)
    shell.until(PROMPT)


def test_a_computing_program_stops_and_goes_on(shell: Shell) -> None:
    shell.run(under_tickless("""sh -c 'trap "echo goes on" CONT; echo begun; while :; do :; done'"""))
    shell.until("begun")
    shell.type(CTRL_Z)
    shell.until("Stopped")
    shell.until(PROMPT)
    shell.run("fg")
    shell.until("goes on\r")  # the shell names the program before it gives it the terminal
    shell.type(CTRL_C)
    shell.until(PROMPT)
    shell.run("echo status $?")
    shell.until("status 130")


def test_a_program_that_stops_its_job_by_itself_goes_on(shell: Shell) -> None:
    """As an editor does, which reads Ctrl-Z as a key."""
    shell.run(under_tickless(python("import os; os.kill(0, 20); print('went', 'on')")))
    shell.until("Stopped")
    shell.until(PROMPT)
    shell.run("fg")
    shell.until("went on")


def test_a_job_of_a_shell_under_tickless_stops_and_goes_on_twice(shell: Shell) -> None:
    shell.run(under_tickless("bash --norc --noprofile --noediting", "--clock", "real"))
    shell.until(PROMPT)
    shell.run("cat")
    for word in ("first", "second"):
        shell.run(word)
        shell.until(word)  # by cat: it is in the foreground
        shell.type(CTRL_Z)
        shell.until("Stopped")
        shell.until(PROMPT)
        shell.run("fg")
    shell.run("third")
    shell.until("third")
    shell.type(CTRL_C)
    shell.until(PROMPT)
    shell.run("echo status $?")
    shell.until("status 130")


def test_ctrl_z_at_the_prompt_of_a_shell_does_nothing(shell: Shell) -> None:
    shell.run(under_tickless("bash --norc --noprofile --noediting"))
    shell.until(PROMPT)
    shell.type(CTRL_Z)
    shell.run("echo $((6 * 7))")
    shell.until("42")


def test_a_program_that_was_stopped_and_continued_from_outside_goes_on(shell: Shell) -> None:
    shell.run(under_tickless("sh -c 'echo $$; read line; echo got $line'") + " < <(sleep 2; echo late)")
    pid = int(shell.until("\r\n").strip() or shell.until("\r\n"))
    os.kill(pid, signal.SIGSTOP)
    shell.until("Stopped")
    shell.run("fg")
    shell.until("got late")


def test_a_run_that_is_cut_short_gives_the_terminal_back_as_it_was(shell: Shell) -> None:
    script = "import time, tty; tty.setraw(0); print('raw', flush=True); time.sleep(1e6)"
    shell.run(under_tickless(python(script), "--until", "1h"))
    shell.until("raw")
    shell.until(PROMPT)
    shell.run("stty -a")
    modes = shell.until(PROMPT).split()

    assert {"isig", "icanon", "echo", "opost"} <= set(modes)
