"""Jobs that no tile needs: of which runs, in which order, and at what price."""

import sqlite3
from datetime import timedelta

import pytest
from polling import FILE, REPO, poll, the_feed
from sqlite_utils import Database

from ci_observer.demo.server.model import JobSpec
from ci_observer.ingest.db.migrations import migrations
from ci_observer.ingest.store import job_walk, jobs

pytestmark = pytest.mark.usefixtures("no_waiting", "wall_clock")

LIMIT = 5000


@pytest.fixture
def default(ingest):
    """Ingest with the default of FETCH_JOBS."""
    ingest.restart(fetch_jobs="default-branch")
    return ingest


def jobs_requests(github):
    return [e.path for e in github.log if e.path.endswith("/jobs")]


def add(world, count=1, **run):
    return [
        world.add_run(
            REPO, FILE, created_at=world.now - timedelta(hours=count - n), **run
        )
        for n in range(count)
    ]


def with_jobs(db: Database) -> list[int]:
    rows = db.execute("select distinct run_id from jobs order by 1 desc")
    return [run_id for (run_id,) in rows]


@pytest.mark.parametrize(
    ("fetch_jobs", "expected"),
    [
        ("default-branch", {"main", "failed on main", "skipped"}),
        ("failed", {"failed on main"}),
        ("none", set()),
        (
            "all",
            {"main", "failed on main", "skipped", "branch", "fork", "pull request"},
        ),
    ],
)
def test_the_setting_selects_runs(world, ingest, db, fetch_jobs, expected):
    ingest.restart(fetch_jobs=fetch_jobs)
    request = {"event": "pull_request", "head_branch": "change"}
    for title, fields in {
        "main": {},
        "failed on main": {"conclusion": "failure"},
        "skipped": {"conclusion": "skipped"},
        "branch": {"head_branch": "change"},
        "pull request": request,
        "fork": request | {"head_repository": "ada/api", "head_branch": "main"},
        "held": {"conclusion": "action_required", "duration": 0},
        "running": {"status": "in_progress"},
    }.items():
        world.add_run(REPO, FILE, display_title=title, **fields)

    ingest.poll()

    found = db.execute(
        "select distinct display_title from jobs join runs using (run_id)"
    )
    assert {title for (title,) in found} == expected


def test_tags_are_selected_where_they_decide_the_tile(world, default, db):
    [run] = add(world, tag="v1.0", event="push")
    default.poll()
    default.poll()
    assert with_jobs(db) == [run.id]

    [on_main] = add(world)
    [later] = add(world, tag="v1.1", event="push")
    default.poll()
    default.poll()

    assert on_main.id in with_jobs(db)
    assert later.id not in with_jobs(db)


def test_each_attempt_is_requested_once(world, github, default, db):
    [run] = add(world)
    default.poll()
    world.rerun(run)
    github.advance(60)
    world.update_run(run, conclusion="success")
    poll(default, github, times=3)

    base = f"/repos/{REPO}/actions/runs/{run.id}"
    assert jobs_requests(github) == [f"{base}/jobs", f"{base}/jobs"]
    assert db.execute("select run_attempt, has_jobs from run_attempts").fetchall() == [
        (1, 1),
        (2, 1),
    ]


def test_the_jobs_of_a_replaced_attempt_are_fetched(world, github, default, db):
    [run] = add(world)
    world.rerun(run)
    github.advance(60)
    world.update_run(run, conclusion="success")
    poll(default, github, times=2)

    found = db.execute("select run_attempt, last_attempt from jobs order by 1")
    assert found.fetchall() == [(1, 1), (2, 2)]


def test_an_archive_is_fetched_from_the_newest_run_on(world, github, ingest, db):
    """After an upgrade, nothing is pending, and each pass has its share."""
    runs = add(world, 90)
    ingest.poll()
    github.log.clear()
    ingest.restart(fetch_jobs="default-branch")
    github.spend_rate_limit(used=500)
    ingest.poll()

    newest = sorted((run.id for run in runs), reverse=True)
    done = with_jobs(db)
    assert 3 < len(done) < 30
    assert done == newest[: len(done)]
    assert db.execute("select count(*) from pending").fetchone() == (0,)

    poll(ingest, github, times=12)
    assert with_jobs(db) == newest
    assert len(jobs_requests(github)) == len(runs)


def test_new_runs_come_before_the_archive(world, github, ingest, db):
    add(world, 60)
    ingest.poll()
    ingest.restart(fetch_jobs="default-branch")
    github.spend_rate_limit(used=500)
    ingest.poll()
    before = set(with_jobs(db))
    run = world.add_run(REPO, FILE)
    github.log.clear()
    poll(ingest, github)

    assert jobs_requests(github)[0].endswith(f"/{run.id}/jobs")
    assert set(with_jobs(db)) > before


def test_nothing_is_spent_when_little_is_left(world, github, default, db):
    add(world, 5)
    github.spend_rate_limit(used=LIMIT - 2400)
    default.poll()

    assert jobs_requests(github) == []


def test_a_failed_run_is_fetched_when_little_is_left(world, github, default, db):
    [failed] = add(world, conclusion="failure")
    add(world, 3)
    github.spend_rate_limit(used=LIMIT - 2400)
    default.poll()

    assert with_jobs(db) == [failed.id]


def test_without_a_token_polling_needs_all(world, github, default, db):
    add(world, 5)
    default.restart(token=None)
    poll(default, github, times=3)
    assert jobs_requests(github) == []

    default.restart(refresh_seconds=600)
    github.advance(3600)
    poll(default, github, times=4, seconds=600)
    assert 1 <= len(jobs_requests(github)) <= 20


