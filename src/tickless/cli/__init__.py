"""The command line: `tickless run …` calls `tickless.run`, `tickless conform …` the rules of contracts."""

from __future__ import annotations

import errno
import gc
import sys

USAGE_ERROR, CANNOT_RUN_HERE = 2, 125
NOT_WRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main() -> None:
    """Run the command and exit with its status; a mistake of the user is one line on stderr."""
    # Nothing that is imported is garbage: looking for some takes a twentieth of the start.
    gc.disable()
    # Before anything changes what the program is to inherit.
    from tickless.host.inherited import Inherited

    inherited = Inherited.capture()
    import click

    from tickless.cli.commands import tickless
    from tickless.cli.say import say

    try:
        status = tickless.main(prog_name="tickless", standalone_mode=False, obj=inherited)
        if sys.stdout is not None:  # it was closed at our start
            sys.stdout.flush()
    except (OSError, MemoryError) as error:
        say(_what_is_lacking(error))
        status = CANNOT_RUN_HERE
    except click.exceptions.Exit as error:
        status = error.exit_code
    except click.ClickException as error:
        say(error.format_message())
        status = USAGE_ERROR
    except click.Abort:
        status = 130
    sys.exit(status)


def _what_is_lacking(error: OSError | MemoryError) -> str:
    """Why not even a start, or an end, was possible, in words. Raises: `error`, if it says nothing like that."""
    from tickless.host.shortage import shortage_in

    words = error.strerror if isinstance(error, OSError) else "Cannot allocate memory"
    if isinstance(error, OSError) and error.errno in NOT_WRITTEN:
        sys.stdout = None  # nor will it at our exit
        return f"stdout cannot be written: {words}"
    if shortage_in(error) is None:
        raise error
    return f"cannot go on: {words}"
