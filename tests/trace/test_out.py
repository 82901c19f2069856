"""Where the lines go: at once, and only as long as there is room."""

import errno
import hashlib
import os
from pathlib import Path

import pytest

from tickless.trace.out import LineWriter


def test_each_line_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    writer = LineWriter.create(str(path), pytest.fail)
    writer.write("first")

    assert path.read_text() == "first\n"
    writer.write("second")
    assert path.read_text() == "first\nsecond\n"
    writer.close()


def test_an_old_file_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    path.write_text("what was there\n" * 100)
    LineWriter.create(str(path), pytest.fail).write("new")

    assert path.read_text() == "new\n"


def test_a_full_disk_is_said_once() -> None:
    said: list[str] = []
    writer = LineWriter.create("/dev/full", said.append)
    writer.write("first")
    writer.write("second")

    assert said == [f"the trace ends here: {os.strerror(errno.ENOSPC)}"]


def test_a_reader_that_has_gone_is_said_once() -> None:
    said: list[str] = []
    read_end, write_end = os.pipe()
    os.close(read_end)
    writer = LineWriter(write_end, said.append)
    writer.write("first")
    writer.write("second")

    assert said == [f"the trace ends here: {os.strerror(errno.EPIPE)}"]


def test_names_that_are_no_text_are_escaped(tmp_path: Path) -> None:
    """A file name of other bytes comes as surrogates."""
    path = tmp_path / "trace"
    LineWriter.create(str(path), pytest.fail).write("caf\udce9")

    assert path.read_text() == "caf\\udce9\n"


def test_a_closed_writer_writes_nothing_and_leaves_other_files_alone(tmp_path: Path) -> None:
    """Its number may be another file's by now."""
    writer = LineWriter.create(str(tmp_path / "trace"), pytest.fail)
    writer.close()
    with (tmp_path / "other").open("wb"):
        writer.write("late")
        writer.close()

    assert (tmp_path / "other").read_bytes() == b""


def test_a_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LineWriter.create(str(tmp_path / "no folder" / "trace"), pytest.fail)


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    writer = LineWriter.create(str(path), pytest.fail)
    empty = writer.digest()
    writer.write("first")
    writer.write("\udcff: no UTF-8")
    writer.close()

    assert empty == hashlib.sha256().hexdigest()
    assert writer.digest() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_digest_is_of_all_lines_even_of_those_there_was_no_room_for(tmp_path: Path) -> None:
    writers = [LineWriter.create("/dev/full", lambda line: None), LineWriter.create(str(tmp_path / "t"), pytest.fail)]
    for writer in writers:
        writer.write("first")
        writer.write("second")

    assert writers[0].digest() == writers[1].digest()
