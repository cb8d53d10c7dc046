"""Blocked accounts and repositories: their pushes make runs of no workflow."""

from datetime import timedelta

import pytest
from polling import FILE, REPO, add_runs, revision
from sqlite_utils import Database

from ci_observer.demo.server.model import MISSING

pytestmark = pytest.mark.usefixtures("no_waiting", "wall_clock")

FILES = (FILE, "deploy.yml")
RUNS = f"/repos/{REPO}/actions/runs"
FIVE_MINUTES = 300


@pytest.fixture(params=[(FILE,), FILES, ("*",)], ids=["one", "two", "star"])
def watching(request, world, github, ingest):
    """A repository that is polled by one workflow's list, or by its own."""
    for file in FILES[: len(request.param)]:
        add_runs(world, 2, file=file)
    ingest.restart(workflows=request.param)
    ingest.poll()
    return ingest


def states(db: Database) -> set[str]:
    return {state for (state,) in db.execute("select tile_state from wall")}


def block(world, github, **fields):
    github.advance(FIVE_MINUTES)
    return world.add_blocked_run(REPO, **fields)


def blocked_run(db: Database) -> int | None:
    [[run_id]] = db.execute("select blocked_run_id from repos where repo = ?", [REPO])
    return run_id


@pytest.mark.parametrize("branch", ["main", "dependabot/npm/left-pad-1.3"])
def test_a_blocked_repository_is_an_alarm_on_all_its_tiles(
    world, github, watching, db, branch
):
    run = block(world, github, head_branch=branch)
    before = revision(db)

    watching.poll()

    assert states(db) == {"blocked"}
    assert blocked_run(db) == run.id
    assert revision(db) != before
    assert db.execute(
        "select workflow, head_branch, conclusion from runs where run_id = ?", [run.id]
    ).fetchall() == [("BuildFailed", branch, "startup_failure")]
    assert db.execute("select workflow from feeds where not is_watched").fetchall() == [
        ("BuildFailed",)
    ]


@pytest.mark.parametrize("file", [FILE, "unwatched.yml"])
def test_the_next_run_of_a_workflow_ends_the_alarm(world, github, watching, db, file):
    block(world, github)
    watching.poll()
    github.advance(FIVE_MINUTES)
    world.add_run(REPO, file, duration=0, head_branch="fix")
    before = revision(db)

    watching.poll()

    assert states(db) == {"passing"}
    assert blocked_run(db) is None
    assert revision(db) != before


def test_a_run_on_a_workflow_s_own_list_ends_the_alarm_at_once(
    world, github, ingest, db
):
    add_runs(world, 1)
    block(world, github)
    ingest.poll()
    assert states(db) == {"blocked"}
    github.advance(30)
    world.add_run(REPO, FILE, duration=0)
    github.log.clear()

    ingest.poll()

    assert states(db) == {"passing"}
    assert not [e for e in github.log if e.path == RUNS]


def test_a_re_run_of_an_older_run_does_not_end_the_alarm(world, github, watching, db):
    run = world.add_run(REPO, FILE, duration=0)
    watching.poll()
    block(world, github)
    watching.poll()
    github.advance(FIVE_MINUTES)
    world.rerun(run)
    world.update_run(run, conclusion="success")

    watching.poll()

    assert states(db) == {"blocked"}


def test_the_alarm_survives_a_restart_and_a_304(world, github, watching, db):
    run = block(world, github)
    watching.poll()
    watching.restart()
    github.advance(FIVE_MINUTES)
    github.log.clear()

    watching.poll()

    assert blocked_run(db) == run.id
    assert checks(github) == [304]


def test_the_alarm_ends_when_the_runs_are_deleted_on_github(
    world, github, watching, db
):
    run = block(world, github)
    watching.poll()
    world.remove_run(run)
    github.advance(FIVE_MINUTES)

    watching.poll()

    assert blocked_run(db) is None


def test_an_empty_page_does_not_end_the_alarm(world, github, watching, db):
    run = block(world, github)
    watching.poll()
    github.faults.add("empty_list", path=f"{REPO}/actions/runs")
    github.advance(FIVE_MINUTES)
    watching.poll()

    assert blocked_run(db) == run.id


def test_a_repository_that_is_blocked_before_its_metadata_are_known_is_shown(
    world, github, ingest, db
):
    add_runs(world, 1)
    block(world, github)
    github.faults.add("server_error", path=f"/repos/{REPO}", count=3)

    ingest.poll()

    assert blocked_run(db) is not None


