"""Whose turn it is: quiet feeds are asked in every second pass, half of them in each.

A tile is stale after three refreshes without an answer. So a question may wait only
when two more chances come before that: the next pass, and one half a refresh after it
should that one fail (`ci_observer.ingest.polling.pacing`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zlib import crc32

from sqlite_utils import Database

from ci_observer.ingest.config import Config
from ci_observer.ingest.polling.pacing import SOONER
from ci_observer.ingest.polling.repo_pages import Question, feeds_of
from ci_observer.ingest.store import feeds

QUIET_AFTER = timedelta(days=14)
# Quiet feeds are asked this often at least, or every pass when those are rarer.
LONGEST_WAIT = timedelta(minutes=5)
# What asking three times takes when GitHub answers each time with an error.
RETRYING = timedelta(seconds=5)


class Turns:
    """Decides for each pass of one process which questions are asked."""

    def __init__(self, config: Config, db: Database) -> None:
        self._db = db
        self._refresh = timedelta(seconds=config.refresh_seconds)
        self._passes = 0
        self._last_at: datetime | None = None

    def take(
        self, questions: Sequence[Question], started_at: datetime
    ) -> list[Question]:
        """The questions of the pass that begins, the longest unanswered first.

        In the first one they are all. A repository's list waits only when all of its
        feeds are quiet.
        """
        waiting = self._waiting(questions, started_at)
        self._passes += 1
        self._last_at = started_at
        # What a spent limit leaves out now is asked first when it is renewed.
        return sorted(
            (question for question in questions if question not in waiting),
            key=lambda question: question.checked_at or "",
        )

    def _waiting(
        self, questions: Sequence[Question], started_at: datetime
    ) -> set[Question]:
        """Those that have time until the next pass."""
        if self._last_at is None or 2 * self._refresh > LONGEST_WAIT:
            return set()
        # The next pass is taken to be as late as this one.
        step = max(self._refresh, started_at - self._last_at)
        until_late = (
            feeds.stale_after(self._db) - step - self._refresh * SOONER - RETRYING
        )
        quiet = feeds.quiet(self._db, since=started_at - QUIET_AFTER)
        return {
            question
            for question in questions
            if not self._is_turn_of(question)
            and quiet.issuperset(feed.key for feed in feeds_of(question))
            and started_at - _answered_at(question) < until_late
        }

    def _is_turn_of(self, question: Question) -> bool:
        return (self._passes + crc32(str(question).encode())) % 2 == 0


def _answered_at(question: Question) -> datetime:
    at = question.checked_at
    return datetime.fromisoformat(at) if at else datetime.min.replace(tzinfo=UTC)