def test_a_server_without_limits_gets_a_request_a_second(world, github, default, db):
    github.settings.enterprise = True
    add(world, 30)
    default.restart(refresh_seconds=20)
    default.poll()

    assert len(jobs_requests(github)) == 20


def test_jobs_that_are_gone_end_the_walk(world, github, ingest, db):
    """GitHub deletes jobs after its retention; the runs are stored here."""
    kept = add(world, 3)
    old = [
        world.add_run(REPO, FILE, created_at=world.now - timedelta(days=80, hours=n))
        for n in range(40)
    ]
    ingest.poll()
    for run in old:
        world.remove_run(run)
    ingest.restart(fetch_jobs="default-branch")
    poll(ingest, github, times=4)

    assert len(with_jobs(db)) == len(kept)
    assert len(jobs_requests(github)) < len(kept) + 13
    github.log.clear()
    poll(ingest, github, times=2, seconds=90_000)
    assert jobs_requests(github) == []


def test_a_missed_run_is_found_a_day_later(world, github, default, db):
    [run] = add(world)
    github.faults.add("server_error", path="/jobs", count=None)
    default.poll()
    assert with_jobs(db) == []
    assert the_feed(db).error is None
    assert db.execute("select state from polling").fetchone() == ("ok",)

    github.faults.clear()
    poll(default, github)
    assert with_jobs(db) == []
    poll(default, github, seconds=90_000)
    assert with_jobs(db) == [run.id]


def test_older_runs_are_fetched_after_the_walk(world, github, default, db):
    add(world, 2)
    default.poll()
    feed = the_feed(db)
    assert job_walk.next_feeds(db) == []
    old = [
        world.add_run(REPO, FILE, created_at=world.now - timedelta(days=95, hours=n))
        for n in range(3)
    ]
    with db.conn:
        db.execute(
            "update feed_backfills set fetch_until = '2020-01-01T00:00:00Z',"
            " completed_at = null"
        )
    poll(default, github, times=2)

    assert {run.id for run in old} <= set(with_jobs(db))
    assert db["pending"].count_where("kind = 'more_jobs'") == 0
    assert feed.repo == REPO


def test_runs_with_many_jobs_are_fetched_whole(world, github, default, db):
    jobs = tuple(JobSpec(f"job {n}") for n in range(130))
    world.add_workflow(REPO, FILE, jobs=jobs)
    add(world)
    default.poll()

    assert db["jobs"].count == 130


def test_a_changed_setting_starts_with_the_newest_run(world, github, default, db):
    add(world, 3)
    pull_requests = add(world, 3, event="pull_request", head_branch="change")
    poll(default, github, times=2)
    assert len(with_jobs(db)) == 3

    default.restart(fetch_jobs="all")
    default.poll()
    assert {run.id for run in pull_requests} <= set(with_jobs(db))


def test_a_new_default_branch_has_its_jobs_fetched(world, github, default, db):
    add(world, 3)
    later = add(world, 3, head_branch="next")
    poll(default, github, times=2)
    assert len(with_jobs(db)) == 3

    world.update_repo(REPO, default_branch="next")
    poll(default, github, times=3, seconds=3600)
    assert {run.id for run in later} <= set(with_jobs(db))


def test_an_unexpected_value_stops_nothing(world, github, default, db, monkeypatch):
    """A run whose jobs cannot be stored is left to the next walk."""
    broken, *others = add(world, 4)

    def refuse(db, item, jobs):
        if item.run_id == broken.id:
            raise sqlite3.IntegrityError("odd")
        return save(db, item, jobs)

    save = jobs._save
    monkeypatch.setattr(jobs, "_save", refuse)
    poll(default, github, times=2)

    assert set(with_jobs(db)) == {run.id for run in others}
    assert job_walk.next_feeds(db) == []


def test_each_account_of_an_app_has_its_own_budget(world, github, app, app_ingest, db):
    for owner, limit in (("acme", 5000), ("beta", 60)):
        app.install(owner, limit=limit)
        for hours in range(3):
            at = world.now - timedelta(hours=hours)
            world.add_run(f"{owner}/api", FILE, created_at=at)
    app_ingest.restart(fetch_jobs="default-branch", workflows=(FILE,))
    poll(app_ingest, github)

    found = db.execute("select distinct repo from jobs join runs using (run_id)")
    assert found.fetchall() == [("acme/api",)]
    assert len(with_jobs(db)) == 3


def test_an_upgrade_fetches_no_jobs_again_that_are_stored():
    db = Database(memory=True)
    migrations.apply(db, stop_before="m220_jobs_of_attempts")
    at = ["2026-03-02T08:00:00Z"] * 3
    for run_id in (1, 2):
        db.execute(
            "insert into runs (run_id, repo, workflow, run_attempt, created_at,"
            " started_at, updated_at) values (?, ?, ?, 1, ?, ?, ?)",
            [run_id, REPO, FILE, *at],
        )
        db.execute(
            "insert into run_attempts (run_id, run_attempt, started_at, updated_at)"
            " values (?, 1, ?, ?)",
            [run_id, *at[:2]],
        )
    db.execute("insert into jobs (job_id, run_id, run_attempt) values (9, 1, 1)")
    migrations.apply(db)

    found = db.execute("select run_id, has_jobs from run_attempts").fetchall()
    assert found == [(1, 1), (2, None)]


def test_jobs_do_not_delay_the_next_pass(world, github, default, db):
    add(world, 20)
    default.poll(backfill_for=timedelta(0))
    assert jobs_requests(github) == []

    default.poll(backfill_for=timedelta(seconds=60))
    assert len(with_jobs(db)) > 4
