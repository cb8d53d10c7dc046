"""The result of one pass, as the table `polls` has it."""

from dataclasses import dataclass
from datetime import datetime

from ci_observer.ingest.errors import GitHubError
from ci_observer.ingest.github.http_messages import RequestStats
from ci_observer.ingest.polling.concurrency import RequestPool
from ci_observer.ingest.times import utc


@dataclass(frozen=True)
class PollResult:
    """The result of one pass. Its fields are columns of the table `polls`."""

    started_at: str
    finished_at: str
    feeds: int
    feeds_failed: int
    requests: int
    not_modified: int
    runs_written: int
    rate_limit: int | None
    rate_limit_remaining: int | None
    rate_limit_reset_at: str | None
    error: str | None
    error_kind: str | None

    @classmethod
    def of(
        cls,
        stats: RequestStats,
        error: GitHubError | None,
        *,
        started_at: datetime,
        finished_at: datetime,
        feeds: int,
        feeds_failed: int,
        runs_written: int,
    ) -> "PollResult":
        """A pass with these requests; `error` stopped every account."""
        limit = stats.lowest_rate_limit(finished_at)
        return cls(
            started_at=utc(started_at),
            finished_at=utc(finished_at),
            feeds=feeds,
            feeds_failed=feeds_failed,
            requests=stats.requests,
            not_modified=stats.not_modified,
            runs_written=runs_written,
            error=str(error) if error else None,
            error_kind=error.kind if error else None,
            rate_limit=limit.limit if limit else None,
            rate_limit_remaining=limit.remaining if limit else None,
            rate_limit_reset_at=utc(limit.reset_at) if limit else None,
        )


def error_of_pass(pool: RequestPool, stats: RequestStats) -> GitHubError | None:
    """The error that stopped every account; None if some were polled."""
    errors = [pool.stopped.get(account) for account in stats.by_account]
    return pool.stopped_by or (errors[0] if errors and all(errors) else None)
