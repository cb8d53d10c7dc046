"""Every chart, example query, table, view and page, as metadata.yml lists them.

The figures are the CPU time of all processes of the server, for a request after a
change of the data, so that nothing is cached. Each request is compared with the same
one to a database of few runs. The first row is a plain select of 50 runs through stock
Datasette: what any page of 50 rows takes.
"""

import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import yaml

from bench.harness import servers
from bench.harness.browser import chromium
from bench.harness.servers import ROOT, Server
from bench.harness.sizes import Sizes
from bench.harness.table import Row
from bench.harness.timing import min_milliseconds
from bench.measure.datasette_pages import get_page
from ci_observer.web.database import DATABASE

if TYPE_CHECKING:
    from playwright.sync_api import Page

DAYS = 365
QUESTION_GOAL, PAGE_GOAL, DASHBOARD_GOAL = "< 100", "< 300", "< 2"
DASHBOARDS = "/-/dashboards"
# The workflow with the most runs, and one with few.
WORKFLOWS = ("acme/service-000/ci.yml", "acme/service-001/nightly.yml")
PLAIN_SQL = "select * from runs limit 50"
REPEATS = 7
# Nothing that is cached is valid after it.
CHANGE = "update instance set value = value + 1 where key = 'revision'"
NEWEST_SQL = """
select run_id, repo, head_sha from runs
where run_id in (select run_id from jobs order by job_id desc limit 1)
"""
LOADED = "() => !document.body.innerText.includes('Loading…')"

Cases = Mapping[str, tuple[str, str]]


def rows(small: Path, large: Path, sizes: Sizes) -> Iterator[Row]:
    """Each request to the database of many runs, vs the one of few."""
    repeats = min(REPEATS, sizes.repeats)
    yield plain_select(small, large, repeats)
    found = metadata()
    requests = cases(found, large), cases(found, small)
    with servers.ci_observer(large) as many, servers.ci_observer(small) as few:
        for name, (path, goal) in requests[0].items():
            baseline_path, _ = requests[1][name]
            ours, baseline = cpu_milliseconds(
                repeats,
                partial(get_computed, many, large, path),
                partial(get_computed, few, small, baseline_path),
            )
            yield Row(
                title=f"{name}, many vs few runs: CPU time",
                ours=ours,
                baseline=baseline,
                unit="ms",
                goal=goal,
            )


def cpu_milliseconds(repeats: int, *calls: Callable[[], float]) -> list[float]:
    """The median CPU time of each call, which returns it in seconds."""
    times: list[list[float]] = [[] for _ in calls]
    for number in range(repeats + 1):
        for times_of_call, call in zip(times, calls, strict=True):
            seconds = call()
            # The first reads the file.
            if number:
                times_of_call.append(seconds * 1000)
    return [median(times_of_call) for times_of_call in times]


def get_computed(server: Server, db: Path, path: str) -> float:
    """Request a page after a change; returns the CPU time of the server, in seconds."""
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute(CHANGE)
    before = server.running_seconds()
    get_page(server, path)
    return server.running_seconds() - before


def dashboard_rows(small: Path, large: Path, sizes: Sizes) -> Iterator[Row]:
    """The dashboards in Chromium, until the last chart is drawn."""
    with servers.ci_observer(large) as many, servers.ci_observer(small) as few:
        for slug in dashboards(metadata()):
            path = f"{DASHBOARDS}/{quote(slug)}?days={DAYS}"
            seconds = [drawn_seconds(s, path, sizes.page_loads) for s in (many, few)]
            for visit, at in (("first visit", 0), ("next visit", -1)):
                ours, baseline = (of_server[at] for of_server in seconds)
                yield Row(
                    title=f"dashboard {slug}, {DAYS} days, drawn in Chromium,"
                    f" {visit}, many vs few runs",
                    ours=ours,
                    baseline=baseline,
                    unit="s",
                    goal=DASHBOARD_GOAL,
                )


def plain_select(small: Path, large: Path, repeats: int) -> Row:
    """A plain select of 50 runs, through stock Datasette."""

    def path(db: Path) -> str:
        return f"/{quote(db.stem)}.json?{urlencode({'sql': PLAIN_SQL})}"

    with servers.stock_datasette(large) as many, servers.stock_datasette(small) as few:
        ours, baseline = min_milliseconds(
            time.perf_counter,
            repeats,
            partial(many.get_ok, path(large)),
            partial(few.get_ok, path(small)),
        )
    title = "select of 50 runs through stock Datasette, many vs few runs"
    return Row(title=title, ours=ours, baseline=baseline, unit="ms")


def metadata() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "metadata.yml").read_text())
    return found


def dashboards(found: Mapping[str, Any]) -> dict[str, Any]:
    """The dashboards by their slugs."""
    return dict(found["plugins"]["datasette-dashboards"])


def cases(found: Mapping[str, Any], db: Path) -> Cases:
    """The path and the goal of each request, by its name in the table."""
    return {**described(found), **of_newest_run(db)}


def of_newest_run(db: Path) -> Cases:
    """The pages of the newest run that has jobs, of its commit and its branch."""
    with closing(sqlite3.connect(db)) as connection:
        run_id, repo, sha = connection.execute(NEWEST_SQL).fetchone()
    return {
        "page of a run": (f"/runs/{run_id}", PAGE_GOAL),
        "page of a commit": (f"/commits/{repo}/{sha}", PAGE_GOAL),
        "page of a branch's commits": (f"/commits/{repo}?branch=main", PAGE_GOAL),
    }


def described(found: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The requests that do not depend on the stored runs."""
    database = found["databases"][DATABASE]
    days = urlencode({"days": DAYS})
    made: dict[str, tuple[str, str]] = {}
    for slug, dashboard in dashboards(found).items():
        for name, chart in dashboard["charts"].items():
            if "query" in chart:
                path = f"{DASHBOARDS}/{quote(slug)}/{quote(name)}.json?{days}"
                made[f"chart {name}, {DAYS} days"] = path, QUESTION_GOAL
    for name, query in database["queries"].items():
        arguments = urlencode(parameters(query["sql"]))
        path = f"/{DATABASE}/{name}.json?{arguments}"
        made[f"query {name}"] = path, QUESTION_GOAL
    made["list of tables and queries"] = f"/{DATABASE}", PAGE_GOAL
    for name in database["tables"]:
        made[f"page of {name}"] = f"/{DATABASE}/{name}", PAGE_GOAL
    for workflow in WORKFLOWS:
        for page in ("", "/jobs"):
            path = f"/workflows/{workflow}{page}"
            made[f"{path}, {DAYS} days"] = f"{path}?{days}", PAGE_GOAL
    return made


def parameters(sql: str) -> dict[str, str]:
    """The parameters of a query: as many days as possible, all others empty."""
    names = dict.fromkeys(re.findall(r"(?<!:):([a-z_]\w*)", sql))
    return {name: str(DAYS) if name == "days" else "" for name in names}


def drawn_seconds(server: Server, path: str, times: int) -> list[float]:
    """The time of each load until no chart is loading any more.

    The server keeps the answers of the first load for the others.
    """
    with chromium() as browser:
        page = browser.new_page()
        return [_drawn_seconds(page, server, path) for _ in range(max(2, times))]


def _drawn_seconds(page: "Page", server: Server, path: str) -> float:
    start = time.perf_counter()
    page.goto(f"http://{servers.HOST}:{server.port}{path}")
    page.wait_for_function(LOADED, timeout=60_000)
    return time.perf_counter() - start
