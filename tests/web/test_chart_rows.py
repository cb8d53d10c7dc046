"""The rows of a chart: cached until the data change, with errors in words."""

from datetime import datetime
from pathlib import Path

import pytest
from archive import NOW, save_runs, set_clock, watch
from dashboards import JOBS, PAGE, fill, run
from job_objects import job_object, save_jobs
from sqlite_utils import Database
from web_client import get_error, get_json, serving

from ci_observer.web.pages import chart_rows

pytestmark = pytest.mark.asyncio

ROWS = f"{PAGE}/runs.json"


@pytest.fixture
def example(db: Database) -> Database:
    set_clock(db, NOW)
    fill(db)
    return db


async def test_rows_are_kept_until_the_data_change(
    example: Database, db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(db_path) as datasette:
        database = datasette.get_database("ci_observer")
        executed: list[str] = []
        execute = database.execute

        async def counting(sql: str, *args: object, **options: object) -> object:
            executed.append(sql)
            return await execute(sql, *args, **options)

        monkeypatch.setattr(database, "execute", counting)
        first = await datasette.client.get(ROWS, params={"days": "2"})
        await datasette.client.get(ROWS, params={"days": "2"})
        same = {"If-None-Match": first.headers["etag"]}
        unchanged = await datasette.client.get(f"{ROWS}?days=2", headers=same)
        save_runs(example, run(20, "03-01 12:00", 10))
        changed = await datasette.client.get(f"{ROWS}?days=2", headers=same)

    assert first.json()["rows"] == [{"runs": 8, "successes": 3}]
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert changed.json()["rows"] == [{"runs": 9, "successes": 4}]
    assert changed.json()["truncated"] is False
    # Each time for the days alone, since no run before them is stored.
    assert len(executed) == 2


async def test_rows_change_at_midnight(example: Database, db_path: Path) -> None:
    async with serving(db_path) as datasette:
        before = await get_json(datasette, f"{ROWS}?days=1")
        set_clock(example, NOW.replace(day=2))
        after = await get_json(datasette, f"{ROWS}?days=1")

    assert before["rows"] == [{"runs": 5, "successes": 1}]
    assert after["rows"] == [{"runs": 0, "successes": 0}]


async def test_only_filters_of_the_dashboard_count(
    example: Database, db_path: Path
) -> None:
    async with serving(db_path) as datasette:
        path = f"{JOBS}/queue-by-hour.json?branch=none&sql=select+1"
        rows = (await get_json(datasette, path))["rows"]

    assert [row["hour"] for row in rows] == [*range(24)]


@pytest.mark.parametrize("path", ["none/runs", "ci-observer/none", "ci-observer/notes"])
async def test_an_unknown_chart_has_no_rows(
    db: Database, db_path: Path, path: str
) -> None:
    async with serving(db_path) as datasette:
        response = await datasette.client.get(f"/-/dashboards/{path}.json")

    assert response.status_code == 404
    assert "There is no chart" in response.text


async def test_a_query_that_takes_too_long_says_so(
    example: Database, db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = (
        "with recursive n (i) as (select 1 union all select i + 1 from n)"
        " select count(*) as runs from n"
    )
    monkeypatch.setattr(chart_rows, "replace_opts_in_query", lambda *_: endless)
    async with serving(db_path, sql_time_limit_ms=20) as datasette:
        error = await get_error(datasette, ROWS)

    assert error == (503, chart_rows.TOO_LONG)


async def test_a_wrong_query_says_what_is_wrong(
    example: Database, db_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chart_rows, "replace_opts_in_query", lambda *_: "select oops")
    async with serving(db_path) as datasette:
        status, message = await get_error(datasette, ROWS)

    assert status == 400
    assert message == "SQLite cannot run the chart's query: no such column: oops"


async def test_the_page_says_which_days_are_still_being_counted(
    example: Database, db_path: Path
) -> None:
    example.execute("update rollup_progress set from_run_id = null")
    example.execute(
        "update rollup_progress set from_run_id = 5, runs_done = 6, runs_total = 10"
    )
    example.conn.commit()
    async with serving(db_path) as datasette:
        page = (await datasette.client.get(PAGE)).text
        query = (await datasette.client.get("/ci_observer/rerun_rate")).text
        table = (await datasette.client.get("/ci_observer/run_rollups")).text
        other = (await datasette.client.get("/ci_observer/main_status")).text
        example.execute("update rollup_progress set from_run_id = 99, runs_done = 0")
        example.conn.commit()
        start = (await datasette.client.get(JOBS)).text

    text = (
        "The runs before 1 Mar 2026 are still being counted (60\N{NO-BREAK SPACE}%). "
        "Numbers of days up to 1 Mar 2026 are too low."
    )
    assert [text in html for html in (page, query, table, other)] == [
        *(True, True, True, False)
    ]
    assert "The runs are still being counted (0\N{NO-BREAK SPACE}%)." in start


async def test_the_page_of_jobs_says_whose_jobs_are_stored(
    example: Database, db_path: Path
) -> None:
    async with serving(db_path) as datasette:
        runs = (await datasette.client.get(PAGE)).text
        jobs = (await datasette.client.get(JOBS)).text

    assert "FETCH_JOBS=" not in runs
    assert "FETCH_JOBS=" in jobs


async def test_the_page_of_jobs_says_that_jobs_are_still_being_fetched(
    example: Database, db_path: Path
) -> None:
    example.execute(
        "insert or ignore into feed_backfills (repo, workflow)"
        " select repo, workflow from feeds"
    )
    texts = []
    async with serving(db_path) as datasette:
        # The runs are from the 27th of February to the 1st of March.
        for jobs_until in (None, "2026-02-28T12:00:00Z", ""):
            example.execute("update feed_backfills set jobs_until = ?", [jobs_until])
            example.conn.commit()
            for path in (f"{JOBS}?days=1", JOBS, f"{JOBS}?repo=acme%2Fnone"):
                texts.append((await datasette.client.get(path)).text)

    shown = ["still being fetched" in text for text in texts]
    assert shown == [True, True, False, False, True, False, False, False, False]


async def test_a_number_has_its_change_as_on_the_summary(
    db: Database, db_path: Path
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    failures = {"02-28": 3, "03-01": 6}
    results = [(day, number) for day in failures for number in range(12)]
    save_runs(
        db,
        *(
            run(
                1 + index,
                f"{day} 10:{number:02}",
                10 if day == "02-28" else 30,
                conclusion="failure"
                if number < (3 if day == "02-28" else 6)
                else "success",
            )
            for index, (day, number) in enumerate(results)
        ),
    )
    for index, (day, _) in enumerate(results):
        start = datetime.fromisoformat(f"2026-{day}T10:00:00Z")
        ran = 60 if day == "02-28" else 120
        save_jobs(db, 1 + index, job_object(1 + index, start=start, ran=ran))
    db.execute(
        "insert or replace into feed_backfills (repo, workflow, jobs_complete_at)"
        " select repo, workflow, '' from feeds"
    )
    db.conn.commit()
    async with serving(db_path) as datasette:
        # These two have the same query.
        minutes, wasted = [
            (await get_json(datasette, f"{JOBS}/{chart}.json?days=1"))["change"]
            for chart in ("minutes", "wasted")
        ]
        rate, median, none = [
            (await get_json(datasette, f"{PAGE}/{path}"))["change"]
            for path in (
                "failure-rate.json?days=1",
                "median-duration.json?days=1&until=2026-03-01",
                "failure-rate.json?days=1&until=2026-02-28",
            )
        ]
        page = (await datasette.client.get("/summary?days=1")).text
        day, two_days = [
            (await get_json(datasette, f"{PAGE}/runs.json?days={days}"))["change"]
            for days in (1, 2)
        ]

    assert day["text"] == "±0"
    # No run of the two days before is stored.
    assert two_days is None
    assert (minutes["before"], minutes["words"]) == (12, "+100\xa0%")
    assert (wasted["before"], wasted["words"]) == (0.25, "+25\xa0points, worse")
    assert rate == {
        "text": "+25\xa0points",
        "verdict": "worse",
        "words": "+25\xa0points, worse",
        "before": 0.25,
    }
    assert median is not None
    assert median["words"] == "too few to compare"
    assert none is None
    assert "+25 points, worse" in page.replace("\xa0", " ")
