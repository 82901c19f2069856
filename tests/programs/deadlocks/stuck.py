"""Two processes that wait for each other over what the host has: `stuck.py KIND`. Neither has a time-out."""

import asyncio
import ctypes
import fcntl
import os
import select
import socket
import struct
import sys
from pathlib import Path


def unix_pair() -> None:
    """Each reads what the other would have to write."""
    left, right = socket.socketpair()
    child = os.fork()
    (left if child else right).recv(1)


def tcp() -> None:
    """A client and a server that both wait to be spoken to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        if os.fork() == 0:
            client = socket.create_connection(server.getsockname())
            server.close()
            client.recv(1)
        connection, _ = server.accept()
    connection.recv(1)


def full() -> None:
    """Nobody reads."""
    left, _right = socket.socketpair()
    while True:
        left.send(bytes(4096))


def polled() -> None:
    left, right = socket.socketpair()
    select.select([left, right], [], [])


def event_loop() -> None:
    """asyncio, which watches a socket pair of its own and this one."""
    left, _right = socket.socketpair()
    left.setblocking(False)

    async def read() -> None:
        await asyncio.get_running_loop().sock_recv(left, 1)

    asyncio.run(read())


def flocks() -> None:
    """Each has one lock and wants the other's."""
    told, tell = os.pipe()
    child = os.fork()
    files = [Path(name).open("w") for name in ("first", "second")]  # noqa: SIM115  they live as long as we
    mine, other = files if child else reversed(files)
    fcntl.flock(mine, fcntl.LOCK_EX)
    if child:
        os.read(told, 1)
    else:
        os.write(tell, b"x")
    fcntl.flock(other, fcntl.LOCK_EX)


def record_locks() -> None:
    """The one waits for the other's lock, and that one for bytes in a pipe."""
    told, tell = os.pipe()
    never, _ = os.pipe()
    file = Path("locked").open("w")  # noqa: SIM115
    if os.fork() == 0:
        fcntl.lockf(file, fcntl.LOCK_EX)
        os.write(tell, b"x")
        os.read(never, 1)
    os.read(told, 1)
    fcntl.lockf(file, fcntl.LOCK_EX)


def listening() -> None:
    """Somebody outside may come: no deadlock."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.accept()


def outside_has_a_lock() -> None:
    fcntl.flock(Path("held").open(), fcntl.LOCK_EX)  # noqa: SIM115


def inherited() -> None:
    """The other end is somebody else's: our standard input."""
    socket.socket(fileno=0).recv(1)


def inherited_pair() -> None:
    """We have both ends, but not we alone."""
    socket.socket(fileno=0).recv(1)


def inherited_lock() -> None:
    """The lock is that of an open file description that is not ours alone."""
    fcntl.flock(Path("/dev/stdin").open(), fcntl.LOCK_EX)  # noqa: SIM115


def received() -> None:
    """Both ends came from somebody outside, who has them still."""
    _, (left, _right), *_ = socket.recv_fds(socket.socket(fileno=0), 1, 2)
    socket.socket(fileno=left).recv(1)


def sent_away() -> None:
    """The other end is also on its way to somebody outside, who has not received it yet."""
    left, right = socket.socketpair()
    socket.send_fds(socket.socket(fileno=0), [b"."], [right.fileno()])
    left.recv(1)


SEMOP, MSGRCV = 65, 70  # x86-64's
IPC_PRIVATE = 0
libc = ctypes.CDLL(None)


def semop() -> None:
    """Nobody adds to the semaphore. The set has to be removed afterwards: it is the first line."""
    semaphores = libc.semget(IPC_PRIVATE, 1, 0o600)
    print(semaphores, flush=True)
    libc.syscall(SEMOP, semaphores, struct.pack("Hhh", 0, -1, 0), 1)


def msgrcv() -> None:
    """Nobody sends. The queue has to be removed afterwards: it is the first line."""
    queue = libc.msgget(IPC_PRIVATE, 0o600)
    print(queue, flush=True)
    libc.syscall(MSGRCV, queue, ctypes.create_string_buffer(16), 8, 0, 0)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
