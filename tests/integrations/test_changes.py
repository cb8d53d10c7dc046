"""Which spans of states are changes, by a second implementation and by the views."""
# ruff: noqa: S311 (no secrets)

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from archive import NOW, watch
from sqlite_utils import Database

from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.times import utc
from ci_observer.web.database import add_text_functions
from ci_observer.web.filters import Filters
from ci_observer.web.integrations.changes import REASONS, changes_sql, read_changes

Span = tuple[str, str | None]
STATES: tuple[Span, ...] = (
    *(("green", None), ("red", None)) * 3,
    *(("unknown", reason) for reason in (*REASONS, "no_result", "unwatched")),
)
FEEDS = (("acme/api", "ci.yml"), ("acme/api", "lint.yml"), ("acme/web", "ci.yml"))
ALL = Filters(since="2000-01-01T00:00:00Z", limit=1000)


def expected(spans: list[tuple[str, Span]]) -> Iterator[tuple[str, str, int | None]]:
    """The time and the kind of each change; of a fix, the minutes since the break."""
    decided, before, broken = None, None, 0
    for number, (at, (state, reason)) in enumerate(spans):
        if state == "red" and decided != "red":
            broken = number
            yield at, "broke", None
        elif state == "green" and decided == "red":
            yield at, "fixed", number - broken
        elif state == "green" and before in REASONS:
            yield at, "recovered", None
        elif reason in REASONS:
            yield at, reason, None
        decided = decided if state == "unknown" else state
        before = reason


def random_spans(random: Random) -> list[tuple[str, Span]]:
    """A state a minute, each another one than the one before."""
    states = random.choices(STATES, k=80)
    kept = [states[0], *(b for a, b in pairwise(states) if a != b)]
    start = NOW - timedelta(minutes=len(kept))
    return [
        (utc(start + timedelta(minutes=number)), span)
        for number, span in enumerate(kept)
    ]


def save_spans(db: Database, repo: str, file: str, spans: Any) -> None:
    ends = [*(at for at, _ in spans[1:]), None]
    rows = [
        (repo, file, at, end, "main", state, reason)
        for (at, (state, reason)), end in zip(spans, ends, strict=True)
    ]
    db.conn.executemany(
        "insert into state_spans"
        " (repo, workflow, from_at, to_at, branch, state, reason)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


def connect(path: Path) -> sqlite3.Connection:
    conn = sqlite3.connect(path)
    conn.row_factory = sqlite3.Row
    add_text_functions(conn)
    return conn


def test_random_states_have_the_changes_of_the_other_implementation(
    db: Database, db_path: Path
) -> None:
    watch(db, *FEEDS)
    random, wanted = Random(4), set()
    with transaction(db):
        db.execute("delete from state_spans")
        db.execute("delete from changed_states")
        for repo, file in FEEDS:
            spans = random_spans(random)
            save_spans(db, repo, file, spans)
            wanted |= {(repo, file, *change) for change in expected(spans)}
    conn = connect(db_path)
    found = read_changes(conn, ALL)
    breaks = conn.execute("select repo, workflow, broken_at from breaks").fetchall()
    conn.close()

    assert {
        (
            *(c[name] for name in ("repo", "workflow", "at", "kind")),
            None if c["red_seconds"] is None else c["red_seconds"] // 60,
        )
        for c in found
    } == wanted
    assert {
        (c["repo"], c["workflow"], c["at"]) for c in found if c["kind"] == "broke"
    } == {tuple(row) for row in breaks}
    assert [c["at"] for c in found] == sorted((c["at"] for c in found), reverse=True)
    assert len(found) > 100


def test_a_change_is_found_by_its_feed_and_time(db: Database, db_path: Path) -> None:
    """Never by reading all states: there may be many years of them."""
    sql, params = changes_sql(Filters())
    conn = connect(db_path)
    plan = [row["detail"] for row in conn.execute(f"explain query plan {sql}", params)]
    conn.close()

    searches = [step for step in plan if "(repo=? AND workflow=? AND from_at>?" in step]
    assert any(step.startswith("SEARCH s USING PRIMARY KEY") for step in searches)
    assert [step for step in plan if step in ("SCAN x", "SCAN p", "SCAN d")] == []


def test_states_that_are_still_being_computed_are_no_changes(
    db: Database, db_path: Path
) -> None:
    watch(db, *FEEDS[:1])
    spans = random_spans(Random(5))
    complete_from = spans[40][0]
    with transaction(db):
        db.execute("delete from state_spans")
        save_spans(db, *FEEDS[0], spans)
        db.execute(
            "insert or replace into state_builds values (?, ?, '', ?, 0)",
            [*FEEDS[0], complete_from],
        )
        db.execute("delete from changed_states")
    conn = connect(db_path)
    found = [change["at"] for change in read_changes(conn, ALL)]
    conn.close()

    assert min(found) > complete_from
    assert sorted(found) == [at for at, *_ in expected(spans) if at > complete_from]
