"""select(2), pselect6(2): sets of bits, what is left of the time-out, signals."""

from __future__ import annotations

import pytest

from tests.kernel.fake_files import FakeFile, FakeHostFile, install, with_host_files
from tests.kernel.fake_host import call, idle
from tickless.abi.errno import EBADF, EFAULT, EINVAL, ERESTARTNOHAND
from tickless.abi.poll import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, SIGSET_ARGPACK
from tickless.abi.siginfo import SigInfo
from tickless.abi.signal import SIG_BLOCK, SIGSET, SIGUSR1, sigmask
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.time import TIMESPEC, TIMEVAL, pack_timespec, pack_timeval
from tickless.kernel.machine import Argument, Calls, Machine, OwnTask, Program
from tickless.kernel.signals import send_signal

BAD = 0x10  # no address
NOW = pack_timeval(0)
COUNT_OF_1 = (1).to_bytes(8, "little")


def bits(*fds: int, words: int = 1) -> bytearray:
    return bytearray(sum(1 << fd for fd in set(fds)).to_bytes(8 * words, "little"))


def select(task: OwnTask, count: int, *sets: tuple[int, ...], timeout: Argument = NOW) -> object:
    """The result and the sets that are left, of the numbers in up to three sets."""
    words = (count + 63) // 64
    given = [bits(*numbers, words=words) for numbers in sets] + [0] * (3 - len(sets))
    answer = call(task, "select", count, *given, timeout)
    left = [int.from_bytes(left, "little") for left in given if isinstance(left, bytearray)]
    return answer, [[fd for fd in range(count) if numbers >> fd & 1] for numbers in left]


def test_a_select_sleeps_until_a_file_is_ready(kernel: Machine) -> None:
    """select(2): it blocks until a number is ready, a handler runs or the time-out expires."""
    results: list[int] = []
    readable = bits(0, 1)

    def waiter(sys: Calls) -> Program:
        yield sys.eventfd2(0, 0)
        yield sys.eventfd2(0, 0)
        results.append((yield sys.select(2, readable, 0, 0, 0)))

    def writer(sys: Calls) -> Program:
        yield sys.sleep_ns(5 * SECOND)
        yield sys.write(1, COUNT_OF_1, 8)

    main = kernel.spawn(waiter)
    kernel.spawn(writer, main, same_group=True)
    kernel.run()

    assert results == [1]
    assert readable == bits(1)
    assert kernel.now_ns == 5 * SECOND


def test_each_set_has_its_own_events(task: OwnTask) -> None:
    """select(2), Correspondence with poll: POLLIN_SET, POLLOUT_SET, POLLEX_SET."""
    fds = [install(task, FakeFile(events)) for events in (POLLIN, POLLOUT, POLLPRI, POLLERR, POLLHUP)]

    assert select(task, 5, tuple(fds), tuple(fds), tuple(fds)) == (6, [[0, 3, 4], [1, 3], [2]])


def test_bits_are_counted_not_files(task: OwnTask) -> None:
    fd = install(task, FakeFile(POLLIN | POLLOUT))

    assert select(task, 1, (fd,), (fd,)) == (2, [[0], [0]])


def test_an_error_is_nothing_to_the_exceptional_set(kernel: Machine, task: OwnTask) -> None:
    install(task, FakeFile(POLLERR | POLLHUP))

    assert select(task, 1, (), (), (0,)) == (0, [[], [], []])
    assert call(task, "select", 1, 0, 0, bits(0), 0) is None


def test_numbers_beyond_the_count_do_not_matter(task: OwnTask) -> None:
    """select(2): nfds is the highest number plus 1; whole words are written back."""
    install(task, FakeFile(POLLIN))
    readable = bits(0, 63)

    assert call(task, "select", 1, readable, 0, 0, NOW) == 1
    assert readable == bits(0)


def test_sets_may_be_of_several_words(task: OwnTask) -> None:
    task.own_fds.install_from(200, FakeFile(POLLIN), cloexec=False)

    assert select(task, 256, (200,)) == (1, [[200]])


def test_a_count_of_millions_ends_at_the_open_files(task: OwnTask) -> None:
    """The count is the program's: it must not decide how much we read."""
    install(task, FakeFile(POLLIN))
    readable = bits(0, words=16)

    assert call(task, "select", 2**31 - 1, readable, 0, 0, NOW) == 1


def test_no_sets_are_a_sleep(kernel: Machine, task: OwnTask) -> None:
    assert call(task, "select", 0, 0, 0, 0, pack_timeval(2 * SECOND)) is None
    kernel.jump()
    assert kernel.resume_call(task) == 0
    assert kernel.now_ns == 2 * SECOND


def test_a_timeout_clears_the_sets(kernel: Machine, task: OwnTask) -> None:
    install(task, FakeFile())

    assert select(task, 1, (0,), (0,)) == (0, [[], []])


def test_files_of_the_host_are_selected_like_ours(kernel: Machine, task: OwnTask) -> None:
    host = with_host_files(task)
    file = FakeHostFile()
    fds = install(task, file), install(task, FakeFile())
    assert select(task, 2, fds, timeout=0) == (None, [[0, 1]])

    host.become(file, POLLIN)

    assert kernel.resume_call(task) == 1
    assert task.memory.copy_in(task.args[1], 8) == bytes(bits(0))


