"""What is said when every task waits for ever: task, call, file or word, and who could change it."""

from struct import Struct

import pytest

from tests.kernel.fake_host import call, idle
from tickless.abi.epoll import EPOLL_CTL_ADD, EPOLL_EVENT, EPOLLIN
from tickless.abi.futex import FUTEX_PRIVATE_FLAG, FUTEX_WAIT
from tickless.abi.poll import POLLFD, POLLIN
from tickless.abi.siginfo import SigInfo
from tickless.abi.signal import SIGHUP, SIGSET, SIGSTOP, SIGTERM, sigmask
from tickless.abi.time import CLOCK_MONOTONIC, TIMESPEC
from tickless.abi.wait import P_ALL, P_PID, WEXITED, WSTOPPED
from tickless.kernel.deadlock import describe_blocked
from tickless.kernel.epoll import Epoll
from tickless.kernel.host_file import HostFile
from tickless.kernel.kernel import Deadlock
from tickless.kernel.machine import Calls, Machine, OwnTask, Program
from tickless.kernel.process import exit_group
from tickless.kernel.signals import send_signal
from tickless.kernel.task import READY

WORD = Struct("<I")
FD_SET = Struct("<Q")


def said(kernel: Machine, task: OwnTask) -> str:
    """The task's line."""
    (line,) = [line for line in describe_blocked(kernel) if line.startswith(f"{task.name} ")]
    return line.removeprefix(f"{task.name} ")


