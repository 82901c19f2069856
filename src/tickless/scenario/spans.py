"""systemd.time(7): spans and timestamps as people write them, in nanoseconds."""

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

US = 1_000
MS = 1_000 * US
SECOND = 1_000 * MS
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
YEAR = 365 * DAY + 6 * HOUR
MONTH = YEAR // 12

# What the kernel's clocks hold: 292 years, or a time stamp of 2262.
MAX_NS = 2**63 - 1

_UNITS = {
    **dict.fromkeys(("ns", "nsec"), 1),
    **dict.fromkeys(("us", "\u00b5s", "\u03bcs", "usec"), US),  # with the micro sign or the Greek letter
    **dict.fromkeys(("ms", "msec"), MS),
    **dict.fromkeys(("s", "sec", "second", "seconds"), SECOND),
    **dict.fromkeys(("m", "min", "minute", "minutes"), MINUTE),
    **dict.fromkeys(("h", "hr", "hour", "hours"), HOUR),
    **dict.fromkeys(("d", "day", "days"), DAY),
    **dict.fromkeys(("w", "week", "weeks"), WEEK),
    **dict.fromkeys(("M", "month", "months"), MONTH),
    **dict.fromkeys(("y", "year", "years"), YEAR),
}
_SHOWN_UNITS = [
    ("y", YEAR),
    ("month", MONTH),
    ("w", WEEK),
    ("d", DAY),
    ("h", HOUR),
    ("min", MINUTE),
    ("s", SECOND),
    ("ms", MS),
    ("us", US),
    ("ns", 1),
]

_BLANKS = r"[ \t\n\r]*"
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
# A number ends in a unit, a blank or the end: "1.5.5" and "5x" are nothing, "5s.5" and "5 .5" are 5.5 seconds.
_ITEM = re.compile(
    rf"(?:\+?(?P<whole>[0-9]+))?(?P<fraction>\.[0-9]+)?(?:{_BLANKS}(?P<unit>{_UNIT})|(?=[ \t\n\r])|\Z){_BLANKS}"
)


def parse_span(text: str) -> int:
    """Return a span such as `1h 30min`, `2.5d` or `90` (seconds) in ns, 0 to MAX_NS.

    The grammar is systemd's, with `ns` and `nsec` added. Raises: ValueError, its message for the user.
    """
    span_ns = 0
    position = len(text) - len(text.lstrip(" \t\n\r"))
    if position == len(text):
        raise _bad_span(text)
    while position < len(text):
        item = _ITEM.match(text, position)
        if item is None or not (item["whole"] or item["fraction"]):
            raise _bad_span(text)
        unit_ns = _UNITS[item["unit"] or "s"]
        span_ns += int(item["whole"] or 0) * unit_ns + _fraction_of(unit_ns, item["fraction"] or "")
        position = item.end()
    if span_ns > MAX_NS:
        raise ValueError(f"longer than 292 years: {text!r}")
    return span_ns


def parse_timeout(text: str) -> int | None:
    """Return a span in ns, None for `infinity`. Raises: ValueError."""
    return None if text.strip(" \t\n\r") == "infinity" else parse_span(text)


def format_span(span_ns: int) -> str:
    """Return a span of 0 or more as systemd prints it, `1d 2h 3min 4.5s`, but without zeros at the end."""
    parts = []
    rest_ns = span_ns
    for name, unit_ns in _SHOWN_UNITS:
        count, below_ns = divmod(rest_ns, unit_ns)
        if count == 0:
            continue
        if rest_ns < MINUTE and below_ns:
            digits = f"{below_ns:0{len(str(unit_ns)) - 1}}".rstrip("0")
            parts.append(f"{count}.{digits}{name}")
            break
        parts.append(f"{count}{name}")
        rest_ns = below_ns
    return " ".join(parts) or "0"


def _fraction_of(unit_ns: int, fraction: str) -> int:
    """Return `.5` of a unit, rounded down at each digit as systemd does."""
    fraction_ns = 0
    for digit in fraction[1:]:
        unit_ns //= 10
        fraction_ns += int(digit) * unit_ns
    return fraction_ns


def _bad_span(text: str) -> ValueError:
    return ValueError(f"not a time span: {text!r} (write it like 90, 1h 30min, 500ms or 2.5d)")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_DATE = re.compile(r"([0-9]{1,4})-([0-9]{1,2})-([0-9]{1,2})")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.([0-9]+))?)?(Z|[+-][0-9]{2}:[0-9]{2})?")


