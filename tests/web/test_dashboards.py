"""The dashboard: every chart gives exact rows, within its window, and runs no script.

The charts are drawn by datasette-dashboards, which writes values of some chart types
into the page as HTML; ours must show a hostile name as text.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from archive import NOW, save_runs, set_clock, watch
from browser import WallServer
from datasette.app import Datasette
from datasette_dashboards import replace_opts_in_query
from factories import run_payload
from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.db import schema
from ci_observer.ingest.store import instance
from ci_observer.web.server import build_datasette

ROOT = Path(__file__).parents[2]
METADATA = yaml.safe_load((ROOT / "metadata.yml").read_text())
DASHBOARD = METADATA["plugins"]["datasette-dashboards"]["ci-observer"]
CHARTS: dict[str, Any] = DASHBOARD["charts"]
PAGE = "/-/dashboards/ci-observer"
API_RUNS = "/ci_observer/run_days?repo=acme/api&workflow=ci.yml"
HOSTILE = "</script><img src=x onerror=alert(1)>'\"`${alert(2)}"

in_loop = pytest.mark.asyncio(loop_scope="module")


def run(run_id: int, started_at: str, seconds: int, **changes: Any) -> dict[str, Any]:
    """A run that started at `MM-DD HH:MM`, of up to 59 seconds."""
    start = f"2026-{started_at.replace(' ', 'T')}"
    return run_payload(
        run_id,
        created_at=f"{start}:00Z",
        run_started_at=f"{start}:00Z",
        updated_at=f"{start}:{seconds:02}Z",
        **changes,
    )


def fill(db: Database) -> None:
    """Two days in Zurich; the first starts on the previous day in UTC."""
    watch(db, ("acme/api", "ci.yml"))
    config = Config(
        repos=("acme/api",), workflows=("ci.yml",), timezone="Europe/Zurich"
    )
    instance.save_settings(db, config, version="0.1.0", now=NOW)
    fork = {"id": 9, "full_name": "someone/api"}
    save_runs(
        db,
        run(1, "02-27 23:30", 10),
        run(2, "02-28 12:00", 20, run_attempt=2),
        run(3, "02-28 22:59", 30, conclusion="failure", head_sha="c" * 40),
        run(4, "02-28 23:00", 40, head_sha="c" * 40),
        run(5, "03-01 10:00", 0, conclusion="skipped"),
        run(6, "03-01 11:00", 50, conclusion="cancelled"),
        run(7, "03-01 12:00", 50, conclusion="timed_out", head_repository=fork),
        run(8, "03-01 13:00", 50, conclusion="brand new"),
        run(9, "03-01 17:00", 50, conclusion=None, status="queued", event="schedule"),
        run(10, "02-27 22:59", 59),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def datasette(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Datasette]:
    """Datasette as `serve` runs it, on the example; no test writes to it."""
    path = tmp_path_factory.mktemp("example") / "ci_observer.db"
    db = schema.connect(path)
    schema.migrate(db)
    set_clock(db, NOW)
    fill(db)
    db.close()
    datasette = build_datasette(path, root=ROOT)
    await datasette.invoke_startup()
    yield datasette
    for database in datasette.databases.values():
        database.close()
    datasette.executor.shutdown()


async def chart_rows(datasette: Datasette, chart: str, **filters: str) -> list[Any]:
    """The rows that the page's script fetches for a chart."""
    sql = replace_opts_in_query(CHARTS[chart]["query"], filters)
    response = await datasette.client.get(
        "/ci_observer.json", params={"sql": sql, "_shape": "objects", **filters}
    )
    body = response.json()
    assert (response.status_code, body.get("error")) == (200, None)
    rows: list[Any] = body["rows"]
    return rows


def day_link(day: str, before: str, after: str, *, more: str = "", sort="started_at"):
    return (
        f"/ci_observer/run_days?_sort_desc={sort}{more}&day={day}"
        f"&started_at__gte={before}&started_at__lt={after}"
    )


def window_link(more: str) -> str:
    window = "&day__gte=2026-02-28&day__lte=2026-03-01"
    return (
        f"{API_RUNS}{more}{window}&started_at__gte=2026-02-27&started_at__lt=2026-03-03"
    )


SATURDAY = ("2026-02-28", "2026-02-27", "2026-03-02")
SUNDAY = ("2026-03-01", "2026-02-28", "2026-03-03")
ZURICH = {"timezone": "Europe/Zurich"}
FAILED = "&effective_conclusion__in=failure,timed_out,startup_failure"
TIMED = "&conclusion=success&run_attempt=1&duration_seconds__gt=0"

