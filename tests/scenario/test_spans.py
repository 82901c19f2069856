"""systemd.time(7): spans and timestamps. `systemd-analyze` is the judge."""

import os
import re
import subprocess
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickless.scenario.spans import (
    DAY,
    HOUR,
    MAX_NS,
    MINUTE,
    MONTH,
    MS,
    SECOND,
    US,
    YEAR,
    format_span,
    parse_span,
    parse_timeout,
    parse_timestamp,
)

NOW_NS = 1_700_000_000 * SECOND + 5  # Tue 2023-11-14 22:13:20 UTC


def systemd_analyze(verb: str, *texts: str, zone: str = "UTC") -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", verb, "--", *texts]
    environment = {**os.environ, "TZ": zone, "LC_ALL": "C.UTF-8"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def spans_of_systemd(texts: list[str]) -> list[int]:
    """Return the microseconds that systemd reads in each of `texts`."""
    done = systemd_analyze("timespan", *texts)
    assert done.returncode == 0, done.stderr
    return [int(us) for us in re.findall(r"^ *μs: (\d+)$", done.stdout, re.MULTILINE)]


def spans_as_systemd_shows_them(spans_us: list[int]) -> list[str]:
    done = systemd_analyze("timespan", *[f"{us}us" for us in spans_us])
    shown = re.findall(r"^ *Human: (.*)$", done.stdout, re.MULTILINE)
    return [re.sub(r"\.?0+(?=(s|ms)$)", "", text) if "." in text else text for text in shown]


def timestamp_of_systemd(text: str, zone: str) -> int | None:
    """Return the microseconds since 1970 that systemd reads, None where it refuses."""
    done = systemd_analyze("timestamp", text, zone=zone)
    if done.returncode:
        return None
    seconds = re.search(r"UNIX seconds: @(\d+)(?:\.(\d{6}))?", done.stdout)
    assert seconds is not None
    return int(seconds[1]) * 1_000_000 + int(seconds[2] or 0)


# No more digits than make whole microseconds: below these systemd rounds, and we do not.
DIGITS = {"us": 0, "µs": 0, "usec": 0, "ms": 3, "msec": 3}
UNITS = [
    *DIGITS, "s", "sec", "second", "seconds", "", "m", "min", "minute", "minutes", "h", "hr", "hour", "hours", "d",
    "day", "days", "w", "week", "weeks", "M", "month", "months", "y", "year", "years",
]  # fmt: skip
blanks = st.text(" \t", max_size=2)


@st.composite
def items(draw: st.DrawFn) -> str:
    """One number with its unit; with a blank at its end if it has none."""
    unit = draw(st.sampled_from(UNITS))
    whole = draw(st.sampled_from(["", "+"])) + str(draw(st.integers(0, 99)))
    fraction = draw(st.text("0123456789", max_size=DIGITS.get(unit, 6)))
    number = f"{whole}.{fraction}" if fraction else whole
    return number + draw(blanks) + unit + (draw(blanks) if unit else " ")


spans = st.lists(items(), min_size=1, max_size=4).map("".join)


@settings(max_examples=30, deadline=None)
@given(st.lists(spans, min_size=20, max_size=60))
def test_spans_read_as_in_systemd(texts: list[str]) -> None:
    assert [parse_span(text) // US for text in texts] == spans_of_systemd(texts)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 2**50), min_size=20, max_size=60))
def test_spans_print_as_in_systemd_but_for_zeros(spans_us: list[int]) -> None:
    assert [format_span(us * US) for us in spans_us] == spans_as_systemd_shows_them(spans_us)


BAD_SPANS = [
    "", " ", "x", "5x", "5 x", "5.", "5.s", ".", "1.5.5", "-5s", "- 5s", "+ 5", "+.5", "1e3", "5,5", "0x10",
    "5 infinity", "infinity 5", "s", "5s s", "5s-3s", "1h:30", "٣s",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD_SPANS)
def test_what_systemd_refuses_is_refused(text: str) -> None:
    assert systemd_analyze("timespan", text).returncode != 0

    with pytest.raises(ValueError, match="^not a time span: "):
        parse_span(text)


@pytest.mark.parametrize(
    ("text", "span_ns"),
    [
        ("0", 0),
        ("90", 90 * SECOND),
        ("1d 2h 3min 4.5s", DAY + 2 * HOUR + 3 * MINUTE + 4_500 * MS),
        ("1h30min", HOUR + 30 * MINUTE),
        ("3M", 3 * MONTH),
        ("3m", 3 * MINUTE),
        ("2y", 2 * YEAR),
        ("5s.5", 5_500 * MS),
        ("5 .5", 5_500 * MS),
        ("100ns", 100),
        ("1us 1nsec", 1_001),
        ("1.5us", 1_500),
        ("0.000000001s", 1),
        ("\t7 \n", 7 * SECOND),
        ("5µs", 5 * US),
        ("5μs", 5 * US),
    ],
)
def test_span(text: str, span_ns: int) -> None:
    """systemd.time(7), Parsing Time Spans; below the microsecond by our own units."""
    assert parse_span(text) == span_ns


def test_spans_end_where_the_clocks_do() -> None:
    assert parse_span(f"{MAX_NS}ns") == MAX_NS
    with pytest.raises(ValueError, match="^longer than 292 years: '9223372036854775808ns'$"):
        parse_span(f"{MAX_NS + 1}ns")


def test_infinity_is_a_timeout_but_no_span() -> None:
    assert parse_timeout(" infinity ") is None
    assert parse_timeout("1h") == HOUR
    with pytest.raises(ValueError, match="infinity"):
        parse_span("infinity")


@pytest.mark.parametrize(
    ("span_ns", "text"),
    [
        (0, "0"),
        (1, "1ns"),
        (1_500, "1.5us"),
        (1_000_001, "1.000001ms"),
        (SECOND + 1, "1.000000001s"),
        (MINUTE + 1, "1min 1ns"),
        (HOUR + 500 * MS, "1h 500ms"),
        (DAY + 2 * HOUR + 3 * MINUTE + 4_500 * MS, "1d 2h 3min 4.5s"),
        (YEAR + MONTH, "1y 1month"),
    ],
)
def test_span_prints(span_ns: int, text: str) -> None:
    assert format_span(span_ns) == text


@given(st.integers(0, MAX_NS))
def test_a_printed_span_reads_back_to_the_nanosecond(span_ns: int) -> None:
    assert parse_span(format_span(span_ns)) == span_ns


TIMESTAMPS = [
    "2008-12-24 08:15:42", "2008-12-24 08:15", "2008-12-24", "08-12-24", "8-1-2", "70-01-02", "69-01-01", "68-01-01",
    "2021-2-1 1:2", "2021-02-01  10:00", " 2021-02-01", "2021-02-01 ", "2021-02-01 10:00:00.5",
    "2021-02-01 10:00:00.123456", "2021-02-01 10:00:00.", "2021-02-01 10:00.5", "2021-02-01 23:59:60",
    "2021-02-01 24:00", "2021-02-01 10:60", "2021-13-01", "2021-00-01", "2021-01-00", "2021-02-31", "2021-01-32",
    "2024-02-29 12:00", "1969-12-31", "1970-01-02", "20210201", "2021-02-01 10", "Mon 2021-02-01", "mon 2021-02-01",
    "Monday 2021-02-01 10:00", "Tue 2021-02-01", "Mon", "Mond 2021-02-01", "2021-02-01 UTC",
    "2021-07-01 10:00", "@1700000000", "@1700000000.5", "@5", "@1d", "@", "@-5", "@x", "+", "+x", "-", "ago", " ago",
    "5x ago", "now UTC", "TODAY", "", " ", "10:00:00:00", "25:00", "2021-02-01 10:00 10:00", "2021-02-01 10:00 Mars",
]  # fmt: skip


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
@pytest.mark.parametrize("text", TIMESTAMPS)
def test_timestamps_read_as_in_systemd(text: str, zone: str) -> None:
    """systemd.time(7), Parsing Timestamps."""
    expected_us = timestamp_of_systemd(text, zone)

    if expected_us is None:
        with pytest.raises(ValueError, match=r"^(not |\d)"):
            parse_timestamp(text, NOW_NS, ZoneInfo(zone))
    else:
        assert parse_timestamp(text, NOW_NS, ZoneInfo(zone)) == expected_us * US


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("now", "2023-11-14 22:13:20.000000005"),
        ("today", "2023-11-14"),
        ("yesterday", "2023-11-13"),
        ("tomorrow", "2023-11-15"),
        ("today UTC", "2023-11-14"),
        ("+15d", "2023-11-29 22:13:20.000000005"),
        ("-1h 30min", "2023-11-14 20:43:20.000000005"),
        ("1h ago", "2023-11-14 21:13:20.000000005"),
        ("1h left", "2023-11-14 23:13:20.000000005"),
        ("08:15", "2023-11-14 08:15"),
        ("08:15:42.25", "2023-11-14 08:15:42.25"),
        ("Tue 08:15", "2023-11-14 08:15"),
        ("2021-02-01 10:00:00.1234567894", "2021-02-01 10:00:00.123456789"),
        ("2021-02-01 10:00:00.9999999995", "2021-02-01 10:00:01"),
        ("2021-02-01 10:00:00 utc", "2021-02-01 10:00"),
        ("2021-02-01 10:00 Europe/Berlin", "2021-02-01 09:00"),
        ("2021-07-01 10:00 Europe/Berlin", "2021-07-01 08:00"),
        ("tomorrow Asia/Tokyo", "2023-11-15 15:00"),
        ("2021-02-01T10:00:00Z", "2021-02-01 10:00"),
        ("2021-02-01T10:00:00+05:30", "2021-02-01 04:30"),
        ("2021-02-01 10:00:00.5-01:00", "2021-02-01 11:00:00.5"),
    ],
)
def test_timestamp(text: str, utc: str) -> None:
    """Relative ones, and what only some versions of systemd take: `utc`, RFC 3339's form, and zones by name."""
    assert parse_timestamp(text, NOW_NS) == parse_timestamp(utc, NOW_NS, UTC)


def test_a_day_begins_at_midnight_of_its_zone() -> None:
    """At 22:13 UTC it is the next day in Kolkata."""
    assert parse_timestamp("today", NOW_NS, ZoneInfo("Asia/Kolkata")) == parse_timestamp("2023-11-14 18:30", NOW_NS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "not a timestamp: 'x' (write it like 2026-01-31 08:15:42, tomorrow, +15d or @1700000000)"),
        ("Tue 2021-02-01", "2021-02-01 is a Monday: '2021-02-01'"),
        ("2300-01-01", "not between 1970 and 2262: '2300-01-01'"),
        ("-100y", "not between 1970 and 2262: '-100y'"),
        ("+1x", "not a time span: '1x' (write it like 90, 1h 30min, 500ms or 2.5d)"),
    ],
)
def test_one_clear_line_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_timestamp(text, NOW_NS)
