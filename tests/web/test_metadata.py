"""The descriptions of the data: Datasette's metadata, docs/schema.md, docs/queries.md.

Everything they name exists, everything that exists is described, and every query
returns the expected rows of a small archive.
"""

import csv
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import NOW, save_runs, watch
from datasette.app import Datasette
from factories import run_payload
from metadata_file import METADATA
from sqlite_utils import Database
from web_client import serving_example

from ci_observer.ingest.store import instance
from ci_observer.ingest.store.jobs import save_jobs
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.times import utc
from docs.schema_page import sections

ROOT = Path(__file__).parents[2]
TABLES: dict[str, Any] = METADATA["databases"]["ci_observer"]["tables"]
QUERIES: dict[str, Any] = METADATA["databases"]["ci_observer"]["queries"]
QUERIES_PAGE = (ROOT / "docs/queries.md").read_text()

in_loop = pytest.mark.asyncio(loop_scope="module")

RUNS = "/ci_observer/runs?repo=acme/api&workflow=ci.yml"
WEB_RUNS = "/ci_observer/runs?repo=acme/web&workflow=ci.yml"
TIMED = "&conclusion=success&run_attempt=1&duration_seconds__gt=0&_sort_desc=started_at"
RERUN = "&status=completed&run_attempt__gt=1&_sort_desc=started_at"
MINUTES = "/ci_observer/minutes_daily?day__gte=2026-01-31"
GITHUB = "https://github.com/acme/api/actions/runs"
POLL = {
    "started_at": utc(NOW),
    "finished_at": utc(NOW),
    "feeds": 2,
    "feeds_failed": 0,
    "requests": 2,
    "not_modified": 1,
    "runs_written": 12,
    "rate_limit": 5000,
    "rate_limit_remaining": 4999,
    "rate_limit_reset_at": utc(NOW),
    "error": None,
    "error_kind": None,
}


def at(started_at: str, ended_at: str) -> dict[str, str]:
    """The times of a run, each `MM-DD HH:MM` of the tests' year."""
    start, end = (
        f"2026-{text.replace(' ', 'T')}:00Z" for text in (started_at, ended_at)
    )
    return {"created_at": start, "run_started_at": start, "updated_at": end}


def web(run_id: int, **changes: Any) -> dict[str, Any]:
    """A run of the other repository."""
    repository = {"id": 2, "full_name": "acme/web"}
    url = f"https://github.com/acme/web/actions/runs/{run_id}"
    return run_payload(
        run_id,
        repository=repository,
        head_repository=repository,
        html_url=url,
        **changes,
    )


def job(name: str, times: str, **changes: Any) -> dict[str, Any]:
    """A job; `times` are those of its creation, start and end."""
    created_at, started_at, completed_at = times.split()
    return {
        "name": name,
        "run_attempt": 1,
        "status": "completed",
        "conclusion": "success",
        "created_at": created_at,
        "started_at": started_at,
        "completed_at": completed_at,
        "labels": ["ubuntu-latest"],
        "html_url": f"{GITHUB}/4/job/{changes['id']}",
        **changes,
    }


def step(number: int, name: str, times: str) -> dict[str, Any]:
    started_at, completed_at = times.split()
    return {
        "number": number,
        "name": name,
        "conclusion": "success",
        "started_at": started_at,
        "completed_at": completed_at,
    }


def fill_jobs(db: Database) -> None:
    """Two jobs of a run that passed, and one of a run that failed."""
    morning, noon = "2026-03-01T10:", "2026-02-26T12:"
    steps = [
        step(1, "Check out", f"{noon}00:09Z {noon}00:29Z"),
        step(2, "Run tests", f"{noon}00:29Z {noon}04:39Z"),
    ]
    build = job("build", f"{noon}00:00Z {noon}00:06Z {noon}01:06Z", id=1)
    test = job("test", f"{noon}00:00Z {noon}00:09Z {noon}04:39Z", id=2, steps=steps)
    lint = job("lint", f"{morning}00:00Z {morning}02:00Z {morning}03:00Z", id=3)
    lint |= {"conclusion": "failure", "labels": ["self-hosted", "linux"]}
    for run_id, jobs in ((1, [build, test]), (4, [lint])):
        save_jobs(db, PendingItem("jobs", run_id, 1, None, "acme/api", "ci.yml"), jobs)


