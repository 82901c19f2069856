"""signalfd(2): masks, records, and whose signals a read gives."""

import pytest

from tests.kernel.fake_host import call, idle
from tickless.abi.epoll import EPOLLIN
from tickless.abi.errno import EAGAIN, EBADF, EFAULT, EINVAL
from tickless.abi.siginfo import SI_TKILL, SI_USER, SIGNALFD_SIGINFO, SigInfo
from tickless.abi.signal import (
    SIG_BLOCK,
    SIGKILL,
    SIGRTMIN,
    SIGSET,
    SIGSTOP,
    SIGTERM,
    SIGUSR1,
    SIGUSR2,
    sigmask,
)
from tickless.abi.signalfd import SFD_NONBLOCK
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.kernel.machine import Calls, Machine, OwnTask, Program
from tickless.kernel.signalfd import SignalFd
from tickless.kernel.signals import send_signal

BAD = 0x10  # no address
WATCHED = (SIGUSR1, SIGUSR2, SIGRTMIN)


@pytest.fixture
def task(kernel: Machine) -> OwnTask:
    """A task that blocks the signals it watches."""
    task = kernel.spawn(idle)
    call(task, "rt_sigprocmask", SIG_BLOCK, SIGSET.pack(sigmask(*WATCHED)), 0, 8)
    return task


def make(task: OwnTask, *signals: int) -> int:
    fd = call(task, "signalfd4", -1, SIGSET.pack(sigmask(*signals)), 8, SFD_NONBLOCK)
    assert isinstance(fd, int)
    return fd


def send(task: OwnTask, signo: int, *, code: int = SI_USER, value: int = 0) -> None:
    send_signal(task.group, SigInfo(signo, code, pid=7, uid=8, value=value))


def read(task: OwnTask, fd: int, records: int = 1) -> list[int]:
    """The signals that a read gives."""
    buffer = bytearray(records * SIGNALFD_SIGINFO.size)
    answer = call(task, "read", fd, buffer, len(buffer))
    assert isinstance(answer, int)
    if answer < 0:
        return [answer]
    return [record[0] for record in SIGNALFD_SIGINFO.iter_unpack(buffer[:answer])]


def test_a_read_sleeps_until_one_of_its_signals_is_pending(kernel: Machine) -> None:
    """signalfd(2): a read blocks until a signal of the mask is delivered to the process."""
    results = []
    record = bytearray(SIGNALFD_SIGINFO.size)

    def reader(sys: Calls) -> Program:
        mask = SIGSET.pack(sigmask(SIGTERM))
        yield sys.rt_sigprocmask(SIG_BLOCK, mask, 0, 8)
        fd = yield sys.signalfd4(-1, mask, 8, 0)
        results.append((yield sys.read(fd, record, len(record))))

    task = kernel.spawn(reader)

    def killer(sys: Calls) -> Program:
        yield sys.sleep_ns(SECOND)
        yield sys.kill(task.tid, SIGTERM)

    sender = kernel.spawn(killer)
    kernel.run()

    assert results == [128]
    assert kernel.now_ns == SECOND
    assert SIGNALFD_SIGINFO.unpack(record)[:4] == (SIGTERM, 0, SI_USER, sender.tid)


def test_a_read_gives_as_many_records_as_fit(task: OwnTask) -> None:
    """signalfd(2): the buffer may hold several; standard signals coalesce, real-time ones queue."""
    fd = make(task, *WATCHED)
    for signo in (SIGRTMIN, SIGUSR1, SIGUSR1, SIGRTMIN):
        send(task, signo)

    assert read(task, fd, 2) == [SIGUSR1, SIGRTMIN]
    assert read(task, fd, 2) == [SIGRTMIN]
    assert read(task, fd) == [-EAGAIN]


def test_a_threads_own_signals_come_before_its_process(task: OwnTask) -> None:
    fd = make(task, *WATCHED)
    send(task, SIGUSR1)
    send_signal(task.group, SigInfo(SIGUSR2, SI_TKILL), task)

    assert read(task, fd, 2) == [SIGUSR2, SIGUSR1]


