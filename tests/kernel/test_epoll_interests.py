"""epoll(7): who is watched and for how long; exclusive interests, epolls in epolls, files of the host."""

from __future__ import annotations

import pytest

from tests.kernel.epoll_watcher import Watcher, new_watcher, start_waiting
from tests.kernel.fake_files import FakeFile, FakeHostFile, with_host_files
from tests.kernel.fake_host import FakeHost, call, idle
from tickless.abi.epoll import (
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EPOLLERR,
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLIN,
    EPOLLOUT,
    EPOLLRDNORM,
    EPOLLWAKEUP,
)
from tickless.abi.errno import EEXIST, EFAULT, ELOOP, EPERM
from tickless.abi.siginfo import SigInfo
from tickless.abi.signal import SIG_BLOCK, SIGSET, SIGUSR1, sigmask
from tickless.kernel.machine import Machine, OwnTask
from tickless.kernel.signals import send_signal

BAD = 0x10  # no address
COUNT_OF_1 = (1).to_bytes(8, "little")


def test_a_file_leaves_when_its_last_description_goes(watcher: Watcher) -> None:
    """epoll(7), Q6: closing one number of a duplicated description does not remove it."""
    file = FakeFile(EPOLLIN)
    fd = watcher.watch(file, EPOLLIN)
    duplicate = watcher.open(file)

    watcher.task.own_fds.close(fd)
    assert watcher.wait() == [(EPOLLIN, fd)]
    watcher.task.own_fds.close(duplicate)

    assert watcher.wait() == []
    assert not watcher.epoll.interest_list
    assert not file.queue.waiters


def test_closing_the_epoll_leaves_its_files_alone(watcher: Watcher) -> None:
    file = FakeFile(EPOLLIN)
    watcher.watch(file, EPOLLIN)

    watcher.task.own_fds.close(watcher.epfd)

    assert not file.queue.waiters
    assert not file.interests


def test_duplicates_are_watched_each_by_itself(watcher: Watcher) -> None:
    """epoll(7), Q1: the key is the number together with the open file description."""
    file = FakeFile(EPOLLIN)
    fds = [watcher.watch(file, EPOLLIN), watcher.watch(file, EPOLLIN)]

    assert [fd for _, fd in watcher.wait()] == fds
    assert watcher.control(EPOLL_CTL_DEL, fds[0]) == 0
    assert [fd for _, fd in watcher.wait()] == fds[1:]


def test_readiness_is_that_of_the_waiter_and_the_queue_that_of_the_adder(kernel: Machine, watcher: Watcher) -> None:
    """signalfd(2), BUGS of epoll with fork: a signalfd answers for whoever calls epoll_wait."""
    signals = sigmask(SIGUSR1)
    call(watcher.task, "rt_sigprocmask", SIG_BLOCK, SIGSET.pack(signals), 0, 8)
    fd = call(watcher.task, "signalfd4", -1, SIGSET.pack(signals), 8, 0)
    assert isinstance(fd, int)
    watcher.control(EPOLL_CTL_ADD, fd, EPOLLIN)
    child = kernel.spawn(idle, watcher.task)
    send_signal(child.group, SigInfo(SIGUSR1))
    by_child = Watcher(kernel, child, watcher.epfd)

    assert by_child.wait() == []  # its signal woke its own queue, where the epoll does not stand
    send_signal(watcher.task.group, SigInfo(SIGUSR1))
    assert by_child.wait() == [(EPOLLIN, fd)]


def test_fdinfo_lists_the_interests(watcher: Watcher) -> None:
    """proc_pid_fdinfo(5)."""
    fd = watcher.open(FakeFile())
    watcher.control(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLET, 0xABCD)

    assert watcher.epoll.describe(watcher.task) == (
        f"tfd: {fd:8} events: 80000019 data:             abcd  pos:0 ino:40e sdev:10\n"
    )


def test_keeping_the_machine_awake_asks_for_a_capability(kernel: Machine, watcher: Watcher) -> None:
    """epoll_ctl(2), EPOLLWAKEUP: silently ignored without CAP_BLOCK_SUSPEND."""
    watcher.watch(FakeFile(), EPOLLIN | EPOLLWAKEUP)
    kernel.host = FakeHost()
    kernel.host.has_capability = lambda task, capability: False  # type: ignore[method-assign]
    watcher.watch(FakeFile(), EPOLLIN | EPOLLWAKEUP)

    kept = [bool(interest.events & EPOLLWAKEUP) for interest in watcher.epoll.interest_list.values()]

    assert kept == [True, False]


