"""Workflows whose runs are in no list any more, though GitHub has them by their ids."""

from datetime import timedelta

import pytest
from archive import set_clock
from polling import REPO, add_runs, poll, revision

from ci_observer.demo.server.model import Run

pytestmark = pytest.mark.usefixtures("no_waiting")

FILES = ("build.yml", "ci.yml", "deploy.yml")
PASSING = ("passing", None)
NO_RUNS = ("untested", "no_runs")


@pytest.fixture
def watched(world, github, ingest):
    """Three workflows of one repository, each with five runs."""
    for file in FILES:
        add_runs(world, 5, file=file)
    ingest.restart(workflows=FILES)
    poll(ingest, github, 2)
    github.log.clear()
    return ingest


def hide_runs_of(world, *files):
    """Let no list have these workflows' runs. Each is still found by its id."""
    hidden = [run for file in files for run in world.repos[REPO].workflows[file].runs]
    for run in hidden:
        run.workflow.runs.remove(run)
        run.repo.runs.remove(run)
    return hidden


def show(runs: list[Run]):
    for run in runs:
        for listed in (run.workflow.runs, run.repo.runs):
            listed.append(run)
            listed.sort(key=lambda other: other.order)


def bury(world, github):
    """Fill the repository's newest page with runs of one workflow."""
    for _ in range(51):
        github.advance(1)
        world.add_run(REPO, "ci.yml", duration=0)


def tiles(db, github):
    set_clock(db, github.clock())
    rows = db.execute("select workflow, tile_state, untested_reason from wall")
    return {workflow: (state, reason) for workflow, state, reason in rows}


def charged(github):
    """The charged requests, without the lists of unfinished runs: each starts once."""
    return [e for e in github.log if e.charged and "status" not in e.query]


def own_lists(github):
    """The requested own lists: the workflows and the statuses."""
    return [
        (entry.path.split("/")[-2], entry.status)
        for entry in github.log
        if entry.path.endswith(".yml/runs") and entry.query["per_page"] == "30"
    ]


@pytest.mark.parametrize("files", [FILES[:1], FILES[:2], FILES])
def test_workflows_without_a_listed_run_are_not_green(
    world, github, watched, db, files
):
    before = int(revision(db))
    hidden = hide_runs_of(world, *files)
    poll(watched, github)
    assert set(tiles(db, github).values()) == {PASSING}
    poll(watched, github)
    empty, others = dict.fromkeys(files, NO_RUNS), dict.fromkeys(FILES, PASSING)
    assert tiles(db, github) == others | empty
    assert int(revision(db)) > before
    poll(watched, github, 10)
    assert tiles(db, github) == others | empty

    show(hidden)
    poll(watched, github)
    assert tiles(db, github) == others


def test_only_with_older_runs_on_the_page_too(world, github, watched, db):
    """The page is full, and older than the runs that it lacks."""
    bury(world, github)
    add_runs(world, 1, file="deploy.yml")
    poll(watched, github, 2)
    hide_runs_of(world, "deploy.yml")
    poll(watched, github, 2)

    assert tiles(db, github)["deploy.yml"] == NO_RUNS


def test_a_red_tile_stays_red(world, github, watched, db):
    world.add_run(REPO, "ci.yml", conclusion="failure")
    poll(watched, github)
    hide_runs_of(world, *FILES)
    poll(watched, github, 3)

    assert tiles(db, github)["ci.yml"] == ("failing", None)


def test_a_single_empty_page_changes_nothing(world, github, watched, db):
    github.faults.add("empty_list", path="actions/runs")
    poll(watched, github, 3)

    assert set(tiles(db, github).values()) == {PASSING}
    assert own_lists(github) == [(file, 304) for file in FILES]


def test_a_workflow_whose_runs_are_older_than_the_page_costs_no_request(
    world, github, watched, db
):
    bury(world, github)
    poll(watched, github, 2)
    github.log.clear()
    poll(watched, github, 30)

    assert own_lists(github) == []
    assert set(tiles(db, github).values()) == {PASSING}


