"""The selects behind a summary. They read counts of days and months, and few rows else.

Each is for one span. `:periods` is a JSON array of `[unit, period]`, `:scope` one of
`[repo, workflow]` and only used by the selects for chosen workflows.
"""
# ruff: noqa: S608 (own names, and no value)

from ci_observer.web.pages.missing_jobs import IS_FETCHING
from ci_observer.web.vocabulary import DECISIVE, FAILURES, FLAKY_FAILURES

# As on the dashboards, percentiles of more values come from buckets, 5 % wide.
MOST_EXACT = 5_000
MOST_RUNS = 20_000
# The newest runs of a span among which people, events and hours are counted.
MOST_LISTED = 200_000

STATE_SQL = """
select
  (select value from instance where key = 'revision') as revision,
  (select value from instance where key = 'fetch_jobs') as fetch_jobs,
  (select from_run_id = 0 from rollup_progress) as is_complete
"""

# The oldest stored run of the workflows in `:scope`, and whether runs since `:since`
# are being fetched.
HISTORY_SQL = """
select
  min((
    select r.started_at from runs r
    where r.repo = f.repo and r.workflow = f.workflow
    order by r.started_at limit 1
  )) as first_run,
  coalesce(max(
    f.is_watched and f.error is null and b.fetch_until is not null
    and coalesce(b.missing_until, '~') > :since
  ), 0) as is_fetching
from json_each(:scope) s
join feeds f on f.repo = s.value ->> 0 and f.workflow = s.value ->> 1
left join feed_backfills b using (repo, workflow)
"""

# Whether ingest has not yet looked for the jobs of all runs since a time.
FETCHING_SQL = f"""
select exists (
  select 1 from json_each(:scope) s
  join feeds f on f.repo = s.value ->> 0 and f.workflow = s.value ->> 1
  left join feed_backfills b using (repo, workflow)
  where {IS_FETCHING}
)
"""

FEEDS_SQL = """
select repo, workflow, workflow_name, is_watched, default_branch, team
from feeds left join feed_settings using (repo, workflow)
order by repo, workflow
"""

_PERIODS = """(
  select value ->> 0 as unit, value ->> 1 as period from json_each(:periods)
) p"""
_SCOPE = """(
  select value ->> 0 as repo, value ->> 1 as workflow from json_each(:scope)
) s"""


def _rows(table: str, *, is_scoped: bool) -> str:
    """The rows of a rollup in the span, those of each workflow."""
    if is_scoped:
        return f"""
from {_SCOPE} cross join {_PERIODS} cross join {table} r
  on r.unit = p.unit and r.period = p.period
  and r.repo = s.repo and r.workflow = s.workflow"""
    return f"""
from {_PERIODS} cross join {table} r
  on r.unit = p.unit and r.period = p.period and r.repo > ''"""


def _total(table: str, *, is_scoped: bool) -> str:
    """The same, with fewer rows where no workflow is chosen."""
    if is_scoped:
        return _rows(table, is_scoped=True)
    return f"""
from {_PERIODS} cross join {table} r
  on r.unit = p.unit and r.period = p.period and r.repo = '' and r.workflow = ''"""


def _sum(names: tuple[str, ...]) -> str:
    return f"sum({' + '.join(f'r.{name}' for name in names)})"


def runs_sql(*, is_scoped: bool) -> str:
    return f"""
select
  r.repo, r.workflow, r.is_default_branch, sum(r.runs) as runs,
  sum(r.runs - r.unfinished) as finished, {_sum(DECISIVE)} as decided,
  {_sum(FAILURES)} as failed, {_sum(("success", *FLAKY_FAILURES))} as tested,
  sum(r.reruns - r.unfinished_reruns) as reruns, sum(r.timed_runs) as timed,
  sum(r.queued_runs) as queued
{_rows("run_rollups", is_scoped=is_scoped)}
group by r.repo, r.workflow, r.is_default_branch
"""


def days_sql(*, is_scoped: bool) -> str:
    """The runs of each day; `:periods` has days only."""
    return f"""
select
  r.period as day, sum(r.runs) as runs, {_sum(DECISIVE)} as decided,
  {_sum(FAILURES)} as failed
{_total("run_rollups", is_scoped=is_scoped)}
group by r.period
"""


def buckets_sql(*, is_scoped: bool) -> str:
    """The durations and queue times of runs in buckets."""
    return f"""
select r.repo, r.workflow, r.measure, b.seconds, sum(r.runs) as runs
{_rows("run_bucket_rollups", is_scoped=is_scoped)}
join duration_buckets b using (bucket)
group by r.repo, r.workflow, r.measure, r.bucket
"""


# The durations and queue times of the runs of the workflows in `:scope`.
TIMED_SQL = f"""
select
  r.repo, r.workflow,
  iif(
    r.conclusion = 'success' and r.run_attempt = 1 and r.duration_seconds > 0,
    r.duration_seconds, null
  ) as duration_seconds,
  iif(r.run_attempt = 1 and r.waited_for is null, r.queue_seconds, null)
    as queue_seconds
from {_SCOPE} cross join runs r on r.repo = s.repo and r.workflow = s.workflow
  and r.started_at >= :since and r.started_at < :until
"""

# `+` leaves the index of re-runs, which are few.
RERUNS_PASSED_SQL = """
select repo, workflow, count(*) as runs from runs
where run_attempt > 1 and conclusion = 'success'
  and started_at >= :since and started_at < :until
group by +repo, +workflow
"""


def flaky_sql(*, is_scoped: bool) -> str:
    return f"""
select r.repo, r.workflow, sum(r.commits) as commits
{_rows("flaky_rollups", is_scoped=is_scoped)}
group by r.repo, r.workflow
"""


