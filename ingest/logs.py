"""Log lines: text from GitHub or a visitor cannot break, disguise or flood them.

Each record is one line of limited length. Only a traceback has more, and those are
indented, so that nothing in them looks like another record.
"""

import io
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from itertools import islice
from threading import local

from ci_observer.ingest.texts import escaped

DATE_FORMAT = "%Y-%m-%d %H:%M:%S"
MAX_LINE = 2000
MAX_TRACEBACK = 100
# Of the innermost frames, of chained exceptions, and of the exceptions in a group.
MAX_FRAMES = 20
MAX_CHAINED = 4
MAX_IN_GROUP = 3
# The lines of one write to stderr: a frame of a traceback has up to three.
MAX_LINES_OF_WRITE = 4


def set_up(level: int) -> None:
    """Log to stderr from a level on."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(datefmt=DATE_FORMAT))
    logging.basicConfig(handlers=[handler], level=level)


class LineFormatter(logging.Formatter):
    """Formats a record as one line, and its traceback as indented lines."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of a record, without the last line break."""
        time = self.formatTime(record, self.datefmt)
        message = one_log_line(record.getMessage().rstrip())
        lines = [f"{time} {record.levelname:<7} {message}"]
        if record.exc_info and record.exc_info[1]:
            more = islice(_exception_lines(record.exc_info[1]), MAX_TRACEBACK)
            lines += (f"    {one_log_line(line)}" for line in more)
        return "\n".join(lines)


def one_log_line(text: str) -> str:
    """A text with its unsafe characters escaped, cut to the length limit."""
    line = escaped(text[:MAX_LINE])
    left_out = len(text) - MAX_LINE
    if left_out <= 0 and len(line) <= MAX_LINE:
        return line
    return f"{line[:MAX_LINE]}… ({len(text)} characters in all)"


def _exception_lines(error: BaseException, chained: int = 0) -> Iterator[str]:
    """The frames of an exception and its message, then those that it comes from."""
    yield "Traceback (most recent call last):"
    for frame in traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]:
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
        yield f"    {frame.line}"
    yield f"{type(error).__qualname__}: {error}"
    if chained >= MAX_CHAINED:
        return
    causes: list[BaseException | None] = [error.__cause__]
    if error.__cause__ is None and not error.__suppress_context__:
        causes.append(error.__context__)
    if isinstance(error, BaseExceptionGroup):
        causes += error.exceptions[:MAX_IN_GROUP]
    for cause in filter(None, causes):
        yield from _exception_lines(cause, chained + 1)


@contextmanager
def stderr_as_log() -> Iterator[None]:
    """Log the text that others write to stderr, such as Datasette's tracebacks."""
    with redirect_stderr(_LoggedWrites()):
        yield


class _LoggedWrites(io.TextIOBase):
    """A text stream that logs each write as a few lines."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = local()

    def write(self, text: str) -> int:
        """Log a text; the last of its lines holds all that are too many."""
        # A log that cannot be written is reported to stderr, which is this stream.
        if not getattr(self._thread, "is_writing", False):
            self._thread.is_writing = True
            try:
                self._log(text)
            finally:
                self._thread.is_writing = False
        return len(text)

    def _log(self, text: str) -> None:
        lines = text.rstrip().split("\n", MAX_LINES_OF_WRITE - 1)
        for line in filter(str.strip, lines):
            logging.getLogger("ci_observer").warning("%s", line)
