"""The runs that the daily and monthly counts do not have yet.

After an upgrade or a change of the time zone, ingest counts the stored runs in the
background, the newest first.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from datasette.app import Datasette

from ci_observer.web.database import fetch_rows
from ci_observer.web.errors import WebError
from ci_observer.web.pages.times import percent

# No row: all runs are counted. `first_day` is null before the first run is.
PROGRESS = """
select
  runs_done, max(runs_total, 1) as runs_total,
  (
    select day from run_days where run_id >= from_run_id order by run_id limit 1
  ) as first_day
from rollup_progress where from_run_id > 0
"""


async def fetch_progress_text(datasette: Datasette) -> str:
    """The sentence for a page, empty if all runs are counted."""
    try:
        return progress_text(map(dict, await fetch_rows(datasette, PROGRESS)))
    except WebError:
        # The page itself says why the database cannot be read.
        return ""


def progress_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """The sentence for the rows of `PROGRESS`."""
    for row in rows:
        share = percent(min(1, row["runs_done"] / row["runs_total"]))
        if row["first_day"] is None:
            return (
                f"The runs are still being counted ({share}). All numbers are too low."
            )
        day = day_text(row["first_day"])
        return (
            f"The runs before {day} are still being counted ({share}). "
            f"Numbers of days up to {day} are too low."
        )
    return ""


def day_text(day: str) -> str:
    """A date as text: `3 Nov 2026`."""
    parsed = date.fromisoformat(day)
    return f"{parsed.day} {parsed:%b %Y}"
