"""inotify(7): the order of events."""

from tickless.host.inotify import EVENT, in_order


def event(watch: int, cookie: int, name: bytes = b"") -> bytes:
    return EVENT.pack(watch, 2, cookie, len(name)) + name


def test_events_are_sorted_by_watch_and_those_of_one_watch_keep_their_order() -> None:
    events = [event(5, 1), event(2, 2, b"name\0\0\0\0"), event(5, 3), event(-1, 4), event(2, 5)]

    assert in_order(b"".join(events)) == b"".join(events[index] for index in (3, 1, 4, 0, 2))


def test_no_events_are_none() -> None:
    assert in_order(b"") == b""
