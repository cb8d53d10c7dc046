"""Does a page of 100 runs take the same time with a million runs as with ten thousand?

It runs the product's own query in this process, for all selections that fill a page in
both databases. Rare and empty selections have no such goal. The time is CPU time, which
does not depend on the load of the machine.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from sqlite3 import Connection

from datasette.app import Datasette

from bench.databases import selections
from bench.databases.selections import Selections, Span
from bench.harness.sizes import Sizes
from bench.harness.table import Row
from bench.harness.timing import Clock, min_milliseconds
from ci_observer.web.api.run_queries import read_run_page
from ci_observer.web.database import ReadOnlyDatabase
from ci_observer.web.filters import Filters
from ci_observer.web.settings import WebSettings, remember_settings

GOAL = "<= 1.3x"
LIMIT = 100
ONE_RUN = '{"run_id":'

Fetch = Callable[[Filters], object]


@dataclass(frozen=True)
class Source:
    """One of the databases, and the selections to read from it."""

    db: Connection
    pages: Selections
    span: Span


@dataclass(frozen=True)
class PageTimes:
    """The milliseconds of one selection in both databases."""

    name: str
    large: float
    small: float

    @property
    def ratio(self) -> float:
        return self.large / self.small


def rows(small: Path, large: Path, sizes: Sizes) -> Iterator[Row]:
    """The worst and the median selection, and the slowest rare selection."""
    few, many = sources(small, large)
    times = compare(
        (few, many),
        (partial(count_runs, few.db), partial(count_runs, many.db)),
        time.thread_time,
        sizes.repeats,
    )
    yield from worst_and_median("page of runs, select only", times)
    yield slowest_rare_page(few, many, sizes)


def slowest_rare_page(few: Source, many: Source, sizes: Sizes) -> Row:
    """The slowest of the rare and empty selections, in the large database."""
    rare = selections.rare_pages(
        selections.common_values(few.db), selections.rare_values(many.db), many.span
    )
    times: dict[str, float] = {}
    for name, filters in rare.items():
        read = partial(count_runs, many.db, filters)
        [times[name]] = min_milliseconds(time.thread_time, sizes.repeats, read)
    worst = max(times, key=lambda name: times[name])
    return Row(
        title="rare and empty selections, select only:"
        f" worst of {len(times)} ({worst})",
        ours=times[worst],
        unit="ms",
    )


def sources(small: Path, large: Path) -> tuple[Source, Source]:
    """Both databases, with the selections that fill a page in both."""
    few, many = connect(small), connect(large)
    common = selections.common_values(few)
    both = [
        Source(db, selections.pages(common, span), span)
        for db, span in ((few, Span.of(few)), (many, Span.of(many)))
    ]
    filled = [
        name
        for name in both[0].pages
        if all(count_runs(source.db, source.pages[name]) == LIMIT for source in both)
    ]
    smaller, larger = (
        replace(source, pages={name: source.pages[name] for name in filled})
        for source in both
    )
    return smaller, larger


def compare(
    sources: tuple[Source, Source],
    fetches: tuple[Fetch, Fetch],
    clock: Clock,
    repeats: int,
) -> list[PageTimes]:
    """Time each selection in the small and the large database, in turn.

    `fetches` may vary the filters of a selection, so that its page is not cached.
    """
    times = []
    for name in sources[0].pages:
        both = (
            partial(fetch, source.pages[name])
            for source, fetch in zip(sources, fetches, strict=True)
        )
        small, large = min_milliseconds(clock, repeats, *both)
        times.append(PageTimes(name, large=large, small=small))
    return times


def worst_and_median(subject: str, times: list[PageTimes]) -> Iterator[Row]:
    """The selections with the worst and the median ratio."""
    by_ratio = sorted(times, key=lambda page: page.ratio)
    for rank, page in (("worst", by_ratio[-1]), ("median", by_ratio[len(times) // 2])):
        yield Row(
            title=f"{subject}, many vs few runs: {rank} of {len(times)} ({page.name})",
            ours=page.large,
            baseline=page.small,
            unit="ms",
            goal=GOAL,
        )


def count_runs(db: Connection, filters: Filters) -> int:
    """Read the page as the API does; returns the number of its runs."""
    return str(read_run_page(filters, db)["runs"]).count(ONE_RUN)


def connect(path: Path) -> Connection:
    """A connection like those of the web side."""
    datasette = Datasette([])
    remember_settings(datasette, WebSettings())
    db: Connection = ReadOnlyDatabase(datasette, str(path)).connect()
    db.row_factory = sqlite3.Row
    return db
