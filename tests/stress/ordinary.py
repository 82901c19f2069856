"""The tickless command as an ordinary user: root gives up its privileges first."""

import ctypes
import importlib
import os

# What is imported late lies where an ordinary user may not read.
MODULES = (
    *("locale", "termios", "tickless.run", "tickless.cli.commands", "tickless.cli.running", "tickless.cli.stats"),
    *("tickless.cli.doctoring", "tickless.cli.verifying"),
)
PR_SET_DUMPABLE = 4
NOBODY = 65534


def main() -> None:
    for module in MODULES:
        importlib.import_module(module)
    if os.geteuid() == 0:
        os.setgroups(())
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        # An ordinary user's process is dumpable, one that has changed its user is not.
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    importlib.import_module("tickless.cli").main()


if __name__ == "__main__":
    main()
