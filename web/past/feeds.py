"""Fills the tables of feeds and repositories with their rows of a past time.

The table `feed_states` has them, from the time of the first version that records them.
Before that, each feed counts that was watched then, with the default branch of then.
"""

from sqlite3 import Connection

RECORDED_SINCE_SQL = "select min(from_at) from main.feed_states"
# One row per feed that was watched: its state at the time, or its first recorded one.
_STATES = """
insert into past_states
select s.*, s.from_at <= :at as is_recorded
from (select distinct repo, workflow from main.feed_states) f
join main.feed_states s
  on s.repo = f.repo and s.workflow = f.workflow and s.from_at = coalesce(
    (
      select max(from_at) from main.feed_states
      where repo = f.repo and workflow = f.workflow and from_at <= :at
    ),
    iif(:at < (select min(from_at) from main.feed_states), (
      select min(from_at) from main.feed_states
      where repo = f.repo and workflow = f.workflow
    ), null)
  )
where s.is_watched
"""
# A state that is not recorded is unknown, and no alarm. A new feed has its name and its
# default branch some seconds later. Staleness is recorded when it ends; before, the
# time of the last good response tells. An empty text is older than any time.
_FEEDS = """
insert into feeds
  (repo, workflow, is_watched, workflow_name, workflow_state, default_branch,
   checked_at, error, error_kind, error_at, no_runs_at)
select
  s.repo, s.workflow, 1,
  coalesce(s.workflow_name, (
    select n.workflow_name from main.feed_states n
    where n.repo = s.repo and n.workflow = s.workflow and n.from_at > s.from_at
      and n.workflow_name is not null
    order by n.from_at limit 1
  )),
  iif(s.is_recorded, s.workflow_state, null),
  coalesce(s.default_branch, (
    select n.default_branch from main.feed_states n
    where n.repo = s.repo and n.workflow = s.workflow and n.from_at > s.from_at
      and n.default_branch is not null
    order by n.from_at limit 1
  )),
  case
    when not s.is_recorded or f.repo is null then :at
    when s.is_stale then ''
    when f.checked_at is null or f.checked_at < :at then f.checked_at
    else :at
  end,
  iif(s.is_recorded, s.error, null), iif(s.is_recorded, s.error_kind, null),
  iif(s.is_recorded and s.error_kind is not null, s.from_at, null),
  iif(s.is_recorded, s.no_runs_at, null)
from past_states s
left join main.feeds f on f.repo = s.repo and f.workflow = s.workflow
where s.workflow <> '*'
"""
_WATCH_ERRORS = """
insert into watch_errors (repo, error, error_kind, error_at)
select s.repo, s.error, s.error_kind, coalesce((
  select min(e.from_at) from main.feed_states e
  where e.repo = s.repo and e.workflow = '*' and e.from_at > coalesce((
    select max(o.from_at) from main.feed_states o
    where o.repo = s.repo and o.workflow = '*' and o.from_at <= :at and o.error is null
  ), '')
), s.from_at)
from past_states s
where s.workflow = '*' and s.is_recorded and s.error is not null
"""
# Schedules are recorded; a team is that of now.
_SETTINGS = """
insert into feed_settings (repo, workflow, team, schedule_seconds, schedule_from_at)
select
  s.repo, s.workflow, f.team, iif(s.is_recorded, s.schedule_seconds, null),
  iif(s.is_recorded, s.schedule_from_at, null)
from past_states s
left join main.feed_settings f on f.repo = s.repo and f.workflow = s.workflow
where f.team is not null or s.schedule_seconds is not null
"""
_REPOS = """
insert into repos (repo, blocked_run_id)
select repo, max(blocked_run_id) from past_states where is_recorded group by repo
"""


def fill(conn: Connection, at: str) -> None:
    """Fill the tables with the state of `at`."""
    params = {"at": at}
    for sql in (_STATES, _FEEDS, _SETTINGS, _WATCH_ERRORS, _REPOS):
        conn.execute(sql, params)
