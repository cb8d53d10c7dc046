"""A run's page as the server renders it, without JavaScript."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import NOW, save_cause, save_runs, watch
from datasette.app import Datasette
from factories import run_payload
from job_objects import NOON, job_object, save_error, save_jobs
from page_reader import Element, get_page, harms
from sqlite_utils import Database
from web_client import counting, serving

from ci_observer.ingest.store import pending
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.store.pending import PendingItem
from ci_observer.ingest.times import utc
from ci_observer.web.pages.run_jobs import MAX_STEP_JOBS

HOSTILE = "<img src=x onerror=alert(1)>"
RIGHT_TO_LEFT = "\u202e\u05d1\u05d3\u05d9\u05e7\u05d4 (3.11)"

UNFINISHED = {"status": "queued", "conclusion": None}

pytestmark = pytest.mark.asyncio


ERROR = "AssertionError: assert 3 == 4 <b>"


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path) as datasette:
        yield datasette


def text_of(page: Element, id_: str) -> str:
    """The text of the section with this title."""
    return page.one("section", **{"aria-labelledby": id_}).text


def lines(page: Element) -> list[str]:
    """The job, the time and the mark of each line of the timeline."""
    found = page.all("li", class_="line")
    return [line.one("summary").text for line in found]


def save_run(db: Database, *jobs: dict[str, Any], **changes: Any) -> None:
    """Store the run 7, which took 10 min 30 s unless changed, and its jobs."""
    end = utc(NOON + timedelta(minutes=10, seconds=30))
    save_runs(db, run_payload(7, **{"updated_at": end} | changes))
    if jobs:
        save_jobs(db, 7, *jobs)


async def test_a_run_has_a_timeline_and_a_critical_path(
    db: Database, datasette: Datasette
) -> None:
    save_run(
        db,
        job_object(1, "build", queued=20, ran=240),
        job_object(2, "lint", queued=5, ran=30),
        job_object(3, "test", created=261, queued=2, ran=360),
        job_object(4, "publish", "skipped", created=625, queued=0, ran=0),
    )
    page = await get_page(datasette, "/runs/7")

    assert page.one("h1").text == "Change 7"
    assert lines(page) == [
        "success lint 30 s",
        "success build 4 min, on the critical path",
        "success test 6 min, on the critical path",
    ]
    assert text_of(page, "path-title").startswith(
        "Critical path waited 20 s · build 4 min · waited 3 s · test 6 min"
        " = 10 min 23 s of 10 min 30 s GitHub does not say"
    )
    assert "1 skipped · 3 success" in text_of(page, "jobs-title")
    assert "Skipped: publish" in text_of(page, "jobs-title")
    [test] = page.all("li", id="job-3")
    waited, ran = test.all("rect")[:2]
    assert [ran.attributes[name] for name in ("x", "width")] == ["42.22%", "57.78%"]
    assert waited.attributes["fill"] == "url(#hatch)"
    assert [cell.text for cell in test.one("tbody").all("td")] == [
        *("Set up job", "success", "3 min"),
        *("Run test", "success", "3 min"),
    ]


async def test_the_facts_of_a_run(db: Database, datasette: Datasette) -> None:
    save_run(
        db,
        job_object(1, queued=20),
        conclusion="cancelled",
        head_branch="fix/a b",
        event="pull_request",
        pull_requests=[{"number": 12}],
        triggering_actor={"login": "sofia"},
    )
    save_cause(db, 7, "person", "octocat")
    page = await get_page(datasette, "/runs/7")
    facts = {
        group.one("dt").text: group.one("dd").text
        for group in page.one("dl").all("div")
    }

    assert page.one(id="result").text == "cancelled by octocat"
    assert facts == {
        "Started": "2026-03-01 12:00",
        "Duration": "10 min 30 s",
        "Wall": "at its start · at its end",
        "Queue time": "20 s",
        "Branch": "fix/a b",
        "Commit": "0000000",
        "Pull request": "#12",
        "Event": "pull request",
        "Actor": "ada",
        "Attempt started by": "sofia",
        "On GitHub": "the run",
    }
    links = {a.text: a.href for a in page.one("dl").all("a")}
    assert links["fix/a b"] == "/workflows/acme/api/ci.yml?branch=fix%2Fa+b"
    assert links["ada"] == "/runs?actor=ada"
    assert links["at its end"] == "/?at=2026-03-01T12%3A10%3A30Z"
    title = page.one("head").one("title").text
    assert title.startswith("cancelled by octocat · #7 · CI · acme/api")


async def test_the_jobs_that_a_partial_rerun_kept_are_shown_as_kept(
    db: Database, datasette: Datasette
) -> None:
    later = {"start": NOON + timedelta(hours=1), "run_attempt": 2}
    kept = job_object(1, "build", run_attempt=1)
    save_run(
        db, kept, job_object(2, "test", "failure", created=71), conclusion="failure"
    )
    save_runs(
        db,
        run_payload(
            7,
            run_attempt=2,
            run_started_at="2026-03-01T13:00:00Z",
            updated_at="2026-03-01T13:05:00Z",
        ),
    )
    save_jobs(db, 7, kept, job_object(3, "test", **later), attempt=2)
    save_error(db, 2, ERROR)
    second = await get_page(datasette, "/runs/7")
    first = await get_page(datasette, "/runs/7?attempt=1")

    attempts = second.one("nav", **{"aria-label": "Attempts"}).all("a")
    assert [(a.text, a.href) for a in attempts] == [
        ("Attempt 1failure", "/runs/7?attempt=1"),
        ("Attempt 2success", "/runs/7"),
    ]
    assert attempts[1].attributes["aria-current"] == "true"
    assert "1 success · 1 kept from an earlier attempt" in text_of(second, "jobs-title")
    [shown, kept_line] = second.all("li", class_="line")
    assert (shown.attributes["id"], kept_line.attributes["id"]) == ("job-3", "job-1")
    assert not kept_line.all("svg", class_="line__bar")
    assert "ran in attempt 1" in kept_line.text
    assert [li.attributes["id"] for li in first.all("li", class_="line")] == [
        "job-1",
        "job-2",
    ]
    # A failed job is open, and says at which step.
    failed = first.one("li", id="job-2")
    assert "open" in failed.one("details").attributes
    assert "Failed step: Run test" in failed.text
    assert f"test at Run test: {ERROR}" in text_of(first, "result")
    assert failed.one("p", class_="error-text").text == ERROR
    assert ERROR not in second.text


# FETCH_JOBS, what is pending, changes of the run, and the words that explain it.
MISSING: list[tuple[str, str | None, dict[str, Any], str]] = [
    ("none", None, {}, "FETCH_JOBS is none: no jobs are fetched."),
    ("failed", None, {}, "only the jobs of failed runs on a tile's branch"),
    ("failed", None, {"conclusion": "failure"}, "come after those of newer runs"),
    ("default-branch", None, {}, "come after those of newer runs"),
    (
        "default-branch",
        None,
        {"head_branch": "fix"},
        "only the jobs of runs on a tile's",
    ),
    ("default-branch", None, {"event": "pull_request"}, "only the jobs of runs on a"),
    ("all", None, {"head_branch": "fix"}, "come after those of newer runs"),
    ("all", "new", {}, "come after those of newer runs"),
    ("all", "requested", {}, "could not be fetched yet; they are requested again."),
    ("all", "gone", {}, "GitHub no longer had the jobs of this run"),
    ("all", "empty", {}, "GitHub lists no jobs for this run"),
    ("all", None, UNFINISHED, "when the run has finished"),
    ("all", None, {"conclusion": "startup_failure"}, "The API's run does not say why"),
]


async def test_a_run_without_jobs_says_why(db: Database, datasette: Datasette) -> None:
    runs = [run_payload(n, **changes) for n, (*_, changes, _) in enumerate(MISSING, 1)]
    save_runs(db, *runs)
    for run_id, (fetch_jobs, state, _, reason) in enumerate(MISSING, 1):
        set_pending(db, run_id, state)
        with transaction(db):
            db.execute(
                "update instance set value = ? where key = 'fetch_jobs'", [fetch_jobs]
            )
            bump_revision(db)
        page = await get_page(datasette, f"/runs/{run_id}")

        assert reason in text_of(page, "jobs-title")
        assert not page.all("li", class_="line")


def set_pending(db: Database, run_id: int, state: str | None) -> None:
    item = PendingItem("jobs", run_id, 1, None, "acme/api", "ci.yml")
    with transaction(db):
        db.execute("delete from pending where run_id = ?", [run_id])
    if state == "empty":
        save_jobs(db, run_id)
        return
    if state is None:
        return
    with transaction(db):
        pending.insert_items(db, "values ('jobs', ?, 1)", [run_id])
    if state != "new":
        pending.save_requested(db, item, now=NOW)
    if state == "gone":
        pending.save_gone(db, item, NOW)


WRONG = [
    ("/runs/8", 404, "There is no run 8 here."),
    ("/runs/-1", 404, "its number on GitHub"),
    ("/runs/0", 404, "its number on GitHub"),
    ("/runs/7x", 404, "its number on GitHub"),
    ("/runs/%D9%A7", 404, "its number on GitHub"),
    ("/runs/1e3", 404, "its number on GitHub"),
    (f"/runs/{2**63}", 404, "its number on GitHub"),
    (f"/runs/{2**63 - 1}", 404, "There is no run 9223372036854775807 here."),
    (f"/runs/{'9' * 5000}", 404, "its number on GitHub"),
    (f"/runs/{'0' * 30}{'9' * 30}", 404, "its number on GitHub"),
    ("/runs/7?attempt=2", 404, "Attempt 2 of run 7 is not stored. Stored: 1."),
    ("/runs/7?attempt=0", 400, "attempt=0 is not the number of an attempt"),
    ("/runs/7?attempt=-1", 400, "attempt=-1 is not the number of an attempt"),
    (f"/runs/7?attempt={'9' * 40}", 400, "is not the number of an attempt"),
    ("/runs/7?branch=main", 400, "Unknown argument 'branch'. Allowed: attempt."),
]


async def test_a_wrong_address_says_what_is_wrong(
    db: Database, datasette: Datasette
) -> None:
    save_run(db)
    for path, status, message in WRONG:
        page = await get_page(datasette, path, status)
        assert message in page.one("main").text


async def test_names_are_text_and_missing_times_leave_no_bar(
    db: Database, datasette: Datasette
) -> None:
    nothing: dict[str, Any] = dict.fromkeys(
        ("created_at", "started_at", "completed_at", "labels", "runner_name", "steps")
    )
    save_run(
        db,
        job_object(1, HOSTILE, "failure", runner_name=HOSTILE, labels=[HOSTILE]),
        job_object(2, RIGHT_TO_LEFT, created=5),
        job_object(3, "x" * 300 + "y" * 5, created=6),
        job_object(4, None, created=7, html_url="javascript:alert(1)"),
        job_object(5, "without times", **nothing),
        job_object(6, "in the queue", "cancelled", steps=[], runner_name=None),
        job_object(7, "of a new word", "overheated", created=8, status="completed"),
        job_object(8, "backwards", created=40, queued=-1, ran=-30),
        display_title=HOSTILE,
        name=HOSTILE,
        head_branch=HOSTILE,
        actor={"login": HOSTILE},
    )
    page = await get_page(datasette, "/runs/7")

    assert harms(page) == []
    assert not page.all("img")
    names = [summary.one("bdi").text for summary in page.all("summary")]
    assert {HOSTILE, RIGHT_TO_LEFT[1:], "(no name)", "without times"} <= set(names)
    assert max(map(len, names)) == 300
    assert not page.one("li", id="job-5").all("rect")
    queued = page.one("li", id="job-6")
    assert [rect.attributes["class"] for rect in queued.all("rect")] == ["line__waited"]


async def test_a_wait_for_a_person_is_told_from_one_for_a_runner(
    db: Database, datasette: Datasette
) -> None:
    save_run(
        db, job_object(1, "build"), job_object(2, "deploy", created=70, queued=7200)
    )
    with transaction(db):
        db.execute("update jobs set waited_for = 'approval' where job_id = 2")
        db.execute("update run_attempts set waited_for = 'concurrency'")
    page = await get_page(datasette, "/runs/7")

    assert "waited 2 h for an approval · deploy 1 min" in text_of(page, "path-title")
    assert "Queue time10 s for its concurrency group" in text_of(page, "result")
    assert "waited 10 s on ubuntu-latest" in page.one("li", id="job-1").text


async def test_jobs_of_older_versions_have_no_path(
    db: Database, datasette: Datasette
) -> None:
    save_run(db, job_object(1, "build"))
    with transaction(db):
        db.execute("update jobs set created_at = null, queue_seconds = null")
    page = await get_page(datasette, "/runs/7")

    assert lines(page) == ["success build 1 min"]
    assert "older versions of CI Observer did not store" in text_of(page, "path-title")


async def test_a_run_with_many_jobs_has_the_steps_of_the_important_ones(
    db: Database, datasette: Datasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = job_object(300, "test (300)", "failure", ran=5)
    jobs = [job_object(n, f"test ({n})", created=n % 7) for n in range(1, 300)]
    save_run(db, *jobs, failed)
    statements = counting(datasette, monkeypatch)
    page = await get_page(datasette, "/runs/7")

    assert len(lines(page)) == 300
    assert len(page.all("table", class_="steps")) == MAX_STEP_JOBS
    assert page.one("li", id="job-300").all("table", class_="steps")
    assert len([s for s in statements() if "from steps" in s]) == 1
    links = {a.href for a in page.all("a") if a.text == "Steps"}
    assert len(links) == 300 - MAX_STEP_JOBS
    assert next(iter(links)).startswith("/ci_observer/steps?job_id=")


async def test_a_job_that_still_runs_grows(db: Database, datasette: Datasette) -> None:
    start = NOW - timedelta(minutes=5)
    open_job = {"start": start, "completed_at": None}
    save_run(
        db,
        job_object(1, "deploy", None, status="in_progress", **open_job),
        job_object(2, "approve", None, status="waiting", started_at=None, **open_job),
        **UNFINISHED | {"status": "in_progress", "run_started_at": utc(start)},
    )
    page = await get_page(datasette, "/runs/7")

    assert lines(page) == ["waiting approve waiting", "running deploy running"]
    line = page.one("li", id="job-1")
    ends = [
        float(rect.attributes[name].rstrip("%"))
        for rect in line.all("rect", class_="line__ran")
        for name in ("x", "width")
    ]
    assert sum(ends) == pytest.approx(100)
