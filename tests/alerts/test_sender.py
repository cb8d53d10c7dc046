"""The messages that receivers get: each one once, after any fault in between."""

import asyncio
from datetime import timedelta

import pytest
from alerting import (
    add,
    follow_clock,
    network,
    receiving,
    send_due,
    sender,
    wait_and_poll,
)
from polling import FILE, REPO

from ci_observer.ingest.alerts import deliveries
from ci_observer.ingest.alerts.deliver import send

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def alerting(ingest, db, github, world, receiver):
    """Ingest whose alerts go to the receiver, over a branch that is green."""
    follow_clock(db, github)
    world.add_run(REPO, FILE, created_at=world.now - timedelta(hours=2))
    ingest.restart(alert_urls=(receiver.url,))
    ingest.poll()
    return ingest


def step(alerting, github, world, conclusion, **fields):
    github.advance(120)
    run = add(world, conclusion, **fields)
    alerting.poll()
    return run


def states(db):
    return deliveries.counts(db)


def test_a_receiver_gets_the_break_and_the_fix_once_each(
    alerting, db, github, world, receiver
):
    broken = step(
        alerting, github, world, "failure", actor="ada", display_title="Add totals"
    )
    send_due(db, github, receiver.url)
    alerting.restart()
    step(alerting, github, world, "failure", actor="bob")
    send_due(db, github, receiver.url)
    step(alerting, github, world, "success", actor="cleo")
    alerting.restart()
    for _ in range(2):
        send_due(db, github, receiver.url)
        wait_and_poll(alerting, github)

    first, last = receiver.requests
    number = first["id"]
    assert first["title"] == "acme/api: ci is broken"
    assert first["message"].splitlines() == [
        "ci.yml on main fails since 2026-03-02 09:02 UTC.",
        f"First failing run: #2 Add totals, by ada, commit {broken.head_sha[:7]}, push",
        "Failed job: build, step: Run",
        first["url"],
        f"Alert {number}",
    ]
    assert first["url"].endswith(f"/{REPO}/actions/runs/{broken.id}")
    assert (first["event"], first["repo"], first["run_id"]) == (
        "broken",
        REPO,
        broken.id,
    )
    assert last["title"] == "acme/api: ci passes again"
    assert "It was red for 5 min." in last["message"]
    assert "by cleo" in last["message"]
    assert receiver.headers[0]["X-CI-Observer-Id"] == number
    assert states(db) == {"sent": 2}


def test_a_receiver_that_is_down_for_an_hour_gets_all_in_order(
    alerting, db, github, world, receiver
):
    receiver.status = 503
    step(alerting, github, world, "failure")
    for number in range(30):
        send_due(db, github, receiver.url)
        if number == 10:
            step(alerting, github, world, "success")
        wait_and_poll(alerting, github)
    assert states(db) == {"waiting": 2}
    tries = [t for (t,) in db.execute("select tries from alert_deliveries order by 1")]
    assert tries == [0, 6]

    receiver.status = 200
    for _ in range(60):
        send_due(db, github, receiver.url)
        github.advance(60)

    assert receiver.titles == ["acme/api: ci is broken", "acme/api: ci passes again"]
    assert states(db) == {"sent": 2}


def test_a_kill_while_sending_repeats_one_message_with_its_number(
    alerting, db, github, world, receiver
):
    step(alerting, github, world, "failure")

    async def send_and_be_killed(url, message):
        await asyncio.to_thread(send, url, message, network(github))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(
            sender(db, github, receiver.url, deliver=send_and_be_killed).send_due()
        )
    assert states(db) == {"sending": 1}

    send_due(db, github, receiver.url)
    send_due(db, github, receiver.url)

    first, second = receiver.requests
    assert first["id"] == second["id"]
    assert states(db) == {"sent": 1}