# Time left


@pytest.mark.parametrize(
    ("name", "left", "size", "expected"),
    [
        pytest.param("select", TIMEVAL.pack(4, 1_500_000), TIMEVAL.size, (3, 500_000), id="timeval"),
        pytest.param("pselect6", TIMESPEC.pack(5, 500_000_000), TIMESPEC.size, (3, 500_000_000), id="timespec"),
    ],
)
def test_what_is_left_of_the_timeout_is_told(
    kernel: Machine, task: OwnTask, name: str, left: bytes, size: int, expected: tuple[int, int]
) -> None:
    """select(2): Linux modifies the time-out; pselect6 does, though the C library hides it."""
    address = task.own_memory.allocate(size)
    task.memory.copy_out(address, left)
    file = FakeFile()
    install(task, file)
    assert call(task, name, 1, bits(0), 0, 0, address, 0) is None

    kernel.handle_timer_irq(kernel.clock.now_ns + 2 * SECOND)
    file.become(POLLIN)

    assert kernel.resume_call(task) == 1
    assert TIMEVAL.unpack(task.memory.copy_in(address, size)) == expected


def test_a_file_that_is_ready_leaves_all_of_it(task: OwnTask) -> None:
    """Measured on Linux 6.18: seconds among the microseconds come out as seconds."""
    install(task, FakeFile(POLLIN))
    left = bytearray(TIMEVAL.pack(0, 1_500_000))

    assert call(task, "select", 1, bits(0), 0, 0, left) == 1
    assert TIMEVAL.unpack(left) == (1, 500_000)


# Signals


@pytest.fixture
def pending(kernel: Machine) -> OwnTask:
    """A task with SIGUSR1 pending and blocked, and a file that is not ready."""
    task = kernel.spawn(idle)
    install(task, FakeFile())
    call(task, "rt_sigprocmask", SIG_BLOCK, SIGSET.pack(sigmask(SIGUSR1)), 0, 8)
    send_signal(task.group, SigInfo(SIGUSR1))
    return task


def packed_mask(task: OwnTask, mask: int) -> bytes:
    """What pselect6's last argument points to."""
    address = task.own_memory.allocate(SIGSET.size)
    task.memory.copy_out(address, SIGSET.pack(mask))
    return SIGSET_ARGPACK.pack(address, SIGSET.size)


@pytest.mark.parametrize("timeout", [0, pack_timespec(0), pack_timespec(SECOND)], ids=["none", "zero", "a second"])
def test_a_mask_that_lets_a_pending_signal_through_ends_a_pselect(pending: OwnTask, timeout: Argument) -> None:
    """pselect(2); with a time-out of zero, too. The sets stay as they were."""
    readable = bits(0)

    assert call(pending, "pselect6", 1, readable, 0, 0, timeout, packed_mask(pending, 0)) == -ERESTARTNOHAND
    assert readable == bits(0)


def test_a_mask_that_blocks_the_signal_lets_the_pselect_wait(pending: OwnTask) -> None:
    mask = packed_mask(pending, sigmask(SIGUSR1))

    assert call(pending, "pselect6", 1, bits(0), 0, 0, 0, mask) is None


# Refusals


@pytest.mark.parametrize(
    ("count", "readable", "timeout", "errno"),
    [
        pytest.param(-1, BAD, BAD, EFAULT, id="the time-out first"),
        pytest.param(-1, BAD, TIMEVAL.pack(0, -1), EINVAL, id="negative microseconds"),
        pytest.param(-1, BAD, TIMEVAL.pack(-1, 0), EINVAL, id="negative seconds"),
        pytest.param(-1, BAD, NOW, EINVAL, id="negative count"),
        pytest.param(1, BAD, NOW, EFAULT, id="a set"),
        pytest.param(8, bytes(bits(7)), NOW, EBADF, id="a number that is not open"),
    ],
)
def test_select_refuses(task: OwnTask, count: int, readable: int | bytes, timeout: Argument, errno: int) -> None:
    assert call(task, "select", count, readable, 0, 0, timeout) == -errno


@pytest.mark.parametrize(
    ("timeout", "mask", "errno"),
    [
        pytest.param(TIMESPEC.pack(0, 10**9), BAD, EFAULT, id="where the mask is comes first"),
        pytest.param(TIMESPEC.pack(0, 10**9), SIGSET_ARGPACK.pack(BAD, 4), EINVAL, id="then the time-out"),
        pytest.param(0, SIGSET_ARGPACK.pack(BAD, 4), EINVAL, id="size of the mask"),
        pytest.param(0, SIGSET_ARGPACK.pack(BAD, 8), EFAULT, id="the mask"),
        pytest.param(0, SIGSET_ARGPACK.pack(0, 4), EINVAL, id="no mask, and a negative count"),
    ],
)
def test_pselect_refuses(task: OwnTask, timeout: Argument, mask: Argument, errno: int) -> None:
    assert call(task, "pselect6", -1, 0, 0, 0, timeout, mask) == -errno
