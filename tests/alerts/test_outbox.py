"""Which changes become alerts: each once, in the transaction of the change."""

from datetime import timedelta

import pytest
from alerting import (
    NOWHERE,
    add,
    events,
    facts,
    follow_clock,
    look,
    wait_and_poll,
)
from polling import FILE, REPO

from ci_observer.ingest.config.watching import Mute
from ci_observer.ingest.store import tile_settings
from ci_observer.ingest.store.database import transaction

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def alerting(ingest, db, github, world):
    """Ingest with alerts, over a branch that is green."""
    follow_clock(db, github)
    world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=2))
    ingest.restart(alert_urls=(NOWHERE,))
    ingest.poll()
    return ingest


def step(alerting, github, world, conclusion, **fields):
    """A run ends, and ingest polls."""
    github.advance(120)
    run = add(world, conclusion, **fields)
    alerting.poll()
    return run


def test_a_break_and_its_fix_are_one_alert_each(alerting, db, github, world):
    broken = step(alerting, github, world, "failure", actor="ada")
    step(alerting, github, world, "failure", actor="bob")
    fixed = step(alerting, github, world, "success", actor="cleo")
    step(alerting, github, world, "success")

    assert events(db) == ["broken", "fixed"]
    first, last = facts(db, "broken"), facts(db, "fixed")
    assert (first["run_id"], first["actor"]) == (broken.id, "ada")
    assert (first["failed_job"], first["branch"]) != (None, None)
    assert (last["run_id"], last["actor"]) == (fixed.id, "cleo")
    assert last["red_seconds"] == 300


def test_nothing_of_the_past_is_told(ingest, db, github, world):
    follow_clock(db, github)
    add(world, "failure", created_at=world.now - timedelta(hours=2))
    ingest.restart(alert_urls=(NOWHERE,))

    wait_and_poll(ingest, github)
    look(db)

    assert events(db) == []


def test_alerts_that_are_switched_on_later_begin_with_the_next_change(
    ingest, db, github, world
):
    follow_clock(db, github)
    add(world, "failure", created_at=world.now - timedelta(hours=2))
    ingest.poll()
    ingest.restart(alert_urls=(NOWHERE,))

    step(ingest, github, world, "failure")
    look(db)
    assert events(db) == []

    step(ingest, github, world, "success")
    step(ingest, github, world, "failure")
    assert events(db) == ["broken"]


def test_without_an_address_nothing_is_written(ingest, db, github, world):
    follow_clock(db, github)
    add(world)
    ingest.poll()

    step(ingest, github, world, "failure")
    look(db)

    assert events(db) == []
    assert db["changed_tiles"].count == db["alert_tiles"].count == 0


def test_a_restart_repeats_nothing(alerting, db, github, world):
    step(alerting, github, world, "failure")
    alerting.restart()
    wait_and_poll(alerting, github)
    look(db)
    step(alerting, github, world, "success")
    alerting.restart()
    wait_and_poll(alerting, github)
    look(db)

    assert events(db) == ["broken", "fixed"]


def test_a_rerun_that_fails_again_is_no_second_break(alerting, db, github, world):
    run = step(alerting, github, world, "failure")
    for conclusion in ("failure", "success", "failure"):
        world.rerun(run)
        wait_and_poll(alerting, github)
        world.update_run(run, conclusion=conclusion)
        alerting.poll()

    assert events(db) == ["broken", "fixed", "broken"]
    attempts = db.execute("select run_attempt from alerts order by rowid").fetchall()
    assert attempts == [(1,), (3,), (4,)]


def test_failures_in_a_row_are_told_from_the_chosen_number_on(
    alerting, db, github, world
):
    alerting.restart(alert_after=3)
    first = step(alerting, github, world, "failure")
    step(alerting, github, world, "failure")
    assert events(db) == []
    step(alerting, github, world, "failure")

    found = facts(db, "broken")
    assert (found["run_id"], found["streak"]) == (first.id, 3)


def test_a_break_that_was_not_told_is_not_told_as_fixed(alerting, db, github, world):
    alerting.restart(alert_after=2)
    step(alerting, github, world, "failure")
    step(alerting, github, world, "success")

    assert events(db) == []


@pytest.mark.parametrize("kind", ["cancelled", "phantom", "skipped"])
def test_a_run_that_proves_nothing_fixes_nothing(alerting, db, github, world, kind):
    step(alerting, github, world, "failure")
    github.advance(120)
    if kind == "phantom":
        world.add_phantom_run(REPO, FILE)
    else:
        add(world, kind)
    alerting.poll()
    look(db)

    assert events(db) == ["broken"]


def test_an_older_fix_of_a_new_default_branch_is_not_told_as_the_fix(
    alerting, db, github, world
):
    step(alerting, github, world, "failure", head_branch="develop")
    step(alerting, github, world, "success", head_branch="develop")
    step(alerting, github, world, "failure")
    world.update_repo(REPO, default_branch="develop")
    for _ in range(3):
        wait_and_poll(alerting, github, minutes=10)

    assert events(db) == ["broken", "fixed"]
    broken, fixed = facts(db, "broken"), facts(db, "fixed")
    assert fixed["at"] > broken["at"]
    assert (fixed["red_seconds"], fixed["detail"]) == (None, "no_fix")


