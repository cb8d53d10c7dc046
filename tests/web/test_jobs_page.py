"""The page of a workflow's jobs as the server renders it, without JavaScript."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from archive import NOW, save_runs, watch
from datasette.app import Datasette
from factories import run_payload
from job_objects import job_object, save_error, save_jobs
from page_reader import Element, get_page, harms
from sqlite_utils import Database
from web_client import counting, get_json, serving

from ci_observer.ingest.times import utc
from ci_observer.web.pages import job_samples

HOSTILE = "<img src=x onerror=alert(1)>"
PAGE = "/workflows/acme/api/ci.yml/jobs"

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    async with serving(db_path) as datasette:
        yield datasette


class Workflow:
    """Stores runs of a workflow, each with its jobs; `days` is the age of a run."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._jobs = 0

    def run(
        self, run_id: int, days: float, jobs: dict[str, Any], **changes: Any
    ) -> None:
        """A run with a job for each name: its conclusion, or more of its values."""
        start = NOW - timedelta(days=days)
        results = [self._values(value)["conclusion"] for value in jobs.values()]
        payload = run_payload(
            run_id,
            conclusion="failure" if "failure" in results else "success",
            created_at=utc(start),
            run_started_at=utc(start),
            updated_at=utc(start + timedelta(minutes=5)),
        )
        save_runs(self._db, payload | changes)
        objects = [
            self.job(name, start, **self._values(value)) for name, value in jobs.items()
        ]
        if objects:
            save_jobs(self._db, run_id, *objects)

    def rerun(
        self, run_id: int, days: float, *jobs: dict[str, Any], **changes: Any
    ) -> None:
        start = utc(NOW - timedelta(days=days))
        save_runs(
            self._db,
            run_payload(run_id, created_at=start, run_started_at=start, run_attempt=2)
            | changes,
        )
        if jobs:
            save_jobs(self._db, run_id, *jobs, attempt=2)

    def job(self, name: str | None, start: Any, **values: Any) -> dict[str, Any]:
        self._jobs += 1
        return job_object(self._jobs, name, start=start, **values)

    @staticmethod
    def _values(value: Any) -> dict[str, Any]:
        return value if isinstance(value, dict) else {"conclusion": value}


@pytest.fixture
def workflow(db: Database, datasette: Datasette) -> Workflow:
    return Workflow(db)


def ran(seconds: int, conclusion: str = "success", **more: Any) -> dict[str, Any]:
    return {"conclusion": conclusion, "ran": seconds} | more


def grid(page: Element) -> dict[str, list[list[str]]]:
    """The labels of the marks in each cell of the grid, by the row's name."""
    return {
        row.one("th").one("bdi").text: [
            [mark.attributes["title"] for mark in cell.all("", class_="cell")]
            for cell in row.all("td")
        ]
        for row in page.one("table", class_="jobgrid").one("tbody").all("tr")
    }


def table(page: Element) -> dict[str, list[str]]:
    """The numbers in each row of the table of jobs, changes included."""
    found = page.one("table", class_="stats--jobs").all("tbody")[0]
    rows = [row for row in found.parts if isinstance(row, Element)]
    return {
        row.one("th").one("bdi").text: [cell.text for cell in row.all("td")]
        for row in rows
        if row.attributes.get("class") != "stats__steps"
    }


async def count_rows(datasette: Datasette, path: str) -> int:
    name, _, query = path.partition("?")
    found = await get_json(datasette, f"{name}.json?{query}")
    return int(found["filtered_table_rows_count"])


