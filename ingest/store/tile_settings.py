"""Writes what the YAML file says about feeds, branches, tiles and screens.

The web side reads the tables `feed_settings`, `tile_branches`, `muted_tiles` and
`screens`. Without the file they are empty.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.config.repo_rules import branches_of, schedule_of, team_of
from ci_observer.ingest.config.watching import EXCLUSION
from ci_observer.ingest.store import feeds, job_walk, pending, repos
from ci_observer.ingest.store.database import transaction, upsert_all
from ci_observer.ingest.store.instance import bump_revision
from ci_observer.ingest.times import utc

# The workflow under which the error of a repository without feeds is shown.
NO_WORKFLOW = "*"


def save_views(db: Database, config: Config, now: datetime) -> None:
    """Write the screens and the muted tiles of the settings."""
    with transaction(db):
        screens = [(s.name, s.query, n) for n, s in enumerate(config.screens)]
        columns = ("name", "query", "position")
        has_changed = _replace(db, "screens", columns, screens, keys=1)
        if has_changed | _save_muted(db, config, now):
            bump_revision(db)


def save_repo(db: Database, config: Config, repo: str, now: datetime) -> None:
    """Write the settings of a repository's watched feeds and branches."""
    with transaction(db):
        if _save_feeds(db, config, repo, now) | _save_branches(db, config, repo):
            bump_revision(db)


def save_repos(
    db: Database, config: Config, watched: Iterable[str], now: datetime
) -> None:
    """Write the settings of all watched repositories, and delete those of others."""
    names = list(watched) if config.repo_settings or config.teams else []
    kept = {name.lower() for name in names}
    with transaction(db):
        for table in ("feed_settings", "tile_branches"):
            for (repo,) in db.execute(f"select distinct repo from {table}").fetchall():
                if repo.lower() not in kept:
                    db.execute(f"delete from {table} where repo = ?", [repo])
                    bump_revision(db)
        for repo in names:
            save_repo(db, config, repo, now)


def _save_feeds(db: Database, config: Config, repo: str, now: datetime) -> bool:
    known = repos.get(db, repo)
    team = team_of(config, repo, known.topic_list if known else ())
    since = dict(
        db.execute(
            "select workflow || ' ' || schedule_seconds, schedule_from_at"
            " from feed_settings where repo = ? and schedule_seconds is not null",
            [repo],
        ).fetchall()
    )
    rows = []
    for workflow in (NO_WORKFLOW, *(f.workflow for f in feeds.watched(db, repo))):
        is_feed = workflow != NO_WORKFLOW
        seconds = schedule_of(config, repo, workflow) if is_feed else None
        # From when on it is expected: since the settings first had this schedule.
        from_at = since.get(f"{workflow} {seconds}", utc(now)) if seconds else None
        if team or seconds:
            rows.append((repo, workflow, team, seconds, from_at))
    columns = ("repo", "workflow", "team", "schedule_seconds", "schedule_from_at")
    return _replace(db, "feed_settings", columns, rows, keys=2, repo=repo)


def _save_branches(db: Database, config: Config, repo: str) -> bool:
    rows = [
        (repo, _glob(pattern.removeprefix(EXCLUSION)), int(pattern[0] == EXCLUSION))
        for pattern in branches_of(config, repo)
    ]
    columns = ("repo", "pattern", "is_excluded")
    if not _replace(db, "tile_branches", columns, rows, keys=2, repo=repo):
        return False
    chosen = "select distinct branch from chosen_tiles where repo = ?"
    for (branch,) in db.execute(chosen, [repo]).fetchall():
        pending.add_jobs_of_branch(db, repo, branch)
    job_walk.start_repo_again(db, repo)
    return True


def _glob(pattern: str) -> str:
    """A pattern for SQLite's `glob`, in which `[` begins a set of characters."""
    return re.sub(r"\[", "[[]", pattern)


def _save_muted(db: Database, config: Config, now: datetime) -> bool:
    """Add new mutes, and end those that the settings no longer have.

    Ended ones stay, so that a past wall shows what was muted.
    """
    wanted = {
        (m.repo, m.workflow, m.branch, m.reason, utc(m.until_at(config.timezone)))
        for m in config.muted
        if m.until_at(config.timezone) > now
    }
    columns = "repo, workflow, branch, reason, until_at"
    stored = set(
        db.execute(
            f"select {columns} from muted_tiles where until_at > ?", [utc(now)]
        ).fetchall()
    )
    db.conn.executemany(
        "update muted_tiles set until_at = ? where repo = ? and workflow = ?"
        " and branch is ? and reason = ? and until_at = ?",
        [(utc(now), *row) for row in stored - wanted],
    )
    db.conn.executemany(
        f"insert into muted_tiles ({columns}, from_at) values (?, ?, ?, ?, ?, ?)",
        [(*row, utc(now)) for row in sorted(wanted - stored, key=repr)],
    )
    return stored != wanted


def _replace(
    db: Database,
    table: str,
    columns: tuple[str, ...],
    rows: list[tuple[Any, ...]],
    *,
    keys: int,
    repo: str | None = None,
) -> bool:
    """Replace the rows of a table, or of a repository; whether any differed.

    The first `keys` columns are the key. A row that is kept is never absent: its
    triggers record what changes, with the time.
    """
    where = "true" if repo is None else "repo = :repo"
    select = f"select {', '.join(columns)} from {table} where {where}"
    found = set(db.execute(select, {"repo": repo}).fetchall())
    kept = {row[:keys] for row in rows}
    is_key = " and ".join(f"{name} = ?" for name in columns[:keys])
    db.conn.executemany(
        f"delete from {table} where {is_key}",
        [row[:keys] for row in found if row[:keys] not in kept],
    )
    changed = [dict(zip(columns, row, strict=True)) for row in rows if row not in found]
    upsert_all(db, table, changed, columns[:keys])
    return found != set(rows)
