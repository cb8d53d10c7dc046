"""The reason why a read-only instance has old data, in its own words.

The database has that of the writer: its ingest has stopped polling. A replica cannot
know whether the writer or the replication has stopped.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from datasette.app import Datasette

from ci_observer.web.settings import is_read_only

# The words of the view `polling`, which has other reasons for stale data, too.
STOPPED = "The ingest process has stopped polling."
MINUTE, HOUR, DAY = 60, 3600, 86_400


def age_of_copy(
    datasette: Datasette, polling: Mapping[str, Any], now: str
) -> dict[str, str]:
    """The reason for stale data on a read-only instance; nothing in other cases.

    `polling` has `reason` and `last_success_at`. Times are ISO 8601.
    """
    at = polling["last_success_at"]
    if polling["reason"] != STOPPED or at is None or not is_read_only(datasette):
        return {}
    age = datetime.fromisoformat(now) - datetime.fromisoformat(at)
    return {
        "reason": "The data of this read-only instance are "
        f"{_words(age.total_seconds())}"
        " old: the writer or the replication has stopped."
    }


def _words(seconds: float) -> str:
    if seconds >= 2 * DAY:
        return f"{seconds // DAY:.0f} days"
    if seconds >= 2 * HOUR:
        return f"{seconds // HOUR:.0f} hours"
    minutes = int(seconds // MINUTE)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