def parse_timestamp(text: str, now_ns: int, zone: tzinfo = UTC) -> int:
    """Return a timestamp in ns since 1970, 0 to MAX_NS; `now_ns` is what `now` and `+15d` start from.

    `zone` is that of a text which names none. Raises: ValueError, its message for the user.
    """
    at_ns = _parse_relative(text, now_ns)
    if at_ns is None:
        at_ns = _parse_calendar(text, now_ns, zone)
    if at_ns is None:
        raise ValueError(
            f"not a timestamp: {text!r} (write it like 2026-01-31 08:15:42, tomorrow, +15d or @1700000000)"
        )
    if not 0 <= at_ns <= MAX_NS:
        raise ValueError(f"not between 1970 and 2262: {text!r}")
    return at_ns


def _parse_relative(text: str, now_ns: int) -> int | None:
    """Read what is a span from now or from 1970; None for anything else."""
    if text == "now":
        return now_ns
    if text.startswith("@"):
        return parse_span(text[1:])
    if text.startswith("+"):
        return now_ns + parse_span(text[1:])
    if text.startswith("-"):
        return now_ns - parse_span(text[1:])
    if text.endswith(" ago"):
        return now_ns - parse_span(text.removesuffix(" ago"))
    if text.endswith(" left"):
        return now_ns + parse_span(text.removesuffix(" left"))
    return None


def _parse_calendar(text: str, now_ns: int, zone: tzinfo) -> int | None:
    """Read `[WEEKDAY] [DATE] [TIME] [ZONE]` or a day's name; None if it is neither."""
    text, zone = _split_zone(text, zone)
    today = (_EPOCH + timedelta(seconds=now_ns // SECOND)).astimezone(zone).date()
    by_name = {"yesterday": -1, "today": 0, "tomorrow": 1}
    if text in by_name:
        return _instant(today + timedelta(days=by_name[text]), "0:00", zone)
    weekday, text = _split_weekday(text)
    match re.split(r"T|[ \t\n\r]+", text.lstrip(" \t\n\r")):
        case [day_text, time_text]:
            day = _parse_date(day_text)
        case [time_text] if ":" in time_text:
            day = today
        case [day_text]:
            day, time_text = _parse_date(day_text), "0:00"
        case _:
            return None
    if day is None:
        return None
    if weekday not in (None, day.weekday()):
        raise ValueError(f"{day} is a {_WEEKDAYS[day.weekday()].title()}: {text!r}")
    return _instant(day, time_text, zone)


def _split_zone(text: str, zone: tzinfo) -> tuple[str, tzinfo]:
    """Take a last word that names a zone off `text`."""
    head, _, name = text.rpartition(" ")
    if not head or not name[:1].isalpha():
        return text, zone
    if name.upper() == "UTC":
        return head, UTC
    try:
        return head, ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return text, zone


def _split_weekday(text: str) -> tuple[int | None, str]:
    """Take a first word such as `Mon` or `monday` off `text`; Monday is 0."""
    head, blank, tail = text.partition(" ")
    for number, name in enumerate(_WEEKDAYS):
        if blank and head.lower() in (name, name[:3]):
            return number, tail
    return None, text


def _parse_date(text: str) -> date | None:
    """Read year, month and day. A day that a month lacks goes on into the next, as in systemd."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = (int(number) for number in match.groups())
    if len(match[1]) <= 2:
        year += 1900 if year >= 69 else 2000
    if year == 0 or not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return date(year, month, 1) + timedelta(days=day - 1)


def _instant(day: date, time_of_day: str, zone: tzinfo) -> int | None:
    """Return the instant in ns since 1970; below 0 before that."""
    match = _TIME.fullmatch(time_of_day)
    if match is None:
        return None
    hour, minute, second = (int(number or 0) for number in match.groups()[:3])
    if hour > 23 or minute > 59 or second > 61:
        return None
    digits, offset = match[4] or "", match[5]
    if offset == "Z":
        zone = UTC
    elif offset:
        sign = -1 if offset[0] == "-" else 1
        zone = timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6])))
    wall = datetime(day.year, day.month, day.day) + timedelta(hours=hour, minutes=minute, seconds=second)
    seconds = (wall.replace(tzinfo=zone) - _EPOCH) // timedelta(seconds=1)
    return seconds * SECOND + int(digits[:9].ljust(9, "0")) + (digits[9:10] >= "5")
