"""proc(5): what /proc says of our files, for which the host has only placeholders, of our time, and of our chance."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from typing import TYPE_CHECKING

from tickless.abi.fcntl import O_CLOEXEC, O_NONBLOCK
from tickless.abi.stat import S_IFREG
from tickless.host.chance import uuid_of
from tickless.host.host_files import is_mere_path
from tickless.host.proc_times import process_stat, process_status, system_stat, uptime
from tickless.kernel.pipe import PipeEnd

if TYPE_CHECKING:
    from tickless.host.tracee import Tracee
    from tickless.kernel.file import File


def made_file(task: Tracee, path: bytes, location: bytes) -> int | None:
    """An open file of ours, to be closed, with what a file in /proc has to say; None for all that is the host's."""
    if (make := MADE.get(path)) is not None:
        return _file_with(make(task))
    for name, make_of_process in MADE_OF_PROCESSES.items():
        if path.endswith(name) and (shown := make_of_process(task, location)) is not None:
            return _file_with(shown)
    directory = _directory_of_fds(path, location, b"fdinfo")
    if directory is None:
        return None
    number = location.rpartition(b"/")[2]
    directory_of_links = directory.removesuffix(b"info")
    file = _virtual_file(task, directory_of_links, number)
    if file is None or is_mere_path(directory_of_links + b"/" + number):
        return None
    return _file_with(_fdinfo(task, file, directory + b"/" + number).encode())


def link_text(task: Tracee, path: bytes, location: bytes) -> bytes | None:
    """What readlink gives for a file of ours in /proc/PID/fd; None for all that is the host's."""
    directory = _directory_of_fds(path, location, b"fd")
    if directory is None:
        return None
    file = _virtual_file(task, directory, location.rpartition(b"/")[2])
    if file is None:
        return None
    return b"pipe:[%d]" % file.inode if isinstance(file, PipeEnd) else f"anon_inode:[{file.name}]".encode()


def _directory_of_fds(path: bytes, location: bytes, name: bytes) -> bytes | None:
    """Where `location` lies, if that is a process's directory `name`, fd or fdinfo, and it has a number for a name."""
    directory, _, number = location.rpartition(b"/")
    if not number.isdigit():
        return None
    if path == number:
        # Relative to a directory that the task has open, or is in.
        try:
            directory = os.readlink(directory)
        except OSError:
            return None
    return directory if directory.startswith(b"/proc/") and directory.endswith(b"/" + name) else None


def _virtual_file(task: Tracee, directory: bytes, number: bytes) -> File | None:
    try:
        return task.supervisor.placeholders.file_at(os.stat(directory + b"/" + number))
    except OSError:
        return None


def _fdinfo(task: Tracee, file: File, location: bytes) -> str:
    """/proc/PID/fdinfo/N. The number's own flag, and the mount of pipes, are what the host says of the placeholder."""
    hosts = _fields_of(os.fsdecode(location))
    mount = hosts["mnt_id"] if isinstance(file, PipeEnd) else _mount_of_anonymous_files()
    flags = file.access_mode | file.other_flags | (O_NONBLOCK if file.nonblock else 0)
    flags |= int(hosts["flags"], 8) & O_CLOEXEC
    return f"pos:\t0\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{file.inode}\n{file.describe(task)}"


def _mount_of_anonymous_files() -> str:
    with select.epoll() as one:
        return _fields_of(f"/proc/self/fdinfo/{one.fileno()}")["mnt_id"]


def _fields_of(location: str) -> dict[str, str]:
    with open(location) as file:
        return {name: value.strip() for name, _, value in (line.partition(":") for line in file)}


def _boot_id(task: Tracee) -> bytes:
    return f"{task.supervisor.chance.boot_id}\n".encode()


def _uuid(task: Tracee) -> bytes:
    return f"{uuid_of(task.supervisor.chance.take(16))}\n".encode()


def is_made(status: os.stat_result) -> bool:
    """Whether it is the status of a `made_file`; by its looks, since nobody keeps count of them."""
    return status.st_mode == MADE_MODE and status.st_nlink == 0


MADE_MODE = S_IFREG | 0o444
# Files that belong to no process.
MADE: dict[bytes, Callable[[Tracee], bytes]] = {
    b"/proc/uptime": uptime,
    b"/proc/stat": system_stat,
    b"/proc/sys/kernel/random/boot_id": _boot_id,
    b"/proc/sys/kernel/random/uuid": _uuid,
}
# Files that each process has.
MADE_OF_PROCESSES: dict[bytes, Callable[[Tracee, bytes], bytes | None]] = {
    b"/stat": process_stat,
    b"/status": process_status,
}


def _file_with(text: bytes) -> int:
    """An open file that can only be read, with the mode of files in /proc."""
    writable = os.memfd_create("proc", os.MFD_CLOEXEC)
    try:
        os.write(writable, text)
        os.fchmod(writable, MADE_MODE)
        return os.open(f"/proc/self/fd/{writable}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(writable)