def test_a_run_that_is_stuck_ends_with_a_line_for_each_task(kernel: Machine) -> None:
    def child(sys: Calls) -> Program:
        yield sys.read(0, bytearray(8), 8)

    def parent(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        pid = yield sys.fork(child)
        yield sys.wait4(pid, 0, 0, 0)

    kernel.spawn(parent)
    with pytest.raises(Deadlock) as deadlock:
        kernel.run()

    assert str(deadlock.value).splitlines() == [
        "main waits in wait4 for main.1",
        "main.1 waits in read of 0<eventfd>, which main could change",
    ]


def test_a_file_that_nobody_else_has(kernel: Machine) -> None:
    """Threads share their numbers; a process that merely exists has none of them."""
    task = kernel.spawn(idle)
    kernel.spawn(idle, task)
    call(task, "eventfd2", 0, 0)
    thread = kernel.spawn(idle, task, same_group=True)
    call(task, "read", 0, bytearray(8), 8)

    assert said(kernel, task) == "waits in read of 0<eventfd>, which nobody else has"
    assert thread.fds is task.fds


def test_all_who_have_a_file_are_named(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    call(task, "eventfd2", 0, 0)
    for _ in range(3):
        kernel.spawn(idle, task)
    call(task, "read", 0, bytearray(8), 8)

    assert said(kernel, task) == "waits in read of 0<eventfd>, which main.1, main.2 and main.3 could change"


def test_a_number_that_was_closed_meanwhile(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    call(task, "eventfd2", 0, 0)
    call(task, "read", 0, bytearray(8), 8)
    del task.own_fds.files[0]

    assert said(kernel, task) == "waits in read"


# Fd 0 is a pipe's read end, 1 its write end.


def test_a_pipe_names_who_has_its_other_end(kernel: Machine) -> None:
    reader = kernel.spawn(idle)
    call(reader, "pipe2", bytearray(8), 0)
    for _ in range(2):
        kernel.spawn(idle, reader)
    call(reader, "close", 1)
    call(reader, "read", 0, bytearray(8), 8)

    assert said(kernel, reader) == "waits in read of 0<pipe>, whose writers are main.1 and main.2"


def test_a_pipe_whose_other_end_only_the_caller_has(kernel: Machine) -> None:
    """The usual mistake: the write end was not closed after the fork."""
    reader = kernel.spawn(idle)
    call(reader, "pipe2", bytearray(8), 0)
    call(reader, "read", 0, bytearray(8), 8)

    assert said(kernel, reader) == "waits in read of 0<pipe>, whose only writer is itself"


def test_a_full_pipe_names_its_readers(kernel: Machine) -> None:
    writer = kernel.spawn(idle)
    call(writer, "pipe2", bytearray(8), 0)
    child = kernel.spawn(idle, writer)
    call(child, "close", 1)
    call(writer, "close", 0)
    for _ in range(16):
        call(writer, "write", 1, bytes(4096), 4096)
    call(writer, "write", 1, b"x", 1)

    assert said(kernel, writer) == "waits in write of 1<pipe>, whose only reader is main.1"


def test_a_pipe_whose_other_end_is_on_its_way(kernel: Machine) -> None:
    """In a message between processes, say: nobody is known to have it."""
    reader = kernel.spawn(idle)
    call(reader, "pipe2", bytearray(8), 0)
    call(reader, "read", 0, bytearray(8), 8)
    del reader.own_fds.files[1]

    assert said(kernel, reader) == "waits in read of 0<pipe>"


def test_an_epoll_names_what_it_watches(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    call(task, "epoll_create1", 0)
    call(task, "epoll_wait", 0, bytearray(12), 1, -1)
    empty = said(kernel, task)
    other = kernel.spawn(idle, task)
    call(other, "eventfd2", 0, 0)
    call(other, "pipe2", bytearray(8), 0)
    for fd in 1, 2:
        call(other, "epoll_ctl", 0, EPOLL_CTL_ADD, fd, EPOLL_EVENT.pack(EPOLLIN, 0))

    assert empty == "waits in epoll_wait of 0<eventpoll>, which watches nothing"
    assert said(kernel, task) == "waits in epoll_wait of 0<eventpoll>, which watches 1<eventfd> and 2<pipe>"


def test_an_epoll_with_files_of_the_host(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    call(task, "epoll_create1", 0)
    epoll = task.fds.get(0)
    assert isinstance(epoll, Epoll)
    call(task, "epoll_wait", 0, bytearray(12), 1, -1)
    epoll.host_interests = object()  # type: ignore[assignment]

    assert said(kernel, task) == "waits in epoll_wait of 0<eventpoll>, which watches files of the host"


def test_poll_and_select_name_their_files(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    call(task, "eventfd2", 0, 0)
    call(task, "pipe2", bytearray(8), 0)
    fds = b"".join(POLLFD.pack(fd, POLLIN, 0) for fd in (0, -1, 1))
    polls, selects, sleeps = (kernel.spawn(idle, task, same_group=True) for _ in range(3))
    call(polls, "poll", fds, 3, -1)
    call(selects, "select", 2, FD_SET.pack(0b11), 0, 0, 0)
    call(sleeps, "select", 0, 0, 0, 0, 0)

    assert said(kernel, polls) == "waits in poll of 0<eventfd> and 1<pipe>"
    assert said(kernel, selects) == "waits in select of 0<eventfd> and 1<pipe>"
    assert said(kernel, sleeps) == "waits in select"


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        pytest.param(sigmask(SIGTERM), "SIGTERM", id="one"),
        pytest.param(sigmask(SIGTERM, SIGHUP), "SIGHUP and SIGTERM", id="two"),
        pytest.param(0, "no signal", id="none"),
    ],
)
def test_a_signalfd_and_sigtimedwait_name_their_signals(kernel: Machine, mask: int, names: str) -> None:
    reader, waiter = kernel.spawn(idle), kernel.spawn(idle)
    call(reader, "signalfd4", -1, SIGSET.pack(mask), 8, 0)
    call(reader, "read", 0, bytearray(128), 128)
    call(waiter, "rt_sigtimedwait", SIGSET.pack(mask), 0, 0, 8)

    assert said(kernel, reader) == f"waits in read of 0<signalfd>, for {names}"
    assert said(kernel, waiter) == f"waits in rt_sigtimedwait for {names}"


def test_a_timer_that_is_not_armed(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    call(task, "timerfd_create", CLOCK_MONOTONIC, 0)
    call(task, "read", 0, bytearray(8), 8)
    assert said(kernel, task) == "waits in read of 0<timerfd>, which is not armed"
    call(kernel.spawn(idle, task), "timerfd_settime", 0, 0, TIMESPEC.pack(0, 0) + TIMESPEC.pack(5, 0), 0)

    assert said(kernel, task) == "waits in read of 0<timerfd>"


def test_a_file_of_the_host(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    call(task, "pause")
    task.own_fds.install(HostFile(pollable=True), cloexec=False)
    task.call, task.args = 0, (0, 0, 0, 0, 0, 0)

    assert said(kernel, task) == "waits in read of 0<host file>"


def test_signals_in_general(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    call(task, "pause")

    assert said(kernel, task) == "waits in pause for a signal"


# Children


def test_a_wait_names_the_children_that_live(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    children = [kernel.spawn(idle, parent) for _ in range(3)]
    exit_group(kernel, children[1].group, 0)
    call(parent, "waitid", P_ALL, 0, 0, WSTOPPED, 0)

    assert said(kernel, parent) == "waits in waitid for main.1 and main.3"


def test_a_wait_for_one_child_or_a_process_group(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    children = [kernel.spawn(idle, parent) for _ in range(3)]
    thread = kernel.spawn(idle, parent, same_group=True)
    call(parent, "setpgid", children[2].tid, 0)
    call(thread, "waitid", P_PID, children[0].tid, 0, WEXITED, 0)
    call(parent, "wait4", -children[2].tid, 0, 0, 0)

    assert said(kernel, thread) == "waits in waitid for main.1"
    assert said(kernel, parent) == "waits in wait4 for main.3"
    kernel.abandon_call(parent)
    call(parent, "wait4", 0, 0, 0, 0)
    assert said(kernel, parent) == "waits in wait4 for main.1 and main.2"


# Futex words


def futex_wait(task: OwnTask, address: int, value: int = 0, private: int = FUTEX_PRIVATE_FLAG) -> None:
    assert call(task, "futex", address, FUTEX_WAIT | private, value, 0, 0, 0) is None


def test_words_have_numbers_and_threads_on_one_word_the_same(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    threads = [kernel.spawn(idle, leader, same_group=True) for _ in range(3)]
    words = leader.own_memory.allocate(64)
    for thread, offset in zip(threads, (0, 32, 0), strict=True):
        futex_wait(thread, words + offset)

    assert [said(kernel, thread) for thread in threads] == [
        "waits in futex on word 1",
        "waits in futex on word 2",
        "waits in futex on word 1",
    ]


@pytest.mark.parametrize("offset", [pytest.param(0, id="in the word"), pytest.param(8, id="where glibc has it")])
def test_a_lock_names_its_owner(kernel: Machine, offset: int) -> None:
    leader = kernel.spawn(idle)
    owner, waiter = (kernel.spawn(idle, leader, same_group=True) for _ in range(2))
    word = leader.own_memory.allocate(16)
    leader.own_memory.copy_out(word + offset, WORD.pack(owner.tid))
    futex_wait(waiter, word, owner.tid if offset == 0 else 0)

    assert said(kernel, waiter) == f"waits in futex on word 1, a lock that {owner.name} seems to hold"


def test_a_join_names_the_thread(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    word = leader.own_memory.allocate(16)
    call(thread, "set_tid_address", word)
    futex_wait(leader, word, private=0)

    assert said(kernel, leader) == f"waits in futex for the end of {thread.name}"


# What is not blocked


def test_a_stopped_process(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    call(task, "pause")
    send_signal(task.group, SigInfo(SIGSTOP))

    assert said(kernel, task) == "is stopped by SIGSTOP"


def test_tasks_that_are_on_their_way(kernel: Machine) -> None:
    fresh, later = kernel.spawn(idle), kernel.spawn(idle)
    call(later, "getpid")
    later.state = "in the host"

    assert fresh.state is READY
    assert said(kernel, fresh) == "is ready"
    assert said(kernel, later) == "is in the host after getpid"


def test_a_sleep_has_no_object(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    call(task, "nanosleep", TIMESPEC.pack(1, 0), 0)

    assert said(kernel, task) == "waits in nanosleep"
