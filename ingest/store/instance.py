"""Writes the public settings of the instance, its polls and the revision."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlite_utils import Database

from ci_observer.ingest.alerts import settings as alert_settings
from ci_observer.ingest.config import Config
from ci_observer.ingest.config.multipliers import Multipliers, multipliers_text
from ci_observer.ingest.config.shard import Shard, parse_shard
from ci_observer.ingest.errors import ConfigError
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.times import utc

POLLS_KEPT = 10_000
# Of 20 bytes each. A lake that has missed more is filled again.
CHANGES_KEPT = 1_000_000
NO_OFFSET_BEFORE = "0001-01-01T00:00:00Z"


def save_settings(
    db: Database,
    config: Config,
    *,
    version: str,
    now: datetime,
) -> None:
    """Write the settings that the web side needs. Never the token."""
    public = {
        "title": config.title,
        "refresh_seconds": str(config.refresh_seconds),
        "timezone": config.timezone,
        "fetch_jobs": config.fetch_jobs,
        "minute_multipliers": multipliers_text(config.minute_multipliers),
        "repos": json.dumps(config.repos),
        "workflows": json.dumps(config.workflows),
        "version": version,
        "why_not_polling": config.why_not_polling,
        "alerts": alert_settings.text_of(config),
        "ingest_started_at": utc(now),
        "next_poll_at": None,
    }
    with transaction(db):
        before = dict(db.execute("select key, value from instance").fetchall())
        _save_values(db, public)
        _save_timezone_offsets(db, config.timezone, now)
        _save_multipliers(db, config.minute_multipliers)
        volatile = {"ingest_started_at", "next_poll_at"}
        alert_settings.apply(db, before.get("alerts"))
        if any(before.get(k) != v for k, v in public.items() if k not in volatile):
            bump_revision(db)


def stored_shard(db: Database) -> Shard | None:
    """The shard of the instance that wrote the database last; None if it had none.

    Also None for a value that no version has written.
    """
    found = db.execute("select value from instance where key = 'shard'").fetchone()
    try:
        record = json.loads(found[0] or "{}") if found else {}
        return parse_shard(f"{record['number']}/{record['count']}", "shard")
    except (ConfigError, ValueError, KeyError, TypeError):
        return None


def shard_text(shard: Shard, *, repos: int, all_repos: int) -> str:
    """A shard as it is stored, with the repositories that it and all shards watch."""
    return json.dumps(
        {
            "number": shard.number,
            "count": shard.count,
            "repos": repos,
            "all_repos": all_repos,
        }
    )


def save_shard(db: Database, shard: str | None, empty_reason: str | None) -> None:
    """Write the `shard_text` of the instance, and why it has no feeds if so."""
    values = {"shard": shard, "empty_shard": empty_reason}
    stored = dict(
        db.execute(
            "select key, value from instance where key in ('shard', 'empty_shard')"
        ).fetchall()
    )
    if all(stored.get(key) == value for key, value in values.items()):
        return
    with transaction(db):
        _save_values(db, values)
        bump_revision(db)


def save_next_poll(db: Database, next_poll_at: datetime) -> None:
    """Write when the next poll is due. The wall checks by it that ingest is running."""
    with transaction(db):
        _save_values(db, {"next_poll_at": utc(next_poll_at)})


def save_poll_start(db: Database, started_at: datetime) -> None:
    """Write that a pass begins: until it ends, its next poll is not overdue."""
    with transaction(db):
        _save_values(db, {"poll_started_at": utc(started_at)})


def save_token_expiration(db: Database, expires_at: datetime | None) -> None:
    """Write when the token expires, so that the wall can show a warning."""
    with transaction(db):
        text = utc(expires_at) if expires_at else None
        _save_values(db, {"token_expires_at": text})


def save_poll(db: Database, poll: Mapping[str, Any]) -> None:
    """Record a poll pass, and delete the oldest records and changes of runs."""
    with transaction(db):
        names, marks = ", ".join(poll), ", ".join(f":{name}" for name in poll)
        poll_id = db.execute(
            f"insert into polls ({names}) values ({marks})",
            dict(poll),
        ).lastrowid
        db.execute(
            "delete from polls where poll_id <= ?", [(poll_id or 0) - POLLS_KEPT]
        )
        # The last one stays, so that no id is used twice.
        db.execute(
            "delete from run_changes"
            " where change_id <= (select max(change_id) from run_changes) - ?",
            [CHANGES_KEPT],
        )


def revision(db: Database) -> int:
    """The revision, which grows with each change that readers can see."""
    [[value]] = db.execute("select value from instance where key = 'revision'")
    return int(value)


def bump_revision(db: Database) -> None:
    """Increase the revision: something that readers can see has changed.

    It is never below the time of ingest's start, in seconds since 1970, so that a
    restored backup does not come to a revision that clients know with other content.
    """
    db.execute(
        """
        update instance set value = max(value + 1, coalesce((
            select cast(strftime('%s', value) as integer) from instance
            where key = 'ingest_started_at'
        ), 0))
        where key = 'revision'
        """
    )


def _save_values(db: Database, values: Mapping[str, str | None]) -> None:
    db.conn.executemany(
        "insert into instance (key, value) values (?, ?)"
        " on conflict do update set value = excluded.value",
        list(values.items()),
    )


def _save_multipliers(db: Database, multipliers: Multipliers) -> None:
    """Write the factors by which views bill minutes."""
    db.execute("delete from minute_multipliers")
    db.conn.executemany(
        "insert into minute_multipliers (os, factor) values (?, ?)", multipliers
    )


def _save_timezone_offsets(db: Database, timezone: str, now: datetime) -> None:
    """Write each change of a zone's UTC offset until two years from now, or longer.

    SQL derives a run's local day from them, since SQLite has no time zones.
    """
    wanted = set(_offsets(timezone, end_year=now.year + 3))
    stored = set(
        db.execute("select from_at, offset_seconds from timezone_offsets").fetchall()
    )
    # Only what differs: a trigger starts the rollups over if a stored run is affected.
    db.conn.executemany(
        "delete from timezone_offsets where from_at = ? and offset_seconds = ?",
        sorted(stored - wanted),
    )
    db.conn.executemany(
        "insert into timezone_offsets (from_at, offset_seconds) values (?, ?)",
        sorted(wanted - stored),
    )
    db.execute("update rollup_progress set timezone = ?", [timezone])


@cache
def _offsets(timezone: str, *, end_year: int) -> list[tuple[str, int]]:
    """The offset when GitHub began, in 2008, and each change until a year begins."""
    zone = ZoneInfo(timezone)
    github_began, end = (datetime(year, 1, 1, tzinfo=UTC) for year in (2008, end_year))
    first = (NO_OFFSET_BEFORE, _offset_seconds(github_began, zone))
    return [first, *_offset_changes(zone, github_began, end)]


def _offset_changes(
    zone: ZoneInfo, start: datetime, end: datetime
) -> Iterable[tuple[str, int]]:
    """Each (instant, new offset in seconds); changes fall on quarters of an hour."""
    day, quarter = timedelta(days=1), timedelta(minutes=15)
    offset = _offset_seconds(start, zone)
    while start < end:
        step, after = day, _offset_seconds(start + day, zone)
        if after != offset:
            step, after = quarter, _offset_seconds(start + quarter, zone)
            if after != offset:
                yield utc(start + quarter), after
        start += step
        offset = after


def _offset_seconds(instant: datetime, zone: ZoneInfo) -> int:
    offset = instant.astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0
