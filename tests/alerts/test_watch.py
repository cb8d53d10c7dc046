"""Alerts by time alone: stale data, a dead ingest, the token."""

from datetime import timedelta

import pytest
from alerting import NOWHERE, events, facts, follow_clock, wait_and_poll
from polling import FILE, REPO

from ci_observer.ingest.alerts.watch import AlertWatch
from ci_observer.ingest.store import instance

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def alerting(ingest, db, github, world):
    follow_clock(db, github)
    world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=2))
    ingest.restart(alert_urls=(NOWHERE,))
    ingest.poll()
    return ingest


def look_for(watch, github, minutes):
    """Look every half minute, as the process of `up` does."""
    for _ in range(minutes * 2):
        github.advance(30)
        watch.look()


def test_a_dead_ingest_is_told_once_until_it_polls_again(alerting, db, github):
    watch = AlertWatch(db)
    last = github.clock()

    look_for(watch, github, 6)
    assert events(db) == []

    look_for(watch, github, 60)
    assert events(db) == ["stale"]
    found = facts(db, "stale")
    assert found["detail"] == "The ingest process has stopped polling."
    assert found["at"] == f"{last:%Y-%m-%dT%H:%M:%SZ}"

    alerting.poll()
    look_for(watch, github, 10)
    assert events(db) == ["stale", "stale"]


def test_after_a_start_stale_data_have_time_to_become_fresh(alerting, db, github):
    github.advance(86_400)
    watch = AlertWatch(db)
    look_for(watch, github, 4)
    alerting.poll()
    for _ in range(10):
        watch.look()
        wait_and_poll(alerting, github, minutes=1)

    assert events(db) == []


def test_one_stale_workflow_is_told_with_its_error(alerting, db, github, world):
    world.add_run("acme/web", FILE)
    alerting.restart(repos=(REPO, "acme/web"))
    alerting.poll()
    github.faults.add("server_error", path="/repos/acme/web", count=None)
    watch = AlertWatch(db)
    for _ in range(20):
        wait_and_poll(alerting, github, minutes=1)
        watch.look()

    assert events(db) == ["stale"]
    assert facts(db, "stale")["repo"] == "acme/web"


def test_a_token_that_expires_is_told_three_times(alerting, db, github):
    watch = AlertWatch(db)
    expires_at = github.clock() + timedelta(days=20)
    instance.save_token_expiration(db, expires_at)
    for _ in range(21 * 2):
        github.advance(12 * 3600)
        watch.look()

    found = db.execute("select found_at from alerts where event = 'token'").fetchall()
    days = [expires_at - timedelta(days=left) for left in (14, 3, 1)]
    assert [text for (text,) in found] == [f"{day:%Y-%m-%dT%H:%M:%SZ}" for day in days]