def fill(db: Database) -> None:
    """A failing, re-run and flaky workflow, and a passing one that became slower."""
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    rerun = {"head_sha": "b" * 40, "display_title": "Cache the index"}
    save_runs(
        db,
        run_payload(1, **at("02-26 12:00", "02-26 12:05")),
        run_payload(
            2, **at("02-27 12:00", "02-27 12:04"), **rerun, conclusion="failure"
        ),
    )
    save_runs(
        db,
        run_payload(
            2,
            **rerun,
            run_attempt=2,
            created_at="2026-02-27T12:00:00Z",
            run_started_at="2026-02-27T13:00:00Z",
            updated_at="2026-02-27T13:30:00Z",
        ),
        run_payload(3, **at("02-28 12:00", "02-28 12:10")),
        run_payload(4, **at("03-01 10:00", "03-01 10:03"), conclusion="failure"),
        run_payload(5, **at("03-01 11:00", "03-01 11:01"), conclusion="cancelled"),
        run_payload(6, **at("03-01 12:00", "03-01 12:00"), conclusion="skipped"),
        run_payload(
            7,
            **at("03-01 13:00", "03-01 13:30"),
            event="pull_request",
            head_branch="faster",
            conclusion="timed_out",
        ),
        run_payload(
            8, **at("03-01 17:00", "03-01 17:30"), status="in_progress", conclusion=None
        ),
    )
    triggered = {"event": "workflow_run", "head_sha": "c" * 40}
    save_runs(
        db,
        web(11, **at("01-20 12:00", "01-20 12:10")),
        web(12, **at("02-28 09:00", "02-28 09:20")),
        web(13, **at("02-28 23:30", "02-28 23:45"), **triggered),
        web(14, **at("02-28 20:00", "02-28 20:05"), **triggered, conclusion="failure"),
        repo="acme/web",
    )
    fill_jobs(db)
    instance.save_poll(db, POLL)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def datasette(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Datasette]:
    """Datasette as `serve` runs it, on the example; no test writes to it."""
    folder = tmp_path_factory.mktemp("example")
    async with serving_example(folder, fill) as datasette:
        yield datasette


def days_of(path: str, more: str) -> str:
    """The link to a feed's runs of the last 30 days, the default of the queries."""
    path = path.replace("/runs?", "/run_days?")
    return f"{path}{more}&day__gte=2026-01-31&started_at__gte=2026-01-30"


async def rows_of(datasette: Datasette, path: str, **params: str) -> list[Any]:
    response = await datasette.client.get(
        f"/ci_observer{path}.json", params={"_shape": "objects", **params}
    )
    body = response.json()
    assert (response.status_code, body.get("error")) == (200, None)
    rows: list[Any] = body["rows"]
    return rows


def stored_columns(db: Database) -> dict[str, list[str]]:
    """Every table and view of the migrated database with its columns, in order."""
    names = [
        name
        for (name,) in db.execute(
            "select name from sqlite_master where type in ('table', 'view')"
        ).fetchall()
    ]
    return {
        name: [
            row[0]
            for row in db.execute("select name from pragma_table_xinfo(?)", [name])
        ]
        for name in names
    }


def test_metadata_describes_every_table_and_column_and_no_other(db):
    described = {name: list(table["columns"]) for name, table in TABLES.items()}

    assert described == stored_columns(db)
    assert all(table["description"] for table in TABLES.values())
    assert all(all(table["columns"].values()) for table in TABLES.values())


def test_sources_name_columns_of_the_table():
    for name, table in TABLES.items():
        assert set(table.get("sources", {})) <= set(table["columns"]), name


def test_the_schema_page_is_generated_from_metadata_and_schema():
    page = (ROOT / "docs/schema.md").read_text()

    for kind in ("table", "view"):
        assert f"]]] -->\n{sections(kind)}<!-- [[[end]]]" in page, "Run: make docs"


