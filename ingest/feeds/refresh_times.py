"""When the metadata of a repository are due. The repositories are spread over time."""

from datetime import UTC, datetime, timedelta
from zlib import crc32

REFRESH_EVERY = timedelta(days=1)
# With a token, an unchanged response is free.
NOTICE_WITHIN = timedelta(minutes=15)
MIN_NOTICE_EVERY = timedelta(minutes=5)
EPOCH = datetime.fromtimestamp(0, UTC)


def next_refresh_at(repo: str, last_at: datetime, *, refresh: timedelta) -> datetime:
    """When a repository is due after a refresh at `last_at`, with a token.

    At the latest a pass before `NOTICE_WITHIN`. `refresh` is the time between passes.
    """
    longest = max(MIN_NOTICE_EVERY, NOTICE_WITHIN - refresh)
    return last_at + longest * (1 + _share(repo)) / 2


def next_charged_refresh_at(repo: str, last_at: datetime, *, count: int) -> datetime:
    """When one of `count` repositories is due after a refresh at `last_at`.

    For refreshes without a token, which are charged: on average one repository in
    `NOTICE_WITHIN`, and each at least once a day. A repository keeps its own place in
    the cycle of all of them, so that many never become due at once.
    """
    cycle = min(NOTICE_WITHIN * max(count, 1), REFRESH_EVERY)
    first_at = EPOCH + cycle * _share(repo)
    return first_at + cycle * ((last_at - first_at) // cycle + 1)


def _share(repo: str) -> float:
    """A number from 0 to 1, always the same one for a repository."""
    return crc32(repo.lower().encode()) / 2**32