def test_it_answers_for_its_reader(kernel: Machine, task: OwnTask) -> None:
    """signalfd(2), fork: a child that reads an inherited signalfd gets the child's signals."""
    fd = make(task, *WATCHED)
    child = kernel.spawn(idle, task)
    send(task, SIGUSR1)

    assert read(child, fd) == [-EAGAIN]
    assert child.fds.get(fd).poll(child) == 0
    assert child.fds.get(fd).poll(task) == EPOLLIN
    assert child.fds.get(fd).queue_for(child) is child.group.signal_queue
    assert read(task, fd) == [SIGUSR1]


def test_another_thread_does_not_see_a_thread_directed_signal(kernel: Machine, task: OwnTask) -> None:
    fd = make(task, SIGUSR1)
    thread = kernel.spawn(idle, task, same_group=True)
    send_signal(task.group, SigInfo(SIGUSR1, SI_TKILL), task)

    assert read(thread, fd) == [-EAGAIN]
    assert read(task, fd) == [SIGUSR1]


def test_a_live_signalfd_gets_another_mask_in_place(kernel: Machine) -> None:
    """signalfd(2): with an fd the mask is replaced; a read that waits looks again."""
    results = []

    def reader(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, SIGSET.pack(sigmask(SIGUSR1)), 0, 8)
        yield sys.signalfd(-1, SIGSET.pack(0), 8)
        results.append((yield sys.read(0, bytearray(128), 128)))

    main = kernel.spawn(reader)

    def changer(sys: Calls) -> Program:
        yield sys.tgkill(main.tid, main.tid, SIGUSR1)
        yield sys.sleep_ns(SECOND)
        results.append((yield sys.signalfd4(0, SIGSET.pack(sigmask(SIGUSR1)), 8, 0)))

    kernel.spawn(changer, main, same_group=True)
    kernel.run()

    assert results == [0, 128]
    assert kernel.now_ns == SECOND


def test_kill_and_stop_are_silently_left_out(task: OwnTask) -> None:
    """signalfd(2): it is not possible to receive SIGKILL or SIGSTOP; they are ignored in the mask."""
    file = task.fds.get(make(task, SIGKILL, SIGSTOP, SIGUSR1))

    assert isinstance(file, SignalFd)
    assert file.mask == sigmask(SIGUSR1)
    assert file.describe(task) == "sigmask:\t0000000000000200\n"


def test_a_read_that_faults_has_lost_the_signal(task: OwnTask) -> None:
    """fs/signalfd.c: the signal is dequeued before its record is copied."""
    fd = make(task, *WATCHED)
    send(task, SIGUSR1)

    assert call(task, "read", fd, BAD, 128) == -EFAULT
    assert read(task, fd) == [-EAGAIN]


def test_a_read_that_faults_later_gives_what_it_has_copied(task: OwnTask) -> None:
    fd = make(task, *WATCHED)
    send(task, SIGUSR1)
    send(task, SIGUSR2)
    end_of_memory = task.own_memory.base + len(task.own_memory.bytes)

    assert call(task, "read", fd, end_of_memory - 200, 256) == 128
    assert read(task, fd) == [-EAGAIN]


def test_a_buffer_for_less_than_a_record_is_refused(task: OwnTask) -> None:
    assert call(task, "read", make(task, SIGUSR1), bytearray(127), 127) == -EINVAL


@pytest.mark.parametrize(
    ("fd", "mask", "size", "flags", "errno"),
    [
        pytest.param(99, BAD, 4, 1, EINVAL, id="size of the mask first"),
        pytest.param(99, BAD, 8, 1, EFAULT, id="then the mask"),
        pytest.param(99, bytes(8), 8, 1, EINVAL, id="unknown flag"),
        pytest.param(99, bytes(8), 8, 0, EBADF, id="no file"),
        pytest.param(-2, bytes(8), 8, 0, EBADF, id="negative fd"),
        pytest.param(0, bytes(8), 8, 0, EINVAL, id="another file"),
    ],
)
def test_signalfd4_refuses(task: OwnTask, fd: int, mask: int | bytes, size: int, flags: int, errno: int) -> None:
    call(task, "eventfd2", 0, 0)

    assert call(task, "signalfd4", fd, mask, size, flags) == -errno
