"""Where a path of a task is for us: its root, its directory and /proc/self are not ours. path_resolution(7)."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tickless.abi.fcntl import AT_FDCWD

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee

PATH_MAX = 4096
# The links in /dev to the caller's own open files.
STREAMS = {b"/dev/stdin": b"fd/0", b"/dev/stdout": b"fd/1", b"/dev/stderr": b"fd/2"}

_libc = ctypes.PyDLL(None, use_errno=True)


def locate(task: Tracee, dfd: int, path: bytes) -> bytes:
    """A path by which we find what `path`, relative to the task's `dfd`, is for the task.

    Absolute links in a root that is not ours are the exception: they lead out of it.
    """
    if path[:1] != b"/":
        base = b"cwd" if dfd == AT_FDCWD else b"fd/%d" % dfd
        return b"/proc/%d/%s/%s" % (task.tid, base, path)
    if path.startswith((b"/proc/", b"/dev/")):
        own = _own_proc(task, path)
        if own is not None:
            return own
    if task.root_is_ours is None:
        task.root_is_ours = _has_our_root(task.tid)
    return path if task.root_is_ours else b"/proc/%d/root%s" % (task.tid, path)


def _own_proc(task: Tracee, path: bytes) -> bytes | None:
    """The part of /proc that is about the caller, as we see it; None if `path` is about something else."""
    if path.startswith(b"/proc/self/"):
        return b"/proc/%d/%s" % (task.group.tgid, path[11:])
    if path.startswith(b"/proc/thread-self/"):
        return b"/proc/%d/task/%d/%s" % (task.group.tgid, task.tid, path[18:])
    if path.startswith(b"/dev/fd/"):
        return b"/proc/%d/%s" % (task.group.tgid, path[5:])
    stream = STREAMS.get(path)
    return None if stream is None else b"/proc/%d/%s" % (task.group.tgid, stream)


def _has_our_root(tid: int) -> bool:
    """Whether the task's root directory and mounts are ours."""
    try:
        return os.path.samestat(os.stat(f"/proc/{tid}/root"), os.stat("/")) and (
            os.readlink(f"/proc/{tid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
        )
    except OSError:
        return True  # the host does not let us look at it


@contextlib.contextmanager
def as_user_of(task: Tracee) -> Iterator[None]:
    """Look at the file system with the task's privileges, where they are not ours. setfsuid(2)."""
    uid, gid, groups = credentials(task.tid)
    ours = credentials(os.getpid())
    if (uid, gid, groups) == ours:
        yield
        return
    try:
        os.setgroups(groups)
        _libc.setfsgid(gid)
        _libc.setfsuid(uid)  # last, and given back first: the capabilities to change files go with it
        yield
    finally:
        _libc.setfsuid(ours[0])
        _libc.setfsgid(ours[1])
        os.setgroups(ours[2])


def credentials(tid: int) -> tuple[int, int, list[int]]:
    """A task's user and group id for the file system, and its groups. Raises: OSError if it has died."""
    with open(f"/proc/{tid}/status", "rb") as file:
        fields = {name: values.split() for name, _, values in (line.partition(b":") for line in file)}
    return int(fields[b"Uid"][3]), int(fields[b"Gid"][3]), [int(group) for group in fields[b"Groups"]]
