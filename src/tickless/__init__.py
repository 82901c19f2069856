"""tickless: run unmodified Linux programs on an event kernel with a virtual clock."""

__version__ = "0.1.0"
