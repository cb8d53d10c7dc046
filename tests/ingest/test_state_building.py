"""The states over time of an older archive, which the background computes."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from archive import NOW, save, set_clock, watch
from click.testing import CliRunner
from factories import run_payload
from polling import FILE, REPO, poll
from sqlite_utils import Database
from state_histories import spans

from ci_observer.ingest.cli import main
from ci_observer.ingest.db import schema
from ci_observer.ingest.polling.background import PAUSE_SECONDS
from ci_observer.ingest.polling.states import CHECK_SECONDS, StateBuilding
from ci_observer.ingest.progress import no_progress
from ci_observer.ingest.states import updates
from ci_observer.ingest.store import repos, states
from ci_observer.ingest.store.database import transaction

FEEDS = ((REPO, FILE), ("acme/web", FILE), ("acme/docs", FILE))


def day(number: int) -> dict[str, str]:
    start = f"2026-02-{number:02}T12:00:00Z"
    return {
        "created_at": start,
        "run_started_at": start,
        "updated_at": f"2026-02-{number:02}T12:05:00Z",
    }


@pytest.fixture
def archive(db: Database) -> Database:
    """Three feeds with a run a day, every third one failed."""
    watch(db, *FEEDS)
    for place, (repo, _) in enumerate(FEEDS):
        identity = {"id": place, "full_name": repo}
        for n in range(1, 25):
            payload = run_payload(
                100 * place + n,
                conclusion="failure" if n % 3 == 0 else "success",
                repository=identity,
                head_repository=identity,
                **day(n),
            )
            save(db, payload)
    return db


def all_spans(db: Database) -> list[Any]:
    return db.execute(
        "select * from state_spans order by repo, workflow, from_at"
    ).fetchall()


def forget(db: Database) -> None:
    """As if an older version had stored the archive."""
    with transaction(db):
        db.execute("delete from state_spans")
        db.execute("delete from state_builds")
        updates.mark(db)


def test_the_background_computes_all_states_the_newest_of_each_feed_first(archive):
    before = all_spans(archive)
    forget(archive)
    progress = []
    while states.build(archive, 10):
        progress.append(
            archive.execute(
                "select repo, complete_from from state_progress order by repo"
            ).fetchall()
        )
        newest = "select count(*) from state_timeline where to_at is null"
        for row in all_spans(archive):
            assert row in before or row[2] in {at for _, at in progress[-1]}
    assert archive.execute(newest).fetchone() == (3,)

    # A step is one part of one feed; then the part of another one is the newest.
    assert [at for _, at in progress[0]].count(None) == 2
    assert all(at for _, at in progress[2])
    assert all_spans(archive) == before
    assert archive.execute("select count(*) from state_progress").fetchone() == (0,)


def test_runs_that_come_meanwhile_are_computed_at_once_or_by_the_background(archive):
    """Newer runs, older ones, and a feed of which nothing is computed yet."""
    forget(archive)
    states.build(archive, 10)
    later = {"id": 0, "full_name": REPO}
    for run_id, conclusion, number in ((90, "failure", 27), (80, "success", 2)):
        for place, (repo, _) in enumerate(FEEDS):
            payload = run_payload(
                run_id + 1000 * (place + 1),
                conclusion=conclusion,
                repository=later | {"full_name": repo},
                head_repository=later | {"full_name": repo},
                **day(number),
            )
            save(archive, payload)
    while states.build(archive, 7):
        pass
    kept = all_spans(archive)

    forget(archive)
    while states.build(archive, 1000):
        pass
    assert all_spans(archive) == kept


def test_an_upgrade_leaves_the_states_to_the_background(archive, caplog):
    before = all_spans(archive)
    for table in ("state_spans", "state_builds", "changed_states"):
        archive.execute(f"drop table {table}")
    archive.execute("drop view state_attempts")
    archive.execute("delete from _sqlite_migrations where name = 'm260_state_spans'")
    archive.execute("delete from schema_objects where name = 'state_attempts'")

    schema.migrate(archive, progress=no_progress)
    set_clock(archive, NOW)

    assert states.feeds_left(archive) == 3
    with caplog.at_level(logging.INFO, logger="ci_observer.ingest"):
        building = StateBuilding(archive, timer=lambda: 0)
        while building.build_some():
            pass
    assert all_spans(archive) == before
    assert [record.message for record in caplog.records] == [
        "The states of 3 workflows over time are computed in the background, newest"
        " first; ci-observer migrate computes all of them at once",
        "The states of 3 workflows over time are complete",
    ]


def test_migrate_computes_all_states_at_once(archive, db_path):
    before = all_spans(archive)
    forget(archive)
    archive.close()

    result = CliRunner().invoke(main, ["migrate"], env={"CI_OBSERVER_DB": str(db_path)})

    assert "States of 3 workflows over time computed." in result.output
    db = schema.connect(db_path)
    assert all_spans(db) == before
    db.close()


def test_the_background_waits_between_its_steps_and_looks_again(archive):
    forget(archive)
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(StateBuilding(archive).run(wait))
    assert set(waits) <= {PAUSE_SECONDS, CHECK_SECONDS}
    assert waits[-1] == CHECK_SECONDS


def test_an_error_of_the_database_is_logged_once(archive, caplog):
    forget(archive)
    archive.execute(
        "create trigger mine before insert on state_spans"
        " begin select raise(abort, 'no'); end"
    )
    building = StateBuilding(archive)

    assert not building.build_some()
    assert not building.build_some()
    errors = [r.message for r in caplog.records if r.levelno == logging.ERROR]
    assert errors == ["States over time cannot be computed: no."]


def test_a_renamed_repository_keeps_its_states_while_they_are_computed_again(archive):
    before = [row[2:] for row in all_spans(archive) if row[0] == REPO]
    repos.rename(archive, REPO, "acme/renamed")

    def renamed() -> list[Any]:
        return [row[2:] for row in all_spans(archive) if row[0] == "acme/renamed"]

    assert renamed() == before
    while states.build(archive, 10):
        pass
    assert renamed() == before
    assert REPO not in {row[0] for row in all_spans(archive)}


def test_a_backfill_leads_to_the_same_states_as_the_whole_history(
    world, github, ingest, db, wall_clock
):
    """Its older runs are computed as they come, and once more at its end."""
    for age in range(150, 0, -1):
        conclusion = "success" if age % 7 else "failure"
        created_at = world.now - timedelta(hours=age)
        world.add_run(
            REPO, FILE, created_at=created_at, duration=60, conclusion=conclusion
        )
    poll(ingest, github, 4)
    assert db["runs"].count == 150
    kept = spans(db)
    rechecks = states.feeds_left(db)

    forget(db)
    while states.build(db, 40):
        pass
    assert spans(db) == kept
    assert len(kept) > 20
    assert rechecks == 1
