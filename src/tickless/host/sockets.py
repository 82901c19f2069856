"""socket(7): what a file that we have may be asked as a socket."""

import os
from _socket import socket  # `import socket` takes 20 times as long
from contextlib import closing


def socket_of(ours: int) -> closing[socket]:
    """A socket object for a duplicate of `ours`, closed at the end. Raises: OSError if it is none."""
    return closing(socket(fileno=os.dup(ours)))
