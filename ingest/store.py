"""Every write to the database, each public function one transaction.

Rows come from `ingest.rows`; when to write is decided by `ingest.poller`. `revision`
grows in the transaction of any change that a reader of runs or wall could see.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlite_utils import Database

from ingest.config import Config
from ingest.rows import Row, attempt_row, is_older_run, merge_attempt, run_row

POLLS_KEPT = 10_000
NO_OFFSET_BEFORE = "0001-01-01T00:00:00Z"
SQLITE_VARIABLES = 500


@dataclass(frozen=True)
class Feed:
    """One watched (repo, workflow) pair, as the table `feeds` holds it."""

    repo: str
    workflow: str
    workflow_state: str | None
    default_branch: str | None
    described_at: str | None
    etag: str | None
    checked_at: str | None
    error: str | None
    error_kind: str | None
    retry_at: str | None
    backfill_until: str | None
    backfill_next_url: str | None
    backfilled_to: str | None
    backfilled_at: str | None

    def __str__(self) -> str:
        return f"{self.repo} {self.workflow}"


def save_instance(
    db: Database,
    config: Config,
    *,
    version: str,
    now: datetime,
) -> None:
    """Write what the web side needs to know of the settings; never the token."""
    public = {
        "title": config.title,
        "refresh_seconds": str(config.refresh_seconds),
        "timezone": config.timezone,
        "repos": json.dumps(config.repos),
        "workflows": json.dumps(config.workflows),
        "version": version,
        "why_not_polling": config.why_not_polling,
        "ingest_started_at": utc(now),
        "next_poll_at": None,
    }
    with db.atomic():
        before = dict(db.execute("select key, value from instance").fetchall())
        _save_settings(db, public)
        _save_timezone_offsets(db, config.timezone, now)
        volatile = {"ingest_started_at", "next_poll_at"}
        if any(before.get(k) != v for k, v in public.items() if k not in volatile):
            _bump_revision(db)


def save_next_poll(db: Database, next_poll_at: datetime) -> None:
    """Say when the next poll is due, by which the wall knows that ingest lives."""
    with db.atomic():
        _save_settings(db, {"next_poll_at": utc(next_poll_at)})


def save_watched(db: Database, pairs: Sequence[tuple[str, str]]) -> None:
    """Make the (repo, workflow) pairs the watched feeds; the others keep their history.

    A tile thus leaves the wall when its pair leaves the settings.
    """
    with db.atomic():
        before = _watched(db)
        db.execute("update feeds set is_watched = 0 where is_watched")
        db.conn.executemany(
            "insert into feeds (repo, workflow) values (?, ?)"
            " on conflict do update set is_watched = 1",
            pairs,
        )
        if _watched(db) != before:
            _bump_revision(db)


def watched_feeds(db: Database) -> list[Feed]:
    """The feeds to poll, in the order of their names."""
    columns = ", ".join(Feed.__dataclass_fields__)
    return [
        Feed(*row)
        for row in db.execute(
            f"select {columns} from feeds where is_watched"  # noqa: S608 (own names)
            " order by repo, workflow"
        )
    ]


def save_description(
    db: Database,
    repo: str,
    *,
    default_branch: str,
    workflows: Mapping[str, tuple[str | None, str | None]],
    now: datetime,
) -> None:
    """Write a repository's default branch and each workflow's (name, state).

    A watched workflow that GitHub does not list keeps what was known of it.
    """
    described = [
        (name, state, repo, workflow) for workflow, (name, state) in workflows.items()
    ]
    with db.atomic():
        before = _descriptions(db, repo)
        db.execute(
            "update feeds set default_branch = ?, described_at = ? where repo = ?",
            [default_branch, utc(now), repo],
        )
        db.conn.executemany(
            "update feeds set workflow_name = ?, workflow_state = ?"
            " where repo = ? and workflow = ?",
            described,
        )
        if _descriptions(db, repo) != before:
            _bump_revision(db)


@dataclass(frozen=True)
class Saved:
    """What a page of runs changed: how many rows, and how many runs were known."""

    written: int
    known: int


def save_live_page(
    db: Database,
    feed: Feed,
    payloads: Sequence[Mapping[str, Any]],
    *,
    etag: str | None,
    has_more: bool,
    horizon: datetime,
    now: datetime,
) -> Saved:
    """Write the newest runs of a feed, their ETag and the proof of freshness.

    All of it is one transaction: an ETag without its rows would hide them behind 304s.
    When none of the runs was known and there are more, some may have been missed: the
    feed is marked to catch up with older pages, back to what is stored or to `horizon`.
    """
    with db.atomic():
        newest_known = _newest_created_at(db, feed)
        saved = _save_runs(db, feed, payloads)
        progress: dict[str, str | None] = {"etag": etag}
        if payloads and has_more and not saved.known:
            until = newest_known if feed.backfilled_at else None
            progress |= {
                "backfill_until": until or utc(horizon),
                "backfill_next_url": None,
            }
        elif not feed.backfill_until and not feed.backfilled_at:
            progress["backfilled_at"] = utc(now)
        _save_checked(db, feed, now, **progress)
        _note_changes(db, feed, saved.written, now)
    return saved


def save_older_page(
    db: Database,
    feed: Feed,
    payloads: Sequence[Mapping[str, Any]],
    *,
    next_url: str | None,
    now: datetime,
) -> Saved:
    """Write a page of older runs and how far the catching up has come.

    Done when the page reaches back to `backfill_until` or is the last one.
    """
    with db.atomic():
        saved = _save_runs(db, feed, payloads)
        created = [str(run.get("created_at") or "") for run in payloads]
        oldest = min(created, default=None)
        until = feed.backfill_until or ""
        is_done = next_url is None or oldest is None or oldest < until
        _save_feed(
            db,
            feed,
            backfill_until=None if is_done else until,
            backfill_next_url=None if is_done else next_url,
            backfilled_to=oldest or feed.backfilled_to,
            backfilled_at=utc(now) if is_done else feed.backfilled_at,
        )
        _note_changes(db, feed, saved.written, now)
    return saved


def save_checked(db: Database, feed: Feed, now: datetime) -> None:
    """Note that GitHub has just answered for this feed: its data are fresh."""
    with db.atomic():
        _save_checked(db, feed, now)


def save_feed_error(
    db: Database,
    feed: Feed,
    *,
    error: str,
    kind: str,
    now: datetime,
    retry_at: datetime | None,
) -> None:
    """Keep why a feed could not be fetched; its runs and its freshness stay."""
    with db.atomic():
        _save_feed(
            db,
            feed,
            error=error,
            error_kind=kind,
            error_at=utc(now),
            retry_at=utc(retry_at) if retry_at else None,
        )
        if (feed.error, feed.error_kind) != (error, kind):
            _bump_revision(db)


def save_poll(db: Database, poll: Mapping[str, Any]) -> None:
    """Record a poll pass, and drop the records of long ago."""
    with db.atomic():
        names, marks = ", ".join(poll), ", ".join(f":{name}" for name in poll)
        poll_id = db.execute(
            f"insert into polls ({names}) values ({marks})",  # noqa: S608 (own names)
            dict(poll),
        ).lastrowid
        db.execute(
            "delete from polls where poll_id <= ?", [(poll_id or 0) - POLLS_KEPT]
        )


def utc(instant: datetime) -> str:
    """An aware time as GitHub writes it, with whole seconds and a Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _save_checked(
    db: Database, feed: Feed, now: datetime, **columns: str | None
) -> None:
    _save_feed(
        db,
        feed,
        checked_at=utc(now),
        error=None,
        error_kind=None,
        error_at=None,
        retry_at=None,
        **columns,
    )
    if feed.error or feed.checked_at is None:
        _bump_revision(db)


