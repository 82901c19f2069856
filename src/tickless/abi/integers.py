"""limits.h: C's int, as a register or a field of 64 bits holds it."""

INT_MAX = (1 << 31) - 1
INT_MIN = -(1 << 31)


def signed_32(value: int) -> int:
    """The int in the lower half."""
    return (value & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