EXPECTED: dict[str, list[dict[str, Any]]] = {
    "runs": [{"runs": "8"}],
    "failure-rate": [{"failure_rate": "40.0 %"}],
    "median-duration": [{"duration": "10 s"}],
    "rerun-rate": [{"rerun_rate": "12.5 %"}],
    "runs-by-day": [
        {
            "day": "2026-02-28",
            "success": 2,
            "failure": 1,
            "timed_out": 0,
            "startup_failure": 0,
            "cancelled": 0,
            "skipped": 0,
            "unfinished": 0,
            "other": 0,
            "runs_path": day_link(*SATURDAY),
            **ZURICH,
        },
        {
            "day": "2026-03-01",
            "success": 1,
            "failure": 0,
            "timed_out": 1,
            "startup_failure": 0,
            "cancelled": 1,
            "skipped": 1,
            "unfinished": 1,
            "other": 1,
            "runs_path": day_link(*SUNDAY),
            **ZURICH,
        },
    ],
    "failure-rate-by-day": [
        {
            "day": "2026-02-28",
            "failures": 1,
            "decisive": 3,
            "failure_rate": 0.3333,
            "week_failure_rate": 0.3333,
            "runs_path": day_link(*SATURDAY, more=FAILED),
            **ZURICH,
        },
        {
            "day": "2026-03-01",
            "failures": 1,
            "decisive": 2,
            "failure_rate": 0.5,
            "week_failure_rate": 0.4,
            "runs_path": day_link(*SUNDAY, more=FAILED),
            **ZURICH,
        },
    ],
    "duration-by-day": [
        {
            "day": day[0],
            "runs": 1,
            "p50_minutes": minutes,
            "p95_minutes": minutes,
            "runs_path": day_link(*day, more=TIMED, sort="duration_seconds"),
            **ZURICH,
        }
        for day, minutes in [(SATURDAY, 0.17), (SUNDAY, 0.67)]
    ],
    "success-by-workflow": [
        {
            "name": "acme/api ci.yml",
            "successes": 3,
            "decisive": 5,
            "success_rate": 0.6,
            "runs_path": window_link(
                "&_sort_desc=started_at"
                "&effective_conclusion__in=success,failure,timed_out,startup_failure"
            ),
        }
    ],
    "duration-by-workflow": [
        {
            "name": "acme/api ci.yml",
            "runs": 2,
            "p50_minutes": 0.17,
            "p95_minutes": 0.67,
            "runs_path": window_link(f"{TIMED}&_sort_desc=duration_seconds"),
        }
    ],
    "flaky-by-workflow": [
        {
            "name": "acme/api ci.yml",
            "flaky_commits": 1,
            "commits": 4,
            "flaky_rate": 0.25,
            "runs_path": window_link("&_sort_desc=started_at&event__not=workflow_run"),
        }
    ],
}


def test_every_chart_with_a_query_has_expected_rows():
    assert [name for name, chart in CHARTS.items() if "query" in chart] == list(
        EXPECTED
    )


def test_the_layout_places_every_chart_and_no_other():
    assert {place for row in DASHBOARD["layout"] for place in row} == set(CHARTS)
    assert len({len(row) for row in DASHBOARD["layout"]}) == 1


def test_no_chart_is_of_a_type_that_writes_stored_text_as_html():
    assert {chart["library"] for chart in CHARTS.values()} == {
        "vega-lite",
        "metric",
        "markdown",
    }


@in_loop
@pytest.mark.parametrize("chart", EXPECTED)
async def test_a_chart_draws_exactly(datasette, chart):
    assert await chart_rows(datasette, chart, days="2") == EXPECTED[chart]


@in_loop
@pytest.mark.parametrize("chart", EXPECTED)
async def test_a_chart_takes_every_filter_and_finds_nothing_of_others(datasette, chart):
    filters = {
        "repo": "acme/api",
        "workflow": "ci.yml",
        "branch": "main",
        "days": "30",
        "until": "2026-01-01",
    }

    rows = await chart_rows(datasette, chart, **filters)

    nothing = {
        "runs": [{"runs": "0"}],
        "failure-rate": [{"failure_rate": "-"}],
        "median-duration": [{"duration": "-"}],
        "rerun-rate": [{"rerun_rate": "-"}],
    }
    assert rows == nothing.get(chart, [])


@in_loop
@pytest.mark.parametrize(
    ("filters", "runs"),
    [
        ({}, "9"),
        ({"days": ""}, "9"),
        ({"days": "3"}, "9"),
        ({"days": "2"}, "8"),
        ({"days": "1"}, "5"),
        ({"days": "0"}, "5"),
        ({"days": "2", "until": "2026-02-28"}, "4"),
        ({"until": "nonsense"}, "0"),
        ({"repo": "ACME/api"}, "9"),
        ({"repo": "acme/web"}, "0"),
        ({"workflow": "other.yml"}, "0"),
        # The fork's main is not ours.
        ({"branch": "main", "days": "1"}, "4"),
        ({"branch": "other"}, "0"),
    ],
    ids=str,
)
async def test_filters_and_window_limit_the_counted_runs(datasette, filters, runs):
    assert await chart_rows(datasette, "runs", **filters) == [{"runs": runs}]


