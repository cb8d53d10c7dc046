"""Notices what time alone changes: stuck and overdue runs, stale data, the token."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlite_utils import Database

from ci_observer.ingest.alerts import outbox
from ci_observer.ingest.alerts.events import STALE, Alert, token_alert
from ci_observer.ingest.alerts.rules import INSTANCE, rules_of
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.times import parse_instant

# How long data have to be stale: shorter troubles of GitHub would be noise.
STALE_FOR = timedelta(minutes=5)
ALL_FEEDS = ""
# States of polling in which nothing is expected yet.
_NOT_EXPECTED = ("off", "starting")


@dataclass(frozen=True)
class _Found:
    """An alert about this instance, or about the data of one workflow."""

    repo: str
    workflow: str
    alert: Alert


class AlertWatch:
    """Looks at all tiles from time to time.

    Staleness has to be seen for some time by this process: after a start, or after the
    machine has slept, everything is stale for a moment.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._stale_since: dict[str, str] = {}

    def look(self) -> None:
        """Write the alerts that are due by now. Without any, nothing is locked."""
        rules = rules_of(self._db)
        if rules is None:
            return
        changed = outbox.changed_by_time(self._db)
        found = [
            one
            for one in self._look_at_polling()
            if not outbox.is_known(self._db, one.repo, one.workflow, one.alert)
        ]
        if not changed and not found:
            return
        with transaction(self._db):
            outbox.mark(self._db, changed)
            for one in found:
                outbox.add(self._db, one.repo, one.workflow, one.alert, rules)
            outbox.delete_old(self._db)

    def _look_at_polling(self) -> Iterator[_Found]:
        row = self._db.execute(
            "select (select now from clock), state, reason, is_healthy,"
            " last_success_at, token_expires_at from polling"
        ).fetchone()
        now, state, reason, is_healthy, last_success_at, expires_at = row
        stale: dict[str, tuple[str | None, str | None]] = {}
        if is_healthy:
            stale = {
                f"{tile.repo} {tile.workflow}": (tile.stale_at, tile.error)
                for tile in outbox.tiles(self._db)
                if tile.alarm == STALE and not tile.is_muted
            }
        elif state not in _NOT_EXPECTED:
            stale = {ALL_FEEDS: (last_success_at, reason)}
        yield from self._stale_alerts(stale, now)
        if expires_at:
            alert = token_alert(expires_at, _seconds(now, expires_at))
            if alert is not None:
                yield _Found(INSTANCE, INSTANCE, alert)

    def _stale_alerts(
        self, stale: dict[str, tuple[str | None, str | None]], now: str
    ) -> Iterator[_Found]:
        self._stale_since = {
            key: min(now, self._stale_since.get(key, now)) for key in stale
        }
        for key, (at, reason) in stale.items():
            if _seconds(self._stale_since[key], now) < STALE_FOR.total_seconds():
                continue
            repo, _, workflow = key.partition(" ") if key else (INSTANCE, "", INSTANCE)
            subject = at or "never"
            alert = Alert(event=STALE, subject=subject, at=at or now, detail=reason)
            yield _Found(repo, workflow, alert)


def _seconds(start: str, end: str) -> float:
    before, after = parse_instant(start), parse_instant(end)
    return (after - before).total_seconds() if before and after else 0
