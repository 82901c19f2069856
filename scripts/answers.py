"""What a declared call can come to where there is a host, read from the source of what serves it.

`return PASS_ON` leaves a call to Linux, any other value is an answer of tickless; `kernel.refuse(task, IT)` names what
is not served.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tickless.kernel.file import File
from tickless.kernel.host_file import HostFile
from tickless.kernel.registry import Unserved

Function = Callable[..., Any]

# What only a file of Linux has: sometimes it is done here, sometimes left to Linux.
HOST_FILE_METHODS = vars(HostFile).keys() - vars(File).keys()
HOST_IS_NONE = re.compile(r"(?:\w+\.)*host is None")
HOST_IS_THERE = re.compile(r"(?:\w+\.)*host is not None")


@dataclass
class Answers:
    """Who may answer, and what is refused."""

    ours: bool = False
    linux: bool = False
    refused: set[Unserved] = field(default_factory=set)


def answers_of(function: Function) -> Answers:
    """What `function`, which serves a call, may come to."""
    answers = Answers()
    _read_returns(function, answers, set())
    _read_refusals(function, answers.refused, set())
    return answers


# Refusals


def _read_refusals(function: Function, refused: set[Unserved], seen: set[Function]) -> None:
    """Every function of ours that is named where a host can get to may refuse."""
    if function in seen:
        return
    seen.add(function)
    for statement in _reached(_source(function).body):
        for node in ast.walk(statement):
            for value in _values_of(function, node):
                if isinstance(value, Unserved):
                    refused.add(value)
                else:
                    _read_refusals(value, refused, seen)


def _values_of(function: Function, node: ast.AST) -> Iterator[Any]:
    """The functions and refusals of ours that a name stands for, or that a table of that name holds."""
    value = function.__globals__.get(node.id) if isinstance(node, ast.Name) else None
    for one in value.values() if isinstance(value, dict) else (value,):
        if isinstance(one, Unserved) or _is_ours(one):
            yield one


# Returns


def _read_returns(function: Function, answers: Answers, seen: set[Function]) -> None:
    if function in seen:
        return
    seen.add(function)
    source = _source(function)
    assigned: dict[str, list[ast.expr]] = {}
    for node in ast.walk(source):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            assigned.setdefault(node.targets[0].id, []).append(node.value)
    for statement in _reached(source.body):
        if isinstance(statement, ast.Return):
            for value in _alternatives(statement.value, assigned):
                _read_value(value, function, answers, seen)


def _alternatives(value: ast.expr | None, assigned: dict[str, list[ast.expr]]) -> Iterator[ast.expr | None]:
    """What an expression may be, through conditions, `yield from` and local names."""
    if isinstance(value, ast.IfExp):
        for branch in _branches(value.test, value.body, value.orelse):
            yield from _alternatives(branch, assigned)
    elif isinstance(value, ast.YieldFrom):
        yield from _alternatives(value.value, assigned)
    elif isinstance(value, ast.Name) and value.id in assigned:
        rest = {name: values for name, values in assigned.items() if name != value.id}
        for one in assigned[value.id]:
            yield from _alternatives(one, rest)
    else:
        yield value


def _read_value(value: ast.expr | None, function: Function, answers: Answers, seen: set[Function]) -> None:
    called = value.func if isinstance(value, ast.Call) else value
    callee: Any = function.__globals__.get(called.id) if isinstance(called, ast.Name) else None
    last_word = "" if called is None else ast.unparse(called).split(".")[-1]
    if last_word in ("PASS_ON", "pass_on"):
        answers.linux = True
    elif last_word in HOST_FILE_METHODS:
        answers.ours = answers.linux = True
    elif isinstance(value, ast.Call) and _is_ours(callee):
        _read_returns(callee, answers, seen)
    else:
        answers.ours = True


# Source


def _is_ours(value: Any) -> bool:
    return inspect.isfunction(value) and value.__module__.startswith("tickless.") and value.__name__ != "<lambda>"


def _source(function: Function) -> ast.FunctionDef:
    source = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(source, ast.FunctionDef), f"{function} is no function"
    return source


def _reached(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The simple statements of a body, and what conditions look at, without what only runs where there is no host."""
    for statement in body:
        if isinstance(statement, ast.If):
            yield ast.Expr(statement.test)
            branches = list(_branches(statement.test, statement.body, statement.orelse))
            for branch in branches:
                yield from _reached(branch)
            if len(branches) == 1 and branches[0] and isinstance(branches[0][-1], ast.Return | ast.Raise):
                return
        elif blocks := list(_blocks(statement)):
            for block in blocks:
                yield from _reached(block)
        else:
            yield statement


def _blocks(statement: ast.stmt) -> Iterator[Sequence[ast.stmt]]:
    """The bodies of a loop, a `with`, a `try` or a `match`."""
    for name in ("body", "orelse", "finalbody"):
        yield from filter(None, [getattr(statement, name, [])])
    for name in ("handlers", "cases"):
        yield from (part.body for part in getattr(statement, name, ()))


def _branches(test: ast.expr, then: Any, otherwise: Any) -> Iterator[Any]:
    """Those of the two that are reached where there is a host."""
    text = ast.unparse(test)
    if not HOST_IS_NONE.fullmatch(text):
        yield then
    if not HOST_IS_THERE.fullmatch(text):
        yield otherwise
