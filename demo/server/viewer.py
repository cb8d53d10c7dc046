"""Who sends a request, and which state of the world that client sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ci_observer.demo.server.model import Repo
from ci_observer.demo.server.pagination import Caps
from ci_observer.demo.server.rate_limits import Bucket, Token


@dataclass(frozen=True, slots=True)
class Viewer:
    """The client's token and rate limit, and the lag of the data it sees.

    `as_of` is the time of the replica that responds. `keep` is the share of rows that
    a lagging search index has; `counts_all` is true if its counts include the others.
    """

    token: Token | None
    bucket: Bucket
    as_of: datetime
    caps: Caps
    keep: float = 1.0
    counts_all: bool = False
    old_enterprise: bool = False

    def can_see(self, repo: Repo) -> bool:
        if not repo.private:
            return True
        return self.token is not None and self.token.can_see(repo.full_name)
