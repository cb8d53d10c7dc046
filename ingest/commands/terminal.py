"""Progress on standard error: bars on a terminal, little or nothing elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any

import click

from ci_observer.ingest.progress import Progress, item_name, log_progress

LINE_EVERY_SECONDS = 60.0


def escape_unencodable() -> None:
    """Print characters that the locale's encoding lacks as backslash escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_as_utf_8() -> None:
    """Write data to standard output as UTF-8, in any locale."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="strict")


def is_interactive() -> bool:
    """Whether standard input is a terminal, so that a user can confirm."""
    return sys.stdin.isatty()


def megabytes(size: int) -> str:
    """A size in bytes as text, such as "12.3 MB"."""
    return f"{size / 1e6:.1f} MB"


def echo_line(text: str) -> None:
    """Print a line to standard error, below a progress bar if there is one."""
    click.echo(f"\n{text}" if sys.stderr.isatty() else text, err=True)


def progress_bar(
    items: Iterable[Any] | None,
    total: int,
    label: str,
    item_text: Callable[[Any], str | None] | None = None,
) -> Any:
    """A progress bar on a terminal, otherwise nothing.

    `item_text` gives the text shown for the current item.
    """
    return click.progressbar(
        items,
        length=total,
        label=label,
        item_show_func=item_text,
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    )


def progress_of_items() -> Progress:
    """A progress bar on a terminal, otherwise lines in the log."""
    return _item_bar if sys.stderr.isatty() else log_progress


def _item_bar(items: Sequence[Any], label: str) -> Iterator[Any]:
    with progress_bar(
        items, len(items), label, lambda item: item and item_name(item)
    ) as bar:
        yield from bar


@dataclass(frozen=True)
class HistoryProgress:
    """How much history is fetched: complete feeds, and days over all feeds."""

    complete: int
    feeds: int
    days: int
    all_days: int

    def __str__(self) -> str:
        return f"{self.complete} of {self.feeds} feeds complete"


# Shows the progress when an update is due; only then is the progress computed.
ShowHistory = Callable[[Callable[[], HistoryProgress]], None]


@contextmanager
def history_display(what: str = "history") -> Iterator[ShowHistory]:
    """A progress bar of days of `what` on a terminal, otherwise a line a minute."""
    if not sys.stderr.isatty():
        yield _line_a_minute(what)
        return
    # Log lines about each page would break the bar.
    logging.getLogger("ci_observer").setLevel(logging.WARNING)
    with click.progressbar(
        length=1,
        label=f"days of {what}",
        show_pos=True,
        item_show_func=_history_text,
        file=sys.stderr,
    ) as bar:

        def show(compute: Callable[[], HistoryProgress]) -> None:
            progress = compute()
            bar.length = max(1, progress.all_days)
            bar.update(progress.days - bar.pos, progress)
            bar.render_progress()

        yield show


def _history_text(progress: HistoryProgress | None) -> str:
    return str(progress or "")


def _line_a_minute(what: str) -> ShowHistory:
    last = float("-inf")

    def show(compute: Callable[[], HistoryProgress]) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_EVERY_SECONDS:
            last = time.monotonic()
            progress = compute()
            days = f"{progress.days} of {progress.all_days} days of {what}"
            click.echo(f"{progress}, {days}", err=True)

    return show


def feeds_line() -> Callable[[int, int], None]:
    """A line of complete and watched feeds that is updated on a terminal."""
    if not sys.stderr.isatty():
        return lambda complete, feeds: None

    def show(complete: int, feeds: int) -> None:
        text = f"\rhistory: {complete} of {feeds} feeds complete"
        click.echo(text, err=True, nl=False)
        if complete == feeds:
            click.echo(err=True)

    return show


class StatusLine:
    """A line on standard error that each text replaces. Hidden without a terminal."""

    def __init__(self) -> None:
        self._length = 0

    def show(self, text: str) -> None:
        """Replace the line."""
        self.clear()
        self._write(text)
        self._length = len(text)

    def clear(self) -> None:
        """Remove the line, so that other output begins at the margin."""
        if self._length:
            self._write(f"\r{' ' * self._length}\r")
            self._length = 0

    def _write(self, text: str) -> None:
        if sys.stderr.isatty():
            click.echo(text, err=True, nl=False)