def test_many_alerts_at_once_are_one_message(alerting, db, github, world, receiver):
    files = [f"part{number}.yml" for number in range(7)]
    for file in files:
        world.add_run(REPO, file)
    alerting.restart(workflows=(FILE, *files))
    alerting.poll()
    github.advance(120)
    for file in files:
        world.add_run(REPO, file, conclusion="failure")
    alerting.poll()

    send_due(db, github, receiver.url)

    [request] = receiver.requests
    assert request["title"] == "CI Observer: 7 changes (7 broken)"
    assert "acme/api: part3 is broken" in request["message"]
    assert states(db) == {"sent": 7}


def test_after_a_long_outage_there_is_one_digest(alerting, db, github, world, receiver):
    world.add_run(REPO, "deploy.yml", created_at=world.now - timedelta(hours=1))
    alerting.restart(workflows=(FILE, "deploy.yml"))
    alerting.poll()
    github.advance(3600)
    for file in (FILE, "deploy.yml"):
        world.add_run(REPO, file, conclusion="failure")
    github.advance(3 * 86_400)
    alerting.restart()
    alerting.poll()

    send_due(db, github, receiver.url)

    assert receiver.titles == ["CI Observer: 2 changes (2 broken)"]


def test_a_message_is_given_up_after_a_day_and_that_is_seen(
    alerting, db, github, world, receiver, caplog
):
    receiver.status = 500
    step(alerting, github, world, "failure")
    for _ in range(29):
        send_due(db, github, receiver.url)
        github.advance(3600)

    assert states(db) == {"given_up": 1}
    assert "An alert to 1 (JSON) is given up after a day: HTTP 500" in caplog.text
    [(warning,)] = db.execute("select warning from alert_warnings").fetchall()
    assert warning == "1 alert could not be sent: ci-observer alerts says why."


@pytest.mark.parametrize(("status", "tries"), [(400, [1, 1]), (500, [1, 0])])
def test_a_refused_message_holds_up_no_other(
    alerting, db, github, world, receiver, status, tries
):
    receiver.status = status
    step(alerting, github, world, "failure")
    step(alerting, github, world, "success")

    send_due(db, github, receiver.url)

    rows = db.execute(
        "select tries from alert_deliveries join alerts using (alert_id)"
        " order by alerts.rowid"
    )
    assert [count for (count,) in rows] == tries


def test_a_clock_that_is_set_back_delays_no_message(
    alerting, db, github, world, receiver
):
    step(alerting, github, world, "failure")
    receiver.status = 500
    send_due(db, github, receiver.url)
    db.execute("update alert_deliveries set next_at = '2036-01-01T00:00:00Z'")
    receiver.status = 200
    send_due(db, github, receiver.url)

    assert receiver.titles == ["acme/api: ci is broken"]


def test_a_dead_receiver_does_not_delay_another(alerting, db, github, world, receiver):
    dead = "json://127.0.0.1:9/dead"
    alerting.restart(alert_urls=(dead, receiver.url))
    step(alerting, github, world, "failure")

    async def deliver(url, message):
        if url == dead:
            await asyncio.Event().wait()
        return await asyncio.to_thread(send, url, message, network(github))

    async def send_while_one_hangs():
        work = sender(db, github, dead, receiver.url, deliver=deliver)
        work.start_due()
        while not receiver.requests:
            await asyncio.sleep(0)
        for task in work._tasks.values():
            task.cancel()

    asyncio.run(send_while_one_hangs())

    assert receiver.titles == ["acme/api: ci is broken"]


def test_only_chosen_events_and_repositories_are_sent(
    alerting, db, github, world, receiver
):
    alerting.restart(alert_events=("fixed",))
    step(alerting, github, world, "failure")
    step(alerting, github, world, "success")
    alerting.restart(alert_events=("broken",), alert_repos=("acme/*", "!acme/api"))
    step(alerting, github, world, "failure")

    send_due(db, github, receiver.url)

    assert receiver.titles == ["acme/api: ci passes again"]


def test_what_waits_for_a_removed_address_is_dropped(
    alerting, db, github, world, receiver
):
    step(alerting, github, world, "failure")
    alerting.restart(alert_urls=())

    send_due(db, github, receiver.url)

    assert receiver.requests == []
    assert states(db) == {"dropped": 1}