def test_the_daily_scan_notices_it_for_runs_older_than_the_page(
    world, github, watched, db
):
    bury(world, github)
    poll(watched, github, 2)
    hidden = hide_runs_of(world, "deploy.yml")
    poll(watched, github, 2)
    assert tiles(db, github)["deploy.yml"] == PASSING
    github.advance(86_400)
    poll(watched, github, 2)
    assert tiles(db, github)["deploy.yml"] == NO_RUNS

    show(hidden)
    poll(watched, github, 6)
    assert tiles(db, github)["deploy.yml"] == PASSING


def test_a_single_empty_page_of_the_daily_scan_changes_nothing(
    world, github, watched, db
):
    bury(world, github)
    poll(watched, github, 2)
    github.faults.add("empty_list", path="deploy.yml/runs")
    github.advance(86_400)
    poll(watched, github)
    assert set(tiles(db, github).values()) == {PASSING}
    github.log.clear()
    poll(watched, github, 10)

    assert own_lists(github) == [("deploy.yml", 304)]
    assert set(tiles(db, github).values()) == {PASSING}


def test_thirty_quiet_workflows_cost_nothing(world, github, ingest, db):
    files = tuple(f"w{n:02}.yml" for n in range(30))
    for age, file in enumerate(files):
        world.add_run(REPO, file, created_at=world.now - timedelta(days=30 + age))
    ingest.restart(workflows=files)
    poll(ingest, github, 2)
    github.log.clear()
    poll(ingest, github, 10)
    assert own_lists(github) == []

    hide_runs_of(world, *files)
    poll(ingest, github, 4)
    github.log.clear()
    poll(ingest, github, 60)
    assert len(own_lists(github)) <= 30 * 60 / 5
    assert charged(github) == []
    assert set(tiles(db, github).values()) == {NO_RUNS}


def test_retention_is_no_reason(world, github, ingest, db):
    for file in FILES:
        world.add_run(REPO, file, created_at=world.now - timedelta(days=89))
    ingest.restart(workflows=FILES)
    poll(ingest, github, 2)
    github.advance(2 * 86_400)
    hide_runs_of(world, *FILES)
    github.log.clear()
    poll(ingest, github, 4)

    assert set(tiles(db, github).values()) == {PASSING}
    assert own_lists(github) == []


def test_runs_of_once_notice_it_and_then_cost_nothing(world, github, watched, db):
    hide_runs_of(world, *FILES[1:])
    for _ in range(2):
        github.advance(60)
        watched.restart()
        watched.poll()
    assert tiles(db, github)["deploy.yml"] == NO_RUNS

    github.log.clear()
    for _ in range(2):
        github.advance(60)
        watched.restart()
        watched.poll()
    assert charged(github) == []


def test_runs_that_are_listed_again_below_the_page_are_noticed(
    world, github, watched, db
):
    hidden = hide_runs_of(world, "deploy.yml")
    poll(watched, github, 2)
    bury(world, github)
    poll(watched, github, 2)
    assert tiles(db, github)["deploy.yml"] == NO_RUNS

    show(hidden)
    poll(watched, github, 6)
    assert tiles(db, github)["deploy.yml"] == PASSING


def test_a_missing_run_of_no_tile_costs_nothing_for_the_others(
    world, github, watched, db
):
    """The workflow's own list has the older runs, which are followed by their ids."""
    bury(world, github)
    run = world.add_run(
        REPO, "deploy.yml", event="pull_request", head_branch="x", duration=0
    )
    poll(watched, github, 2)
    world.remove_run(run)
    poll(watched, github, 2)
    github.log.clear()
    poll(watched, github, 12)
    for _ in range(2):
        github.advance(60)
        watched.restart()
        watched.poll()

    assert ("deploy.yml", 304) in own_lists(github)
    assert charged(github) == []
    assert tiles(db, github)["deploy.yml"] == PASSING


def test_without_a_token_it_is_noticed_at_once_and_then_requested_rarely(
    world, github, watched, db
):
    github.limits.anonymous = 1000
    watched.restart(token=None)
    hide_runs_of(world, "deploy.yml")
    poll(watched, github, 2)
    assert tiles(db, github)["deploy.yml"] == NO_RUNS

    github.log.clear()
    poll(watched, github, 110)
    assert own_lists(github) == [("deploy.yml", 304)]