def test_the_schema_page_gives_type_meaning_and_source():
    lines = sections("table").splitlines()

    assert (
        "| `pr_number` | integer | The number of the first pull request GitHub ties to"
        " the run; null for forks. | `pull_requests[0].number` |"
    ) in lines
    assert any(line.startswith("| `run_id` | integer, key | ") for line in lines)


def test_the_description_of_a_time_or_duration_names_its_unit():
    columns = [pair for table in TABLES.values() for pair in table["columns"].items()]

    for name, meaning in columns:
        if name.endswith("_at"):
            assert "UTC" in meaning, name
        if name.endswith("_seconds"):
            assert "econd" in meaning, name


@pytest.mark.parametrize("name", TABLES)
def test_sort_orders_and_facets_name_columns_of_the_table(name):
    table = TABLES[name]
    named = [table.get("sort"), table.get("sort_desc"), *table.get("facets", [])]

    assert {column for column in named if column} <= set(table["columns"])


@in_loop
@pytest.mark.parametrize("name", TABLES)
async def test_every_tables_page_shows_its_description(datasette, name):
    page = await datasette.client.get(f"/ci_observer/{name}")

    assert page.status_code == 200
    assert TABLES[name]["description"].split(":")[0].split("'")[0] in page.text


@in_loop
async def test_the_tables_that_the_metadata_hides_are_hidden(datasette):
    page = await datasette.client.get("/ci_observer.json")

    tables = page.json()["tables"]
    hidden = {table["name"] for table in tables if table["hidden"]}
    names = {table["name"] for table in tables}
    assert hidden == {n for n, table in TABLES.items() if table.get("hidden")} & names
    assert {"tiles", "payload_parts", "schema_objects"} <= hidden


@pytest.mark.parametrize("name", TABLES)
def test_key_columns_are_columns_of_the_table(name):
    assert set(TABLES[name].get("first_columns", [])) <= set(TABLES[name]["columns"])


def test_the_list_of_tables_begins_with_known_ones():
    first = METADATA["databases"]["ci_observer"]["first_tables"]

    assert [name for name in first if TABLES[name].get("hidden")] == []


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_a_question_with_a_short_title(name):
    query = QUERIES[name]

    assert len(query["title"]) <= 20
    assert query["question"].endswith("?")
    assert query["group"]
    assert query["hide_sql"] is True
    named = [*query.get("first_columns", []), *query.get("ages", [])]
    assert [column for column in named if column not in query["sql"]] == []
    parameters = set(re.findall(r":([a-z]+)", query["sql"]))
    assert {*query.get("parameters", {})} == parameters


@in_loop
async def test_run_history_streams_as_csv_with_one_row_per_attempt(datasette):
    response = await datasette.client.get("/ci_observer/run_history.csv?_stream=on")

    lines = list(csv.DictReader(io.StringIO(response.text)))
    assert list(lines[0]) == list(TABLES["run_history"]["columns"])
    assert [(line["run_id"], line["run_attempt"]) for line in lines] == [
        *[(str(run_id), "1") for run_id in (14, 13, 12, 11, 8, 7, 6, 5, 4, 3)],
        ("2", "1"),
        ("2", "2"),
        ("1", "1"),
    ]


@in_loop
async def test_run_history_gives_json_objects(datasette):
    rows = await rows_of(datasette, "/run_history", run_id="2", run_attempt="1")

    assert rows == [
        {
            "run_id": 2,
            "run_attempt": 1,
            "repo": "acme/api",
            "workflow": "ci.yml",
            "workflow_name": "CI",
            "run_number": 2,
            "event": "push",
            "display_title": "Cache the index",
            "status": "completed",
            "conclusion": "failure",
            "head_branch": "main",
            "head_sha": "b" * 40,
            "head_repo": "acme/api",
            "actor": "ada",
            "triggering_actor": "ada",
            "pr_number": None,
            "created_at": "2026-02-27T12:00:00Z",
            "started_at": "2026-02-27T12:00:00Z",
            "updated_at": "2026-02-27T12:04:00Z",
            "duration_seconds": 240,
            "is_latest_attempt": 0,
            "html_url": f"{GITHUB}/2/attempts/1",
            "cancel_cause": None,
            "cancelled_by": None,
            "effective_conclusion": "failure",
        }
    ]


