"""splice(2) between pipes of ours and files of the host, where a contract cannot tell. The rest is in splice_files."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.programs.harness import run_virtually

TCP = """
import os, socket, struct, threading, time
def tcp():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        return near, listener.accept()[0]
"""
PROXY = """
source, inner = tcp()
outer, target = tcp()
def proxy():
    from_pipe, to_pipe = os.pipe()
    while count := os.splice(inner.fileno(), to_pipe, 1 << 20):
        while count:
            count -= os.splice(from_pipe, outer.fileno(), count)
    outer.close()
def feed():
    for piece in range(3):
        source.sendall(bytes([piece]) * 300_000)
        time.sleep(3600)
    source.close()
for work in (proxy, feed):
    threading.Thread(target=work).start()
start, got = time.monotonic(), b""
while part := target.recv(1 << 20):
    got += part
print(got == bytes(300_000) + b"\\1" * 300_000 + b"\\2" * 300_000, round((time.monotonic() - start) / 3600))
"""
CLOSED = """
near, far = tcp()
from_pipe, to_pipe = os.pipe()
def splice():
    print(os.splice(far.fileno(), to_pipe, 100))
waiting = threading.Thread(target=splice)
waiting.start()
time.sleep(1)
os.dup2(os.open("/dev/null", os.O_RDWR), far.fileno())
near.send(b"late")
waiting.join()
"""
CREDENTIALS = """
near, far = socket.socketpair()
far.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
from_pipe, to_pipe = os.pipe()
os.write(to_pipe, b"who?")
os.splice(from_pipe, near.fileno(), 4)
((_, _, sender),) = far.recvmsg(4, 100)[1]
print(struct.unpack("iII", sender) == (os.getpid(), os.getuid(), os.getgid()))
"""
TERMINAL = """
master, terminal = os.openpty()
from_pipe, to_pipe = os.pipe()
for ends in ((from_pipe, terminal), (terminal, to_pipe)):
    try:
        os.splice(*ends, 1)
    except OSError as error:
        print(error.errno)
"""


def test_a_proxy_splices_for_hours(tmp_path: Path) -> None:
    """Nobody waits for a socket in the host, and what is in flight holds the clock."""
    ended = run_virtually([sys.executable, "-c", TCP + PROXY], tmp_path)

    assert ended.stdout == "True 3\n", ended.stderr


def test_a_splice_goes_on_with_the_file_that_it_began_with(tmp_path: Path) -> None:
    """Another thread gives its number to another file meanwhile."""
    ended = run_virtually([sys.executable, "-c", TCP + CLOSED], tmp_path)

    assert ended.stdout == "4\n", ended.stderr


def test_a_task_splices_in_its_own_name(tmp_path: Path) -> None:
    """unix(7), SO_PASSCRED: the receiver is told who has sent, which is not the supervisor."""
    ended = run_virtually([sys.executable, "-c", TCP + CREDENTIALS], tmp_path)

    assert ended.stdout == "True\n", ended.stderr


def test_a_terminal_is_refused_by_name(tmp_path: Path) -> None:
    """The supervisor would wait for it, or be stopped by it: EINVAL, on which programs read and write."""
    ended = run_virtually([sys.executable, "-c", TCP + TERMINAL], tmp_path)

    assert ended.stdout == "22\n22\n", ended.stderr
    assert "TL120: splice between a pipe and a terminal" in ended.stderr