@pytest.fixture
def shared(kernel: Machine) -> tuple[FakeFile, list[Watcher], list[OwnTask]]:
    """A file that three epolls watch exclusively, and the tasks that wait for them."""
    file = FakeFile()
    watchers = []
    for _ in range(3):
        watcher = new_watcher(kernel, kernel.spawn(idle))
        watcher.watch(file, EPOLLIN | EPOLLEXCLUSIVE)
        watchers.append(watcher)
    return file, watchers, [watcher.task for watcher in watchers]


def woken(tasks: list[OwnTask]) -> list[bool]:
    return [task.state == "ready" for task in tasks]


def test_only_one_of_several_exclusive_waiters_is_woken(
    shared: tuple[FakeFile, list[Watcher], list[OwnTask]],
) -> None:
    """epoll_ctl(2), EPOLLEXCLUSIVE: one or more of the epolls get the event, not all."""
    file, watchers, tasks = shared
    for watcher in watchers:
        start_waiting(watcher)

    file.become(EPOLLIN)

    assert woken(tasks) == [True, False, False]


def test_an_exclusive_epoll_without_a_waiter_leaves_the_wake_to_the_next(
    shared: tuple[FakeFile, list[Watcher], list[OwnTask]],
) -> None:
    file, watchers, tasks = shared
    start_waiting(watchers[1])
    start_waiting(watchers[2])

    file.become(EPOLLIN, EPOLLIN)

    assert woken(tasks)[1:] == [True, False]
    assert len(watchers[0].wait()) == 1


@pytest.mark.parametrize(
    ("wake", "answered"),
    [
        pytest.param(EPOLLIN, True, id="its direction"),
        pytest.param(EPOLLIN | EPOLLOUT, False, id="both directions"),
        pytest.param(EPOLLERR, True, id="no direction"),
    ],
)
def test_an_exclusive_wake_is_used_up_by_its_direction(
    shared: tuple[FakeFile, list[Watcher], list[OwnTask]], wake: int, answered: bool
) -> None:
    """fs/eventpoll.c, ep_poll_callback: a wake for both directions goes on to the next epoll."""
    file, watchers, tasks = shared
    start_waiting(watchers[0])
    start_waiting(watchers[1])

    file.become(EPOLLIN | EPOLLERR, wake)

    assert woken(tasks)[:2] == [True, not answered]


def test_an_epoll_is_ready_while_it_would_report(kernel: Machine, watcher: Watcher) -> None:
    outer = new_watcher(kernel, watcher.task)
    outer.watch(watcher.epoll, EPOLLIN)
    file = FakeFile()
    watcher.watch(file, EPOLLIN)

    assert outer.wait() == []
    file.become(EPOLLIN)
    assert outer.wait() == [(EPOLLIN, 2)]
    assert watcher.epoll.poll(watcher.task) == EPOLLIN | EPOLLRDNORM
    file.events = 0
    assert outer.wait() == []


def test_a_nested_epoll_wakes_who_waits_for_the_outer_one(kernel: Machine, watcher: Watcher) -> None:
    outer = new_watcher(kernel, watcher.task)
    outer.watch(watcher.epoll, EPOLLIN | EPOLLET)
    file = FakeFile()
    watcher.watch(file, EPOLLIN)
    start_waiting(outer)

    file.become(EPOLLIN)

    assert watcher.task.state == "ready"


def test_epolls_nest_five_deep_and_never_in_a_circle(kernel: Machine, watcher: Watcher) -> None:
    """epoll_ctl(2), ELOOP: a circle, or a nesting depth greater than 5."""
    chain = [watcher, *(new_watcher(kernel, watcher.task) for _ in range(5))]

    def nest(outer: int, inner: int) -> object:
        return chain[outer].control(EPOLL_CTL_ADD, chain[inner].epfd, EPOLLIN)

    assert [nest(index + 1, index) for index in range(5)] == [0, 0, 0, 0, -ELOOP]
    assert nest(0, 2) == -ELOOP
    assert nest(1, 0) == -EEXIST
    assert nest(0, 5) == -ELOOP


def test_host_files_are_in_a_list_of_the_host(watcher: Watcher) -> None:
    host = with_host_files(watcher.task)
    fd = watcher.open(FakeHostFile())

    assert watcher.control(EPOLL_CTL_ADD, fd, EPOLLIN, 7) == 0
    assert watcher.control(EPOLL_CTL_MOD, fd, EPOLLOUT, 8) == 0
    assert watcher.control(EPOLL_CTL_DEL, fd) == 0

    (interests,) = host.lists
    assert interests.controls == [
        (EPOLL_CTL_ADD, fd, EPOLLIN, 7),
        (EPOLL_CTL_MOD, fd, EPOLLOUT, 8),
        (EPOLL_CTL_DEL, fd, 0, 0),
    ]
    watcher.task.own_fds.close(watcher.epfd)
    assert interests.closed