# Canned query → (parameters, the rows it gives on the example).
EXPECTED: dict[str, tuple[dict[str, str], list[dict[str, Any]]]] = {
    "main_status": (
        {},
        [
            {
                "repo": "acme/api",
                "workflow": "ci.yml",
                "branch": "main",
                "tile_state": "failing",
                "last_result": "failing",
                "activity": "running",
                "since_at": "2026-03-01T10:00:00Z",
                "streak": 1,
                "success_rate": 0.75,
                "last_result_display_title": "Change 4",
                "last_result_html_url": f"{GITHUB}/4",
                "runs_path": RUNS,
            },
            {
                "repo": "acme/web",
                "workflow": "ci.yml",
                "branch": "main",
                "tile_state": "passing",
                "last_result": "passing",
                "activity": None,
                "since_at": "2026-02-28T23:30:00Z",
                "streak": 1,
                "success_rate": 0.75,
                "last_result_display_title": "Change 13",
                "last_result_html_url": "https://github.com/acme/web/actions/runs/13",
                "runs_path": WEB_RUNS,
            },
        ],
    ),
    "failing_now": (
        {},
        [
            {
                "repo": "acme/api",
                "workflow": "ci.yml",
                "branch": "main",
                "since_at": "2026-03-01T10:00:00Z",
                "streak": 1,
                "last_result_conclusion": "failure",
                "last_result_cancel_cause": None,
                "activity": "running",
                "alarm": None,
                "last_result_display_title": "Change 4",
                "last_result_actor": "ada",
                "last_result_html_url": f"{GITHUB}/4",
                "runs_path": RUNS,
            }
        ],
    ),
    "recent_failures": (
        {"repo": "ACME/api"},
        [
            {
                "started_at": "2026-03-01T13:00:00Z",
                "repo": "acme/api",
                "workflow": "ci.yml",
                "head_branch": "faster",
                "event": "pull_request",
                "conclusion": "timed_out",
                "cancel_cause": None,
                "run_attempt": 1,
                "display_title": "Change 7",
                "actor": "ada",
                "duration_seconds": 1800,
                "html_url": f"{GITHUB}/7",
            },
            {
                "started_at": "2026-03-01T10:00:00Z",
                "repo": "acme/api",
                "workflow": "ci.yml",
                "head_branch": "main",
                "event": "push",
                "conclusion": "failure",
                "cancel_cause": None,
                "run_attempt": 1,
                "display_title": "Change 4",
                "actor": "ada",
                "duration_seconds": 180,
                "html_url": f"{GITHUB}/4",
            },
        ],
    ),
    "red_times": (
        {"repo": "acme/api"},
        [
            {
                "broken_at": "2026-03-01T10:03:00Z",
                "fixed_at": None,
                "seconds": 28620,
                "red_seconds": 28620,
                "repo": "acme/api",
                "workflow": "ci.yml",
                "branch": "main",
                "actor": "ada",
                "display_title": "Change 4",
                "failed_job": "lint",
                "failed_step": None,
                "html_url": "https://github.com/acme/api/actions/runs/4",
            },
            {
                "broken_at": "2026-02-27T12:04:00Z",
                "fixed_at": "2026-02-27T13:30:00Z",
                "seconds": 5160,
                "red_seconds": 5160,
                "repo": "acme/api",
                "workflow": "ci.yml",
                "branch": "main",
                "actor": "ada",
                "display_title": "Cache the index",
                "failed_job": None,
                "failed_step": None,
                "html_url": "https://github.com/acme/api/actions/runs/2",
            },
        ],
    ),
    "state_at_a_time": (
        {"at": "2026-03-01T11:00Z", "repo": "acme/api"},
        [
            {
                "state": "red",
                "reason": None,
                "repo": "acme/api",
                "workflow": "ci.yml",
                "branch": "main",
                "from_at": "2026-03-01T10:03:00Z",
                "to_at": None,
                "seconds": 28620,
                "run_id": 4,
                "run_attempt": 1,
            }
        ],
    ),
    "failure_rate_by_day": (
        {"days": "3", "repo": "", "workflow": "ci.yml"},
        [
            {
                "day": day,
                "runs": counts[0],
                "successes": counts[1],
                "failures": counts[2],
                "cancelled": counts[3],
                "other": counts[4],
                "failure_rate_percent": percent,
                "runs_path": "/ci_observer/run_days?_sort_desc=started_at"
                f"&status=completed&day={day}&started_at__gte={before}"
                f"&started_at__lt={after}",
            }
            for day, counts, percent, before, after in [
                ("2026-03-01", (4, 0, 2, 1, 1), 100.0, "2026-02-28", "2026-03-03"),
                ("2026-02-28", (4, 3, 1, 0, 0), 25.0, "2026-02-27", "2026-03-02"),
                ("2026-02-27", (1, 1, 0, 0, 0), 0.0, "2026-02-26", "2026-03-01"),
            ]
        ],
    ),
    "slowest_workflows": (
        {},
        [
            {
                "repo": "acme/web",
                "workflow": "ci.yml",
                "runs": 2,
                "p50_seconds": 900,
                "p95_seconds": 1200,
                "runs_before": 1,
                "p50_seconds_before": 600,
                "p95_seconds_before": 600,
                "p50_change_percent": 50.0,
                "runs_path": days_of(WEB_RUNS, TIMED),
            },
            {
                "repo": "acme/api",
                "workflow": "ci.yml",
                "runs": 2,
                "p50_seconds": 300,
                "p95_seconds": 600,
                "runs_before": 0,
                "p50_seconds_before": None,
                "p95_seconds_before": None,
                "p50_change_percent": None,
                "runs_path": days_of(RUNS, TIMED),
            },
        ],
    ),
    "longest_runs": (
        {"repo": "acme/api"},
        [
            {
                "duration_seconds": seconds,
                "repo": "acme/api",
                "workflow": "ci.yml",
                "head_branch": "main",
                "event": "push",
                "display_title": f"Change {run_id}",
                "started_at": started_at,
                "html_url": f"{GITHUB}/{run_id}",
            }
            for run_id, seconds, started_at in [
                (3, 600, "2026-02-28T12:00:00Z"),
                (1, 300, "2026-02-26T12:00:00Z"),
            ]
        ],
    ),
    "flakiest_workflows": (
        {},
        [
            {
                "repo": "acme/api",
                "workflow": "ci.yml",
                "flaky_commits": 1,
                "runs": 5,
                "flaky_per_100_runs": 20.0,
                "last_flaky_title": "Cache the index",
                "last_flaky_html_url": f"{GITHUB}/2",
                "runs_path": RUNS.replace("/runs?", "/flaky_runs?")
                + "&_sort_desc=last_started_at"
                "&last_started_at__gte=2026-01-31T00:00:00Z",
            }
        ],
    ),
    "flaky_commits": (
        {},
        [
            {
                "last_started_at": "2026-02-27T13:00:00Z",
                "repo": "acme/api",
                "workflow": "ci.yml",
                "head_branch": "main",
                "head_sha": "b" * 40,
                "successes": 1,
                "failures": 1,
                "display_title": "Cache the index",
                "html_url": f"{GITHUB}/2",
                "runs_path": f"/ci_observer/runs_of_commit?sha={'b' * 40}",
            }
        ],
    ),
    "rerun_rate": (
        {},
        [
            {
                "repo": "acme/api",
                "workflow": "ci.yml",
                "runs": 7,
                "rerun": 1,
                "rerun_percent": 14.3,
                "turned_green": 1,
                "extra_attempts": 1,
                "runs_path": days_of(RUNS, RERUN),
            },
            {
                "repo": "acme/web",
                "workflow": "ci.yml",
                "runs": 3,
                "rerun": 0,
                "rerun_percent": 0.0,
                "turned_green": 0,
                "extra_attempts": 0,
                "runs_path": days_of(WEB_RUNS, RERUN),
            },
        ],
    ),
    "queue_by_workflow": (
        {},
        [
            {
                "repo": "acme/api",
                "workflow": "ci.yml",
                "runs": 2,
                "p50_seconds": 6.0,
                "p95_seconds": 122.93,
            }
        ],
    ),
    "queue_by_label": (
        {},
        [
            {
                "runner_labels": "self-hosted, linux",
                "jobs": 1,
                "p50_seconds": 122.93,
                "p95_seconds": 122.93,
            },
            {
                "runner_labels": "ubuntu-latest",
                "jobs": 2,
                "p50_seconds": 6.0,
                "p95_seconds": 9.0,
            },
        ],
    ),
    "queue_by_hour": (
        {"repo": "acme/api"},
        [
            {"hour": 10, "jobs": 1, "p50_seconds": 122.93, "p95_seconds": 122.93},
            {"hour": 12, "jobs": 2, "p50_seconds": 6.0, "p95_seconds": 9.0},
        ],
    ),
    "slowest_jobs": (
        {"repo": "acme/api"},
        [
            {
                "repo": "acme/api",
                "workflow": "ci.yml",
                "job": name,
                "jobs": 1,
                "p50_seconds": seconds,
                "p95_seconds": seconds,
                "max_seconds": seconds,
            }
            for name, seconds in [("test", 270), ("build", 60)]
        ],
    ),
    "slowest_steps": (
        {"repo": "acme/api", "workflow": "ci.yml"},
        [
            {
                "repo": "acme/api",
                "workflow": "ci.yml",
                "job": "test",
                "step": name,
                "steps": 1,
                "p50_seconds": seconds,
                "p95_seconds": seconds,
                "max_seconds": seconds,
            }
            for name, seconds in [("Run tests", 250), ("Check out", 20)]
        ],
    ),
    "failing_jobs": (
        {},
        [
            {
                "repo": "acme/api",
                "workflow": "ci.yml",
                "job": "lint",
                "failures": 1,
                "jobs": 1,
                "failure_percent": 100.0,
                "last_failed_step": None,
                "last_failed_at": "2026-03-01T10:02:00Z",
                "last_failed_html_url": f"{GITHUB}/4/job/3",
            }
        ],
    ),
    "unfinished_runs": (
        {},
        [
            {
                "age_seconds": 3600,
                "status": "in_progress",
                "repo": "acme/api",
                "workflow": "ci.yml",
                "head_branch": "main",
                "event": "push",
                "display_title": "Change 8",
                "actor": "ada",
                "started_at": "2026-03-01T17:00:00Z",
                "html_url": f"{GITHUB}/8",
            }
        ],
    ),
    "runs_of_commit": (
        {"sha": "BBBBBBB"},
        [
            {
                "started_at": started_at,
                "repo": "acme/api",
                "workflow": "ci.yml",
                "head_branch": "main",
                "event": "push",
                "run_attempt": attempt,
                "status": "completed",
                "conclusion": conclusion,
                "cancel_cause": None,
                "cancelled_by": None,
                "duration_seconds": seconds,
                "head_sha": "b" * 40,
                "html_url": f"{GITHUB}/2/attempts/{attempt}",
            }
            for attempt, started_at, conclusion, seconds in [
                (1, "2026-02-27T12:00:00Z", "failure", 240),
                (2, "2026-02-27T13:00:00Z", "success", 1800),
            ]
        ],
    ),
    "archive": (
        {},
        [
            {
                "repo": repo,
                "workflow": "ci.yml",
                "is_watched": 1,
                "runs": runs,
                "first_started_at": first,
                "last_started_at": last,
                "fetched_to": None,
                "checked_at": utc(NOW),
                "runs_path": path,
            }
            for repo, runs, first, last, path in [
                ("acme/api", 8, "2026-02-26T12:00:00Z", "2026-03-01T17:00:00Z", RUNS),
                (
                    "acme/web",
                    4,
                    "2026-01-20T12:00:00Z",
                    "2026-02-28T23:30:00Z",
                    WEB_RUNS,
                ),
            ]
        ],
    ),
    "minutes_by_workflow": (
        {},
        [
            {
                "repo": "acme/api",
                "workflow": "ci.yml",
                "jobs": 3,
                "run_minutes": 6.5,
                "billed_minutes": 6.0,
                "wasted_minutes": 1.0,
                "wasted_percent": 15.4,
                "runs_path": f"{MINUTES}&repo=acme/api&workflow=ci.yml",
            }
        ],
    ),
    "minutes_by_label": (
        {},
        [
            {
                "os": os,
                "labels": labels,
                "jobs": jobs,
                "run_minutes": minutes,
                "billed_minutes": billed,
                "wasted_minutes": wasted,
                "wasted_percent": percent,
                "runs_path": f"{MINUTES}&labels={labels}",
            }
            for os, labels, jobs, minutes, billed, wasted, percent in [
                ("linux", '["ubuntu-latest"]', 2, 5.5, 6.0, 0.0, 0.0),
                ("self-hosted", '["self-hosted","linux"]', 1, 1.0, 0.0, 1.0, 100.0),
            ]
        ],
    ),
    "minutes_by_actor": (
        {},
        [
            {
                "actor": "ada",
                "jobs": 3,
                "run_minutes": 6.5,
                "billed_minutes": 6.0,
                "wasted_minutes": 1.0,
                "wasted_percent": 15.4,
                "runs_path": f"{MINUTES}&actor=ada".replace("/m", "/actor_m"),
            }
        ],
    ),
    # The example has no errors: tests/web/test_errors.py has them.
    "errors_by_group": ({}, []),
}


