"""What tickless itself has to say goes to stderr, if there is one: stdout is the program's."""

import sys


def say(line: str) -> None:
    """Tell the user `tickless: LINE`."""
    say_plainly(f"tickless: {line}")


def say_plainly(line: str) -> None:
    """Write a line without saying who we are."""
    # None: it was closed at our start, and print would take stdout.
    if sys.stderr is None:
        return
    # A name that is no UTF-8 has its odd bytes as \xff; Python would show how it keeps them.
    line = line.encode(errors="surrogateescape").decode(errors="backslashreplace")
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = None  # nobody listens any more, and the run goes on
