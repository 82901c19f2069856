"""epoll(7): waiting, level and edge, one-shot, and which file is reported when."""

from __future__ import annotations

import pytest

from tests.kernel.epoll_watcher import Watcher, start_waiting
from tests.kernel.fake_files import FakeFile
from tests.kernel.fake_host import call, idle
from tickless.abi.epoll import (
    EPOLL_CTL_ADD,
    EPOLL_CTL_MOD,
    EPOLL_EVENT,
    EPOLLERR,
    EPOLLET,
    EPOLLHUP,
    EPOLLIN,
    EPOLLONESHOT,
    EPOLLOUT,
    EPOLLRDHUP,
)
from tickless.abi.errno import EFAULT, EINTR
from tickless.abi.siginfo import SigInfo
from tickless.abi.signal import SIG_BLOCK, SIGSET, SIGUSR1, sigmask
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.time import pack_timespec
from tickless.kernel.machine import Argument, Calls, Machine, Main, OwnTask, Program
from tickless.kernel.signals import send_signal

BAD = 0x10  # no address
COUNT_OF_1 = (1).to_bytes(8, "little")


def test_a_wait_sleeps_until_a_file_is_ready(kernel: Machine) -> None:
    """epoll_wait(2): the call blocks until a file descriptor delivers an event."""
    results: list[int] = []
    events = bytearray(4 * EPOLL_EVENT.size)

    def waiter(sys: Calls) -> Program:
        event = yield sys.eventfd2(0, 0)
        epoll = yield sys.epoll_create1(0)
        yield sys.epoll_ctl(epoll, EPOLL_CTL_ADD, event, EPOLL_EVENT.pack(EPOLLIN, 77))
        results.append((yield sys.epoll_wait(epoll, events, 4, -1)))

    def writer(sys: Calls) -> Program:
        yield sys.sleep_ns(5 * SECOND)
        yield sys.write(0, COUNT_OF_1, 8)

    main = kernel.spawn(waiter)
    kernel.spawn(writer, main, same_group=True)
    kernel.run()

    assert results == [1]
    assert EPOLL_EVENT.unpack_from(events) == (EPOLLIN, 77)
    assert kernel.now_ns == 5 * SECOND


@pytest.mark.parametrize(
    ("name", "timeout"),
    [
        pytest.param("epoll_wait", (3000,), id="ms"),
        pytest.param("epoll_pwait", (3000, 0, 0), id="ms, no mask"),
        pytest.param("epoll_pwait2", (pack_timespec(3 * SECOND), 0, 0), id="timespec"),
    ],
)
def test_a_wait_ends_with_its_timeout(kernel: Machine, name: str, timeout: tuple[Argument, ...]) -> None:
    results: list[int] = []

    def waiter(sys: Calls) -> Program:
        epoll = yield sys.epoll_create1(0)
        results.append((yield getattr(sys, name)(epoll, bytearray(12), 1, *timeout)))

    kernel.spawn(waiter)
    kernel.run()

    assert results == [0]
    assert kernel.now_ns == 3 * SECOND


def test_a_timeout_of_null_is_none(kernel: Machine, watcher: Watcher) -> None:
    watcher.watch(FakeFile(), EPOLLIN)

    assert call(watcher.task, "epoll_pwait2", watcher.epfd, bytearray(12), 1, 0, 0, 8) is None
    assert not kernel.jump()