def jobs_sql(*, is_scoped: bool) -> str:
    return f"""
select
  r.repo, r.workflow, r.labels, r.waste, sum(r.jobs) as jobs,
  sum(r.seconds) as seconds, sum(r.minutes) as minutes
{_rows("job_rollups", is_scoped=is_scoped)}
group by r.repo, r.workflow, r.labels, r.waste
"""


FACTORS_SQL = "select labels, factor from label_factors"

# Whether there are more queue times of jobs than are read one by one.
MANY_JOBS_SQL = f"""
select count(*) > {MOST_EXACT} from (
  select 1 from jobs
  where queue_seconds is not null and waited_for is null
    and started_at >= :since and started_at < :until
  limit {MOST_EXACT + 1}
)
"""
JOB_QUEUES_SQL = """
select
  r.repo, r.workflow, coalesce(j.labels, '') as labels, j.started_at,
  j.queue_seconds as seconds
from jobs j cross join runs r using (run_id)
where j.queue_seconds is not null and j.waited_for is null
  and j.started_at >= :since and j.started_at < :until
"""


def label_buckets_sql(*, is_scoped: bool) -> str:
    return f"""
select r.labels as key, b.seconds, sum(r.jobs) as jobs
{_total("queue_rollups", is_scoped=is_scoped)}
join duration_buckets b using (bucket)
group by r.labels, r.bucket
"""


def hour_buckets_sql(*, is_scoped: bool) -> str:
    return f"""
select r.hour as key, b.seconds, sum(r.jobs) as jobs
{_total("queue_hour_rollups", is_scoped=is_scoped)}
join duration_buckets b using (bucket)
group by r.hour, r.bucket
"""


# When the run started that is one too many to be read.
LISTED_FROM_SQL = f"""
select started_at from runs
where started_at >= :since and started_at < :until
order by started_at desc limit 1 offset {MOST_LISTED}
"""
_BETWEEN = "started_at >= :since and started_at < :until"


class Listed:
    """The runs of a span that are counted one by one, by the fastest way to them."""

    ALL = f"runs where {_BETWEEN}"
    CHOSEN = f"""runs where {_BETWEEN} and (repo, workflow) in (
  select value ->> 0, value ->> 1 from json_each(:scope)
)"""
    # By the index of each workflow.
    FEW = f"""{_SCOPE} cross join runs r
  on r.repo = s.repo and r.workflow = s.workflow and {_BETWEEN}"""


def triggers_sql(source: str) -> str:
    """The runs by event and account; `source` is one of `Listed`."""
    return f"""
select event, actor, count(*) as runs from {source} group by event, actor
"""


def quarters_sql(source: str) -> str:
    """The runs of each quarter of an hour in UTC: the offsets of zones are as fine."""
    return f"""
select
  substr(started_at, 1, 13) as hour,
  cast(substr(started_at, 15, 2) as integer) / 15 as quarter, count(*) as runs
from {source} group by 1, 2
"""


OFFSETS_SQL = "select from_at, offset_seconds from timezone_offsets order by from_at"

# The tiles of the wall and those of all default branches, with the few columns that a
# summary needs.
TILES_SQL = """
select
  repo, workflow, workflow_name, branch, team, tile_state, alarm, last_result,
  workflow_state, stuck_started_at, stuck_html_url, no_scheduled_run_since, overdue_at,
  muted_until, is_default_branch, is_on_wall, expires_at
from wall_branches where is_default_branch or is_on_wall
"""

# The branch of the newest run of a workflow that is not on its default branch.
OTHER_BRANCH_SQL = """
select head_branch as branch from runs
where repo = :repo and workflow = :workflow and started_at < :until
  and head_repo = repo and head_branch <> :default_branch
  and head_branch not like 'gh-readonly-queue/%'
order by started_at desc limit 1
"""

# The states of each feed from `:since` on, and the one of that time. Without a result a
# workflow has no state.
STATES_SQL = f"""
select
  t.repo, t.workflow, t.state, t.from_at, t.to_at is null as is_present,
  unixepoch(t.from_at) as began, unixepoch(coalesce(t.to_at, :now)) as ended
from {_SCOPE} cross join state_timeline t
  on t.repo = s.repo and t.workflow = s.workflow
  and (t.to_at is null or t.to_at > :since)
where t.reason is not 'no_result'
"""

# The breaks that were open at `:since`, and all later ones.
BREAKS_SQL = f"""
select b.repo, b.workflow, b.broken_at, b.fixed_at, b.seconds
from {_SCOPE} cross join breaks b
  on b.repo = s.repo and b.workflow = s.workflow
where b.fixed_at is null or b.fixed_at >= :since
order by b.broken_at, b.repo, b.workflow
"""
# Some rows of `breaks`: those of the JSON array `:breaks` of repo, workflow, broken_at.
CHOSEN_BREAKS = """
from (
  select value ->> 0 as repo, value ->> 1 as workflow, value ->> 2 as broken_at
  from json_each(:breaks)
) k
cross join breaks b
  on b.repo = k.repo and b.workflow = k.workflow and b.broken_at = k.broken_at
"""
# Who and what broke main, for some breaks.
BROKEN_SQL = f"""
select b.*, f.workflow_name
{CHOSEN_BREAKS}left join feeds f on f.repo = b.repo and f.workflow = b.workflow
order by b.broken_at desc, b.repo, b.workflow
"""
INCOMPLETE_STATES_SQL = """
select count(*) as feeds, max(complete_from) as complete_from from state_progress
"""
