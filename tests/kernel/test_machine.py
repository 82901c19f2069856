"""Programs of the Machine: processes, threads, buffers, exit statuses."""

import pytest

from tickless.abi.errno import EBADF
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.wait import exit_status
from tickless.kernel.eventfd import COUNT
from tickless.kernel.kernel import Deadlock
from tickless.kernel.machine import Calls, Machine, Main, Program


def test_a_program_is_sent_what_its_calls_return(kernel: Machine) -> None:
    results = []
    count = bytearray(COUNT.size)

    def program(sys: Calls) -> Program:
        fd = yield sys.eventfd2(7, 0)
        results.append(fd)
        results.append((yield sys.read(fd, count, 8)))
        results.append((yield sys.read(99, count, 8)))

    kernel.spawn(program)
    kernel.run()

    assert results == [0, 8, -EBADF]
    assert COUNT.unpack(count) == (7,)


def test_bytes_are_passed_by_address(kernel: Machine) -> None:
    results = []

    def program(sys: Calls) -> Program:
        fd = yield sys.eventfd2(0, 0)
        results.append((yield sys.write(fd, COUNT.pack(3), 8)))
        count = bytearray(COUNT.size)
        yield sys.read(fd, count, 8)
        results.append(COUNT.unpack(count)[0])

    kernel.spawn(program)
    kernel.run()

    assert results == [8, 3]


def test_a_thread_shares_fds_and_a_child_begins_with_a_copy(kernel: Machine) -> None:
    results: dict[str, int] = {}

    def thread(sys: Calls) -> Program:
        results["thread"] = yield sys.eventfd2(0, 0)

    def child(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        results["child"] = yield sys.eventfd2(0, 0)

    def main(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        results["child pid"] = yield sys.fork(child)
        results["thread tid"] = yield sys.thread(thread)
        yield sys.sleep_ns(2 * SECOND)
        results["main"] = yield sys.eventfd2(0, 0)

    task = kernel.spawn(main)
    kernel.run()

    assert results == {
        "child pid": task.tid + 1,
        "thread tid": task.tid + 2,
        "thread": 1,
        "child": 1,
        "main": 2,
    }


def test_what_a_program_returns_is_its_exit_status(kernel: Machine) -> None:
    statuses = []

    def child(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        return 3

    def main(sys: Calls) -> Program:
        pid = yield sys.fork(child)
        yield sys.sleep_ns(2 * SECOND)
        statuses.append(kernel.groups[pid].wait_status)

    kernel.spawn(main)
    kernel.run()

    assert statuses == [exit_status(3)]


def test_exit_ends_all_threads_of_the_process(kernel: Machine) -> None:
    results = []

    def thread(sys: Calls) -> Program:
        yield sys.sleep_ns(5 * SECOND)
        results.append("never")

    def main(sys: Calls) -> Program:
        yield sys.thread(thread)
        yield sys.sleep_ns(SECOND)
        yield sys.exit(4)
        results.append("never")

    group = kernel.spawn(main).group
    kernel.run()

    assert results == []
    assert kernel.now_ns == SECOND
    assert group.wait_status == exit_status(4)


def test_a_program_that_is_over_ends_its_thread_alone(kernel: Machine) -> None:
    results = []

    def thread(sys: Calls) -> Program:
        yield sys.sleep_ns(5 * SECOND)
        results.append("went on")

    def main(sys: Calls) -> Program:
        yield sys.thread(thread)

    kernel.spawn(main)
    kernel.run()

    assert results == ["went on"]


def test_an_endless_wait_of_all_tasks_names_them(kernel: Machine) -> None:
    def waits(sys: Calls) -> Program:
        fd = yield sys.eventfd2(0, 0)
        yield sys.read(fd, bytearray(8), 8)

    kernel.spawn(waits)

    with pytest.raises(Deadlock, match="main.*waits in read"):
        kernel.run()


def test_the_order_of_ready_tasks_can_be_chosen() -> None:
    kernel = Machine(choose=lambda count: count - 1)
    order = []

    def program(name: str) -> Main:
        def main(sys: Calls) -> Program:
            order.append(name)
            yield sys.eventfd2(0, 0)

        return main

    for name in "abc":
        kernel.spawn(program(name))
    kernel.run()

    assert order[0] == "c"


def test_the_cause_of_a_wake_is_kept(kernel: Machine) -> None:
    """For traces and statistics: what woke the task last, and how often anything woke anybody."""

    def sleeper(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)

    task = kernel.spawn(sleeper)
    kernel.run()

    assert task.woken_by == "timer"
    assert kernel.wakeups == {"timer": 1}
