"""seccomp_unotify(2): receive the calls that a filter traps, and answer them.

A hot loop binds `RECEIVE`, `SEND`, `unpack_notification` and `pack_answer_into` into locals; everyone else calls the
functions. All of them raise OSError(ENOENT) when the call is over without us: its task was killed or interrupted.

Buffers are bytearrays: of bytes, ioctl() first finds out that it cannot write to them, which takes it as long as the
system call itself.
"""

import errno
from fcntl import ioctl
from struct import Struct

RECEIVE = 0xC0502100  # SECCOMP_IOCTL_NOTIF_RECV
SEND = 0xC0182101  # SECCOMP_IOCTL_NOTIF_SEND
ID_VALID = 0x40082102  # SECCOMP_IOCTL_NOTIF_ID_VALID
ADD_FD = 0x40182103  # SECCOMP_IOCTL_NOTIF_ADDFD
SET_FLAGS = 0x40082104  # SECCOMP_IOCTL_NOTIF_SET_FLAGS

CONTINUE = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE: the host makes the call after all
ADD_FD_SETFD = 1  # SECCOMP_ADDFD_FLAG_SETFD: at the given number, as dup2 does
ADD_FD_SEND = 2  # SECCOMP_ADDFD_FLAG_SEND: the new number is the answer, in one step
SYNC_WAKE_UP = 1  # SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
O_CLOEXEC = 0o2000000

Notification = tuple[int, int, int, int, int, int, int, int, int, int]
"""(id, tid, number, instruction pointer, six arguments); arguments are unsigned 64-bit registers."""

# struct seccomp_notif, but for its flags, which are 0, and for the architecture, which the filter has looked at.
NOTIFICATION = Struct("QI4xi4xQ6Q")
ANSWER = Struct("QqiI")  # struct seccomp_notif_resp: id, value, error, flags
ADDED_FD = Struct("QIIII")  # struct seccomp_notif_addfd: id, flags, our fd, number, flags of the new fd
ID = Struct("Q")

NOTIFICATION_SIZE = NOTIFICATION.size
ANSWER_SIZE = ANSWER.size

unpack_notification = NOTIFICATION.unpack
pack_answer_into = ANSWER.pack_into


def receive(listener: int) -> Notification:
    """Wait for the next trapped call. OSError: EINTR by a signal, ENOENT if its task went away meanwhile."""
    buffer = bytearray(NOTIFICATION_SIZE)  # zeroes, or RECEIVE refuses it
    ioctl(listener, RECEIVE, buffer)
    notification: Notification = unpack_notification(buffer)
    return notification


def receive_uninterrupted(listener: int) -> Notification:
    """`receive`, again after each signal of our own."""
    while True:
        try:
            return receive(listener)
        except InterruptedError:
            continue


def send(listener: int, packed: bytearray) -> None:
    """Give an answer that is packed already."""
    while True:
        try:
            ioctl(listener, SEND, packed)
            return
        except InterruptedError:
            continue  # the listener was locked for a moment, which is when a signal to us matters


def answer(listener: int, notification_id: int, value: int, error: int) -> None:
    """End the call: it returns `value`, or fails with `error`, a negative errno (0: none)."""
    ioctl(listener, SEND, bytearray(ANSWER.pack(notification_id, value, error, 0)))


def pass_on(listener: int, notification_id: int) -> None:
    """Let the host make the call, with the arguments that the task's registers hold."""
    ioctl(listener, SEND, bytearray(ANSWER.pack(notification_id, 0, 0, CONTINUE)))


def add_fd(
    listener: int, notification_id: int, fd: int, flags: int, *, number: int | None = None, cloexec: bool
) -> int:
    """Put our `fd` into the caller's table, at its lowest free number or at `number`; return the number there.

    With ADD_FD_SEND in `flags` that number is also the call's answer. OSError: EMFILE at the caller's limit of open
    files, EBADF for a `number` beyond it, ENOENT.
    """
    if number is not None:
        flags |= ADD_FD_SETFD
    # Only a mutable buffer makes ioctl() hand us the kernel's result, which is the new number.
    request = bytearray(ADDED_FD.pack(notification_id, flags, fd, number or 0, O_CLOEXEC if cloexec else 0))
    while True:
        try:
            number_there: int = ioctl(listener, ADD_FD, request, True)
            return number_there
        except InterruptedError:
            continue  # the host has withdrawn the request: until the caller takes the fd, a signal to us ends the wait


def is_valid(listener: int, notification_id: int) -> bool:
    """Whether the task still waits for our answer."""
    try:
        ioctl(listener, ID_VALID, ID.pack(notification_id))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True


def set_sync_wake_up(listener: int) -> bool:
    """Ask for wake-ups that stay on this CPU (Linux 6.6); False where the host is too old to know them."""
    try:
        ioctl(listener, SET_FLAGS, SYNC_WAKE_UP)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTTY):
            raise
        return False
    return True
