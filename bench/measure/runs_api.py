"""`/api/runs` over HTTP: vs a fast FastAPI, and many vs few runs."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count, cycle
from pathlib import Path
from random import Random

from bench.databases import selections
from bench.databases.selections import Span, Values, filters_of
from bench.harness import servers
from bench.harness.servers import Server
from bench.harness.sizes import Sizes
from bench.harness.table import Row
from bench.harness.timing import Case, LoadFigures, measure_load, min_milliseconds
from bench.measure import run_pages
from ci_observer.web.filters import Filters

CONNECTIONS = 16
PATH = "/api/runs"
DISTINCT = 6000  # more than the requests of a round, and than the entries of any cache
FILTERED = (
    ("repo",),
    ("branch",),
    ("actor",),
    ("conclusion",),
    ("repo", "workflow"),
    ("event", "conclusion"),
)

Figures = dict[str, LoadFigures]


def rows(small: Path, large: Path, sizes: Sizes) -> Iterator[Row]:
    """All figures of `/api/runs`."""
    with closing(run_pages.connect(large)) as db:
        span, values = Span.of(db), selections.common_values(db)
    with servers.ci_observer(large) as ours:
        with servers.fastapi(large) as fastapi:
            cases = cases_of(ours, fastapi, span, values)
            figures = measure_load(cases, sizes, connections=CONNECTIONS)
            yield from computed_rows(figures)
            yield from cached_rows(figures)
            yield client_row(figures)
            unfiltered = {name: cases[name] for name in ("ours", "fastapi")}
            yield single_row(measure_load(unfiltered, sizes, connections=1))
        yield stock_row(ours, large, sizes)
        yield from size_rows(small, large, ours, sizes)


def cases_of(
    ours: Server, fastapi: Server, span: Span, values: Values
) -> dict[str, Case]:
    """The requests of each case; computed cases repeat no query."""
    plain = queries([Filters()], span)
    filtered = queries(
        [filters_of({n: values[n][:1] for n in names}) for names in FILTERED], span
    )
    etag = ours.get(PATH).headers["ETag"]
    return {
        "fastapi": Case(server=fastapi, paths=[f"/runs?{query}" for query in plain]),
        "ours": Case(server=ours, paths=[f"{PATH}?{query}" for query in plain]),
        "fastapi filtered": Case(
            server=fastapi, paths=[f"/runs?{query}" for query in filtered]
        ),
        "ours filtered": Case(
            server=ours, paths=[f"{PATH}?{query}" for query in filtered]
        ),
        "same URL": Case(server=ours, paths=[PATH]),
        "If-None-Match": Case(
            server=ours, paths=[PATH], headers={"If-None-Match": etag}
        ),
    }


def queries(filters_to_use: list[Filters], span: Span) -> list[str]:
    """Distinct query strings: first and deep pages with each of the filters."""
    random = Random(7)  # noqa: S311 (not for security)
    seconds = random.sample(range(10 * DISTINCT), DISTINCT)
    shares = cycle((0.9, 0.6, 0.3))
    found = []
    for filters, second, share in zip(
        cycle(filters_to_use), seconds, shares, strict=False
    ):
        first = replace(filters, until=span.at(share, second))
        deep = replace(filters, cursor=span.cursor(share, second))
        found += [first.to_query(), deep.to_query()]
    return found


def computed_rows(figures: Figures) -> Iterator[Row]:
    """Throughput, p99 and CPU time of computed pages at 16 connections."""
    for kind, suffix in (("computed", ""), ("computed, filtered", " filtered")):
        title = f"{PATH} {kind}, {CONNECTIONS} connections, vs FastAPI"
        ours, fastapi = figures[f"ours{suffix}"], figures[f"fastapi{suffix}"]
        yield Row(
            title=title,
            ours=ours.per_second,
            baseline=fastapi.per_second,
            unit="requests/s",
            goal=">= 2x",
        )
        yield Row(
            title=f"{title}: p99",
            ours=ours.p99_ms,
            baseline=fastapi.p99_ms,
            unit="ms",
            goal="< 1x",
        )
        yield Row(
            title=f"{title}: CPU time of the server",
            ours=ours.cpu_ms,
            baseline=fastapi.cpu_ms,
            unit="ms/request",
            goal="<= 0.55x",
        )


def cached_rows(figures: Figures) -> Iterator[Row]:
    """Throughput and p99 of cached pages at 16 connections."""
    fastapi = figures["fastapi"]
    for name in ("same URL", "If-None-Match"):
        title = f"{PATH} cached ({name}), vs FastAPI computed"
        yield Row(
            title=title,
            ours=figures[name].per_second,
            baseline=fastapi.per_second,
            unit="requests/s",
            goal=">= 8x",
        )
        yield Row(
            title=f"{title}: p99",
            ours=figures[name].p99_ms,
            baseline=fastapi.p99_ms,
            unit="ms",
            goal="< 1x",
        )


def client_row(figures: Figures) -> Row:
    """The cost of the measurement itself."""
    return Row(
        title="CPU time of the load generator, vs the server, for a 304",
        ours=figures["If-None-Match"].client_cpu_ms,
        baseline=figures["If-None-Match"].cpu_ms,
        unit="ms/request",
    )


def single_row(figures: Figures) -> Row:
    """The median at one connection."""
    return Row(
        title=f"{PATH} computed, 1 connection, vs FastAPI: p50",
        ours=figures["ours"].p50_ms,
        baseline=figures["fastapi"].p50_ms,
        unit="ms",
        goal="<= 0.7x",
    )


def stock_row(ours: Server, large: Path, sizes: Sizes) -> Row:
    """100 runs, vs the JSON of the table in stock Datasette."""
    query = "_size=100&_shape=objects&_sort_desc=started_at"
    with servers.stock_datasette(large) as stock:
        not_cached = (f"{PATH}?until={2100 + number}-01-01" for number in count())
        ours_ms, stock_ms = min_milliseconds(
            time.perf_counter,
            sizes.repeats,
            lambda: ours.get_ok(next(not_cached)),
            lambda: stock.get_ok(f"/{large.stem}/runs.json?{query}"),
        )
    return Row(
        title=f"{PATH} computed, vs the JSON of the table in stock Datasette",
        ours=ours_ms,
        baseline=stock_ms,
        unit="ms",
    )


def size_rows(small: Path, large: Path, ours: Server, sizes: Sizes) -> Iterator[Row]:
    """Every selection that fills a page, over HTTP: many vs few runs."""
    few, many = run_pages.sources(small, large)
    with servers.ci_observer(small) as smaller:
        times = run_pages.compare(
            (few, many),
            (uncached_fetch(smaller, few.span), uncached_fetch(ours, many.span)),
            time.perf_counter,
            sizes.repeats,
        )
    yield from run_pages.worst_and_median("page of runs over HTTP", times)


def uncached_fetch(server: Server, span: Span) -> Callable[[Filters], object]:
    """Request a selection with another time in each call, so that it is not cached."""
    numbers = count(1)

    def fetch(filters: Filters) -> None:
        number = next(numbers)
        if filters.cursor:
            varied = replace(filters, cursor=span.cursor(0.5, number))
        elif filters.until:
            varied = replace(filters, until=span.at(0.8, number))
        else:
            varied = replace(filters, until=span.at(1, number))
        server.get_ok(f"{PATH}?{varied.to_query()}")

    return fetch