def test_every_canned_query_has_expected_rows():
    assert list(QUERIES) == list(EXPECTED)
    assert all(query["title"] and query["description"] for query in QUERIES.values())


@in_loop
@pytest.mark.parametrize("name", EXPECTED)
async def test_a_canned_query_gives_exactly_these_rows(datasette, name):
    params, expected = EXPECTED[name]

    assert await rows_of(datasette, f"/{name}", **params) == expected


@in_loop
@pytest.mark.parametrize("name", EXPECTED)
async def test_a_canned_querys_page_opens_without_parameters(datasette, name):
    page = await datasette.client.get(f"/ci_observer/{name}")

    assert page.status_code == 200
    assert QUERIES[name]["title"] in page.text


@in_loop
@pytest.mark.parametrize(
    ("name", "count", "params"),
    [
        ("failure_rate_by_day", "runs", {"days": "3"}),
        ("rerun_rate", "rerun", {}),
        ("slowest_workflows", "runs", {}),
        ("archive", "runs", {}),
    ],
)
async def test_the_link_of_a_count_opens_that_many_rows(datasette, name, count, params):
    for row in await rows_of(datasette, f"/{name}", **params):
        path, _, query = row["runs_path"].partition("?")

        linked = await datasette.client.get(f"{path}.json?{query}&_shape=objects")

        assert linked.json()["filtered_table_rows_count"] == row[count]


