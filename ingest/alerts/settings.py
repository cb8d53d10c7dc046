"""The settings of alerts in the database, where every writer of tiles finds them.

They are public: addresses are there by their number and kind only.
"""

import json

from sqlite_utils import Database

from ci_observer.ingest.alerts import outbox
from ci_observer.ingest.alerts.receivers import names_of
from ci_observer.ingest.alerts.rules import rules_of
from ci_observer.ingest.config import Config


def text_of(config: Config) -> str | None:
    """The settings as JSON; None without an address."""
    if not config.alert_urls:
        return None
    return json.dumps(
        {
            "after": config.alert_after,
            "events": config.alert_events,
            "repos": config.alert_repos,
            "receivers": names_of(config.alert_urls),
        }
    )


def apply(db: Database, before: str | None) -> None:
    """Apply changed settings, within the transaction that has saved them.

    Alerts that are new begin with the next change, and what waits for an address that
    was removed is dropped.
    """
    rules = rules_of(db)
    if rules and before is None:
        outbox.start(db)
    outbox.drop_others(db, rules.receivers if rules else ())