@pytest.mark.parametrize(
    "fields",
    [
        {"conclusion": "failure"},
        {"path": "PolicyRefused"},
        {"path": "PolicyRefused", "conclusion": "failure"},
        {"path": "BuildFailed", "conclusion": "cancelled", "name": None},
        {"path": "", "name": ""},
        {"path": None, "name": None},
        {"workflow_id": None},
        {"workflow_id": MISSING, "head_repository": None, "head_branch": None},
    ],
)
def test_other_runs_that_belong_to_no_workflow_say_so_too(
    world, github, watching, db, fields
):
    run = block(world, github, **fields)

    watching.poll()

    assert blocked_run(db) == run.id


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "PolicyRefused", "conclusion": "success"},
        {"path": "acme/policies/.github/workflows/scan.yml@main"},
        {"path": None, "conclusion": "success"},
        {"path": None, "name": "CI"},
        {"path": "dynamic/dependabot/dependabot-updates"},
    ],
)
def test_a_run_that_may_have_run_is_no_block(world, github, watching, db, fields):
    block(world, github, **fields)

    watching.poll()

    assert blocked_run(db) is None


def test_runs_of_a_blocked_repository_do_not_change_how_it_is_polled(
    world, github, ingest, db
):
    """Otherwise the newest page would be of runs that are not watched."""
    for file in FILES:
        add_runs(world, 1, file=file)
    ingest.restart(workflows=FILES)
    ingest.poll()
    for _ in range(60):
        github.advance(1)
        world.add_blocked_run(REPO)
    ingest.poll()
    github.log.clear()
    github.advance(60)

    ingest.poll()

    assert [e.path for e in github.log if e.path.endswith("/runs")] == [RUNS]


def checks(github):
    return [e.status for e in github.log if e.path == RUNS and len(e.query) == 1]


def test_a_quiet_repository_with_one_feed_is_checked_every_minute_for_free(
    world, github, ingest
):
    add_runs(world, 1)
    for _ in range(4):
        ingest.poll()
        github.advance(60)

    assert checks(github) == [200, 304, 304, 304]


def test_a_repository_busy_with_other_workflows_is_checked_less_often(
    world, github, ingest
):
    add_runs(world, 1)
    passes = []
    for number in range(16):
        world.add_run(REPO, "unwatched.yml", duration=0)
        github.log.clear()
        ingest.poll()
        if checks(github):
            passes.append(number)
        github.advance(60)

    assert passes == [0, 1, 3, 7, 12]


def test_a_quiet_repository_that_is_polled_by_its_own_list_is_not_checked(
    world, github, ingest
):
    """Also not in the passes that its list skips."""
    for file in FILES:
        created_at = world.now - timedelta(weeks=6)
        world.add_run(REPO, file, created_at=created_at)
    ingest.restart(workflows=FILES)
    for _ in range(12):
        ingest.poll()
        github.advance(60)

    assert "10" not in {entry.query.get("per_page") for entry in github.log}


def test_without_a_token_a_check_costs_one_request_an_hour(world, github, ingest):
    add_runs(world, 1)
    ingest.restart(token=None)
    for _ in range(8):
        ingest.poll()
        github.advance(timedelta(minutes=20).total_seconds())

    assert checks(github) == [200, 304, 304]


def test_a_check_that_fails_is_no_error_of_a_feed(world, github, ingest, db):
    add_runs(world, 1)
    github.faults.add("forbidden", path=f"{REPO}/actions/runs", count=None)

    assert ingest.poll().feeds_failed == 0
    assert states(db) == {"passing"}


def test_with_a_star_a_new_file_s_first_run_has_a_tile_within_minutes(
    world, github, ingest, db
):
    add_runs(world, 1)
    ingest.restart(workflows=("*",))
    ingest.poll()
    github.advance(660)
    world.add_run(REPO, "new.yml", duration=0)
    for _ in range(2):
        ingest.poll()
        github.advance(60)

    assert db.execute("select workflow from wall").fetchall() == [(FILE,), ("new.yml",)]


@pytest.mark.parametrize("jobs", ["failed", "all"])
def test_the_jobs_of_a_blocked_run_are_not_requested(world, github, ingest, jobs):
    """It has none."""
    add_runs(world, 1)
    ingest.restart(fetch_jobs=jobs)
    ingest.poll()
    run = block(world, github)

    ingest.poll()

    assert not [e for e in github.log if e.path.endswith(f"/{run.id}/jobs")]


def test_the_log_says_once_that_a_repository_is_blocked_and_when_it_ends(
    world, github, watching, caplog
):
    caplog.set_level("INFO")
    for _ in range(3):
        block(world, github)
        watching.poll()
    github.advance(FIVE_MINUTES)
    world.add_run(REPO, FILE, duration=0)
    for _ in range(2):
        watching.poll()

    said = [text for text in caplog.messages if "blocked" in text]
    assert [text.partition(":")[0] for text in said] == [
        f"{REPO} is blocked",
        f"{REPO} is not blocked any more",
    ]