def test_a_success_of_the_former_default_branch_is_no_fix(alerting, db, github, world):
    step(alerting, github, world, "failure", head_branch="develop")
    step(alerting, github, world, "success")
    for branch in ("develop", "main"):
        world.update_repo(REPO, default_branch=branch)
        for _ in range(3):
            wait_and_poll(alerting, github, minutes=10)

    assert events(db) == ["broken", "fixed"]
    assert facts(db, "fixed")["detail"] == "no_fix"


def test_a_run_of_another_branch_is_not_told(alerting, db, github, world):
    step(alerting, github, world, "failure", head_branch="feature")
    step(alerting, github, world, "failure", event="pull_request")

    assert events(db) == []


def test_an_alert_is_written_with_its_runs_or_not_at_all(alerting, db, github, world):
    github.advance(120)
    run = add(world, "failure")

    def poll_and_be_killed():
        with transaction(db):
            alerting.poll()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        poll_and_be_killed()
    assert events(db) == []
    alerting.restart()
    alerting.poll()

    assert facts(db, "broken")["run_id"] == run.id


def test_a_renamed_repository_is_told_under_its_new_name(alerting, db, github, world):
    step(alerting, github, world, "failure")
    world.rename_repo(REPO, "acme/new-api")
    wait_and_poll(alerting, github)
    alerting.restart(repos=("acme/new-api",))
    wait_and_poll(alerting, github)
    look(db)
    assert events(db) == ["broken"]

    github.advance(60)
    world.add_run("acme/new-api", FILE)
    alerting.poll()
    assert facts(db, "fixed")["repo"] == "acme/new-api"


def test_a_muted_tile_is_told_when_the_mute_has_ended(alerting, db, github, world):
    until = github.clock() + timedelta(hours=1)
    mute = Mute(repo=REPO, workflow=FILE, branch=None, reason="Known.", until=until)
    alerting.restart(muted=(mute,))
    tile_settings.save_views(db, alerting._config, github.clock())

    step(alerting, github, world, "failure")
    look(db)
    assert events(db) == []

    wait_and_poll(alerting, github, minutes=60)
    look(db)
    assert events(db) == ["broken"]


def test_a_stuck_run_is_told_once(alerting, db, github, world):
    run = world.add_run(REPO, FILE, status="in_progress")
    for _ in range(3):
        wait_and_poll(alerting, github, minutes=200)
        look(db)

    assert events(db) == ["stuck"]
    assert facts(db, "stuck")["run_id"] == run.id


def test_each_stuck_run_is_told_when_the_one_before_has_ended(
    alerting, db, github, world
):
    first = world.add_run(REPO, FILE, status="in_progress")
    wait_and_poll(alerting, github, minutes=30)
    second = world.add_run(REPO, FILE, status="in_progress")
    for _ in range(4):
        wait_and_poll(alerting, github, minutes=200)
        look(db)
    assert facts(db, "stuck")["run_id"] == first.id

    world.update_run(first, status="completed", conclusion="cancelled")
    wait_and_poll(alerting, github, minutes=10)
    wait_and_poll(alerting, github, minutes=10)

    told = db.execute("select run_id from alerts order by rowid").fetchall()
    assert told == [(first.id,), (second.id,)]


def test_a_disabled_workflow_is_told(alerting, db, github, world):
    world.set_workflow_state(REPO, FILE, "disabled_manually")
    for _ in range(3):
        wait_and_poll(alerting, github, minutes=16)
        look(db)

    assert events(db) == ["disabled"]
    assert facts(db, "disabled")["detail"] == "disabled_manually"


def test_a_deleted_workflow_is_told_without_the_words_of_an_error(
    alerting, db, github, world
):
    world.remove_workflow(REPO, FILE)
    for _ in range(4):
        wait_and_poll(alerting, github, minutes=30)
        look(db)

    assert events(db) == ["disabled"]
    assert facts(db, "disabled")["detail"] == "deleted"


def test_a_repository_is_told_that_was_blocked_since_then(alerting, db, github, world):
    world.add_repo("acme/old")
    world.add_run("acme/old", FILE, created_at=world.now - timedelta(hours=3))
    world.add_blocked_run("acme/old", created_at=world.now - timedelta(hours=1))
    alerting.restart(repos=(REPO, "acme/old"))
    for _ in range(5):
        wait_and_poll(alerting, github)
    assert events(db) == []

    world.add_blocked_run(REPO)
    for _ in range(5):
        wait_and_poll(alerting, github)
    look(db)

    assert events(db) == ["disabled"]
    assert facts(db, "disabled")["detail"] == "blocked"


def test_lost_access_is_told_once_for_a_repository(alerting, db, github, world):
    world.add_run(REPO, "deploy.yml")
    alerting.restart(workflows=(FILE, "deploy.yml"))
    wait_and_poll(alerting, github)
    world.remove_repo(REPO)
    for _ in range(3):
        wait_and_poll(alerting, github, minutes=30)
        look(db)

    assert events(db) == ["no_access"]
    assert facts(db, "no_access")["workflow"] == "*"


def test_a_repository_that_never_was_there_is_not_lost(alerting, db, github):
    alerting.restart(repos=(REPO, "acme/nothing"))
    wait_and_poll(alerting, github)
    look(db)

    assert events(db) == []
