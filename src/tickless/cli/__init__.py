"""The command line: `tickless run …` calls `tickless.run`, `tickless conform …` the rules of contracts."""

from __future__ import annotations

import gc
import sys

USAGE_ERROR, CANNOT_RUN_HERE = 2, 125


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
    except (OSError, MemoryError) as error:
        from tickless.host.shortage import shortage_in

        if shortage_in(error) is None:
            raise
        # It was too little even for a start, or for an end.
        say(f"cannot go on: {error.strerror if isinstance(error, OSError) else 'Cannot allocate memory'}")
        status = CANNOT_RUN_HERE
    except click.exceptions.Exit as error:
        status = error.exit_code
    except click.ClickException as error:
        say(error.format_message())
        status = USAGE_ERROR
    except click.Abort:
        status = 130
    sys.exit(status)
