"""Makes a filled database of a shard complete: indexes, triggers, derived tables."""
# ruff: noqa: S608 (own names, and no value)

import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.config.shard import Shard
from ci_observer.ingest.db import derived, indexes, objects
from ci_observer.ingest.db import rollups as rollup_tables
from ci_observer.ingest.db.copies import Damaged
from ci_observer.ingest.db.locks import write_transaction
from ci_observer.ingest.progress import Progress
from ci_observer.ingest.reshard import tables
from ci_observer.ingest.reshard.copying import ShardCopy
from ci_observer.ingest.reshard.plan import attached, runs_of
from ci_observer.ingest.reshard.sources import Source
from ci_observer.ingest.store import instance, rollups, states
from ci_observer.ingest.store.payloads import REPACKED_TO

RUNS_PER_STEP = 2000
# Of more repositories, all tiles are rebuilt: each of them reads whole tables.
MOST_SINGLE_REPOS = 20

Facts = dict[str, Any]


def facts_of(conn: sqlite3.Connection, source: Source) -> Facts:
    """What a source says of all its rows together."""
    with attached(conn, source):
        instance = dict(conn.execute("select key, value from source.instance"))
        [progress] = conn.execute("select from_run_id from source.rollup_progress")
        offsets = conn.execute("select * from source.timezone_offsets").fetchall()
    return {
        "instance": instance,
        "are_runs_counted": progress[0] == 0,
        "offsets": sorted(offsets),
    }


def complete(
    db: Database,
    copy: ShardCopy,
    shard: Shard,
    facts: Sequence[Facts],
    progress: Progress,
) -> None:
    """Make the database complete; the plan is attached as `plan`."""
    shared = [
        repo
        for (repo,) in db.execute(
            "select repo from plan.shared join plan.places using (repo)"
            " where shard = ?",
            [shard.number],
        ).fetchall()
    ]
    counts_can_be_copied = not shared and all(
        f["are_runs_counted"] and f["offsets"] == facts[0]["offsets"] for f in facts
    )
    _save_instance(db, shard, facts)
    if counts_can_be_copied:
        copy.add_sums()
        _set_counted(db, runs_of(db.conn, shard.number))
    wanted = objects.shipped()
    for name in progress([n for k, n in wanted if k == "index"], "creating indexes"):
        indexes.replace(db, name)
    for (kind, _), sql in wanted.items():
        if kind == "trigger":
            db.execute(sql)
    _rebuild_shared(db, shared, progress)
    for name in progress(derived.COUNTED_COLUMNS, "counting values"):
        derived.recount(db, name)
    if not counts_can_be_copied:
        _count_runs(db, progress)
    if shared:
        while states.build(db, RUNS_PER_STEP, shows=False):
            pass


def check(conn: sqlite3.Connection, shard: int) -> int:
    """The number of runs in a complete database. Raises `Damaged` if any is missing."""
    expected = runs_of(conn, shard)
    [[runs]] = conn.execute("select count(*) from main.runs").fetchall()
    if runs != expected:
        raise Damaged(f"{runs} of {expected} runs were copied")
    if found := conn.execute("pragma main.foreign_key_check").fetchone():
        raise Damaged(
            f"a row of {found[0]} refers to one of {found[2]} that is missing"
        )
    [[problem]] = conn.execute("pragma main.quick_check(1)").fetchall()
    if problem != "ok":
        raise Damaged(str(problem))
    return int(runs)


def _save_instance(db: Database, shard: Shard, facts: Sequence[Facts]) -> None:
    instances = [f["instance"] for f in facts]
    values: dict[str, str] = {
        # Greater than any that a client knows with other content.
        "revision": str(max(int(i["revision"]) for i in instances) + 1),
        # A lake must not take it for another shard, and has tiles of the former ones.
        "database_id": secrets.token_hex(8),
        "former_database_ids": json.dumps(sorted(_database_ids(instances))),
    }
    for key in tables.INSTANCE_KEYS_OF_ROWS:
        known = {i.get(key) for i in instances}
        if len(known) == 1 and (value := known.pop()) is not None:
            values[key] = value
    if repacked := [int(i[REPACKED_TO]) for i in instances if i.get(REPACKED_TO)]:
        values[REPACKED_TO] = str(min(repacked))
    if shard.count > 1:
        # A start with another SHARD is noticed by it.
        values["shard"] = _shard_record(db, shard)
    db.conn.executemany(
        "insert or replace into main.instance (key, value) values (?, ?)",
        list(values.items()),
    )


def _database_ids(instances: Sequence[Mapping[str, str]]) -> set[str]:
    """The ids of the sources, and of those that they were made of."""
    former = (json.loads(i.get("former_database_ids", "[]")) for i in instances)
    return {i["database_id"] for i in instances}.union(*former)


def _shard_record(db: Database, shard: Shard) -> str:
    [[repos, all_repos]] = db.execute(
        "select count(*) filter (where shard = ?), count(*) from plan.places"
        " where is_watched",
        [shard.number],
    ).fetchall()
    return instance.shard_text(shard, repos=repos, all_repos=all_repos)


def _set_counted(db: Database, runs: int) -> None:
    [timezone] = db.execute(
        "select value from main.instance where key = 'timezone'"
    ).fetchone() or ["UTC"]
    db.execute("delete from main.rollup_progress")
    db.execute(
        "insert into main.rollup_progress"
        " (from_run_id, timezone, runs_done, runs_total) values (0, ?, ?, ?)",
        [timezone, runs, runs],
    )


def _rebuild_shared(db: Database, repos: Sequence[str], progress: Progress) -> None:
    """Rebuild the tiles of repositories whose rows come from several sources."""
    if not repos:
        return
    with write_transaction(db.conn):
        if len(repos) > MOST_SINGLE_REPOS:
            derived.rebuild_tiles(db, progress=progress)
        else:
            for repo in progress(repos, "rebuilding tiles"):
                derived.rebuild_tiles(db, repo)
        # No alert is due for them: their state is that of the sources.
        db.execute("delete from main.changed_tiles")


def _count_runs(db: Database, progress: Progress) -> None:
    with write_transaction(db.conn):
        for table in tables.SUMMED:
            db.execute(f"delete from main.{table}")
        rollup_tables.restart(db)
        db.execute("delete from main.flaky_shas")
    total = rollups.progress(db).runs_total
    steps = [f"from run {n}" for n in range(0, total + 1, RUNS_PER_STEP)]
    for _ in progress(steps, "counting runs"):
        rollups.build(db, RUNS_PER_STEP, shows=False)
    while rollups.build(db, RUNS_PER_STEP, shows=False):
        pass
