"""poll(2), ppoll(2): what is told of which file, time-outs, signals and masks."""

from __future__ import annotations

import pytest

from tests.kernel.epoll_watcher import Watcher, new_watcher
from tests.kernel.fake_files import FakeFile, FakeHostFile, install, with_host_files
from tests.kernel.fake_host import call, idle
from tickless.abi.errno import EFAULT, EINTR, EINVAL, ERESTARTNOHAND
from tickless.abi.poll import POLLERR, POLLFD, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDNORM
from tickless.abi.siginfo import SigInfo
from tickless.abi.signal import SA_RESTART, SIG_BLOCK, SIGCONT, SIGSET, SIGSTOP, SIGUSR1, sigmask
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.time import TIMESPEC, pack_timespec
from tickless.kernel.machine import Argument, Calls, Machine, OwnTask, Program
from tickless.kernel.signals import send_signal

BAD = 0x10  # no address
COUNT_OF_1 = (1).to_bytes(8, "little")


def poll(task: OwnTask, *entries: tuple[int, int], timeout: int = 0) -> object:
    """The revents of (fd, events) entries, or what the call returns if it tells none."""
    fds = bytearray(b"".join(POLLFD.pack(fd, events, 0xFFFF) for fd, events in entries))
    answer = call(task, "poll", fds, len(entries), timeout)
    told = [revents for _, _, revents in POLLFD.iter_unpack(fds)]
    if not isinstance(answer, int) or answer < 0:
        return answer
    assert answer == sum(1 for revents in told if revents)
    return told


