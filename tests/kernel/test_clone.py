"""clone(2), clone3(2), set_tid_address(2), get_robust_list(2): what is noted of a task that the host makes."""

from struct import Struct

import pytest

from tests.kernel.fake_host import FakeHost, call, idle
from tickless.abi.errno import EFAULT, EINVAL, ENOSYS, ESRCH
from tickless.abi.sched import (
    CLONE_ARGS,
    CLONE_ARGS_SIZE_VER0,
    CLONE_CHILD_CLEARTID,
    CLONE_CLEAR_SIGHAND,
    CLONE_FILES,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_PIDFD,
    CLONE_SIGHAND,
    CLONE_THREAD,
    CLONE_VFORK,
    CLONE_VM,
)
from tickless.abi.signal import SIGCHLD, SIGUSR1
from tickless.kernel.clone import PID_NAMESPACE, TIME_NAMESPACE, clone
from tickless.kernel.machine import Machine, OwnTask
from tickless.kernel.outcome import PASS_ON

LONG = Struct("<Q")
THREAD = CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD
CLEAR_AT = 0x7000


@pytest.fixture
def task(kernel: Machine) -> OwnTask:
    kernel.host = FakeHost()
    return kernel.spawn(idle)


def birth(task: OwnTask) -> tuple[int, int, int]:
    assert task.birth is not None
    return task.birth.flags, task.birth.exit_signal, task.birth.clear_child_tid


def clone_args(flags: int, *, child_tid: int = 0, exit_signal: int = 0) -> bytes:
    return CLONE_ARGS.pack(flags, 0, child_tid, 0, exit_signal, *[0] * 6)


@pytest.mark.parametrize(
    ("name", "args", "noted"),
    [
        pytest.param("fork", (), (0, SIGCHLD, 0), id="fork"),
        pytest.param("vfork", (), (CLONE_VM | CLONE_VFORK, SIGCHLD, 0), id="vfork"),
        pytest.param("clone", (SIGCHLD, 0, 0, 0, 0), (0, SIGCHLD, 0), id="clone as fork"),
        pytest.param("clone", (SIGUSR1 | CLONE_PIDFD, 0, 0, 0, 0), (CLONE_PIDFD, SIGUSR1, 0), id="clone, SIGUSR1"),
        pytest.param("clone", (CLONE_VM, 0, 0, CLEAR_AT, 0), (CLONE_VM, 0, 0), id="clone, no CLEARTID"),
        pytest.param(
            "clone",
            (THREAD | CLONE_CHILD_CLEARTID, 0, 0, CLEAR_AT, 0x9000),
            (THREAD | CLONE_CHILD_CLEARTID, 0, CLEAR_AT),
            id="clone as pthread_create",
        ),
        pytest.param(
            "clone3",
            (clone_args(CLONE_CLEAR_SIGHAND, exit_signal=SIGUSR1), CLONE_ARGS.size),
            (CLONE_CLEAR_SIGHAND, SIGUSR1, 0),
            id="clone3",
        ),
        pytest.param(
            "clone3",
            (clone_args(THREAD | CLONE_CHILD_CLEARTID, child_tid=CLEAR_AT), CLONE_ARGS_SIZE_VER0),
            (THREAD | CLONE_CHILD_CLEARTID, 0, CLEAR_AT),
            id="clone3 of Linux 5.3",
        ),
        pytest.param(
            "clone3", (clone_args(CLONE_VM) + bytes(8), CLONE_ARGS.size + 8), (CLONE_VM, 0, 0), id="clone3 of later"
        ),
        pytest.param("clone3", (clone_args(CLONE_VM), 63), (0, SIGCHLD, 0), id="clone3 that the host refuses"),
    ],
)
def test_what_a_new_task_will_be(
    task: OwnTask, name: str, args: tuple[int | bytes, ...], noted: tuple[int, int, int]
) -> None:
    assert call(task, name, *args) is PASS_ON
    assert birth(task) == noted


def test_aarch64_has_the_last_arguments_the_other_way_round(kernel: Machine, task: OwnTask) -> None:
    kernel.architecture = "aarch64"

    assert clone(task, CLONE_CHILD_CLEARTID, 0, 0, 0x9000, CLEAR_AT) is PASS_ON
    assert birth(task) == (CLONE_CHILD_CLEARTID, 0, CLEAR_AT)


def test_a_bad_pointer_to_clone_args(task: OwnTask) -> None:
    assert call(task, "clone3", 16, CLONE_ARGS.size) == -EFAULT


def test_namespaces_of_pids_and_time_are_refused_by_name(kernel: Machine, task: OwnTask) -> None:
    refused = []
    kernel.on_refused = lambda task, unserved: refused.append(unserved)

    assert call(task, "clone", CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0) == -EINVAL
    assert call(task, "clone3", clone_args(CLONE_NEWPID), CLONE_ARGS.size) == -EINVAL
    assert call(task, "clone3", clone_args(CLONE_NEWTIME), CLONE_ARGS.size) == -EINVAL
    assert refused == [PID_NAMESPACE, TIME_NAMESPACE]
    assert task.birth is None


def test_clones_exit_signal_may_have_the_bit_of_clone_newtime(task: OwnTask) -> None:
    """In clone(2), unlike in clone3(2), 0x80 belongs to the signal."""
    assert call(task, "clone", CLONE_NEWTIME, 0, 0, 0, 0) is PASS_ON
    assert birth(task) == (0, CLONE_NEWTIME, 0)


def test_without_a_host_programs_start_otherwise(kernel: Machine) -> None:
    assert call(kernel.spawn(idle), "fork") == -ENOSYS


# What the end of a task wakes


def test_set_tid_address_gives_the_tid(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)

    assert call(thread, "set_tid_address", CLEAR_AT) == thread.tid
    assert thread.clear_child_tid == CLEAR_AT
    kernel.host = FakeHost()
    assert call(thread, "set_tid_address", 0) is PASS_ON
    assert thread.clear_child_tid == 0


def test_a_robust_list_is_kept_and_told(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    assert call(thread, "set_robust_list", CLEAR_AT, 16) == -EINVAL
    assert call(thread, "set_robust_list", CLEAR_AT, 24) == 0
    heads = []
    for pid in 0, thread.tid, leader.tid:
        head, size = bytearray(8), bytearray(8)
        assert call(thread, "get_robust_list", pid, head, size) == 0
        assert LONG.unpack(size) == (24,)
        heads.append(LONG.unpack(head)[0])

    assert heads == [CLEAR_AT, CLEAR_AT, 0]
    assert call(thread, "get_robust_list", 4000, 0, 0) == -ESRCH
    kernel.host = FakeHost()
    assert call(thread, "set_robust_list", 0, 24) is PASS_ON
