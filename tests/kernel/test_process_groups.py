"""setpgid(2), setsid(2), getpid(2), without a host."""

import pytest

from tests.kernel.fake_host import call, idle
from tickless.abi.errno import EINVAL, EPERM, ESRCH
from tickless.kernel.machine import Machine
from tickless.kernel.process import exit_group


def test_who_a_task_is(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)
    child = kernel.spawn(idle, thread)

    assert [call(thread, name) for name in ("getpid", "gettid", "getppid")] == [leader.tid, thread.tid, 1]
    assert [call(child, name) for name in ("getpid", "gettid", "getppid")] == [child.tid, child.tid, leader.tid]


def test_a_child_begins_in_its_parents_process_group_and_session(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)

    assert call(child, "getpgrp") == parent.tid
    assert call(parent, "getpgid", child.tid) == parent.tid
    assert call(parent, "getsid", child.tid) == parent.tid
    assert call(child, "getsid", 0) == parent.tid


def test_ids_of_threads_name_their_process(kernel: Machine) -> None:
    leader = kernel.spawn(idle)
    thread = kernel.spawn(idle, leader, same_group=True)

    assert call(leader, "getpgid", thread.tid) == leader.tid
    assert call(leader, "getpgid", 4000) == -ESRCH
    assert call(leader, "getsid", -1) == -ESRCH


def test_a_zombie_still_has_its_process_group(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)
    call(child, "setpgid", 0, 0)
    exit_group(kernel, child.group, 0)

    assert call(parent, "getpgid", child.tid) == child.tid


@pytest.mark.parametrize(
    ("pid", "pgid", "group"),
    [
        pytest.param(0, 0, 102, id="itself, a new one"),
        pytest.param(102, 102, 102, id="by number"),
        pytest.param(0, 101, 101, id="a sibling's"),
    ],
)
def test_a_process_moves_itself(kernel: Machine, pid: int, pgid: int, group: int) -> None:
    parent = kernel.spawn(idle)
    sibling, child = kernel.spawn(idle, parent), kernel.spawn(idle, parent)
    call(parent, "setpgid", sibling.tid, 0)

    assert call(child, "setpgid", pid, pgid) == 0
    assert child.group.process_group == group


@pytest.mark.parametrize(
    ("pid", "pgid", "errno"),
    [
        pytest.param(0, -1, EINVAL, id="negative"),
        pytest.param(4000, 0, ESRCH, id="nobody"),
        pytest.param(104, 0, EINVAL, id="a thread"),
        pytest.param(102, 0, ESRCH, id="a grandchild"),
        pytest.param(100, 101, ESRCH, id="a parent"),
        pytest.param(103, 0, EPERM, id="a child in another session"),
        pytest.param(0, 4000, EPERM, id="no such process group"),
        pytest.param(0, 103, EPERM, id="a process group of another session"),
    ],
)
def test_arguments_of_setpgid(kernel: Machine, pid: int, pgid: int, errno: int) -> None:
    first = kernel.spawn(idle)  # 100, a session leader
    caller = kernel.spawn(idle, first)  # 101
    kernel.spawn(idle, kernel.spawn(idle, caller))  # 102 and, its child, 103
    kernel.spawn(idle, caller, same_group=True)  # 104
    outsider = kernel.groups[103]
    outsider.parent = caller.group
    kernel.groups[102].parent = first.group
    outsider.session = outsider.process_group = 103

    assert call(caller, "setpgid", pid, pgid) == -errno


def test_a_session_leader_stays_where_it_is(kernel: Machine) -> None:
    leader = kernel.spawn(idle)

    assert call(leader, "setpgid", 0, 0) == -EPERM


def test_setsid_begins_a_session_and_a_process_group(kernel: Machine) -> None:
    parent = kernel.spawn(idle)
    child = kernel.spawn(idle, parent)

    assert call(child, "setsid") == child.tid
    assert call(child, "getsid", 0) == child.tid
    assert call(child, "getpgrp") == child.tid
    assert call(child, "setsid") == -EPERM


def test_setsid_is_for_none_whose_process_group_exists(kernel: Machine) -> None:
    """setsid(2), EPERM: the process group id of any process equals the caller's pid, its own or another's."""
    parent = kernel.spawn(idle)
    leader, member = kernel.spawn(idle, parent), kernel.spawn(idle, parent)
    call(parent, "setpgid", leader.tid, 0)
    call(parent, "setpgid", member.tid, leader.tid)
    call(parent, "setpgid", leader.tid, parent.tid)

    assert call(leader, "setsid") == -EPERM
