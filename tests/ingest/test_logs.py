"""Log lines: one for each record, of limited length."""

import io
import logging
import re
import sys
import traceback
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci_observer.ingest import logs
from ci_observer.ingest.logs import MAX_LINE, MAX_TRACEBACK, LineFormatter
from ci_observer.ingest.texts import escaped, one_line

HOSTILE = "a\r\nb\x1b[31mc\u2028d\u2029e\x85f\u202eg\u2066h\x00i\x7fj\ud83dk\u200bl"
# pytest-xdist cannot send a captured log with a lone surrogate.
LOGGED = HOSTILE.replace("\ud83d", "")
RECORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+ +[^\x00-\x1f\x7f-\x9f]*")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The text that a handler with our formatter writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(datefmt=logs.DATE_FORMAT))
    logging.getLogger("ci_observer").addHandler(handler)
    yield stream
    logging.getLogger("ci_observer").removeHandler(handler)


def fail(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError as error:
        raise ExceptionGroup(text, [error, KeyError(text)]) from error


@given(st.text())
def test_escaped_text_is_one_printable_line(text):
    line = escaped(text)

    assert "\n" not in line
    assert len(line.splitlines()) <= 1
    line.encode()


def test_what_breaks_or_disguises_a_line_is_escaped():
    assert escaped(HOSTILE) == (
        r"a\r\nb\x1b[31mc\u2028d\u2029e\x85f\u202eg\u2066h\x00i\x7fj\ud83dk\u200bl"
    )
    assert escaped("Grüße, 日本 🎉") == "Grüße, 日本 🎉"


def test_a_text_on_one_line_has_no_such_character_at_all():
    assert one_line(HOSTILE) == "a b [31mc d e f g h i j k l"
    assert one_line("x" * 1000, 10) == "x" * 10


def test_a_record_is_one_line(log):
    logging.getLogger("ci_observer.ingest").warning("%s: %s", LOGGED, "x" * 60_000)

    [line] = log.getvalue().splitlines()
    assert RECORD.fullmatch(line)
    assert "characters in all" in line
    assert len(line) < MAX_LINE + 100


def test_a_traceback_is_indented_and_short(log):
    try:
        fail(LOGGED + "x" * 60_000)
    except ExceptionGroup as error:
        logging.getLogger("ci_observer").error("failed", exc_info=error)

    first, *others = log.getvalue().splitlines()
    assert RECORD.fullmatch(first)
    assert len(others) <= MAX_TRACEBACK
    assert all(line.startswith("    ") and len(line) < 2100 for line in others)
    assert any("in fail" in line for line in others)
    assert any("KeyError" in line for line in others)
    assert "\x1b" not in log.getvalue()


def test_what_others_write_to_stderr_becomes_records(log):
    """Datasette prints visitors' SQL and tracebacks."""
    with logs.stderr_as_log():
        sys.stderr.write(f"ERROR: sql = {LOGGED}{'x' * 60_000}" + "\n" * 500)
        try:
            fail(LOGGED)
        except ExceptionGroup:
            traceback.print_exc()

    assert all(RECORD.fullmatch(line) for line in log.getvalue().splitlines())
    assert len(log.getvalue()) < 20_000


def test_a_log_that_cannot_be_written_does_not_loop(log):
    log.close()

    with logs.stderr_as_log():
        logging.getLogger("ci_observer").warning("lost")
        sys.stderr.write("lost")
