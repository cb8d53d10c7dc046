"""The lake of databases that `ci-observer reshard` has made of others."""

from archive import save_runs, watch
from factories import run_payload
from lakes import Lake, merge
from sqlite_utils import Database

from ci_observer.ingest.commands.reshard import reshard
from ci_observer.ingest.db import schema
from ci_observer.ingest.store import instance
from ci_observer.ingest.store.database import transaction

# Of two shards, acme/r2 is in the first, the others are in the second.
REPOS = ("acme/r0", "acme/r1", "acme/r2")


def test_resharding_neither_loses_nor_doubles_a_row(db, db_path, lake, tmp_path):
    # Without the clock of the tests, which reshard would refuse.
    schema.migrate(db)
    watch(db, *((repo, "ci.yml") for repo in REPOS))
    for number, repo in enumerate(REPOS):
        save_runs(db, run_payload(number + 1), repo=repo)
    merge(db_path, lake.folder)
    runs = lake.rows("runs")
    # The lake learns of this only from the shard.
    change(db, "update feeds set is_watched = 0 where repo = 'acme/r0'")
    reshard([db_path], tmp_path / "new", shards=2)
    first, second = (tmp_path / f"new/shard-{n}-of-2.db" for n in (1, 2))

    assert merge(first, lake.folder) == {"tiles": (0, 1)}
    # Those of the second shard stay until it has merged.
    assert repos_of_tiles(lake) == list(REPOS)
    assert merge(second, lake.folder) == {"tiles": (0, 1)}

    assert repos_of_tiles(lake) == ["acme/r1", "acme/r2"]
    assert lake.rows("runs") == runs
    assert merge(first, lake.folder) == merge(second, lake.folder) == {}


def test_rows_that_the_lake_has_are_read_once(db, db_path, lake, monkeypatch):
    watch(db, ("acme/api", "ci.yml"))
    save_runs(db, run_payload(1), run_payload(2))
    merge(db_path, lake.folder)
    # A merge without a changed row makes no commit by itself.
    change(db, "update instance set value = 'another' where key = 'database_id'")

    assert merge(db_path, lake.folder) == {"tiles": (0, 1)}

    before = lake.files()
    assert merge(db_path, lake.folder) == {}
    assert lake.files() == before


def change(db: Database, sql: str) -> None:
    with transaction(db):
        db.execute(sql)
        instance.bump_revision(db)


def repos_of_tiles(lake: Lake) -> list[str]:
    return [row["repo"] for row in lake.rows("tiles")]
