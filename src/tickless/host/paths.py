"""Where a path of a task is for us: its root, its directory and /proc/self are not ours. path_resolution(7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickless.abi.fcntl import AT_FDCWD
from tickless.host.namespaces import has_our_root

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee

PATH_MAX = 4096
# The links in /dev to the caller's own open files.
STREAMS = {b"/dev/stdin": b"fd/0", b"/dev/stdout": b"fd/1", b"/dev/stderr": b"fd/2"}


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
    return path if task.root_is_ours or has_our_root(task) else b"/proc/%d/root%s" % (task.tid, path)


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
