"""The errors of failed jobs on Datasette's pages."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from archive import save_runs, watch
from datasette.app import Datasette
from factories import run_payload, times
from page_reader import get_page
from sqlite_utils import Database
from walls import save_failed_job
from web_client import get_json, serving

pytestmark = pytest.mark.asyncio
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    """Two errors: one of two workflows, and one of a job long ago."""
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    for number, repo, hour, error in (
        (1, "acme/api", "10:00", f"{HOSTILE} is down, try 1"),
        (2, "acme/web", "11:00", f"{HOSTILE} is down, try 2"),
        (3, "acme/api", "12:00", "Process completed with exit code 1."),
    ):
        run = run_payload(number, conclusion="failure", **times(hour))
        save_runs(db, run, repo=repo)
        save_failed_job(db, number, error)
    old = run_payload(4, conclusion="failure", **times("09:00"))
    save_runs(db, old)
    save_failed_job(db, 4, "an old error")
    db["job_errors"].update(4, {"failed_at": "2025-03-01T12:00:00Z"})
    async with serving(db_path) as datasette:
        yield datasette


async def test_the_example_query_counts_runs_and_workflows(
    datasette: Datasette,
) -> None:
    path = "/ci_observer/errors_by_group.json?_shape=array"
    [group] = await get_json(datasette, path)

    at = [group.pop(name) for name in ("first_seen_at", "last_seen_at")]
    assert at == ["2026-03-01T10:05:00Z", "2026-03-01T11:05:00Z"]
    jobs = group.pop("runs_path")
    assert group == {
        "message": f"{HOSTILE} is down, try 2",
        "workflows": 2,
        "runs": 2,
    }
    rows = await get_json(datasette, f"{jobs.replace('?', '.json?')}&_shape=array")
    assert [row["run_id"] for row in rows] == [2, 1]
    found = await get_json(datasette, f"{path}&days=3650")
    assert [row["message"] for row in found][1:] == ["an old error"]


async def test_rows_lead_to_the_same_error_and_show_no_markup(
    datasette: Datasette,
) -> None:
    page = await get_page(datasette, "/ci_observer/job_errors/1")

    assert "2 jobs with this error" in page.text
    assert not [image for image in page.all("img") if image.attributes["src"] == "x"]
    groups = await get_page(datasette, "/ci_observer/error_groups")
    assert f"{HOSTILE} is down, try" in groups.text
