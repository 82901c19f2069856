"""The one place where system calls are declared.

`@syscall` takes a function's name for the call's, and its annotations for what the registers mean. From the
declarations come the dispatch tables, the host's filter, the text of traces and the table of served calls in the docs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from tickless.abi.arch import Arch
from tickless.abi.errno import ENOSYS
from tickless.abi.numbers import number_of
from tickless.abi.types import S64, Decode
from tickless.kernel.outcome import Result

if TYPE_CHECKING:
    from tickless.kernel.task import Task

# A call as the host dispatches it: the task and six registers.
Entry = Callable[["Task", int, int, int, int, int, int], Result]
Function = TypeVar("Function", bound=Callable[..., Result])

# How the host treats a call: always trapped, only by a test of its arguments, or never (the host's, at native speed).
SERVED = "served"
BY_ARGUMENT = "by argument"
UNTRAPPED = "untrapped"


@dataclass(frozen=True)
class ArgumentTest:
    """Trap a call only if `register & mask` is not 0 (`values` empty), or is one of `values`."""

    register: int  # 0 .. 5
    mask: int
    values: tuple[int, ...] = ()


@dataclass(frozen=True)
class Declaration:
    """A system call as it was declared."""

    name: str
    function: Callable[..., Result]
    entry: Entry
    parameters: tuple[tuple[str, Decode], ...]
    returns: Decode
    trap: str
    when: ArgumentTest | None
    clock_read: bool  # costs what a read in the vDSO costs, not what a call costs


class Registry:
    """All declared calls, by name."""

    declarations: ClassVar[dict[str, Declaration]] = {}
    unserved: ClassVar[dict[str, Unserved]] = {}

    @classmethod
    def add(cls, declaration: Declaration) -> None:
        assert declaration.name not in cls.declarations, f"{declaration.name} is declared twice"
        cls.declarations[declaration.name] = declaration

    @classmethod
    def entries(cls, architecture: Arch) -> Iterator[tuple[int, Declaration]]:
        """(number, declaration) of every call that the architecture has."""
        for name, declaration in cls.declarations.items():
            number = number_of(architecture, name)
            if number is not None:
                yield number, declaration


@dataclass(frozen=True)
class Unserved:
    """A call, or a flag of one, that Linux knows and tickless does not serve."""

    id: str  # stable: TLnnn
    what: str  # as the diagnostic names it
    errno: int  # 0: it does not fail; `effect` says what comes of it
    effect: str = "the clock may be wrong"


@overload
def syscall(function: Function) -> Function: ...


@overload
def syscall(
    *, trap: str = SERVED, when: ArgumentTest | None = None, clock_read: bool = False
) -> Callable[[Function], Function]: ...


def syscall(
    function: Function | None = None,
    *,
    trap: str = SERVED,
    when: ArgumentTest | None = None,
    clock_read: bool = False,
) -> Any:
    """Declare a system call: `def name(task, argument: Type, …) -> Type`, the types from `tickless.abi.types`."""

    def declare(function: Function) -> Function:
        names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
        types = {name: _decode_of(function, name) for name in (*names, "return")}
        parameters = tuple((name, types[name]) for name in names)
        Registry.add(
            Declaration(
                name=function.__name__.rstrip("_"),
                function=function,
                entry=_compile_entry(function, [decode for _, decode in parameters]),
                parameters=parameters,
                returns=types["return"],
                trap=BY_ARGUMENT if when else trap,
                when=when,
                clock_read=clock_read,
            )
        )
        return function

    return declare(function) if function is not None else declare


def unserved(id: str, what: str, errno: int = ENOSYS) -> Unserved:
    """Declare what is not served; `kernel.refuse(task, it)` names it to the user once and gives its errno."""
    assert id not in Registry.unserved, f"{id} is taken"
    Registry.unserved[id] = Unserved(id, what, errno)
    return Registry.unserved[id]


def _decode_of(function: Callable[..., Result], name: str) -> Decode:
    """What the annotation of a parameter, or of "return", says about its register."""
    annotation = function.__annotations__[name]
    if isinstance(annotation, str):
        annotation = function.__globals__[annotation]  # a name: eval() would take ten times as long
    if annotation is Result:
        annotation = S64  # a call that blocks or may be the host's: a plain number
    decode: Decode = next(part for part in annotation.__metadata__ if isinstance(part, Decode))
    return decode


def _compile_entry(function: Callable[..., Result], decodes: list[Decode]) -> Entry:
    """The function as the host calls it: decoding is compiled here, once, and is never looked up per call."""
    registers = [f"r{n}" for n in range(6)]
    arguments = [decode.expression.format(register) for decode, register in zip(decodes, registers, strict=False)]
    source = f"lambda task, {', '.join(registers)}: function({', '.join(['task', *arguments])})"
    entry: Entry = eval(_code_of(source), {"function": function})
    return entry


@cache
def _code_of(source: str) -> CodeType:
    """Compiled once for all calls whose arguments are alike."""
    return compile(source, "<entry>", "eval")
