"""checked.py's tickless command, where somebody is killed: `aimed.py TARGET STAGE run [options] -- PROGRAM`.

TARGET `child`: the N-th child of PROGRAM gets SIGKILL at the N-th event of it and its descendants. `actor`: who is at
that event. `tickless:N`: tickless itself, at the N-th event of all. STAGE says what an event is; `function`: a call of
a function of tickless, `in:NAME`: of that one. `starter:N` is the child that is to become PROGRAM, in its functions.
The SIGKILL comes from outside, but at a certain moment.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

from tests.stress import checked
from tickless.host.life_cycle import LifeCycle
from tickless.kernel.registry import Entry
from tickless.kernel.task import Task

TICKLESS = os.getpid()
OURS = os.path.join("src", "tickless")


class Aim:
    """Who is to be killed when."""

    def __init__(self, target: str, stage: str) -> None:
        self.target, _, number = target.partition(":")
        self.number = int(number or 0)  # of the event, for tickless and the starter
        self.stage = stage
        self.events: Counter[int] = Counter()  # so far, by the number of PROGRAM's child; 0 is PROGRAM
        self.shots = 0

    def at(self, stage: str, task: Task | None) -> None:
        """A task has come to a stage of something."""
        if stage != self.stage or task is None:
            return
        child = int((task.name + ".0").split(".")[1])
        self.events[child] += 1
        if self.target == "tickless":
            if self.events.total() == self.number:
                os.kill(TICKLESS, signal.SIGKILL)
        elif child and self.events[child] == child:
            self.shots += 1
            os.kill(self._tgid(task, f"main.{child}"), signal.SIGKILL)

    def _tgid(self, actor: Task, child: str) -> int:
        if self.target == "actor":
            return actor.group.tgid
        return next((task for task in actor.kernel.tasks.values() if task.name == child), actor).group.tgid

    def in_function(self, frame: FrameType, event: str, argument: object) -> None:
        """As sys.setprofile has it."""
        code = frame.f_code
        if event != "call" or OURS not in code.co_filename or self.stage not in ("function", f"in:{code.co_name}"):
            return
        if (os.getpid() == TICKLESS) == (self.target == "tickless"):
            self.events[0] += 1
            if self.events[0] == self.number:
                os.kill(os.getpid(), signal.SIGKILL)


class AimedSupervisor(checked.CheckedSupervisor):
    """A supervisor at whose tasks somebody shoots."""

    aim: Aim

    def _wrap_entries(self) -> None:
        super()._wrap_entries()
        table = self.kernel.table
        for number, entry in enumerate(table):
            if entry is not None:
                table[number] = self._shooting(entry)
        setattr(self.life, "_handle_stop", self._shooting_at_stops(self.life))  # noqa: B010  mypy has no word for it

    def _shooting(self, entry: Entry) -> Entry:
        def shooting(task: Task, *registers: int) -> Any:
            self.aim.at("received", task)
            try:
                return entry(task, *registers)
            finally:
                self.aim.at("served", task)

        return shooting

    def _shooting_at_stops(self, life: LifeCycle) -> Callable[[int, int], None]:
        handle = life._handle_stop

        def shooting(tid: int, status: int) -> None:
            task = self.kernel.tasks.get(tid)
            self.aim.at("stopped", task)
            handle(tid, status)
            self.aim.at("handled", task)

        return shooting

    def send(self, task: Any, value: int, error: int, flags: int) -> None:
        super().send(task, value, error, flags)
        self.aim.at("answered", task)

    def finish(self) -> None:
        super().finish()
        print(f"{self.aim.shots} shots", file=sys.stderr)


def main() -> None:
    aim = AimedSupervisor.aim = Aim(*sys.argv[1:3])
    del sys.argv[1:3]
    checked.CheckedSupervisor = AimedSupervisor  # type: ignore[misc]
    if aim.stage == "function" or aim.stage.startswith("in:"):
        sys.setprofile(aim.in_function)
    checked.main()


if __name__ == "__main__":
    main()