async def test_the_grid_has_a_mark_for_each_attempt_and_says_what_is_missing(
    datasette: Datasette, workflow: Workflow
) -> None:
    workflow.run(1, 3, {"build": "success", "test": "failure"})
    again = workflow.job("test", NOW - timedelta(days=2), run_attempt=2)
    workflow.rerun(1, 3, again)
    workflow.run(2, 2, {})
    # The jobs of the second attempt are not fetched.
    workflow.run(3, 1, {"build": "success", "lint": "skipped"})
    workflow.rerun(3, 1)
    workflow.run(4, 0.5, {}, status="in_progress", conclusion=None)
    page = await get_page(datasette, f"{PAGE}?job=deploy")
    missing, old, running = (
        ["#2: no jobs stored"],
        "#3: no jobs stored of attempt 2",
        ["#4: the run has not finished"],
    )

    assert grid(page) == {
        "build": [["#1 build: success"], missing, ["#3 build: success", old], running],
        "lint": [[], missing, ["#3 lint: skipped", old], running],
        "test": [
            ["#1 test: failure at Run test", "#1 test: success, attempt 2"],
            *(missing, [], running),
        ],
    }
    assert "No job deploy is stored in these 30 days." in page.text
    heads = page.one("table", class_="jobgrid").one("thead").all("a")
    assert [a.href for a in heads] == [f"/runs/{n}" for n in range(1, 5)]
    labels = [a.attributes["title"] for a in heads]
    assert [text.endswith(", no jobs stored") for text in labels] == [
        *(False, True, True, False)
    ]
    links = [a.href for a in page.all("a") if "#job-" in a.attributes.get("href", "")]
    assert "/runs/1?attempt=1#job-2" in links
    assert "/runs/1#job-3" in links


async def test_the_numbers_of_a_job_and_the_rows_behind_them(
    datasette: Datasette, workflow: Workflow
) -> None:
    # The span before: ten runs of 1 minute. This one: ten of 2, and 2 failures.
    for n in range(10):
        workflow.run(n + 1, 40 + n, {"build": ran(60, queued=5)})
        workflow.run(n + 20, n + 1, {"build": ran(120, queued=8), "lint": ran(10)})
    for n, sha in ((40, 20), (41, 21)):
        failed = ran(3, "failure", queued=8)
        workflow.run(n, n - 20, {"build": failed}, head_sha=f"{sha:040x}")
    # Not of the branch itself: of a fork, of another branch, of a pull request.
    workflow.run(50, 1, {"build": ran(9)}, head_repository=None)
    workflow.run(51, 1, {"build": ran(9)}, head_branch="fix")
    workflow.run(52, 1, {"build": ran(9)}, event="pull_request")
    page = await get_page(datasette, PAGE)

    assert table(page) == {
        "build": [
            *("12", "2 min+1 min", "2 min+1 min", "17 %+16.7 points"),
            *("20 %+20 points", "8 s+3 s", "8 s+3 s"),
        ],
        "lint": ["10", "10 s", "10 s", "0 %", "0 %", "10 s", "10 s"],
    }
    assert "22 jobs of 12 runs since" in page.one("section", id="table").text
    counts = [a for a in page.all("a") if "data-count" in a.attributes]
    assert [a.text for a in counts] == ["12", "10"]
    for link in counts:
        assert await count_rows(datasette, link.href) == int(link.text), link.href
    stats = page.one("table", class_="stats--jobs")
    build = stats.one("tr", **{"data-key": "row:build"})
    rows = [await count_rows(datasette, a.href) for a in build.all("a", class_="count")]
    # Runs, successes twice, failures, all of the flaky commits, queued jobs twice.
    assert rows == [12, 10, 10, 2, 4, 12, 12]
    assert [c.attributes.get("title") for c in build.all("td")][3:5] == [
        *("2 of 12", "2 of 10 commits")
    ]


async def test_a_job_opens_to_its_steps_and_columns_sort_by_links(
    datasette: Datasette, workflow: Workflow
) -> None:
    for n in range(1, 4):
        workflow.run(
            n, n, {"build": ran(60 * n), "lint": ran(300), "test": ran(10, "failure")}
        )
    page = await get_page(datasette, f"{PAGE}?job=build&days=7")

    assert list(table(page)) == ["lint", "build", "test"]
    steps = page.one("tr", class_="stats__steps").one("table")
    assert [
        [row.one("th").text, *(cell.text for cell in row.all("td"))]
        for row in steps.one("tbody").all("tr")
    ] == [
        ["Run build", "3", "1 min", "1 min 30 s", "0 %", "0 %"],
        ["Set up job", "3", "1 min", "1 min 30 s", "0 %", "0 %"],
    ]
    # Runs, successes twice; all results, as none failed; and no flaky commit.
    for row in steps.one("tbody").all("tr"):
        counted = [await count_rows(datasette, a.href) for a in row.all("a")]
        assert counted == [3, 3, 3, 3]
    opener = page.one("tr", id="job").one("a", class_="stats__opens")
    assert opener.attributes["aria-expanded"] == "true"
    assert opener.href == f"{PAGE}?days=7#job"
    heads = (
        page.one("table", class_="stats--jobs").all("thead")[0].all("th", scope="col")
    )
    links = {head.one("a").text: head.one("a").href for head in heads[:8]}
    assert links["Failures"] == f"{PAGE}?days=7&job=build&sort=failures#table"
    assert links["p50 ▾"] == f"{PAGE}?days=7&job=build&sort=p50&order=asc#table"
    assert heads[2].attributes["aria-sort"] == "descending"
    for query, names in {
        "sort=name": ["build", "lint", "test"],
        "sort=name&order=desc": ["test", "lint", "build"],
        "sort=failures": ["test", "build", "lint"],
        # Without a success there is no duration: such a job comes last.
        "sort=p95&order=asc": ["build", "lint", "test"],
        "sort=queue_p95": ["build", "lint", "test"],
    }.items():
        assert list(table(await get_page(datasette, f"{PAGE}?{query}"))) == names
    for query in ("sort=x", "order=up", "days=8", "cursor=1"):
        await get_page(datasette, f"{PAGE}?{query}", status=400)


