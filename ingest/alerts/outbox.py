"""Writes the alerts, within the caller's transaction: that of the change.

`store.database.transaction` calls `record_changed` at its end. `alerts.watch` marks the
tiles that time alone has changed.
"""
# ruff: noqa: S608 (own names, and no value)

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from uuid import uuid4

from sqlite_utils import Database

from ci_observer.ingest.alerts.events import (
    BROKEN,
    EVERY_WORKFLOW,
    UNWATCHED,
    Alert,
    Break,
    Tile,
    Told,
    compare,
    first_told,
)
from ci_observer.ingest.alerts.rules import Rules, rules_of
from ci_observer.ingest.db.vocabulary import RESULTS, sql_list
from ci_observer.ingest.store.keys import FeedKey

# The tiles that can have alerts: those of default branches.
_TILES = """
    select
        w.repo, w.workflow, w.branch, w.last_result, w.alarm, w.error,
        w.untested_reason, w.streak, w.broken_run_id, w.broken_run_attempt,
        w.fixed_run_id, w.fixed_run_attempt, w.fixed_at, w.red_seconds,
        w.last_result_run_id, w.last_result_run_attempt, w.last_result_started_at,
        w.workflow_state,
        w.stuck_run_id, w.stuck_at, w.overdue_at, w.stale_at,
        (
            select b.created_at from repos p join runs b on b.run_id = p.blocked_run_id
            where p.repo = w.repo
        ),
        w.muted_until is not null,
        -- What was never there cannot be lost. An owner's repositories fit `owner/*`.
        iif(
            w.workflow = '*',
            exists (
                select 1 from feeds f
                where lower(f.repo) glob lower(w.repo) and f.checked_at is not null
            ),
            (
                select f.checked_at is not null from feeds f
                where f.repo = w.repo and f.workflow = w.workflow
            )
        )
    from wall_branches w where w.is_default_branch
"""
# When a run had its result: when the attempt ended.
_DECIDED_AT = f"""
    select d.decided_at from runs r
    join decisions d
        on d.repo = r.repo and d.workflow = r.workflow and d.branch = r.tile_branch
        and d.result in {sql_list(RESULTS)} and d.created_at = r.created_at
        and d.run_id = r.run_id
    where r.run_id = ?
"""
# A state of a whole repository that comes back within this time is not told again.
REPEAT_SECONDS = 3600
ALERTS_KEPT = 10_000


def record_changed(db: Database) -> None:
    """Write the alerts of the feeds that have changed in this transaction."""
    changed = db.execute("select repo, workflow from changed_tiles").fetchall()
    if not changed:
        return
    if rules := rules_of(db):
        now = _now(db)
        for repo, workflow in changed:
            key = [repo, workflow]
            rows = db.execute(f"{_TILES} and w.repo = ? and w.workflow = ?", key)
            tile = next((Tile(*row) for row in rows.fetchall()), None)
            if tile is None:
                _save_unwatched(db, repo, workflow)
            else:
                _record(db, tile, now, rules)
    db.execute("delete from changed_tiles")


def changed_by_time(db: Database) -> list[Tile]:
    """The tiles with another alert now than before. Writes nothing."""
    rules, now = rules_of(db), _now(db)
    if rules is None:
        return []
    return [tile for tile in tiles(db) if _is_changed(db, tile, now, rules)]


def mark(db: Database, changed: Iterable[Tile]) -> None:
    """Have tiles compared at the end of the transaction."""
    db.conn.executemany(
        "insert or ignore into changed_tiles (repo, workflow) values (?, ?)",
        [(tile.repo, tile.workflow) for tile in changed],
    )


def tiles(db: Database) -> Iterable[Tile]:
    """All tiles that can have alerts."""
    return [Tile(*row) for row in db.execute(_TILES).fetchall()]


def start(db: Database) -> None:
    """Take all that the tiles show as told: nothing of the past is told."""
    now = _now(db)
    db.execute("delete from changed_tiles")
    for tile in tiles(db):
        _save_first(db, tile, _told(db, tile), now)


def add(db: Database, repo: str, workflow: str, alert: Alert, rules: Rules) -> None:
    """Write an alert with its messages, unless the same change was found before."""
    if alert.is_whole_repo:
        workflow = EVERY_WORKFLOW
        if _is_repeated(db, repo, alert):
            return
    values = {k: v for k, v in vars(alert).items() if k != "is_whole_repo"}
    values |= {"alert_id": uuid4().hex, "repo": repo, "workflow": workflow}
    added = db.execute(
        "insert or ignore into alerts (alert_id, repo, workflow, event, subject, at,"
        " found_at, run_id, run_attempt, streak, red_seconds, detail, branch)"
        " values (:alert_id, :repo, :workflow, :event, :subject, :at,"
        " (select now from clock), :run_id, :run_attempt, :streak, :red_seconds,"
        " :detail, (select tile_branch from runs where run_id = :run_id))",
        values,
    )
    if added.rowcount and rules.is_sent(alert.event, repo):
        db.conn.executemany(
            "insert into alert_deliveries (alert_id, receiver, state, next_at)"
            " values (?, ?, 'waiting', (select now from clock))",
            [(values["alert_id"], receiver) for receiver in rules.receivers],
        )


