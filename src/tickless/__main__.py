"""`python -m tickless`."""

from tickless.cli import main

main()
