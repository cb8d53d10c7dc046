-- Views that charts and example queries read besides the rollups.

-- The rows of the rollups that a dashboard's filters select: of each workflow, on every
-- branch (`branch` is '') or on its repository's default branch, or fewer rows with the
-- same sum. Most repositories have the same default branch: its sum is that of all
-- default branches, less those of the other repositories (`sign` is -1).
create view rollup_scopes as
with defaults as not materialized (
  select f.repo, f.workflow, b.branch
  from feeds f join default_branches b on b.repo = f.repo
),
common as not materialized (
  select branch from default_branches where branch is not null
  group by branch order by count(*) desc, branch limit 1
)
select repo, workflow, '' as branch, 0 as is_sum, 1 as sign from feeds
union all
select repo, workflow, branch, 0, 1 from defaults
union all
select '', '', '', 1, 1
union all
select '', '', branch, 1, 1 from common
union all
select d.repo, d.workflow, c.branch, 1, -1
from common c join defaults d on d.branch <> c.branch;

-- The runs on a branch of the repository itself, to be selected by `branch`. The rollups
-- have those of the default branch that are no pull request's: leave them out with
-- `default_branch is not :branch`, which finds the others by an index.
create view runs_by_branch as
select
  r.run_id, r.repo, r.workflow, r.tile_branch as branch, b.branch as default_branch,
  r.status, r.conclusion, r.effective_conclusion, r.run_attempt, r.duration_seconds,
  r.started_at, r.day, r.created_at, r.queue_seconds, r.waited_for
from feeds f
left join default_branches b on b.repo = f.repo
cross join run_days r on r.repo = f.repo and r.workflow = f.workflow
where not r.is_tag and r.head_repo = r.repo
  and coalesce(r.event, 'pull_request') not glob 'pull_request*'
union all
select
  run_id, repo, workflow, head_branch, null, status, conclusion, effective_conclusion,
  run_attempt, duration_seconds, started_at, day, created_at, queue_seconds, waited_for
from run_days
where head_repo = repo
  and (is_tag or coalesce(event, 'pull_request') glob 'pull_request*');

-- The jobs of those runs, to be selected by `branch` and by `created_at`, the run's: a
-- run can be run again for 30 days, and each attempt ends within 35, so that jobs of a
-- day belong to runs of the 65 days before.
create view jobs_by_branch as
select
  r.run_id, r.branch, r.default_branch, r.created_at, j.repo, j.workflow, j.day, j.hour,
  j.labels, j.waste, j.actor, j.seconds, j.minutes, j.queue_seconds
from runs_by_branch r cross join job_contributions j on j.run_id = r.run_id;

-- The runs of each repository itself on its default branch, as the rollups count them.
create view default_branch_runs as
select r.*
from run_days r
join default_branches b on b.repo = r.repo and b.branch = r.tile_branch
where r.head_repo = r.repo and r.event not like 'pull\_request%' escape '\';

-- The billed minutes for a minute of each set of runner labels; null if the labels are
-- unknown. A chart multiplies its sums by it, instead of each row of `job_minutes`.
create view label_factors as
with recursive months (period) as (
  select max(period) from job_rollups where unit = 'month'
  union all
  select (
    select max(r.period) from job_rollups r
    where r.unit = 'month' and r.period < m.period
  )
  from months m where m.period is not null
),
used as (
  select distinct r.labels
  from months m join job_rollups r
    on r.unit = 'month' and r.period = m.period and r.repo = '' and r.workflow = ''
)
select labels, {{billed_minutes}} as factor
from (select labels, 1 as minutes, {{runner_os}} as os from used) runners;
