"""Names of constants: tables taken from the modules of constants, and how flags and enumerations print."""

from types import ModuleType

# What ends so combines other constants or is no value of its own.
_NO_VALUES = ("_FLAGS", "_MASK", "_MAX", "_SHIFT")


def names_of(module: ModuleType, prefix: str, *, but: tuple[str, ...] = ()) -> dict[str, int]:
    """Return the integer constants of `module` that start with `prefix`, in its order.

    Left out is what starts with one of `but`. Of two names for one value the first stays.
    """
    names: dict[str, int] = {}
    for name, value in vars(module).items():
        if not name.startswith(prefix) or name.endswith(_NO_VALUES) or name.startswith(but):
            continue
        if isinstance(value, int) and value not in names.values():
            names[name] = value
    return names


def join_flags(value: int, names: dict[str, int]) -> str:
    """Return `value` as strace prints flags: names joined by `|`, bits without a name in hex, 0 for none.

    A name of several bits has to come before the names of these bits.
    """
    shown = []
    for name, bits in names.items():
        if bits and value & bits == bits:
            shown.append(name)
            value &= ~bits
    if value or not shown:
        shown.append(f"{value:#x}" if value else "0")
    return "|".join(shown)


def name_or_number(value: int, names: dict[str, int]) -> str:
    """Return the name of `value` in an enumeration, or the number: in hex, below 0 in decimal."""
    for name, known in names.items():
        if known == value:
            return name
    return f"{value:#x}" if value > 0 else str(value)
