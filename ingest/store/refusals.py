"""Writes that GitHub refuses the annotations of a repository, and for how long.

Fine-grained tokens have no permission to read those of private repositories. The
annotations of failed jobs have a refusal of their own: a job that is gone must not keep
those of cancelled jobs from being read, by which a tile may turn red.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlite_utils import Database

from ci_observer.ingest.times import utc

# After this time, a refused request for annotations is tried again; one with an unclear
# response, as during the fault of a proxy, earlier.
REFUSED_FOR = timedelta(days=1)
UNCLEAR_FOR = timedelta(hours=1)

# The annotations of cancelled jobs, and those of failed jobs.
ANNOTATIONS, ERRORS = "annotations", "errors"


def _is_refused_sql(kind: str) -> str:
    return f"""coalesce(
        {kind}_refused_at > :refused_since and {kind}_refused_at <= :now
        and {kind}_refused_token = :token_digest, 0
    )"""


# Conditions on `repos`, with the parameters of `Reader.params`.
IS_REFUSED = {
    ANNOTATIONS: _is_refused_sql(ANNOTATIONS),
    ERRORS: f"({_is_refused_sql(ANNOTATIONS)} or {_is_refused_sql(ERRORS)})",
}


@dataclass(frozen=True)
class Reader:
    """Who reads annotations: a token, at a time."""

    token_digest: str
    now: datetime

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of `IS_REFUSED`."""
        return {
            "refused_since": utc(self.now - REFUSED_FOR),
            "now": utc(self.now),
            "token_digest": self.token_digest,
        }


def is_refused(db: Database, kind: str, repo: str, reader: Reader) -> bool:
    """Whether this token was refused a repository's annotations in the last day."""
    row = db.execute(
        f"select 1 from repos where repo = :repo and {IS_REFUSED[kind]}",
        reader.params | {"repo": repo},
    ).fetchone()
    return row is not None


def save(
    db: Database,
    kind: str,
    repo: str,
    reader: Reader,
    *,
    refused_for: timedelta = REFUSED_FOR,
) -> None:
    """Record that GitHub refuses the annotations of a repository.

    Within the caller's transaction. The time lies back so far that it counts for
    `refused_for` more.
    """
    refused_at = reader.now - (REFUSED_FOR - refused_for)
    db.execute(
        f"""
        insert into repos (repo, {kind}_refused_at, {kind}_refused_token)
        values (?, ?, ?) on conflict do update set
            {kind}_refused_at = excluded.{kind}_refused_at,
            {kind}_refused_token = excluded.{kind}_refused_token
        """,
        [repo, utc(refused_at), reader.token_digest],
    )
