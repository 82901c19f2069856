"""How a system call fails."""

from errno import errorcode


class Errno(Exception):
    """A call fails with this errno; also Linux's restart codes (ERESTARTSYS …), which syscall exit reads."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number  # 1 .. 4095

    def __str__(self) -> str:
        return errorcode.get(self.number, str(self.number))