def test_a_poll_sleeps_until_a_file_is_ready(kernel: Machine) -> None:
    """poll(2): it blocks until a file is ready, a handler runs or the time-out expires."""
    results: list[int] = []
    fds = bytearray(POLLFD.pack(0, POLLIN, 0))

    def waiter(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        results.append((yield sys.poll(fds, 1, -1)))

    def writer(sys: Calls) -> Program:
        yield sys.sleep_ns(5 * SECOND)
        yield sys.write(0, COUNT_OF_1, 8)

    main = kernel.spawn(waiter)
    kernel.spawn(writer, main, same_group=True)
    kernel.run()

    assert results == [1]
    assert POLLFD.unpack(fds) == (0, POLLIN, POLLIN)
    assert kernel.now_ns == 5 * SECOND


@pytest.mark.parametrize(
    ("name", "timeout"),
    [
        pytest.param("poll", (3000,), id="ms"),
        pytest.param("ppoll", (pack_timespec(3 * SECOND), 0, 0), id="timespec"),
    ],
)
def test_a_poll_ends_with_its_timeout(kernel: Machine, name: str, timeout: tuple[Argument, ...]) -> None:
    results: list[int] = []
    fds = bytearray(POLLFD.pack(0, POLLIN, 0xFFFF))

    def waiter(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        results.append((yield getattr(sys, name)(fds, 1, *timeout)))

    kernel.spawn(waiter)
    kernel.run()

    assert results == [0]
    assert POLLFD.unpack(fds) == (0, POLLIN, 0)
    assert kernel.now_ns == 3 * SECOND


def test_entries_are_told_of_what_they_ask_for_and_of_errors(task: OwnTask) -> None:
    """poll(2): POLLERR, POLLHUP and POLLNVAL are told always; a negative fd is ignored."""
    fd = install(task, FakeFile(POLLIN | POLLPRI | POLLERR | POLLHUP))

    assert poll(task, (fd, POLLIN | POLLOUT), (fd, 0), (-1, POLLIN), (99, POLLIN)) == [
        POLLIN | POLLERR | POLLHUP,
        POLLERR | POLLHUP,
        0,
        POLLNVAL,
    ]


def test_no_entries_are_a_sleep(kernel: Machine, task: OwnTask) -> None:
    assert call(task, "poll", 0, 0, 0) == 0
    assert call(task, "poll", 0, 0, 10) is None
    kernel.jump()
    assert kernel.resume_call(task) == 0
    assert kernel.now_ns == 10_000_000


def test_an_epoll_can_be_polled(watcher: Watcher) -> None:
    """epoll(7), Q3: an epoll is readable while it has events."""
    file = FakeFile()
    watcher.watch(file, POLLIN)

    assert poll(watcher.task, (watcher.epfd, POLLIN | POLLRDNORM)) == [0]
    file.become(POLLIN)
    assert poll(watcher.task, (watcher.epfd, POLLIN | POLLRDNORM)) == [POLLIN | POLLRDNORM]


def test_a_poll_of_a_nested_epoll_is_woken(kernel: Machine, watcher: Watcher) -> None:
    outer = new_watcher(kernel, watcher.task)
    outer.watch(watcher.epoll, POLLIN)
    file = FakeFile()
    watcher.watch(file, POLLIN)
    assert poll(watcher.task, (outer.epfd, POLLIN), timeout=-1) is None

    file.become(POLLIN)

    assert kernel.resume_call(watcher.task) == 1


def test_a_number_closed_meanwhile_is_told_when_something_wakes_the_poll(kernel: Machine, task: OwnTask) -> None:
    """fs/select.c: each look finds the files by number again; the close itself wakes nobody."""
    other = FakeFile()
    closed, fd = install(task, FakeFile()), install(task, other)
    assert poll(task, (closed, POLLIN), (fd, POLLIN), timeout=-1) is None
    address = task.args[0]

    task.own_fds.close(closed)
    assert task.state == "blocked"
    other.become(POLLIN)

    assert kernel.resume_call(task) == 2
    assert [entry[2] for entry in POLLFD.iter_unpack(task.memory.copy_in(address, 16))] == [POLLNVAL, POLLIN]


# Files of the host


def test_files_of_the_host_are_asked_together(task: OwnTask) -> None:
    with_host_files(task)
    host_fd = install(task, FakeHostFile(POLLIN | POLLOUT))
    own_fd = install(task, FakeFile(POLLIN))

    assert poll(task, (host_fd, POLLIN), (own_fd, POLLIN), (host_fd, POLLOUT), (host_fd, POLLPRI)) == [
        POLLIN,
        POLLIN,
        POLLOUT,
        0,
    ]


def test_a_file_of_the_host_ends_a_poll_of_both_kinds(kernel: Machine, task: OwnTask) -> None:
    host = with_host_files(task)
    file = FakeHostFile()
    host_fd, own_fd = install(task, file), install(task, FakeFile())
    assert poll(task, (host_fd, POLLIN), (own_fd, POLLIN), (99, 0), timeout=-1) == [0, 0, POLLNVAL]
    assert poll(task, (host_fd, POLLIN), (own_fd, POLLIN), timeout=-1) is None

    host.become(file, POLLIN)

    assert kernel.resume_call(task) == 1
    assert not host.watches


def test_a_poll_that_is_killed_watches_no_longer(kernel: Machine, task: OwnTask) -> None:
    host = with_host_files(task)
    poll(task, (install(task, FakeHostFile()), POLLIN), timeout=-1)
    assert host.watches

    kernel.abandon_call(task)

    assert not host.watches


# Signals


def interrupted(kernel: Machine, name: str, *args: Argument) -> tuple[int, int]:
    """What a call returns that a handler interrupts after a second; and when, in seconds."""
    results: list[tuple[int, int]] = []

    def waiter(sys: Calls) -> Program:
        yield sys.sigaction(SIGUSR1, lambda signo: None, SA_RESTART)
        results.append(((yield getattr(sys, name)(*args)), kernel.now_ns // SECOND))

    task = kernel.spawn(waiter)

    def killer(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        yield sys.kill(task.tid, SIGUSR1)

    kernel.spawn(killer)
    kernel.run()
    return results[0]


@pytest.mark.parametrize(
    ("name", "args"),
    [("poll", (0, 0, 5000)), ("ppoll", (0, 0, pack_timespec(5 * SECOND), 0, 0))],
)
def test_a_handler_ends_a_poll(kernel: Machine, name: str, args: tuple[Argument, ...]) -> None:
    """signal(7): poll and ppoll fail with EINTR, whatever SA_RESTART says."""
    assert interrupted(kernel, name, *args) == (-EINTR, 1)


@pytest.mark.parametrize(
    ("name", "args", "ends"),
    [
        pytest.param("poll", (0, 0, 5000), 5, id="poll goes on to the deadline that it had"),
        pytest.param(
            "ppoll", (0, 0, bytearray(pack_timespec(5 * SECOND)), 0, 0), 6, id="ppoll waits for what was left"
        ),
    ],
)
def test_a_stop_does_not_end_a_poll(kernel: Machine, name: str, args: tuple[Argument, ...], ends: int) -> None:
    """signal(7), Interruption by stop signals: poll goes on; ppoll is made again with what it has written back."""
    results: list[tuple[int, int]] = []

    def waiter(sys: Calls) -> Program:
        results.append(((yield getattr(sys, name)(*args)), kernel.now_ns // SECOND))

    task = kernel.spawn(waiter)

    def stopper(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        yield sys.kill(task.tid, SIGSTOP)
        yield sys.sleep_ns(SECOND)
        yield sys.kill(task.tid, SIGCONT)

    kernel.spawn(stopper)
    kernel.run()

    assert results == [(0, ends)]


@pytest.fixture
def pending(kernel: Machine) -> OwnTask:
    """A task with SIGUSR1 pending and blocked, and a file that is not ready."""
    task = kernel.spawn(idle)
    install(task, FakeFile())
    call(task, "rt_sigprocmask", SIG_BLOCK, SIGSET.pack(sigmask(SIGUSR1)), 0, 8)
    send_signal(task.group, SigInfo(SIGUSR1))
    return task


def test_a_mask_that_lets_a_pending_signal_through_ends_a_ppoll(pending: OwnTask) -> None:
    """ppoll(2): the mask replaces the task's while the call waits."""
    fds = POLLFD.pack(0, POLLIN, 0)

    assert call(pending, "ppoll", fds, 1, 0, SIGSET.pack(0), 8) == -ERESTARTNOHAND
    pending.temporary_mask = None
    assert call(pending, "ppoll", fds, 1, 0, SIGSET.pack(sigmask(SIGUSR1)), 8) is None


def test_a_timeout_of_zero_looks_at_signals(pending: OwnTask) -> None:
    """Measured on Linux 6.18: EINTR, where epoll_pwait gives 0. The events are told all the same: none."""
    fds = bytearray(POLLFD.pack(0, POLLIN, 0xFFFF))

    assert call(pending, "ppoll", fds, 1, pack_timespec(0), SIGSET.pack(0), 8) == -ERESTARTNOHAND
    assert POLLFD.unpack(fds) == (0, POLLIN, 0)


def test_a_poll_with_a_timeout_of_zero_looks_at_signals(kernel: Machine, pending: OwnTask) -> None:
    pending.own_signals.mask = 0

    assert poll(pending, (0, POLLIN)) == -516
    assert pending.restart_block is not None


def test_a_ready_file_wins_over_a_signal(pending: OwnTask) -> None:
    fd = install(pending, FakeFile(POLLIN))

    assert call(pending, "ppoll", POLLFD.pack(fd, POLLIN, 0), 1, pack_timespec(0), SIGSET.pack(0), 8) == 1


# Time left


def test_ppoll_tells_what_is_left_of_the_timeout(kernel: Machine, task: OwnTask) -> None:
    """ppoll(2): the system call changes its time-out, which the C library hides."""
    left = task.own_memory.allocate(16)
    task.memory.copy_out(left, pack_timespec(5 * SECOND))
    file = FakeFile()
    fd = install(task, file)
    assert call(task, "ppoll", POLLFD.pack(fd, POLLIN, 0), 1, left, 0, 0) is None

    kernel.handle_timer_irq(kernel.clock.now_ns + 2 * SECOND)
    file.become(POLLIN)

    assert kernel.resume_call(task) == 1
    assert TIMESPEC.unpack(task.memory.copy_in(left, 16)) == (3, 0)


def test_a_timeout_that_is_over_leaves_zero(kernel: Machine, task: OwnTask) -> None:
    left = task.own_memory.allocate(16)
    task.memory.copy_out(left, pack_timespec(5 * SECOND))
    assert call(task, "ppoll", 0, 0, left, 0, 0) is None

    kernel.jump()

    assert kernel.resume_call(task) == 0
    assert TIMESPEC.unpack(task.memory.copy_in(left, 16)) == (0, 0)


def test_a_timeout_that_cannot_be_written_to_lets_no_call_be_made_again(kernel: Machine, task: OwnTask) -> None:
    """fs/select.c, poll_select_finish: it is no error, but EINTR takes the place of a restart."""
    memory = task.own_memory
    left = memory.base + len(memory.bytes) - 16
    task.memory.copy_out(left, pack_timespec(5 * SECOND))
    answers = []

    def interrupt() -> None:
        send_signal(task.group, SigInfo(SIGUSR1))

    for wake in (interrupt, kernel.jump):
        call(task, "rt_sigaction", SIGUSR1, (0x1000).to_bytes(8, "little") + bytes(24), 0, 8)
        assert call(task, "ppoll", 0, 0, left, 0, 0) is None
        last_bytes = memory.bytes[-16:]
        del memory.bytes[-16:]
        wake()
        answers.append(kernel.resume_call(task))
        memory.bytes.extend(last_bytes)
        task.group.pending.discard(sigmask(SIGUSR1))

    assert answers == [-EINTR, 0]


# Refusals


@pytest.mark.parametrize(
    ("fds", "count", "timeout", "mask", "size", "errno"),
    [
        pytest.param(BAD, 2000, TIMESPEC.pack(0, 10**9), BAD, 4, EINVAL, id="the time-out first"),
        pytest.param(BAD, 2000, BAD, BAD, 4, EFAULT, id="its address"),
        pytest.param(BAD, 2000, 0, BAD, 4, EINVAL, id="size of the mask"),
        pytest.param(BAD, 2000, 0, BAD, 8, EFAULT, id="the mask"),
        pytest.param(BAD, 2000, 0, 0, 0, EINVAL, id="more entries than open files are allowed"),
        pytest.param(BAD, 1, 0, 0, 0, EFAULT, id="the entries"),
    ],
)
def test_ppoll_refuses(
    task: OwnTask, fds: int, count: int, timeout: Argument, mask: int, size: int, errno: int
) -> None:
    assert call(task, "ppoll", fds, count, timeout, mask, size) == -errno


def test_the_limit_of_open_files_limits_the_entries(task: OwnTask) -> None:
    """poll(2), EINVAL: nfds exceeds RLIMIT_NOFILE."""
    task.own_fds.limit = 20

    assert poll(task, *[(-1, 0)] * 20) == [0] * 20
    assert poll(task, *[(-1, 0)] * 21) == -EINVAL


def test_a_poll_that_cannot_tell_fails(kernel: Machine, task: OwnTask) -> None:
    """Events are no edges here: nothing is lost."""
    memory = task.own_memory
    fds = memory.base + len(memory.bytes) - 8
    file = FakeFile()
    task.memory.copy_out(fds, POLLFD.pack(install(task, file), POLLIN, 0))
    assert call(task, "poll", fds, 1, -1) is None
    del memory.bytes[-8:]

    file.become(POLLIN)

    assert kernel.resume_call(task) == -EFAULT
