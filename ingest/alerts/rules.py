"""Which alerts are sent to whom: the row of the view `alert_settings`."""

import json
from dataclasses import dataclass

from sqlite_utils import Database

from ci_observer.ingest.config.watching import EXCLUSION, fits

# Of an alert that belongs to no repository.
INSTANCE = "*"


@dataclass(frozen=True)
class Rules:
    """Failures in a row, events, repositories and the names of the addresses."""

    after: int
    events: tuple[str, ...]
    repos: tuple[str, ...]
    receivers: tuple[str, ...]

    def is_sent(self, event: str, repo: str) -> bool:
        """Whether an alert is sent. One about this instance has no repository."""
        if event not in self.events:
            return False
        return repo == INSTANCE or self._has_repo(repo)

    def _has_repo(self, repo: str) -> bool:
        wanted = [item for item in self.repos if item[0] != EXCLUSION]
        unwanted = [item[1:] for item in self.repos if item[0] == EXCLUSION]
        if any(fits(item, repo) for item in unwanted):
            return False
        return not wanted or any(fits(item, repo) for item in wanted)


def rules_of(db: Database) -> Rules | None:
    """The rules; None if no alert is sent."""
    row = db.execute(
        "select after_failures, events, repos, receivers from alert_settings"
    ).fetchone()
    if row is None:
        return None
    after, *lists = row
    return Rules(after, *(tuple(json.loads(text)) for text in lists))
