"""The changes of default branches over time, out of the recorded states.

A change is a row of `state_spans` that begins a red time, ends one, or makes the state
unknown. Changes of a tile that was muted at that time are left out.
"""

import json
from sqlite3 import Connection, Row
from typing import Any

from ci_observer.web.database import Params
from ci_observer.web.filter_sql import state_sql, team_sql, where_sql
from ci_observer.web.filters import Filters
from ci_observer.web.summary.queries import CHOSEN_BREAKS

BROKE, FIXED, RECOVERED = "broke", "fixed", "recovered"
# Why a state is unknown, if that is news; each is the state of a tile, too.
REASONS = ("no_access", "blocked", "overdue", "stuck", "disabled", "untested")
# Older changes are left out, unless `since` is earlier.
DAYS = 90

_REASONS = ", ".join(f"'{reason}'" for reason in REASONS)
_FEED = "{0}.repo = s.repo and {0}.workflow = s.workflow"
# The spans before: `p` is the last one, `d` the last one that was green or red. The
# columns have the names that the filters expect.
CHANGES_SQL = f"""
with time as materialized (select now from clock),
changes as (
  select
    s.repo, s.workflow, f.workflow_name, s.branch as head_branch,
    s.from_at as started_at, fs.team,
    case
      when s.state = 'red' then iif(d.state is 'red', null, '{BROKE}')
      when s.state = 'green' and d.state = 'red' then '{FIXED}'
      when s.state = 'green' then iif(p.reason in ({_REASONS}), '{RECOVERED}', null)
      when s.reason in ({_REASONS}) then s.reason
    end as kind,
    s.run_id, s.run_attempt, r.run_number, r.event, r.head_sha, r.display_title,
    a.status, a.conclusion, a.cancel_cause,
    iif(s.run_attempt > 1, coalesce(a.triggering_actor, r.actor), r.actor) as actor,
    iif(r.gone_at is null, r.html_url, null) as html_url
  from time
  cross join feeds f
  cross join state_spans s on s.repo = f.repo and s.workflow = f.workflow
  left join state_spans p on {_FEED.format("p")} and p.from_at = (
    select max(x.from_at) from state_spans x
    where {_FEED.format("x")} and x.from_at < s.from_at
  )
  left join state_spans d on {_FEED.format("d")} and d.from_at = (
    select max(x.from_at) from state_spans x
    where {_FEED.format("x")} and x.from_at < s.from_at and x.state <> 'unknown'
  )
  left join runs r on r.run_id = s.run_id
  left join run_attempts a on a.run_id = s.run_id and a.run_attempt = s.run_attempt
  left join feed_settings fs on {_FEED.format("fs")}
  where f.is_watched and s.from_at <= time.now
    and s.from_at >= coalesce(
      :first, strftime('%Y-%m-%dT%H:%M:%SZ', time.now, '-{DAYS} days')
    )
    -- The states before are still being computed.
    and not exists (
      select 1 from state_progress b
      where {_FEED.format("b")} and s.from_at <= coalesce(b.complete_from, '~')
    )
    and not exists (
      select 1 from muted_tiles m
      where {_FEED.format("m")} and (m.branch is null or m.branch = s.branch)
        and m.from_at <= s.from_at and m.until_at > s.from_at
    )
),
found as (
  select * from (
    select *, null as activity, null as alarm, case
      when kind = '{BROKE}' then 'failing'
      when kind in ('{FIXED}', '{RECOVERED}') then 'passing'
      else kind
    end as tile_state
    from changes where kind is not null
  )
  where {{where}} and {{team}} and {{state}}
  order by started_at desc, repo, workflow limit :limit
)
select
  s.repo, s.workflow, s.kind, s.started_at as at, s.run_id, s.run_attempt, s.run_number,
  (select p.repo_id from repos p where p.repo = s.repo) as repo_id,
  s.event, display_text(s.head_branch) as branch, s.head_sha, s.html_url,
  display_name(coalesce(s.workflow_name, s.workflow), s.workflow) as workflow_name,
  display_text(s.actor) as actor,
  iif(s.run_id is null, null, display_title(s.display_title)) as display_title,
  -- How long it was red: since the first red after the last green.
  iif(s.kind = '{FIXED}', unixepoch(s.started_at) - (
    select unixepoch(min(x.from_at)) from state_spans x
    where {_FEED.format("x")} and x.from_at < s.started_at and x.state = 'red'
      and x.from_at > coalesce((
        select max(g.from_at) from state_spans g
        where {_FEED.format("g")} and g.from_at < s.started_at and g.state = 'green'
      ), '')
  ), null) as red_seconds
from found s
order by s.started_at desc, s.repo, s.workflow
"""  # noqa: S608 (own names)
# The first failed job of some red times.
JOBS_SQL = f"""
select
  b.repo, b.workflow, b.broken_at as at, display_text(b.failed_job) as failed_job,
  display_text(b.failed_step) as failed_step
{CHOSEN_BREAKS}"""
# When the next change comes by time alone: a run will be stuck, a schedule overdue.
NEXT_SQL = """
select min(s.from_at) as at
from clock cross join feeds f
cross join state_spans s
  on s.repo = f.repo and s.workflow = f.workflow and s.from_at > clock.now
where f.is_watched
"""


Change = dict[str, Any]


def changes_sql(filters: Filters) -> tuple[str, Params]:
    """The select of the newest changes, and its parameters."""
    where, params = where_sql(filters)
    team, team_params = team_sql(filters)
    state, state_params = state_sql(filters)
    limits: Params = {"limit": filters.limit, "first": filters.since}
    sql = CHANGES_SQL.format(where=where, team=team, state=state)
    return sql, params | team_params | state_params | limits


def read_changes(conn: Connection, filters: Filters) -> list[Change]:
    """The newest changes, at most `filters.limit` of them."""
    sql, params = changes_sql(filters)
    changes = [dict(row) for row in conn.execute(sql, params)]
    keys = [_key(change) for change in changes if change["kind"] == BROKE]
    jobs = {
        _key(row): dict(row)
        for row in conn.execute(JOBS_SQL, {"breaks": json.dumps(keys)})
    }
    nothing = dict.fromkeys(("failed_job", "failed_step"))
    return [change | jobs.get(_key(change), nothing) for change in changes]


def starter(change: Change) -> str | None:
    """Who started the run; None for a schedule, whose actor only edited it last."""
    is_scheduled = change["event"] == "schedule" and change["run_attempt"] == 1
    name: str | None = change["actor"]
    return None if is_scheduled else name


def _key(row: Row | Change) -> tuple[str, str, str]:
    return (row["repo"], row["workflow"], row["at"])
