"""Names of constants: the tables that traces and messages print from, taken from the modules of constants."""

from types import ModuleType


def names_of(module: ModuleType, prefix: str, *, but: tuple[str, ...] = ()) -> dict[str, int]:
    """Return the integer constants of `module` that start with `prefix`, in the order in which it lists them.

    Left out: the names in `but`, and what combines others (`…_FLAGS`, `…_MASK`, `…_MAX`). Of two names for one
    value the first stays.
    """
    names: dict[str, int] = {}
    for name, value in vars(module).items():
        combines = name.endswith(("_FLAGS", "_MASK", "_MAX", "_SHIFT"))
        if not name.startswith(prefix) or combines or name in but:
            continue
        if isinstance(value, int) and value not in names.values():
            names[name] = value
    return names


def join_flags(value: int, names: dict[str, int]) -> str:
    """Return `value` as strace prints flags: names joined by `|`, bits without a name in hex, 0 for none."""
    parts = []
    rest = value
    # Names of several bits go first (O_SYNC holds O_DSYNC).
    for name, bits in sorted(names.items(), key=lambda item: -item[1].bit_count()):
        if bits and rest & bits == bits:
            parts.append((name, bits))
            rest &= ~bits
    order = list(names)
    shown = [name for name, _ in sorted(parts, key=lambda part: order.index(part[0]))]
    if rest or not shown:
        shown.append(f"{rest:#x}" if rest else "0")
    return "|".join(shown)


def name_or_number(value: int, names: dict[str, int]) -> str:
    """Return the name of `value` in an enumeration, or the number in hex (below 0: in decimal)."""
    for name, known in names.items():
        if known == value:
            return name
    return f"{value:#x}" if value > 0 else str(value)