async def test_the_jobs_of_a_matrix_share_a_row_that_opens(
    datasette: Datasette, workflow: Workflow
) -> None:
    names = [f"test ({os}, {n})" for os in ("linux", "mac") for n in range(32)]
    results = {name: ran(60 + n) for n, name in enumerate(names)}
    workflow.run(1, 2, {"build": "success", **results})
    workflow.run(2, 1, {"build": "success", **results, names[3]: ran(5, "failure")})
    closed = await get_page(datasette, PAGE)
    opened = await get_page(datasette, f"{PAGE}?group=test")
    of_job = await get_page(datasette, f"{PAGE}?job={quote(names[5])}")

    assert grid(closed)["test"] == [
        ["#1 test: 64 of 64 success"],
        ["#2 test: 1 of 64 failure"],
    ]
    assert list(table(closed)) == ["test", "build"]
    assert table(closed)["test"][0] == "128"
    assert len(grid(opened)) == len(table(opened)) == 66
    assert grid(opened)[names[3]][1] == [f"#2 {names[3]}: failure at Run {names[3]}"]
    assert len(table(of_job)) == 66
    assert of_job.one("tr", class_="stats__steps")
    counted = [a for a in closed.all("a") if a.attributes.get("data-count") == "128"]
    assert [await count_rows(datasette, a.href) for a in counted] == [128]


async def test_the_job_that_turned_the_branch_red_is_named(
    db: Database, datasette: Datasette, workflow: Workflow
) -> None:
    workflow.run(1, 20, {"build": "success"})
    workflow.run(2, 19, {"build": "failure", "lint": "failure", "test": "skipped"})
    workflow.run(3, 18, {"build": "success", "test": "failure"})
    workflow.run(4, 17, {"build": "success"})
    # Red until it was run again.
    workflow.run(5, 16, {"test": "failure"})
    start = NOW - timedelta(days=15)
    workflow.rerun(5, 15, workflow.job("test", start, run_attempt=2))
    workflow.run(6, 2, {}, conclusion="failure")
    [[lint]] = db.execute("select job_id from jobs where run_id = 2 and name = 'lint'")
    save_error(db, lint, "line too long")
    page = await get_page(datasette, PAGE)
    red = page.one("section", **{"aria-labelledby": "red-title"}).all("li")

    assert [li.text for li in red] == [
        "failure #6 Change 6 2026-02-27 18:00 its jobs are not stored · still red",
        "failure #5 Change 5 2026-02-13 18:00 test at Run test"
        " · passed when it was run again",
        "failure #2 Change 2 2026-02-10 18:00 build at Run build; lint at Run lint"
        " · passed again with #4 line too long",
    ]
    links = [a.href for a in red[1].all("a")]
    assert links == ["/runs/5?attempt=1", "/runs/5"]
    short = await get_page(datasette, f"{PAGE}?days=7")
    section = short.one("section", **{"aria-labelledby": "red-title"})
    assert len(section.all("li")) == 1
    fix = await get_page(datasette, f"{PAGE}?branch=fix")
    assert "This branch was not red in these 30 days." in fix.text


