"""`-e trace=…`: which calls a trace shows, and which must be trapped for that."""

import pytest

from tickless.host import trapped as _trapped  # noqa: F401  declares the calls that only a host has
from tickless.trace.choice import GROUPS, all_calls, parse_trace

CHOICES = {
    "one": ("trace=read", {"read"}, {"write", "futex"}),
    "several": ("trace=read,write", {"read", "write"}, {"futex"}),
    "without trace=": ("read", {"read"}, {"write"}),
    "all but": ("trace=!futex", {"read", "write", "openat"}, {"futex", "mmap"}),
    "all": ("trace=all", {"read", "futex", "openat"}, {"mmap", "brk"}),
    "none": ("trace=none", set(), {"read", "futex"}),
    "not all": ("trace=!all", set(), {"read", "futex"}),
    "not none": ("trace=!none", {"read", "futex"}, {"mmap"}),
    "a group": ("trace=%time", {"nanosleep", "timerfd_settime"}, {"read"}),
    "a group and a call": ("trace=%signal,read", {"kill", "rt_sigaction", "read"}, {"write"}),
    "memory, when it is asked for": ("trace=%memory", {"mmap", "brk"}, {"read"}),
    "all but a group": ("trace=!%desc", {"futex"}, {"read", "poll"}),
}


@pytest.mark.parametrize(("text", "shown", "hidden"), CHOICES.values(), ids=CHOICES)
def test_choices(text: str, shown: set[str], hidden: set[str]) -> None:
    calls = parse_trace(text)

    assert {name for name in shown | hidden if name in calls} == shown


MISTAKES = {
    "no such call": ("trace=raed", "no system call 'raed'"),
    "no such group": ("trace=%everything", "no group '%everything' (there are %file, "),
    "nothing": ("trace=", "no system call ''"),
    "another expression": ("signal=none", "only trace= is known, not signal="),
    "all among others": ("trace=read,all", "no system call 'all'"),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_named(text: str, message: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        parse_trace(text)

    assert str(raised.value).startswith(message)


def test_a_group_has_only_calls_of_the_architecture() -> None:
    assert "open" in parse_trace("%file", "x86_64")
    assert "open" not in parse_trace("%file", "aarch64")
    assert "openat" in parse_trace("%file", "aarch64")


@pytest.mark.parametrize("group", GROUPS)
def test_groups_are_sorted_and_known(group: str) -> None:
    """A name that no architecture has would never be seen."""
    names = GROUPS[group].split()

    assert names == sorted(set(names))
    assert [name for name in names if not _is_call(name)] == []


def _is_call(name: str) -> bool:
    try:
        parse_trace(name, "x86_64")
    except ValueError:
        try:
            parse_trace(name, "aarch64")
        except ValueError:
            return False
    return True


def test_only_calls_that_were_named_are_trapped_to_be_seen() -> None:
    """execve is not declared, getpid the host's, prctl trapped by an argument; read is served anyway."""
    named = parse_trace("execve,getpid,prctl,read")

    assert named.to_trap() == {"execve", "getpid", "prctl"}
    assert parse_trace("!read").to_trap() == frozenset()
    assert all_calls().to_trap() == frozenset()