@pytest.mark.parametrize("wait", ["epoll_wait", "epoll_pwait"])
def test_a_signal_ends_a_wait_for_good(kernel: Machine, wait: str) -> None:
    """signal(7): epoll_wait is never restarted, whatever SA_RESTART says."""
    results: list[int] = []

    def waiter(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None, 0x10000000)
        epoll = yield sys.epoll_create1(0)
        results.append((yield getattr(sys, wait)(epoll, bytearray(12), 1, -1, 0, 0)))

    task = kernel.spawn(waiter)

    def killer(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        yield sys.kill(task.tid, SIGUSR1)

    kernel.spawn(killer)
    kernel.run()

    assert results == [-EINTR]


def pending_but_blocked(kernel: Machine, task: OwnTask) -> None:
    call(task, "rt_sigaction", SIGUSR1, bytes(8), 0, 8)
    call(task, "rt_sigprocmask", SIG_BLOCK, SIGSET.pack(sigmask(SIGUSR1)), 0, 8)
    send_signal(task.group, SigInfo(SIGUSR1))


def test_a_mask_that_lets_a_pending_signal_through_ends_the_wait(kernel: Machine, watcher: Watcher) -> None:
    """epoll_pwait(2): the mask is in force while the call waits."""
    pending_but_blocked(kernel, watcher.task)
    args = (watcher.epfd, bytearray(12), 1, 1000)

    assert call(watcher.task, "epoll_pwait", *args, SIGSET.pack(0), 8) == -EINTR
    watcher.task.temporary_mask = None
    assert call(watcher.task, "epoll_pwait", *args, SIGSET.pack(sigmask(SIGUSR1)), 8) is None


def test_a_timeout_of_zero_looks_at_no_signal(kernel: Machine, watcher: Watcher) -> None:
    """Measured on Linux 6.18: epoll_pwait gives 0 where ppoll gives EINTR."""
    pending_but_blocked(kernel, watcher.task)
    none = pack_timespec(0)

    assert call(watcher.task, "epoll_pwait", watcher.epfd, bytearray(12), 1, 0, SIGSET.pack(0), 8) == 0
    assert call(watcher.task, "epoll_pwait2", watcher.epfd, bytearray(12), 1, none, SIGSET.pack(0), 8) == 0


def test_a_ready_file_wins_over_a_signal(kernel: Machine, watcher: Watcher) -> None:
    pending_but_blocked(kernel, watcher.task)
    watcher.watch(FakeFile(EPOLLIN), EPOLLIN)

    for name, timeout in (("epoll_pwait", -1), ("epoll_pwait2", 0)):
        assert call(watcher.task, name, watcher.epfd, bytearray(12), 1, timeout, SIGSET.pack(0), 8) == 1


def test_a_wake_ends_one_wait_only(kernel: Machine) -> None:
    """epoll(7), Q9 and fs/eventpoll.c: of several tasks that wait for one epoll, an edge wakes one."""
    results: list[str] = []

    def waiter(name: str) -> Main:
        def program(sys: Calls) -> Program:
            count = yield sys.epoll_wait(1, bytearray(12), 1, 10_000)
            results.append(f"{name}: {count} at {kernel.now_ns // SECOND}")

        return program

    def main(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        yield sys.epoll_create1(0)
        yield sys.epoll_ctl(1, EPOLL_CTL_ADD, 0, EPOLL_EVENT.pack(EPOLLIN | EPOLLET, 0))
        yield sys.thread(waiter("a"))
        yield sys.thread(waiter("b"))
        yield sys.sleep_ns(SECOND)
        yield sys.write(0, COUNT_OF_1, 8)
        yield sys.sleep_ns(20 * SECOND)

    kernel.spawn(main)
    kernel.run()

    assert results == ["a: 1 at 1", "b: 0 at 10"]


def test_what_stays_ready_wakes_the_next_waiter(kernel: Machine) -> None:
    """fs/eventpoll.c, ep_done_scan: while the ready list is not empty, another waiter is woken."""
    results: list[str] = []

    def waiter(name: str) -> Main:
        def program(sys: Calls) -> Program:
            count = yield sys.epoll_wait(1, bytearray(12), 1, 10_000)
            results.append(f"{name}: {count} at {kernel.now_ns // SECOND}")

        return program

    def main(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        yield sys.epoll_create1(0)
        yield sys.epoll_ctl(1, EPOLL_CTL_ADD, 0, EPOLL_EVENT.pack(EPOLLIN, 0))
        yield sys.thread(waiter("a"))
        yield sys.thread(waiter("b"))
        yield sys.sleep_ns(SECOND)
        yield sys.write(0, COUNT_OF_1, 8)

    kernel.spawn(main)
    kernel.run()

    assert results == ["a: 1 at 1", "b: 1 at 1"]


def test_level_triggered_is_reported_while_it_is_ready(watcher: Watcher) -> None:
    file = FakeFile(EPOLLIN)
    fd = watcher.watch(file, EPOLLIN | EPOLLOUT)

    assert watcher.wait() == [(EPOLLIN, fd)]
    assert watcher.wait() == [(EPOLLIN, fd)]
    file.events = 0
    assert watcher.wait() == []
    assert not watcher.epoll.ready


def test_edge_triggered_is_reported_once_per_wake(watcher: Watcher) -> None:
    """epoll(7): with EPOLLET only changes are reported; a file that is ready at ADD is one."""
    file = FakeFile(EPOLLIN)
    fd = watcher.watch(file, EPOLLIN | EPOLLET)

    assert watcher.wait() == [(EPOLLIN, fd)]
    assert watcher.wait() == []
    file.become(EPOLLIN)
    assert watcher.wait() == [(EPOLLIN, fd)]


def test_a_wake_for_other_events_is_no_edge(watcher: Watcher) -> None:
    file = FakeFile(EPOLLIN)
    watcher.watch(file, EPOLLIN | EPOLLET)
    watcher.wait()

    file.become(EPOLLIN | EPOLLOUT, EPOLLOUT)

    assert watcher.wait() == []


def test_errors_and_hang_ups_are_always_watched(watcher: Watcher) -> None:
    file = FakeFile()
    fd = watcher.watch(file, 0)

    file.become(EPOLLIN | EPOLLERR | EPOLLHUP)

    assert watcher.wait() == [(EPOLLERR | EPOLLHUP, fd)]


def test_a_half_closed_peer_is_told_to_who_asks(watcher: Watcher) -> None:
    """epoll_ctl(2): EPOLLRDHUP."""
    file = FakeFile(EPOLLIN | EPOLLRDHUP)
    fd = watcher.watch(file, EPOLLRDHUP)

    assert watcher.wait() == [(EPOLLRDHUP, fd)]


def test_one_shot_is_disarmed_whole_until_it_is_modified(watcher: Watcher) -> None:
    """epoll_ctl(2), EPOLLONESHOT: after one event the interest is disabled, for hang-ups as well."""
    file = FakeFile(EPOLLIN)
    fd = watcher.watch(file, EPOLLIN | EPOLLONESHOT)

    assert watcher.wait() == [(EPOLLIN, fd)]
    file.become(EPOLLIN | EPOLLHUP)
    assert watcher.wait() == []
    assert watcher.epoll.describe(watcher.task).startswith(f"tfd: {fd:8} events: 40000000 ")
    assert watcher.control(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 5) == 0
    assert watcher.wait() == [(EPOLLIN | EPOLLHUP, 5)]


def test_of_several_files_each_keeps_to_its_trigger(watcher: Watcher) -> None:
    quiet = FakeFile(EPOLLIN)
    watcher.watch(quiet, EPOLLIN)
    triggers = (0, EPOLLET, EPOLLONESHOT)
    level, edge, once = [watcher.watch(FakeFile(EPOLLIN), EPOLLIN | trigger) for trigger in triggers]
    quiet.events = 0

    assert watcher.wait() == [(EPOLLIN, level), (EPOLLIN, edge), (EPOLLIN, once)]
    assert watcher.wait() == [(EPOLLIN, level)]


def test_what_several_waiters_find_ready_wakes_the_next(kernel: Machine, watcher: Watcher) -> None:
    waiters = [kernel.spawn(idle, watcher.task, same_group=True) for _ in range(2)]
    for waiter in waiters:
        start_waiting(Watcher(kernel, waiter, watcher.epfd))
    for _ in range(2):
        watcher.watch(FakeFile(EPOLLIN), EPOLLIN | EPOLLET)
    assert [waiter.state for waiter in waiters] == ["ready", "ready"]

    assert kernel.resume_call(waiters[0]) == 1
    assert kernel.resume_call(waiters[1]) == 1


def test_modifying_a_ready_interest_is_an_edge(watcher: Watcher) -> None:
    file = FakeFile(EPOLLIN)
    fd = watcher.watch(file, EPOLLIN | EPOLLET)
    watcher.wait()

    watcher.control(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET)

    assert watcher.wait() == [(EPOLLIN, fd)]


def test_a_small_buffer_starves_nobody(watcher: Watcher) -> None:
    """epoll_wait(2): the ready list is gone through round robin."""
    fds = [watcher.watch(FakeFile(EPOLLIN), EPOLLIN) for _ in range(3)]

    reported = [fd for _ in range(6) for _, fd in watcher.wait(1)]

    assert reported == fds * 2


def test_of_one_file_that_is_watched_twice_the_later_interest_comes_first(watcher: Watcher) -> None:
    """Linux, measured: what is not exclusive is put in front of a file's wait queue."""
    file = FakeFile()
    first = watcher.watch(file, EPOLLIN)
    second = watcher.watch(file, EPOLLIN)

    file.become(EPOLLIN)

    assert [data for _, data in watcher.wait()] == [second, first]


def test_files_are_reported_in_the_order_of_their_wakes(watcher: Watcher) -> None:
    files = [FakeFile() for _ in range(3)]
    fds = [watcher.watch(file, EPOLLIN | EPOLLET) for file in files]
    for index in (2, 0, 1):
        files[index].become(EPOLLIN)

    assert [fd for _, fd in watcher.wait()] == [fds[2], fds[0], fds[1]]


def test_a_wait_asks_only_the_files_on_the_ready_list(watcher: Watcher) -> None:
    """epoll(7): the cost of a wait is that of the ready files."""
    asked = []

    class Counted(FakeFile):
        def poll(self, task: object) -> int:
            asked.append(self)
            return self.events

    files = [Counted() for _ in range(100)]
    for file in files:
        watcher.watch(file, EPOLLIN)
    files[7].become(EPOLLIN)
    asked.clear()

    watcher.wait()

    assert asked == [files[7]]


def test_an_edge_that_cannot_be_told_is_kept(watcher: Watcher) -> None:
    fd = watcher.watch(FakeFile(EPOLLIN), EPOLLIN | EPOLLET)

    assert call(watcher.task, "epoll_wait", watcher.epfd, BAD, 1, 0) == -EFAULT
    assert watcher.wait() == [(EPOLLIN, fd)]


def test_events_that_fit_the_memory_are_told_and_the_others_kept(watcher: Watcher) -> None:
    """Measured on Linux 6.18."""
    fds = [watcher.watch(FakeFile(EPOLLIN), EPOLLIN | EPOLLET) for _ in range(3)]
    end_of_memory = watcher.task.own_memory.base + len(watcher.task.own_memory.bytes)

    assert call(watcher.task, "epoll_wait", watcher.epfd, end_of_memory - EPOLL_EVENT.size, 3, 0) == 1
    assert [fd for _, fd in watcher.wait()] == fds[1:]
