"""namespaces(7), credentials(7): whether what a task means is what we would mean."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from tickless.abi.sched import CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWUSER
from tickless.host.task_state import read_whole

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee

_libc = ctypes.PyDLL(None, use_errno=True)


def has_our_root(task: Tracee) -> bool:
    """Whether the task's root directory and mounts are ours. What was found once holds until `moved`."""
    if task.root_is_ours is None:
        task.root_is_ours = _is_our_namespace(task.tid, "mnt") and _is_our_directory(task.tid, "root")
    return task.root_is_ours


def has_our_ipc(task: Tracee) -> bool:
    """Whether the numbers of System V IPC mean the same to the task and to us."""
    if task.ipc_is_ours is None:
        task.ipc_is_ours = _is_our_namespace(task.tid, "ipc")
    return task.ipc_is_ours


def has_our_net(task: Tracee) -> bool:
    """Whether the task sees our network: names of Unix sockets, among others."""
    return _is_our_namespace(task.tid, "net")


def moved(task: Tracee) -> None:
    """The task may have another root or other namespaces from now on, and so may all that share them: CLONE_FS."""
    for other in task.supervisor.kernel.tasks.values():
        other.root_is_ours = other.ipc_is_ours = None  # type: ignore[attr-defined]  # all tasks here are Tracees


def inherit(child: Tracee, parent: Tracee, flags: int) -> None:
    """What was found of the parent holds for a child that was made with `flags`, unless they move it."""
    if not flags & (CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWIPC):
        child.root_is_ours, child.ipc_is_ours = parent.root_is_ours, parent.ipc_is_ours


def _is_our_namespace(tid: int, kind: str) -> bool:
    try:
        return os.readlink(f"/proc/{tid}/ns/{kind}") == _our_namespace(kind)
    except OSError:
        return True  # the host does not let us look at it


@cache
def _our_namespace(kind: str) -> str:
    return os.readlink(f"/proc/self/ns/{kind}")


def _is_our_directory(tid: int, name: str) -> bool:
    try:
        return os.path.samestat(os.stat(f"/proc/{tid}/{name}"), os.stat(f"/proc/self/{name}"))
    except OSError:
        return True


Credentials = tuple[int, int, int, list[int]]
"""Effective user id, then user id, group id and groups for the file system."""


def credentials(tid: int) -> Credentials:
    """A task's credentials. Raises: OSError if it has died."""
    lines = read_whole(f"/proc/{tid}/status").splitlines()
    fields = {name: values.split() for name, _, values in (line.partition(b":") for line in lines)}
    uids, gids = fields[b"Uid"], fields[b"Gid"]
    return int(uids[1]), int(uids[3]), int(gids[3]), [int(group) for group in fields[b"Groups"]]


def has_our_user(task: Tracee) -> bool:
    """Whether the host lets us do what it lets the task do."""
    try:
        return credentials(task.tid) == credentials(os.getpid())
    except OSError:
        return False


@contextlib.contextmanager
def as_user_of(task: Tracee) -> Iterator[None]:
    """Look at the file system with the task's privileges, where they are not ours. setfsuid(2)."""
    _, uid, gid, groups = credentials(task.tid)
    _, our_uid, our_gid, our_groups = credentials(os.getpid())
    if (uid, gid, groups) == (our_uid, our_gid, our_groups):
        yield
        return
    try:
        os.setgroups(groups)
        _libc.setfsgid(gid)
        _libc.setfsuid(uid)  # last, and given back first: the capabilities to change files go with it
        yield
    finally:
        _libc.setfsuid(our_uid)
        _libc.setfsgid(our_gid)
        os.setgroups(our_groups)
