"""Where two texts part."""

from tickless.trace.difference import Difference, first_difference


def test_the_same_text_has_no_difference() -> None:
    assert first_difference("trace", ["a\n", "b\n"], ["a\n", "b\n"]) is None
    assert first_difference("trace", [], []) is None


def test_the_first_line_that_differs_is_shown_below_what_leads_there() -> None:
    lines = [f"{n}\n" for n in range(1, 6)]
    found = first_difference("trace", [*lines, "one\n", "more\n"], [*lines, "other\n", "less\n"])

    assert found == Difference("trace", 6, ("3", "4", "5"), "one\n", "other\n")
    assert list(found.lines()) == ["  both    3", "  both    4", "  both    5", "  first   one", "  second  other"]


def test_a_text_that_ends_sooner_is_different() -> None:
    found = first_difference("stdout", ["a\n"], ["a\n", "b\n"])

    assert found == Difference("stdout", 2, ("a",), None, "b\n")
    assert list(found.lines())[1:] == ["  first   (has ended)", "  second  b"]


def test_a_newline_at_the_end_is_a_difference() -> None:
    found = first_difference("stdout", ["a\n"], ["a"])

    assert found is not None
    assert list(found.lines()) == ["  first   a", "  second  a (without newline)"]
