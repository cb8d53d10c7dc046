"""`/api/runs` over HTTP: beside a careful FastAPI, and many runs beside few."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count, cycle
from pathlib import Path
from random import Random

from bench import page_of_runs, rounds, selections, servers
from bench.effort import Effort
from bench.page_of_runs import compare, told
from bench.rounds import Case, Figures, least
from bench.selections import Span, Values, filters_of
from bench.servers import Server
from bench.table import Row
from ci_observer.web.filters import Filters

CONNECTIONS = 16
DISTINCT = 6000  # more than are asked for in a round, and than any cache keeps
FILTERED = (
    ("repo",),
    ("branch",),
    ("actor",),
    ("conclusion",),
    ("repo", "workflow"),
    ("event", "conclusion"),
)

Figure = dict[str, Figures]


def rows(small: Path, large: Path, effort: Effort) -> Iterator[Row]:
    """All figures of `/api/runs`."""
    with closing(page_of_runs.connect(large)) as db:
        span, values = Span.of(db), selections.common_values(db)
    with servers.ours(large) as ours:
        with servers.fastapi(large) as fastapi:
            cases = cases_of(ours, fastapi, span, values)
            many = rounds.measure(cases, effort, connections=CONNECTIONS)
            yield from beside_fastapi(many)
            one = {name: cases[name] for name in ("ours", "fastapi")}
            single = rounds.measure(one, effort, connections=1)
            yield Row(
                figure="/api/runs computed, 1 connection: p50, beside FastAPI",
                ours=single["ours"].p50_ms,
                baseline=single["fastapi"].p50_ms,
                unit="ms",
                goal="<= 0.7x",
            )
        yield beside_stock(ours, large, effort)
        yield from sizes(small, large, ours, effort)


def cases_of(
    ours: Server, fastapi: Server, span: Span, values: Values
) -> dict[str, Case]:
    """What each server is asked for; computed means that no query comes twice."""
    plain = queries([Filters()], span)
    filtered = queries(
        [filters_of({n: values[n][:1] for n in names}) for names in FILTERED], span
    )
    same = "/api/runs"
    etag = ours.get(same).headers["ETag"]
    return {
        "fastapi": Case(server=fastapi, paths=[f"/runs?{query}" for query in plain]),
        "ours": Case(server=ours, paths=[f"{same}?{query}" for query in plain]),
        "fastapi filtered": Case(
            server=fastapi, paths=[f"/runs?{query}" for query in filtered]
        ),
        "ours filtered": Case(
            server=ours, paths=[f"{same}?{query}" for query in filtered]
        ),
        "kept": Case(server=ours, paths=[same]),
        "304": Case(server=ours, paths=[same], headers={"If-None-Match": etag}),
    }


def queries(of: list[Filters], span: Span) -> list[str]:
    """Query strings that are all different: first and deep pages of the selections."""
    random = Random(7)  # noqa: S311 (nobody is to guess anything)
    seconds = random.sample(range(10 * DISTINCT), DISTINCT)
    shares = cycle((0.9, 0.6, 0.3))
    found = []
    for filters, second, share in zip(cycle(of), seconds, shares, strict=False):
        first = replace(filters, until=span.at(share, second))
        deep = replace(filters, cursor=span.cursor(share, second))
        found += [first.to_query(), deep.to_query()]
    return found


def beside_fastapi(many: Figure) -> Iterator[Row]:
    """The rows at 16 connections."""
    for name, ours, theirs in (
        ("computed", "ours", "fastapi"),
        ("computed, filtered", "ours filtered", "fastapi filtered"),
    ):
        what = f"/api/runs {name}, {CONNECTIONS} connections"
        mine, least = many[ours], many[theirs]
        yield Row(
            figure=f"{what}, beside FastAPI",
            ours=mine.per_second,
            baseline=least.per_second,
            unit="requests/s",
            goal=">= 3x",
        )
        yield Row(
            figure=f"{what}: p99",
            ours=mine.p99_ms,
            baseline=least.p99_ms,
            unit="ms",
            goal="< 1x",
        )
        yield Row(
            figure=f"{what}: processor time of the server",
            ours=mine.cpu_ms,
            baseline=least.cpu_ms,
            unit="ms/request",
        )
    for name, what in (("kept", "the same URL again"), ("304", "If-None-Match")):
        figure = f"/api/runs unchanged ({what}), beside FastAPI computed"
        yield Row(
            figure=figure,
            ours=many[name].per_second,
            baseline=many["fastapi"].per_second,
            unit="requests/s",
            goal=">= 8x",
        )
        yield Row(
            figure=f"{figure}: p99",
            ours=many[name].p99_ms,
            baseline=many["fastapi"].p99_ms,
            unit="ms",
            goal="< 1x",
        )
    yield Row(
        figure="processor time of asking, beside that of answering 304",
        ours=many["304"].asking_cpu_ms,
        baseline=many["304"].cpu_ms,
        unit="ms/request",
    )


def beside_stock(ours: Server, large: Path, effort: Effort) -> Row:
    """100 runs from Datasette as it comes, whose route for them is the table's."""
    query = "_size=100&_shape=objects&_sort_desc=started_at"
    with servers.stock_datasette(large) as stock:
        later = (f"/api/runs?until={2100 + number}-01-01" for number in count())
        ours_ms, stock_ms = least(
            time.perf_counter,
            effort.repeats,
            lambda: ours.fetch(next(later)),
            lambda: stock.fetch(f"/{large.stem}/runs.json?{query}"),
        )
    return Row(
        figure="/api/runs computed, beside the table's JSON of Datasette as it comes",
        ours=ours_ms,
        baseline=stock_ms,
        unit="ms",
    )


def sizes(small: Path, large: Path, ours: Server, effort: Effort) -> Iterator[Row]:
    """Every selection that fills a page, over HTTP: many runs beside few."""
    few, many = page_of_runs.sides(small, large)
    with servers.ours(small) as smaller:
        took = compare(
            (few, many),
            (asking(smaller, few.span), asking(ours, many.span)),
            time.perf_counter,
            effort.repeats,
        )
    yield from told("a page of runs over HTTP", took)


def asking(server: Server, span: Span) -> Callable[[Filters], object]:
    """Ask for a selection, each time from another second on: no answer is kept."""
    numbers = count(1)

    def ask_for(filters: Filters) -> None:
        number = next(numbers)
        if filters.cursor:
            varied = replace(filters, cursor=span.cursor(0.5, number))
        elif filters.until:
            varied = replace(filters, until=span.at(0.8, number))
        else:
            varied = replace(filters, until=span.at(1, number))
        server.fetch(f"/api/runs?{varied.to_query()}")

    return ask_for
