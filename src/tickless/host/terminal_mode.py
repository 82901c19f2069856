"""termios(3): a run that is cut short gives the terminal back as it was; a program that ends does so itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

STREAMS = range(3)


def restorer() -> Callable[[], None]:
    """What puts the terminal, if one of the standard streams is one, into the mode that it has now."""
    terminal = next((fd for fd in STREAMS if os.isatty(fd)), None)
    if terminal is None:
        return _nothing
    import termios

    ours = os.dup(terminal)
    mode = termios.tcgetattr(ours)

    def restore() -> None:
        # The program's job may be in the foreground, not ours.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with suppress(termios.error):  # it has been hung up
            termios.tcsetattr(ours, termios.TCSANOW, mode)
        signal.signal(signal.SIGTTOU, before)
        os.close(ours)

    return restore


def _nothing() -> None:
    pass