@in_loop
@pytest.mark.parametrize(
    ("chart", "counts"),
    [
        ("runs-by-day", [3, 6]),
        ("failure-rate-by-day", [1, 1]),
        ("duration-by-day", [1, 1]),
        ("success-by-workflow", [5]),
        ("duration-by-workflow", [2]),
    ],
)
async def test_a_charts_link_opens_the_runs_that_it_counts(datasette, chart, counts):
    found = []
    for row in await chart_rows(datasette, chart, days="2"):
        path, _, query = row["runs_path"].partition("?")
        response = await datasette.client.get(f"{path}.json?{query}&_shape=objects")
        found.append(response.json()["filtered_table_rows_count"])

    assert found == counts


@in_loop
async def test_the_filters_offer_the_stored_values(datasette):
    page = await datasette.client.get(f"{PAGE}?days=30")

    assert page.status_code == 200
    for choice in ("acme/api", "ci.yml", "main"):
        assert f'<option value="{choice}" >{choice}</option>' in page.text


@in_loop
async def test_filters_of_one_request_do_not_affect_the_next(datasette):
    await datasette.client.get(f"{PAGE}?repo=acme/api")

    page = await datasette.client.get(f"{PAGE}?days=30")

    assert "and repo = :repo" not in page.text


@in_loop
@pytest.mark.parametrize("chart", CHARTS)
async def test_each_chart_has_a_page_of_its_own(datasette, chart):
    page = await datasette.client.get(f"{PAGE}/{chart}?days=30")

    assert page.status_code == 200


@pytest.fixture
def url(db: Database, db_path: Path) -> Iterator[str]:
    """The server, on an archive in which every stored text is hostile."""
    fill(db)
    for table, columns in {
        "feeds": ("repo", "workflow", "workflow_name"),
        "tiles": ("repo", "workflow", "branch"),
        "runs": ("repo", "workflow", "head_repo", "head_branch", "display_title"),
    }.items():
        for column in columns:
            db.execute(f"update {table} set {column} = ?", [HOSTILE])  # noqa: S608
    db.execute("update runs set conclusion = ? where conclusion = 'skipped'", [HOSTILE])
    db.execute("update instance set value = ? where key = 'timezone'", [HOSTILE])
    db.conn.commit()
    server = WallServer(db_path)
    server.start()
    yield server.url.rstrip("/")
    server.stop()


def open_dashboard(chromium: Any, url: str, timezone: str) -> tuple[Any, list[str]]:
    """The drawn dashboard, and the errors and executed scripts until then."""
    page = chromium.new_page(
        timezone_id=timezone, viewport={"width": 1440, "height": 900}
    )
    problems: list[str] = []
    page.on(
        "dialog", lambda dialog: (problems.append("a script ran"), dialog.dismiss())
    )
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "response",
        lambda response: (
            response.ok or problems.append(f"{response.status} {response.url}")
        ),
    )
    page.goto(f"{url}{PAGE}?days=2")
    drawn = "document.querySelectorAll('.dashboard-card-chart > *').length"
    page.wait_for_function(f"count => {drawn} >= count", arg=len(CHARTS))
    page.wait_for_load_state("networkidle")
    return page, problems


def test_hostile_names_are_shown_as_text_and_run_no_script(chromium, url):
    page, problems = open_dashboard(chromium, url, "UTC")

    # The tooltip is the one place where Vega writes HTML.
    page.locator("#chart-success-by-workflow .mark-rect path").hover()
    page.locator("#vg-tooltip-element.visible").wait_for()

    assert "onerror=alert(1)" in page.locator("#vg-tooltip-element").inner_text()
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("#repo option").nth(1).inner_text() == HOSTILE
    assert problems == []


@pytest.mark.parametrize("timezone", ["America/Los_Angeles", "Pacific/Kiritimati"])
def test_a_bar_shows_and_opens_its_day_in_any_browser_time_zone(
    chromium, url, timezone
):
    page, problems = open_dashboard(chromium, url, timezone)

    bar = page.locator("#chart-runs-by-day .mark-rect path").last
    bar.hover()
    page.locator("#vg-tooltip-element.visible").wait_for()
    assert "1 March 2026" in page.locator("#vg-tooltip-element").inner_text()
    bar.click()
    page.wait_for_url("**/run_days?*")

    assert "day=2026-03-01" in page.url
    assert problems == []
