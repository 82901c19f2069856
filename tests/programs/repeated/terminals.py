"""Types into a pseudo-terminal and reads what comes back: the echo, and what a child says there once an hour."""

import os
import pty
import time

pid, master = pty.fork()
if pid == 0:
    for hour in range(5):
        print("hour", hour, flush=True)
        time.sleep(3600)
    print("read", input())
    os._exit(3)
os.write(master, b"typed\n")
shown = b""
while True:
    try:
        shown += os.read(master, 100)
    except OSError:  # EIO: the child has closed its end
        break
print(shown.decode().replace("\r", ""), end="")
print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
