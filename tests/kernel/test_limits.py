"""prlimit64(2) without a host: RLIMIT_NOFILE."""

import pytest

from tests.kernel.fake_host import call, idle
from tickless.abi.errno import EFAULT, EINVAL, EMFILE, EPERM, ESRCH
from tickless.abi.resource import RLIMIT, RLIMIT_CPU, RLIMIT_NOFILE
from tickless.kernel.limits import MOST_FILES
from tickless.kernel.machine import Machine, OwnTask

NOWHERE = 16


def limits(task: OwnTask, pid: int = 0) -> tuple[int, int]:
    old = bytearray(RLIMIT.size)
    assert call(task, "prlimit64", pid, RLIMIT_NOFILE, 0, old) == 0
    soft, hard = RLIMIT.unpack(old)
    return soft, hard


def test_the_soft_limit_is_how_many_files_may_be_open(kernel: Machine) -> None:
    task = kernel.spawn(idle)
    old = bytearray(RLIMIT.size)

    assert call(task, "prlimit64", 0, RLIMIT_NOFILE, RLIMIT.pack(2, 8), old) == 0
    assert RLIMIT.unpack(old) == (1024, 4096)
    assert [call(task, "eventfd2", 0, 0) for _ in range(3)] == [0, 1, -EMFILE]


@pytest.mark.parametrize("limit", [0, 8, MOST_FILES])
def test_the_soft_limit_may_be_as_high_as_the_hard_one(kernel: Machine, limit: int) -> None:
    task = kernel.spawn(idle)

    assert call(task, "prlimit64", 0, RLIMIT_NOFILE, RLIMIT.pack(limit, limit), 0) == 0
    assert limits(task) == (limit, limit)


def test_a_child_inherits_the_limits_and_changes_its_own(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    call(parent, "prlimit64", 0, RLIMIT_NOFILE, RLIMIT.pack(5, 6), 0)
    child = kernel.spawn(idle, parent)
    assert limits(child) == (5, 6)
    call(parent, "prlimit64", child.tid, RLIMIT_NOFILE, RLIMIT.pack(7, 8), 0)

    assert limits(parent, child.tid) == (7, 8)
    assert limits(parent) == (5, 6)


@pytest.mark.parametrize(
    ("pid", "resource", "new", "old", "errno"),
    [
        pytest.param(4000, 99, NOWHERE, 0, EFAULT, id="new limits come first"),
        pytest.param(4000, 99, 0, 0, ESRCH, id="nobody"),
        pytest.param(0, 99, 0, 0, EINVAL, id="unknown limit"),
        pytest.param(0, RLIMIT_CPU, 0, 0, EINVAL, id="not kept here"),
        pytest.param(0, RLIMIT_NOFILE, RLIMIT.pack(9, 8), 0, EINVAL, id="soft above hard"),
        pytest.param(0, RLIMIT_NOFILE, RLIMIT.pack(1, MOST_FILES + 1), 0, EPERM, id="above nr_open"),
        pytest.param(0, RLIMIT_NOFILE, 0, NOWHERE, EFAULT, id="bad pointer for the old"),
    ],
)
def test_arguments_of_prlimit64(
    kernel: Machine, pid: int, resource: int, new: bytes | int, old: int, errno: int
) -> None:
    task = kernel.spawn(idle)

    assert call(task, "prlimit64", pid, resource, new, old) == -errno
    assert limits(task) == (1024, 4096)