@in_loop
@pytest.mark.parametrize("days", ["0", "-1", "much", "1e99"])
async def test_an_invalid_number_of_days_is_no_error(datasette, days):
    assert isinstance(await rows_of(datasette, "/recent_failures", days=days), list)


@in_loop
async def test_without_a_commit_the_newest_one_is_shown(datasette):
    [newest, *_] = await rows_of(datasette, "/runs")
    rows = await rows_of(datasette, "/runs_of_commit")

    assert rows == await rows_of(datasette, "/runs_of_commit", sha=newest["head_sha"])
    assert newest["started_at"] in [row["started_at"] for row in rows]


@in_loop
async def test_a_short_commit_finds_nothing_rather_than_everything(datasette):
    assert await rows_of(datasette, "/runs_of_commit", sha="b") == []


def test_links_to_a_feed_escape_its_workflow(db):
    watch(db, ("acme/api", "a+b&c #1%.yml"))

    [[path]] = db.execute("select runs_path from feed_links").fetchall()

    assert path == ("/ci_observer/runs?repo=acme/api&workflow=a%2Bb%26c%20%231%25.yml")


EXAMPLES = re.findall(r"(?ms)^## (.+?)\n.*?^```sql\n(.+?)^```$", QUERIES_PAGE)


def test_the_queries_page_has_a_query_for_each_heading():
    assert [title for title, _ in EXAMPLES] == re.findall(r"(?m)^## (.+)", QUERIES_PAGE)


@in_loop
@pytest.mark.parametrize(("title", "sql"), EXAMPLES)
async def test_a_query_of_the_queries_page_finds_rows(datasette, title, sql):
    rows = await rows_of(datasette, "", sql=sql)

    assert rows, title
