"""unix(7), SCM_RIGHTS: which numbers a task sends. That no end of file is missed is a contract: sent_over_itself."""

import pytest

from tickless.host.collecting import HEADER, INT, descriptors_in

SOL_SOCKET, SCM_RIGHTS, SCM_CREDENTIALS = 1, 1, 2


def message(*fds: int, kind: int = SCM_RIGHTS, length: int | None = None) -> bytes:
    numbers = b"".join(map(INT.pack, fds))
    header = HEADER.pack(HEADER.size + len(numbers) if length is None else length, SOL_SOCKET, kind)
    return (header + numbers).ljust(-(-(len(header) + len(numbers)) // 8) * 8, b"\0")


@pytest.mark.parametrize(
    ("control", "fds"),
    [
        (b"", []),
        (message(3, 4, 5), [3, 4, 5]),
        (message(1, 2, 3, kind=SCM_CREDENTIALS) + message(7), [7]),
        (message(7)[:20], [7]),
        (message(7)[:19], []),
        (message(7, length=3), []),
        (message(7, 8, length=1 << 63), [7, 8]),
        (message(7, length=0) + message(8), []),
    ],
    ids=["nothing", "three", "behind another kind", "no padding", "cut", "too short", "too long", "no length"],
)
def test_numbers_in_ancillary_data(control: bytes, fds: list[int]) -> None:
    """cmsg(3). What a task says of lengths is not to be trusted."""
    assert [*descriptors_in(control)] == fds
