-- The minutes of jobs: run, billed and wasted. They read the rollups.

-- The rows of `job_rollups`, with what GitHub bills for them.
create view job_minutes as
select
  unit, period, repo, workflow, is_default_branch, labels, waste, jobs, seconds, minutes,
  os,
  {{billed_minutes}} as billed_minutes
from (
  select
    *,
    {{runner_os}} as os
  from job_rollups
) runners;

-- The same for `actor_rollups`.
create view actor_minutes as
select
  unit, period, repo, workflow, is_default_branch, actor, labels, waste, jobs, seconds,
  minutes, os,
  {{billed_minutes}} as billed_minutes
from (
  select
    *,
    {{runner_os}} as os
  from actor_rollups
) runners;

-- The minutes of each workflow on each kind of runner, by day.
create view minutes_daily as
select
  period as day, repo, workflow, os, labels,
  {{minute_sums}}
from job_minutes
where unit = 'day' and repo <> ''
group by period, repo, workflow, os, labels;

-- The same for each account that triggered the attempts.
create view actor_minutes_daily as
select
  period as day, repo, workflow, os, labels,
  {{minute_sums}},
  actor
from actor_minutes
where unit = 'day' and repo <> ''
group by period, repo, workflow, actor, os, labels;
