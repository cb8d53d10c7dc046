"""The selects behind /metrics that no other route has."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from datasette.app import Datasette

from ci_observer.web.database import fetch
from ci_observer.web.metrics.increases import Key
from ci_observer.web.vocabulary import CONCLUSIONS

# A run counts for the day on which its latest attempt started. An older one that ends
# today is rare, and reading all days would take a tenth of a second.
DAYS = 7

# The upper limits of the buckets in seconds. The rollups have narrower buckets, 5 %
# wide: a run may be counted one limit too high if it is within 5 % below a limit.
LIMITS = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 10800.0)
INFINITE = "+Inf"

# The columns of `run_rollups` that count completed runs.
COUNTED = (*CONCLUSIONS, "other")

_RECENT = """
where unit = 'day' and repo <> '' and period > date((select now from clock), :days)
"""

_RUNS = f"""
select period, repo, workflow, is_default_branch, {", ".join(COUNTED)}
from run_rollups {_RECENT}
"""  # noqa: S608 (own names)

_LIMIT = " ".join(f"when to_seconds - 1 <= {limit} then '{limit}'" for limit in LIMITS)

_DURATIONS = f"""
select
  period, repo, workflow, is_default_branch, measure,
  case {_LIMIT} else '{INFINITE}' end as upper_limit,
  sum(runs) as runs, sum(runs * seconds) as seconds
from run_bucket_rollups join duration_buckets using (bucket) {_RECENT}
group by 1, 2, 3, 4, 5, 6
"""  # noqa: S608 (own names)

_INSTANCE = """
select
  polling.*,
  (select cast(value as integer) from instance where key = 'revision') as revision,
  (select from_run_id = 0 from rollup_progress) as has_rollups,
  (select max(poll_id) from polls) as last_poll_id,
  (select round((julianday(finished_at) - julianday(started_at)) * 86400, 1)
   from polls order by poll_id desc limit 1) as last_poll_seconds
from polling
"""

_POLLS = """
select
  count(*) - count(error) as passed, count(error) as failed,
  coalesce(sum(requests), 0) as requests, coalesce(sum(not_modified), 0) as not_modified
from polls where poll_id > :after_poll
"""


@dataclass(frozen=True)
class Reading:
    """What one state of the database holds.

    The keys are (period, repo, workflow, is_default_branch), then the conclusion in
    `runs`, or the measure and the upper limit in `durations` and `seconds`. `polls`
    are of the passes after a given one.
    """

    runs: dict[Key, int]
    durations: dict[Key, int]
    seconds: dict[Key, float]
    instance: dict[str, Any]
    polls: dict[str, int]


async def read(datasette: Datasette, after_poll: int) -> Reading:
    """Read all of it. Raises `Unavailable` when SQLite fails."""
    params = {"days": f"-{DAYS} days", "after_poll": after_poll}

    def select(conn: sqlite3.Connection) -> Reading:
        buckets = [tuple(row) for row in conn.execute(_DURATIONS, params)]
        return Reading(
            runs={
                (*tuple(row)[:4], name): row[name]
                for row in conn.execute(_RUNS, params)
                for name in COUNTED
            },
            durations={bucket[:6]: bucket[6] for bucket in buckets},
            seconds={bucket[:6]: bucket[7] for bucket in buckets},
            instance=dict(conn.execute(_INSTANCE).fetchone()),
            polls=dict(conn.execute(_POLLS, params).fetchone()),
        )

    return await fetch(datasette, select, key="metrics", inline=False)
