"""A daemon to be tested: `lease.py FOLDER` renews a lease at half its time, and backs off while it cannot.

The lease is a file whose content says until when it holds. SIGTERM gives it back.
"""

import signal
import sys
import time
from pathlib import Path
from types import FrameType

LEASE_S = 3600
FIRST_PAUSE_S = 1
LONGEST_PAUSE_S = 600


def renew(lease: Path) -> None:
    lease.write_text(str(time.time() + LEASE_S))
    print(f"{time.strftime('%H:%M:%S')} renewed", flush=True)


def give_back(lease: Path) -> None:
    lease.unlink(missing_ok=True)
    print(f"{time.strftime('%H:%M:%S')} given back", flush=True)


def main(lease: Path) -> None:
    def stop(_signo: int, _frame: FrameType | None) -> None:
        give_back(lease)
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            renew(lease)
            pause_s = FIRST_PAUSE_S
            time.sleep(LEASE_S / 2)
        except OSError as error:
            print(f"{time.strftime('%H:%M:%S')} {error.strerror}, next try in {pause_s} s", flush=True)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


if __name__ == "__main__":
    main(Path(sys.argv[1], "lease"))