def _bump_revision(db: Database) -> None:
    """Tell readers that something they could see has changed."""
    db.execute("update instance set value = value + 1 where key = 'revision'")


def _note_changes(db: Database, feed: Feed, written: int, now: datetime) -> None:
    if written:
        _save_feed(db, feed, changed_at=utc(now))
        _bump_revision(db)


def _newest_created_at(db: Database, feed: Feed) -> str | None:
    [[newest]] = db.execute(
        "select max(created_at) from runs where repo = ? and workflow = ?",
        [feed.repo, feed.workflow],
    )
    return str(newest) if newest else None


def _save_runs(
    db: Database, feed: Feed, payloads: Iterable[Mapping[str, Any]]
) -> Saved:
    seen = [
        (run_row(payload, repo=feed.repo, workflow=feed.workflow), payload)
        for payload in payloads
    ]
    ids = [run["run_id"] for run, _ in seen]
    runs = {row["run_id"]: row for row in _rows(db, "runs", ids)}
    attempts = {
        (row["run_id"], row["run_attempt"]): row
        for row in _rows(db, "run_attempts", ids)
    }
    known = len(runs)
    written = 0
    for run, payload in seen:
        written += _save_run(db, run, payload, runs, attempts)
    return Saved(written, known)


def _save_run(
    db: Database,
    run: Row,
    payload: Mapping[str, Any],
    runs: dict[int, Row],
    attempts: dict[tuple[int, int], Row],
) -> bool:
    """Write what is new in one run; return whether anything was."""
    stored = runs.get(run["run_id"])
    key = (run["run_id"], run["run_attempt"])
    attempt = merge_attempt(attempts.get(key), attempt_row(run))
    is_old = stored is not None and is_older_run(run, stored)
    if is_old and stored is not None:
        run = stored
    if run["run_attempt"] == attempt["run_attempt"]:
        run = run | {"duration_seconds": attempt["duration_seconds"]}
    changed = False
    if run != stored:
        _upsert(db, "runs", run, ["run_id"])
        changed = True
    if attempt != attempts.get(key):
        _upsert(db, "run_attempts", attempt, ["run_id", "run_attempt"])
        changed = True
    if not is_old:
        changed |= _save_payload(db, run["run_id"], payload)
        _save_branch(db, run)
    runs[run["run_id"]], attempts[key] = run, attempt
    return changed


