"""The example of /summary.md in the documentation is what a server sends."""

import re
from pathlib import Path

import pytest
from archive import NOW, save_runs, set_clock, watch
from factories import run_payload, times
from job_objects import job_object, save_jobs
from sqlite_utils import Database
from walls import save_poll
from web_client import serving

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```markdown\n(.*?)```", re.DOTALL)


def save_weeks(db: Database) -> None:
    """Two weeks of two repositories; the tests' day is Sunday, 1 March."""
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"))
    save_poll(db)
    people = ("sofia", "tomasz", "ada", "chloe")
    run_id = 0
    for day in range(16, 29):
        for hour in (9, 11, 14):
            run_id += 1
            start = f"2026-02-{day}T{hour:02}:00:00Z"
            minutes = 4 + (run_id % 5)
            fails = run_id % (9 if day < 23 else 5) == 0
            save_runs(
                db,
                run_payload(
                    run_id,
                    created_at=start,
                    run_started_at=start,
                    updated_at=f"2026-02-{day}T{hour:02}:{minutes:02}:00Z",
                    conclusion="failure" if fails else "success",
                    actor={"login": people[run_id % 4]},
                ),
            )
    sha = "4f3a9c1" + 33 * "0"
    failed = run_payload(90, conclusion="failure", head_sha=sha, **times("09:00"))
    save_runs(db, failed | {"actor": {"login": "sofia"}})
    nine = NOW.replace(hour=9)
    save_jobs(db, 90, job_object(1, "test", "failure", ran=280, start=nine))
    save_runs(db, run_payload(91, **times("10:00")), repo="acme/web")
    with db.atomic():
        db.execute("update feed_backfills set jobs_until = '', jobs_complete_at = ''")


@pytest.mark.asyncio
async def test_the_example_in_the_docs_is_the_response(
    db: Database, db_path: Path
) -> None:
    set_clock(db, NOW)
    save_weeks(db)
    async with serving(db_path) as datasette:
        response = await datasette.client.get(
            "/summary.md", headers={"host": "ci.example.com"}
        )
    shown = response.text.replace("http://", "https://")
    [example] = BLOCK.findall((ROOT / "docs/pages.md").read_text())

    assert example == shown