def test_plain_host_files_are_not_watched(watcher: Watcher) -> None:
    """epoll_ctl(2), EPERM: regular files and directories do not support epoll."""
    with_host_files(watcher.task)
    fd = watcher.open(FakeHostFile(pollable=False))

    assert watcher.control(EPOLL_CTL_ADD, fd, EPOLLIN) == -EPERM


def test_host_and_own_events_take_turns_in_going_first(watcher: Watcher) -> None:
    host = with_host_files(watcher.task)
    watcher.control(EPOLL_CTL_ADD, watcher.open(FakeHostFile()), EPOLLIN)
    fd = watcher.watch(FakeFile(EPOLLIN), EPOLLIN)
    host.lists[0].add((EPOLLIN, 1001), (EPOLLIN, 1002), (EPOLLIN, 1003), (EPOLLIN, 1004))

    assert [data for _, data in watcher.wait(1)] == [1001]
    assert [data for _, data in watcher.wait(1)] == [fd]
    assert [data for _, data in watcher.wait(2)] == [1002, 1003]
    assert [data for _, data in watcher.wait(2)] == [1004, fd]
    assert [data for _, data in watcher.wait(2)] == [fd]


def test_one_wait_tells_of_all_host_events(watcher: Watcher) -> None:
    """The contract mixed_files: up to maxevents, of however many files."""
    host = with_host_files(watcher.task)
    watcher.control(EPOLL_CTL_ADD, watcher.open(FakeHostFile()), EPOLLIN)
    fd = watcher.watch(FakeFile(EPOLLIN), EPOLLIN)
    host.lists[0].add(*((EPOLLIN, 1000 + n) for n in range(700)))

    assert [data for _, data in watcher.wait(1000)] == [*range(1000, 1700), fd]


def test_a_host_event_is_not_taken_if_it_cannot_be_told(watcher: Watcher) -> None:
    host = with_host_files(watcher.task)
    watcher.control(EPOLL_CTL_ADD, watcher.open(FakeHostFile()), EPOLLIN)
    host.lists[0].add((EPOLLIN, 1001))

    assert call(watcher.task, "epoll_wait", watcher.epfd, BAD, 1, 0) == -EFAULT
    assert watcher.wait() == [(EPOLLIN, 1001)]


def test_a_ready_host_file_wakes_the_waiter(watcher: Watcher) -> None:
    host = with_host_files(watcher.task)
    watcher.control(EPOLL_CTL_ADD, watcher.open(FakeHostFile()), EPOLLIN)
    start_waiting(watcher)

    host.lists[0].add((EPOLLIN, 1001))

    assert watcher.task.state == "ready"
    assert watcher.kernel.resume_call(watcher.task) == 1


def test_a_host_file_in_a_nested_epoll_is_found_before_its_wake(kernel: Machine, watcher: Watcher) -> None:
    """The host tells of readiness a moment later than of the call that made it so."""
    middle, outer = new_watcher(kernel, watcher.task), new_watcher(kernel, watcher.task)
    middle.control(EPOLL_CTL_ADD, watcher.epfd, EPOLLIN)
    outer.control(EPOLL_CTL_ADD, middle.epfd, EPOLLIN)
    host = with_host_files(watcher.task)
    watcher.control(EPOLL_CTL_ADD, watcher.open(FakeHostFile()), EPOLLIN)
    assert outer.wait() == []

    host.lists[0].events.append((EPOLLIN, 1001))

    assert outer.wait() == [(EPOLLIN, middle.epfd)]
    assert watcher.epoll.poll(watcher.task) == EPOLLIN | EPOLLRDNORM


def test_an_edge_of_a_nested_epoll_waits_for_the_wake(kernel: Machine, watcher: Watcher) -> None:
    outer = new_watcher(kernel, watcher.task)
    outer.control(EPOLL_CTL_ADD, watcher.epfd, EPOLLIN | EPOLLET)
    host = with_host_files(watcher.task)
    watcher.control(EPOLL_CTL_ADD, watcher.open(FakeHostFile()), EPOLLIN)
    host.lists[0].events.append((EPOLLIN, 1001))

    assert outer.wait() == []
    host.lists[0].on_ready()
    assert outer.wait() == [(EPOLLIN, watcher.epfd)]
    assert outer.wait() == []
