"""How many calls there were of each kind: counted in the dispatch table, so that a run without counts pays nothing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tickless.abi.numbers import name_of
from tickless.kernel.outcome import PASS_ON, Answer, PassOn, Result

if TYPE_CHECKING:
    from tickless.kernel.kernel import Kernel
    from tickless.kernel.outcome import Blocked
    from tickless.kernel.registry import Entry
    from tickless.kernel.task import Task


class CallCounts:
    """Counts by call number. A call that a signal interrupted counts again when it is made again."""

    def __init__(self, kernel: Kernel) -> None:
        """Count from now on."""
        self.kernel = kernel
        self.made = [0] * len(kernel.table)
        self.passed_on = [0] * len(kernel.table)
        kernel.table[:] = [entry and self._counting(number, entry) for number, entry in enumerate(kernel.table)]

    def served_by_name(self) -> Counter[str]:
        """The calls that were answered here."""
        return self._by_name([made - passed for made, passed in zip(self.made, self.passed_on, strict=True)])

    def passed_on_by_name(self) -> Counter[str]:
        """The calls that were trapped, and done by the host."""
        return self._by_name(self.passed_on)

    def _by_name(self, counts: list[int]) -> Counter[str]:
        names = (name_of(self.kernel.architecture, number) for number in range(len(counts)))
        return Counter({name: count for name, count in zip(names, counts, strict=True) if count})

    def _counting(self, number: int, entry: Entry) -> Entry:
        made, passed_on = self.made, self.passed_on

        def counting(task: Task, a: int, b: int, c: int, d: int, e: int, f: int) -> Result:
            made[number] += 1
            result = entry(task, a, b, c, d, e, f)
            if result is PASS_ON:
                passed_on[number] += 1
            elif not isinstance(result, int | PassOn):
                return self._counting_sleep(number, result)
            return result

        return counting

    def _counting_sleep(self, number: int, sleep: Blocked) -> Blocked:
        answer: Answer = yield from sleep
        if answer is PASS_ON:
            self.passed_on[number] += 1
        return answer
