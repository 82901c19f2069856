"""Signals do what they do by default, whatever has started the tests: nohup and a shell's `&` leave some ignored."""

import signal

PYTHONS_OWN = (signal.SIGPIPE, signal.SIGXFSZ)  # ignored by Python itself, and given back to what it starts

for signo in signal.valid_signals() - set(PYTHONS_OWN):
    if signal.getsignal(signo) == signal.SIG_IGN:
        signal.signal(signo, signal.default_int_handler if signo == signal.SIGINT else signal.SIG_DFL)