async def test_the_statistics_read_the_newest_jobs_only(
    db: Database,
    datasette: Datasette,
    workflow: Workflow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for n in range(1, 13):
        workflow.run(n, 13 - n, {"build": ran(60), "test": ran(90)})
    monkeypatch.setattr(job_samples, "MAX_JOBS", 7)
    page = await get_page(datasette, PAGE)
    text = page.one("section", id="table").text

    # Three whole runs have 6 jobs; the fourth would be cut.
    assert "6 jobs of the newest 3 runs since 2026-02-25 18:00" in text
    assert "older ones of these 30 days are left out" in text
    [jobs] = [a for a in page.all("a") if a.text == "6 jobs"]
    assert await count_rows(datasette, jobs.href) == 6
    monkeypatch.setattr(job_samples, "MAX_JOBS", 1)
    workflow.run(14, 0.2, {"build": ran(60), "test": ran(90)})
    text = (await get_page(datasette, PAGE)).one("section", id="table").text
    assert "1 job of the newest 1 run since" in text
    monkeypatch.setattr(job_samples, "MAX_JOBS", 5000)
    monkeypatch.setattr(job_samples, "MAX_RUNS", 5)
    workflow.run(13, 0.1, {})
    text = (await get_page(datasette, PAGE)).one("section", id="table").text
    assert "8 jobs of the newest 4 runs" in text


async def test_the_page_reads_jobs_through_indexes(
    db: Database,
    datasette: Datasette,
    workflow: Workflow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workflow.run(1, 1, {"build": "success"})
    workflow.run(2, 0.5, {"build": "failure"})
    statements = counting(datasette, monkeypatch)
    await get_page(datasette, f"{PAGE}?job=build")
    read = [s for s in statements() if " jobs" in s or "steps" in s or "decisions" in s]
    plans = [row[3] for sql in read for row in db.execute(f"explain query plan {sql}")]

    assert len(read) > 8
    names = ("runs", "jobs", "job_steps", "decisions", " r", " j", " d", " a")
    scans = [p for p in plans if p.startswith("SCAN") and p.endswith(names)]
    assert scans == []
    [jobs] = [s for s in read if "cross join jobs" in s and "2026-01-31" in s][:1]
    plan = [row[3] for row in db.execute(f"explain query plan {jobs}")]
    assert [p.split(" (")[0] for p in plan] == [
        "SEARCH r USING INDEX runs_branch",
        "SEARCH j USING INDEX jobs_run",
    ]


async def test_names_are_text_and_times_may_be_missing(
    db: Database, datasette: Datasette, workflow: Workflow
) -> None:
    none = {"started_at": None, "completed_at": None, "created_at": None, "steps": None}
    workflow.run(
        1,
        1,
        {
            HOSTILE: "failure",
            "\u202ertl": "success",
            "x" * 305: "success",
            "a&b=c#d": "success",
            "without times": {"conclusion": "success", **none},
            "overheated": "overheated",
        },
        display_title=HOSTILE,
    )
    save_jobs(db, 1, job_object(90, None, start=NOW))
    page = await get_page(datasette, f"{PAGE}?job={quote(HOSTILE)}")

    assert harms(page) == []
    assert not page.all("img")
    assert {HOSTILE, "rtl", "x" * 299 + "…", "(no name)"} <= set(table(page))
    assert table(page)["without times"] == ["1", "", "", "0 %", "0 %", "", ""]
    assert page.one("tr", class_="stats__steps")
    counts = [a for a in page.all("a") if "data-count" in a.attributes]
    assert len(counts) == 9
    for link in counts:
        assert await count_rows(datasette, link.href) == int(link.text), link.href


async def test_a_workflow_without_jobs_or_runs_says_so(
    datasette: Datasette, workflow: Workflow
) -> None:
    empty = await get_page(datasette, PAGE)
    workflow.run(1, 1, {})
    page = await get_page(datasette, PAGE)

    assert "The branch main has no run of the repository itself." in empty.text
    assert "No jobs are stored for the newest runs of this branch" in page.text
    assert "fetched from the newest run to the oldest, as far as" in page.text
    assert "No jobs of this branch are stored in these 30 days" in page.text
    workflow.run(2, 1, {}, head_branch="fix")
    fix = await get_page(datasette, f"{PAGE}?branch=fix")
    assert "FETCH_JOBS is default-branch: only the jobs of runs on" in fix.text
    await get_page(datasette, "/workflows/acme/api/none.yml/jobs", status=404)
    await get_page(datasette, "/workflows/acme/api/a/b/jobs", status=404)
