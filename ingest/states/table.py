"""Writes the table `state_spans`. Within the caller's transaction."""
# ruff: noqa: S608 (own names, and no value)

from collections.abc import Iterable

from sqlite_utils import Database

from ci_observer.ingest.states.compute import Span
from ci_observer.ingest.states.feeds import Feed

_FEED = "repo = ? and workflow = ?"
_COLUMNS = ", ".join(Span._fields)
# A span, and when the next one begins.
Row = tuple[Span, str | None]


def write(
    feed: Feed, spans: list[Span], start: str, end: str, *, is_first: bool = False
) -> bool:
    """Replace the spans of a feed from `start` to before `end`. Return if any differs.

    Adjacent spans are never equal, unless it `is_first`: those before `start` are not
    computed yet.
    """
    stored = dict(_select(feed, "from_at >= ? and from_at < ?", start, end))
    before = _newest(feed, "from_at < ?", "desc", start)
    after = _newest(feed, "from_at >= ?", "", end)
    if before and spans and before.content == spans[0].content and not is_first:
        spans = spans[1:]
    last = spans[-1] if spans else before
    if last and after and last.content == after.content:
        _delete(feed, [after.from_at])
        after = _newest(feed, "from_at > ?", "", after.from_at)
    following = (*spans[1:], after) if spans else ()
    wanted = {
        span.from_at: (span, other.from_at if other else None)
        for span, other in zip(spans, following, strict=True)
    }
    removed = stored.keys() - wanted.keys()
    added = [row for at, row in wanted.items() if stored.get(at) != row]
    _delete(feed, removed)
    _insert(feed, added)
    if before:
        following_one = spans[0] if spans else after
        _set_end(feed, before, following_one.from_at if following_one else None)
    return bool(removed or added)


def delete_all(db: Database, repo: str, workflow: str) -> None:
    """Delete the spans of a feed."""
    db.execute(f"delete from state_spans where {_FEED}", [repo, workflow])


def _select(
    feed: Feed, where: str, *params: str, order: str = ""
) -> list[tuple[str, Row]]:
    rows = feed.db.execute(
        f"select {_COLUMNS}, to_at from state_spans where {_FEED} and {where} {order}",
        [feed.repo, feed.workflow, *params],
    )
    return [(row[0], (Span(*row[:-1]), row[-1])) for row in rows]


def _newest(feed: Feed, where: str, direction: str, at: str) -> Span | None:
    order = f"order by from_at {direction} limit 1"
    for _, (span, _) in _select(feed, where, at, order=order):
        return span
    return None


def _delete(feed: Feed, times: Iterable[str]) -> None:
    feed.db.conn.executemany(
        f"delete from state_spans where {_FEED} and from_at = ?",
        [(feed.repo, feed.workflow, at) for at in times],
    )


def _insert(feed: Feed, rows: Iterable[Row]) -> None:
    changes = ", ".join(
        f"{name} = excluded.{name}" for name in (*Span._fields, "to_at")
    )
    marks = ", ".join("?" * (len(Span._fields) + 3))
    # Not `replace`, which would clear a column that a user has added.
    feed.db.conn.executemany(
        f"insert into state_spans (repo, workflow, {_COLUMNS}, to_at) values ({marks})"
        f" on conflict do update set {changes}",
        [(feed.repo, feed.workflow, *span, to_at) for span, to_at in rows],
    )


def _set_end(feed: Feed, span: Span, to_at: str | None) -> None:
    feed.db.execute(
        f"update state_spans set to_at = ? where {_FEED} and from_at = ?"
        " and to_at is not ?",
        [to_at, feed.repo, feed.workflow, span.from_at, to_at],
    )
