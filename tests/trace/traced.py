"""Programs of a Machine whose trace is kept."""

from __future__ import annotations

from tickless.kernel.machine import Calls as Sys
from tickless.kernel.machine import Machine, Main, Program
from tickless.trace.choice import Calls, all_calls
from tickless.trace.text import TextTrace

START = "    0.000000000 "


def trace_of(*programs: Main, calls: Calls | None = None, machine: Machine | None = None) -> list[str]:
    """Run the programs to their end and return the trace's lines, all of them."""
    kernel = machine or Machine()
    lines: list[str] = []
    trace = TextTrace(kernel, lines.append, calls or all_calls())
    kernel.listener = trace
    for program in programs:
        kernel.spawn(program)
    kernel.run()
    trace.close()
    return lines


def calls_of(program: Main) -> list[str]:
    """The lines of one program's calls alone, without time and name; its start and end are left out."""
    return [line[len(START) + 9 :] for line in trace_of(program)[1:-1]]


def nothing(sys: Sys) -> Program:
    """A program that ends at once."""
    yield from ()