def _save_payload(db: Database, run_id: int, payload: Mapping[str, Any]) -> bool:
    raw_json = json.dumps(payload, separators=(",", ":"))
    return bool(
        db.execute(
            "insert into run_payloads values (:run_id, :raw_json)"
            " on conflict do update set raw_json = excluded.raw_json"
            " where raw_json <> excluded.raw_json",
            {"run_id": run_id, "raw_json": raw_json},
        ).rowcount
    )


def _save_branch(db: Database, run: Row) -> None:
    if run["head_branch"] is not None and run["head_repo"] == run["repo"]:
        db.execute(
            "insert or ignore into branches values (:repo, :workflow, :head_branch)",
            run,
        )


def _rows(db: Database, table: str, ids: Sequence[int]) -> Iterable[Row]:
    for start in range(0, len(ids), SQLITE_VARIABLES):
        some = ids[start : start + SQLITE_VARIABLES]
        marks = ", ".join("?" * len(some))
        yield from db[table].rows_where(f"run_id in ({marks})", some)


def _upsert(db: Database, table: str, row: Row, keys: Sequence[str]) -> None:
    # Not sqlite-utils' upsert: that looks up the table's schema for every row.
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    rest = ", ".join(f"{name} = excluded.{name}" for name in row if name not in keys)
    db.execute(
        f"insert into {table} ({names}) values ({values})"  # noqa: S608 (own names)
        f" on conflict ({', '.join(keys)}) do update set {rest}",
        row,
    )


def _save_feed(db: Database, feed: Feed, **columns: str | None) -> None:
    if not columns:
        return
    settings = ", ".join(f"{name} = :{name}" for name in columns)
    db.execute(
        f"update feeds set {settings}"  # noqa: S608 (own names)
        " where repo = :repo and workflow = :workflow",
        columns | {"repo": feed.repo, "workflow": feed.workflow},
    )


def _save_settings(db: Database, values: Mapping[str, str | None]) -> None:
    db.conn.executemany(
        "insert into instance values (?, ?)"
        " on conflict do update set value = excluded.value",
        list(values.items()),
    )


def _watched(db: Database) -> set[tuple[str, str]]:
    return set(db.execute("select repo, workflow from feeds where is_watched"))


def _descriptions(db: Database, repo: str) -> set[tuple[str | None, ...]]:
    return set(
        db.execute(
            "select workflow, workflow_name, workflow_state, default_branch from feeds"
            " where repo = ?",
            [repo],
        )
    )


def _save_timezone_offsets(db: Database, timezone: str, now: datetime) -> None:
    """Write every change of a zone's offset, from GitHub's beginning to 2 years on.

    By them SQL can tell a run's local day; SQLite itself knows no time zones.
    """
    zone = ZoneInfo(timezone)
    github_began = datetime(2008, 1, 1, tzinfo=UTC)
    offsets = [(NO_OFFSET_BEFORE, _offset_seconds(github_began, zone))]
    offsets += _offset_changes(zone, github_began, now + timedelta(days=730))
    db.execute("delete from timezone_offsets")
    db.conn.executemany("insert into timezone_offsets values (?, ?)", offsets)


def _offset_changes(
    zone: ZoneInfo, start: datetime, end: datetime
) -> Iterable[tuple[str, int]]:
    """Each (instant, new offset in seconds); changes fall on quarters of an hour."""
    day, quarter = timedelta(days=1), timedelta(minutes=15)
    while start < end:
        step = day
        if _offset_seconds(start, zone) != _offset_seconds(start + day, zone):
            step = quarter
            after = _offset_seconds(start + quarter, zone)
            if after != _offset_seconds(start, zone):
                yield utc(start + quarter), after
        start += step


def _offset_seconds(instant: datetime, zone: ZoneInfo) -> int:
    offset = instant.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0
