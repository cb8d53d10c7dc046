"""Keeps `state_spans` up to date after a change, and computes old ones in steps.

Every function runs within the caller's transaction. A change of runs or of a feed's
facts is computed at once, from the time of the change on. Longer times are left to
`build`: the table `state_builds` has the feeds whose spans from `from_at` to before
`to_at` are still to be computed, the newest first.
"""

# ruff: noqa: S608 (own names, and no value)

from collections.abc import Sequence

from sqlite_utils import Database

from ci_observer.ingest.states import feeds, table
from ci_observer.ingest.states.compute import Changed, compute
from ci_observer.ingest.states.durations import long_open_times
from ci_observer.ingest.states.feeds import Feed
from ci_observer.ingest.states.schedule import SCHEDULE
from ci_observer.ingest.states.status import NEVER
from ci_observer.ingest.states.sweep import TooManyRuns

# A change on which the states since more runs than these depend is left to `build`.
MOST_RUNS = 2000
# To compute a feed without runs takes as long as to compute so many runs.
FEED_AS_RUNS = 20


def update_runs(
    db: Database, repo: str, workflow: str, branch: str, ids: Sequence[int]
) -> None:
    """Compute the spans again that depend on changed runs of a branch."""
    feed = feeds.read(db, repo, workflow)
    if feed is None or not feed.has_branch(branch):
        return
    rows = db.execute(
        "select created_at, event from runs"
        f" where run_id in ({', '.join('?' * len(ids))}) and repo = ?"
        " and workflow = ? order by created_at",
        [*ids, repo, workflow],
    ).fetchall()
    created = tuple(created_at for created_at, _ in rows)
    changed = Changed(created, any(event == SCHEDULE for _, event in rows))
    built_from = _built_from(feed)
    done_to = ""
    for created_at in created:
        start = max(created_at, built_from)
        if start >= done_to and start != NEVER:
            is_first = start == built_from
            done_to = _update(feed, start, changed, is_first=is_first)
            newest = changed.newest(done_to)
            _update_stuck(feed, branch, newest, done_to, built_from)
    if created and (open_since := _open_since(feed, branch)) and done_to < NEVER:
        # When it is stuck depends on how long other runs took.
        start = max(open_since, built_from)
        _update(feed, start, None, is_first=start == built_from)


def update_marked(db: Database) -> None:
    """Compute the spans again of the feeds whose recorded facts have changed."""
    marked = db.execute("select repo, workflow, from_at from changed_states").fetchall()
    for repo, workflow, from_at in marked:
        feed = feeds.read(db, repo, workflow)
        if feed is None:
            table.delete_all(db, repo, workflow)
            continue
        start = from_at
        if from_at <= max(feed.facts[1].from_at, feed.branch_known_at):
            start = feed.begins_at()
        built_from = _built_from(feed)
        if (start := max(start, built_from)) != NEVER:
            _update(feed, start, None, is_first=start == built_from)
    if marked:
        db.execute("delete from changed_states")


def mark(db: Database, repo: str | None = None) -> None:
    """Have all spans of the watched feeds, or of one repository's, computed again."""
    db.execute(
        "insert into state_builds (repo, workflow, from_at, to_at, is_recheck)"
        " select distinct repo, workflow, '', :never, 0 from feed_states"
        " where is_watched and workflow <> '*' and (:repo is null or repo = :repo)"
        " on conflict do update set from_at = '', to_at = :never, is_recheck = 0",
        {"repo": repo, "never": NEVER},
    )


def feeds_left(db: Database) -> int:
    """The number of feeds whose spans are still to be computed."""
    [[count]] = db.execute("select count(*) from state_builds")
    return int(count)


def build(db: Database, limit: int) -> int:
    """Compute the newest spans that are still to be computed, over about `limit` runs.

    Returns the number of feeds that are left.
    """
    while limit > 0 and (runs := _build_next(db, limit)) is not None:
        limit -= runs + FEED_AS_RUNS
    return feeds_left(db)


def _build_next(db: Database, limit: int) -> int | None:
    """Compute the newest spans of a feed. Returns over how many runs; None if none."""
    row = db.execute(
        "select b.repo, b.workflow, b.from_at, b.to_at from state_builds b"
        " left join feeds f on f.repo = b.repo and f.workflow = b.workflow"
        " order by is_recheck, coalesce(is_watched, 0) desc, to_at desc limit 1"
    ).fetchone()
    if row is None:
        return None
    repo, workflow, from_at, to_at = row
    key = [repo, workflow]
    feed = feeds.read(db, repo, workflow)
    start, runs = _build_one(feed, from_at, to_at, limit) if feed else (None, 0)
    if start is None:
        db.execute("delete from state_builds where repo = ? and workflow = ?", key)
    else:
        db.execute(
            "update state_builds set to_at = ? where repo = ? and workflow = ?",
            [start, *key],
        )
    return runs


def _build_one(
    feed: Feed, from_at: str, to_at: str, limit: int
) -> tuple[str | None, int]:
    """Compute the newest spans of a feed.

    Returns from when on, or None if they are complete; and over how many runs.
    """
    first = max(from_at, feed.begins_at())
    created = feed.history(feed.branch_before(to_at)).created_before(to_at, limit)
    start = max(first, created[-1] if len(created) == limit else first)
    if start >= to_at:
        return None, 0
    is_last = start == first
    spans, _ = compute(feed, start, end=to_at)
    table.write(feed, spans, start, to_at, is_first=not is_last)
    return None if is_last else start, len(created)


def _built_from(feed: Feed) -> str:
    """From when on the spans of a feed are computed; `NEVER` if none are yet."""
    row = feed.db.execute(
        "select to_at from state_builds where repo = ? and workflow = ?"
        " and not is_recheck",
        [feed.repo, feed.workflow],
    ).fetchone()
    return str(row[0]) if row else ""


def _open_since(feed: Feed, branch: str) -> str | None:
    """When the run of a tile began that may be stuck in future."""
    row = feed.db.execute(
        "select r.started_at from tiles t join runs r on r.run_id = t.stuck_run_id"
        " where t.repo = ? and t.workflow = ? and t.branch = ?",
        [feed.repo, feed.workflow, branch],
    ).fetchone()
    return row[0] if row else None


def _update_stuck(
    feed: Feed, branch: str, created_at: str, done_to: str, built_from: str
) -> None:
    """Compute the spans of long runs again: the usual duration may have changed."""
    if done_to == NEVER:
        return
    after = max(done_to, built_from)
    if times := long_open_times(feed.history(branch), created_at, after):
        start, end = times
        _update(feed, start, None, end=end, is_first=start == built_from)


def _update(
    feed: Feed,
    start: str,
    changed: Changed | None,
    *,
    is_first: bool,
    end: str = NEVER,
) -> str:
    """Compute the spans from a time on. Returns before which time they end."""
    try:
        spans, end = compute(feed, start, end=end, changed=changed, most_runs=MOST_RUNS)
    except TooManyRuns:
        _leave(feed, start)
        return NEVER
    table.write(feed, spans, start, end, is_first=is_first)
    return end


def _leave(feed: Feed, start: str) -> None:
    """Leave the spans from a time on to `build`."""
    feed.db.execute(
        "insert into state_builds (repo, workflow, from_at, to_at, is_recheck)"
        " values (?, ?, ?, ?, 0) on conflict do update set"
        " from_at = min(from_at, excluded.from_at), to_at = excluded.to_at,"
        " is_recheck = 0",
        [feed.repo, feed.workflow, start, NEVER],
    )
