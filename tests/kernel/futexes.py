"""What tests of futexes share: words in a program's memory, and threads that wait on them."""

from __future__ import annotations

from struct import Struct

from tickless.kernel.machine import Calls, Machine, Main, OwnTask, Program

U32 = Struct("<I")
POINTER = Struct("<Q")

# At the end of OwnMemory, where no argument is copied to.
PAGE = 0x10000 + (1 << 20) - 4096
A, B, C, D = PAGE, PAGE + 4, PAGE + 8, PAGE + 12
UNALIGNED = PAGE + 1
NOWHERE = 16
KERNEL_HALF = 0xFFFF_8000_0000_0000


def load(task: OwnTask, address: int) -> int:
    """The word at `address`."""
    word: int = U32.unpack(task.memory.copy_in(address, 4))[0]
    return word


def store(task: OwnTask, address: int, word: int) -> None:
    task.memory.copy_out(address, U32.pack(word))


def store_pointer(task: OwnTask, address: int, pointer: int) -> None:
    task.memory.copy_out(address, POINTER.pack(pointer & (1 << 64) - 1))


class Wakes:
    """Which waiters went on, in order, and what their calls gave."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.results: dict[str, int] = {}

    def waiter(self, name: str, *args: int | bytes) -> Main:
        """A program that makes one futex call."""

        def program(sys: Calls) -> Program:
            self.results[name] = yield sys.futex(*args)
            self.order.append(name)

        return program

    def take(self) -> str:
        """Who went on since this was asked last."""
        order, self.order = "".join(self.order), []
        return order


def pausing(sys: Calls) -> Program:
    yield sys.pause()


def start(kernel: Machine, wakes: Wakes, names: str, *args: int | bytes) -> OwnTask:
    """Threads that make the same futex call, in this order; the first thread of their process, which pauses."""
    main = kernel.spawn(pausing)
    for name in names:
        kernel.spawn(wakes.waiter(name, *args), main, same_group=True)
    settle(kernel)
    return main


def settle(kernel: Machine) -> None:
    """Let everybody go on who can, without moving the clock."""
    while (task := kernel.pick()) is not None:
        assert isinstance(task, OwnTask)
        kernel.run_step(task)


def call_futex(kernel: Machine, task: OwnTask, *args: int | bytes) -> int:
    """A futex call by another thread of the task's process, and what it wakes goes on."""
    results: list[int] = []

    def program(sys: Calls) -> Program:
        results.append((yield sys.futex(*args)))

    kernel.spawn(program, task, same_group=True)
    settle(kernel)
    return results[0]