def drop_others(db: Database, receivers: Sequence[str]) -> None:
    """Drop what waits for addresses that the settings no longer have."""
    marks = ", ".join("?" * len(receivers))
    db.execute(
        "update alert_deliveries set state = 'dropped',"
        " ended_at = (select now from clock)"
        f" where ended_at is null and receiver not in ({marks})",
        receivers,
    )


def move(db: Database, old: FeedKey, new: FeedKey) -> None:
    """Give the alerts of a renamed feed the new name, so that none is told again."""
    keys = {f"old_{name}": value for name, value in vars(old).items()} | vars(new)
    for table in ("alert_tiles", "alerts"):
        db.execute(
            f"update or replace {table} set repo = :repo, workflow = :workflow"
            " where repo = :old_repo and workflow = :old_workflow",
            keys,
        )


def delete_old(db: Database) -> None:
    """Delete the oldest alerts when there are many."""
    db.execute(
        "delete from alerts where found_at < (select found_at from alerts"
        " order by found_at desc limit 1 offset ?)",
        [ALERTS_KEPT],
    )


def is_known(db: Database, repo: str, workflow: str, alert: Alert) -> bool:
    """Whether an alert is stored."""
    row = db.execute(
        "select 1 from alerts where repo = ? and workflow = ? and event = ?"
        " and subject = ?",
        [repo, workflow, alert.event, alert.subject],
    ).fetchone()
    return row is not None


def _is_changed(db: Database, tile: Tile, now: str, rules: Rules) -> bool:
    told = _told(db, tile)
    if told is None or told.alarm == UNWATCHED:
        return bool(tile.was_fetched)
    new, _ = _compare(db, tile, told, now, rules)
    return new != told


def _record(db: Database, tile: Tile, now: str, rules: Rules) -> None:
    told = _told(db, tile)
    is_new = told is None or told.alarm == UNWATCHED
    if is_new and tile.workflow != EVERY_WORKFLOW:
        _save_first(db, tile, told, now)
        return
    # Owners and repositories have a tile only while they have an error.
    told = told or Told(now)
    new, alerts = _compare(db, tile, told, now, rules)
    for alert in alerts:
        add(db, tile.repo, tile.workflow, alert, rules)
    if new != told:
        _save_told(db, tile, new)


def _compare(
    db: Database, tile: Tile, told: Told, now: str, rules: Rules
) -> tuple[Told, list[Alert]]:
    return compare(
        tile,
        told,
        now=now,
        decided_at=_decided_at(db, tile),
        last_break=_last_break(db, tile) if told.is_broken else None,
        after=rules.after,
    )


def _is_repeated(db: Database, repo: str, alert: Alert) -> bool:
    """Whether the same was told of the repository a moment ago.

    All of its tiles change together, and GitHub may take a change back and repeat it.
    """
    row = db.execute(
        "select 1 from alerts where repo = ? and workflow = ? and event = ?"
        " and unixepoch(found_at) > unixepoch((select now from clock)) - ?",
        [repo, EVERY_WORKFLOW, alert.event, REPEAT_SECONDS],
    ).fetchone()
    return row is not None


def _told(db: Database, tile: Tile) -> Told | None:
    row = db.execute(
        "select known_at, broken, alarm from alert_tiles"
        " where repo = ? and workflow = ?",
        [tile.repo, tile.workflow],
    ).fetchone()
    return Told(*row) if row else None


def _save_first(db: Database, tile: Tile, before: Told | None, now: str) -> None:
    """Take what a tile shows as told, from the first good response on."""
    if tile.was_fetched:
        _save_told(db, tile, first_told(tile, before, now))


def _save_unwatched(db: Database, repo: str, workflow: str) -> None:
    """Record that a feed has no tile. An owner or repository has none without error."""
    key = [repo, workflow]
    if workflow == EVERY_WORKFLOW:
        db.execute("delete from alert_tiles where repo = ? and workflow = ?", key)
    else:
        db.execute(
            "update alert_tiles set alarm = ? where repo = ? and workflow = ?",
            [UNWATCHED, *key],
        )


def _save_told(db: Database, tile: Tile, told: Told) -> None:
    db.execute(
        "insert into alert_tiles (repo, workflow, known_at, broken, alarm)"
        " values (?, ?, ?, ?, ?) on conflict do update set"
        " known_at = excluded.known_at, broken = excluded.broken,"
        " alarm = excluded.alarm",
        [tile.repo, tile.workflow, *astuple(told)],
    )


def _decided_at(db: Database, tile: Tile) -> str | None:
    if tile.last_result != "failing":
        return None
    row = db.execute(_DECIDED_AT, [tile.broken_run_id]).fetchone()
    return row[0] if row else None


def _last_break(db: Database, tile: Tile) -> Break | None:
    """The break that was told last."""
    row = db.execute(
        "select branch, at from alerts where repo = ? and workflow = ? and event = ?"
        " order by at desc limit 1",
        [tile.repo, tile.workflow, BROKEN],
    ).fetchone()
    return Break(*row) if row else None


def _now(db: Database) -> str:
    [[now]] = db.execute("select now from clock")
    return str(now)
