"""Indexes of a large table are made one by one, while polling goes on."""

import re

import pytest
from archive import save_runs, watch
from factories import run_payload
from sqlite_utils import Database

from ci_observer import ROOT
from ci_observer.ingest.db import indexes, objects, schema
from ci_observer.ingest.polling.maintenance import Indexing

FORMER = "create index runs_started on runs (started_at, repo)"


@pytest.fixture
def large(db: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database whose tables count as large, with runs."""
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1), run_payload(2))
    monkeypatch.setattr(indexes, "LARGE", 0)
    return db


def make_former(db: Database) -> None:
    """Indexes as a former version may have left them."""
    for name in ("runs_started", "runs_actor", "runs_left_out"):
        db.execute(f"drop index {name}")
    db.execute(FORMER)
    db.execute("create index runs_actor on runs (actor, run_id)")


def definitions(db: Database) -> dict[tuple[str, str], str]:
    return {key: sql for key, sql in objects.stored(db).items() if key[0] == "index"}


def test_an_upgrade_leaves_indexes_with_their_former_definition(
    large: Database,
) -> None:
    expected = definitions(large)
    make_former(large)
    assert schema.migrate(large) == []
    found = definitions(large)
    assert found["index", "runs_started"] == FORMER
    assert ("index", "runs_left_out") not in found

    # Missing ones first; each pass of ingest makes one.
    assert indexes.pending(large) == ["runs_left_out", "runs_started", "runs_actor"]
    indexing = Indexing(large)
    indexing.make_one()
    assert indexes.pending(large) == ["runs_started", "runs_actor"]
    for _ in range(3):
        indexing.make_one()
    assert indexes.make_next(large) is None
    assert definitions(large) == expected


def test_a_statement_that_names_an_index_never_misses_it(large: Database) -> None:
    for (_, name), sql in definitions(large).items():
        if not name.startswith("idx_") and "schema_objects" not in sql:
            large.execute(f"drop index {name}")
    schema.migrate(large)
    made = {name for _, name in definitions(large)}
    assert {*indexes.NAMED, *indexes.OF_INGEST} <= made
    assert "runs_left_out" in indexes.pending(large)


def test_all_indexes_that_statements_name_are_known() -> None:
    sources = [
        path
        for folder in ("ingest", "web", "plugins")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".sql")
    ]
    texts = [path.read_text() for path in [*sources, ROOT / "metadata.yml"]]
    named = {name for text in texts for name in re.findall(r"indexed by (\w+)", text)}
    assert named == {*indexes.NAMED}


def test_a_partial_index_that_statements_name_is_replaced_at_once(
    large: Database,
) -> None:
    """With another condition, SQLite refuses a statement that names it."""
    large.execute("drop index runs_unfinished")
    large.execute("create index runs_unfinished on runs (repo) where status = 'x'")
    schema.migrate(large)
    assert indexes.pending(large) == []


def test_an_error_in_the_middle_leaves_the_former_index(
    large: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_former(large)
    schema.migrate(large)
    indexes.make_next(large)

    def fail(db: Database, name: str) -> None:
        db.execute(f"drop index {name}")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(indexes, "replace", fail)
        with pytest.raises(KeyboardInterrupt):
            indexes.make_next(large)
    assert definitions(large)["index", "runs_started"] == FORMER
    assert not large.conn.in_transaction

    assert indexes.make_next(large) == "runs_started"


def test_an_index_of_the_user_is_left_alone(large: Database) -> None:
    large.execute("create index mine on runs (html_url)")
    make_former(large)
    schema.migrate(large)
    while indexes.make_next(large):
        pass
    assert ("index", "mine") in definitions(large)
    assert indexes.due_at_once(large) == []
