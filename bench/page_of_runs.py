"""Does a page of 100 runs take the same time at a million as at ten thousand?

By the product's own select, in this process, for all selections that fill a page in
both databases; and for rare and empty ones, which have no such promise. The time is
that of the processor, which is the same whatever else goes on.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from sqlite3 import Connection

from datasette.app import Datasette

from bench import selections
from bench.effort import Effort
from bench.rounds import Clock, least
from bench.selections import Selections, Span
from bench.table import Row
from ci_observer.web.api.run_queries import read_run_page
from ci_observer.web.database import ReadOnlyDatabase
from ci_observer.web.filters import Filters

GOAL = "<= 1.3x"
LIMIT = 100
ONE_RUN = '{"run_id":'

Ask = Callable[[Filters], object]


@dataclass(frozen=True)
class Side:
    """One of the databases, and what it is asked for."""

    db: Connection
    pages: Selections
    span: Span


@dataclass(frozen=True)
class Took:
    """Milliseconds that one selection took in both databases."""

    name: str
    large: float
    small: float

    @property
    def ratio(self) -> float:
        return self.large / self.small


def rows(small: Path, large: Path, effort: Effort) -> Iterator[Row]:
    """The worst and the median selection, and the worst of those without a promise."""
    few, many = sides(small, large)
    yield from told(
        "a page of runs, select only",
        compare(
            (few, many),
            (partial(fetch, few.db), partial(fetch, many.db)),
            time.thread_time,
            effort.repeats,
        ),
    )
    rare = selections.rare_pages(
        selections.common_values(few.db), selections.rare_values(many.db), many.span
    )
    took = {
        name: least(time.thread_time, effort.repeats, partial(fetch, many.db, filters))[
            0
        ]
        for name, filters in rare.items()
    }
    worst = max(took, key=lambda name: took[name])
    yield Row(
        figure=f"rare and empty selections: the worst of {len(took)} ({worst})",
        ours=took[worst],
        unit="ms",
    )


def sides(small: Path, large: Path) -> tuple[Side, Side]:
    """Both databases, with the selections that fill a page in both."""
    few, many = connect(small), connect(large)
    common = selections.common_values(few)
    both = [
        Side(db, selections.pages(common, span), span)
        for db, span in ((few, Span.of(few)), (many, Span.of(many)))
    ]
    filled = [
        name
        for name in both[0].pages
        if all(fetch(side.db, side.pages[name]) == LIMIT for side in both)
    ]
    smaller, larger = (
        replace(side, pages={name: side.pages[name] for name in filled})
        for side in both
    )
    return smaller, larger


def compare(
    sides: tuple[Side, Side], asks: tuple[Ask, Ask], clock: Clock, repeats: int
) -> list[Took]:
    """Ask for each selection in both in turn, a few times; few runs stand first.

    How to ask is the caller's, who may vary the filters to get by a cache.
    """
    took = []
    for name in sides[0].pages:
        both = (
            partial(ask, side.pages[name])
            for side, ask in zip(sides, asks, strict=True)
        )
        small, large = least(clock, repeats, *both)
        took.append(Took(name, large=large, small=small))
    return took


def told(what: str, took: list[Took]) -> Iterator[Row]:
    """The worst and the median of all selections, by how many times as long."""
    by_ratio = sorted(took, key=lambda one: one.ratio)
    for word, one in (("worst", by_ratio[-1]), ("median", by_ratio[len(took) // 2])):
        yield Row(
            figure=f"{what}, many runs beside few: {word} of {len(took)} ({one.name})",
            ours=one.large,
            baseline=one.small,
            unit="ms",
            goal=GOAL,
        )


def fetch(db: Connection, filters: Filters) -> int:
    """Select the page as the API does; return how many runs are on it."""
    return str(read_run_page(filters, db)["runs"]).count(ONE_RUN)


def connect(path: Path) -> Connection:
    """As the web side reads."""
    db: Connection = ReadOnlyDatabase(Datasette([]), str(path)).connect()
    db.row_factory = sqlite3.Row
    return db
