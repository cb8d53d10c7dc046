"""Checks that a database is consistent and equal to the simulated GitHub."""

import json
from typing import Any

from rollups import differing_rows
from sqlite_utils import Database

from ci_observer.demo.server.model import Run
from ci_observer.demo.server.run_objects import run_object
from ci_observer.demo.server.world import World
from ci_observer.ingest.github.rows import run_row
from ci_observer.ingest.states import feeds as states
from ci_observer.ingest.states.compute import Span, compute
from ci_observer.ingest.store.run_rows import RUN_COLUMNS

# Queries of inconsistent rows; each must find none.
UNSOUND = {
    "an ETag of a feed without its runs": """
        select 1 from feeds f where etag is not null and not exists (
            select 1 from runs r where r.repo = f.repo and r.workflow = f.workflow
        )
    """,
    "an ETag of a page without its newest or oldest run": """
        select url from responses where kind = 'runs' and newest_at is not null and (
            newest_at not in (select created_at from runs)
            or oldest_at not in (select created_at from runs)
        )
    """,
    "an ETag without checked_at": """
        select 1 from feeds where etag is not null and checked_at is null
    """,
    "a run without its attempt": """
        select run_id from runs where (run_id, run_attempt) not in (
            select run_id, run_attempt from run_attempts
        )
    """,
    "a run without its payload": """
        select run_id from runs_full where raw_json is null or not json_valid(raw_json)
    """,
    "an attempt without its end that is not pending": """
        with recursive below (run_id, run_attempt) as (
            select run_id, run_attempt - 1 from runs
            union all
            select run_id, run_attempt - 1 from below where run_attempt > 1
        )
        select run_id, run_attempt from below where run_attempt > 0
        and (run_id, run_attempt) not in (
            select run_id, run_attempt from run_attempts where status = 'completed'
        )
        and (run_id, run_attempt) not in (
            select run_id, run_attempt from pending where kind = 'attempt'
        )
    """,
    "a tile that differs from its view": """
        with facts as materialized (select * from tile_facts)
        select * from (select * from tiles except select * from facts)
        union all
        select * from (select * from facts except select * from tiles)
    """,
}


def assert_intact(db: Database) -> None:
    """SQLite finds no damage and no broken reference."""
    assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert db.execute("pragma foreign_key_check").fetchall() == []


def assert_sound(db: Database) -> None:
    """The database is consistent, after any responses of GitHub."""
    assert_intact(db)
    found = {name: db.execute(sql).fetchall() for name, sql in UNSOUND.items()}
    assert {name: rows for name, rows in found.items() if rows} == {}
    assert differing_rows(db) == {}
    assert differing_spans(db) == {}


def differing_spans(db: Database) -> dict[str, Any]:
    """The stored and the computed states of feeds over time, where they differ.

    Without those that are left to the background.
    """
    found = {}
    for repo, workflow in db.execute(
        "select distinct repo, workflow from feed_states"
        " except select repo, workflow from state_builds"
    ).fetchall():
        feed = states.read(db, repo, workflow)
        computed = compute(feed, feed.begins_at())[0] if feed else []
        names = ", ".join(Span._fields)
        stored = db.execute(
            f"select {names} from state_spans where repo = ? and workflow = ?"  # noqa: S608
            " order by from_at",
            [repo, workflow],
        ).fetchall()
        if stored != [tuple(span) for span in computed]:
            found[f"{repo} {workflow}"] = (stored, computed)
    return found


def assert_is_truth(db: Database, world: World) -> None:
    """The database has every run as GitHub has it now, and every attempt."""
    assert_sound(db)
    runs = {
        row["run_id"]: {column: row[column] for column in RUN_COLUMNS}
        for row in db["runs"].rows
    }
    assert set(runs) == set(world.runs)
    expected = {run.id: _row(world, run) for run in world.runs.values()}
    assert differences(runs, expected) == {}
    payloads = db.execute("select run_id, raw_json from runs_full").fetchall()
    assert {run_id: json.loads(raw) for run_id, raw in payloads} == {
        run.id: _payload(world, run) for run in world.runs.values()
    }
    attempts = db.execute("select run_id, run_attempt from run_attempts").fetchall()
    assert sorted(attempts) == sorted(
        (row["run_id"], attempt)
        for row in expected.values()
        for attempt in range(1, row["run_attempt"] + 1)
    )


def differences(
    stored: dict[int, dict[str, Any]], expected: dict[int, dict[str, Any]]
) -> dict[int, Any]:
    """The differing values, as (stored, expected) by run and column."""
    return {
        run_id: {
            column: (value, expected[run_id][column])
            for column, value in row.items()
            if value != expected[run_id][column]
        }
        for run_id, row in stored.items()
        if row != expected[run_id]
    }


def _payload(world: World, run: Run) -> dict[str, Any]:
    return run_object(run, run.version_at(world.now), world.sites)


def _row(world: World, run: Run) -> dict[str, Any]:
    """The row that a poll stores."""
    file = run.workflow.path.rpartition("/")[2]
    return run_row(_payload(world, run), repo=run.repo.full_name, workflow=file)
