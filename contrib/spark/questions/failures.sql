-- The failure rate of each workflow, of the runs that passed or failed.
select
  repo, workflow, count(*) as decided_runs, sum(failed) as failed_runs,
  cast(sum(failed) as double) / count(*) as failure_rate
from (
  select
    repo, workflow,
    case when conclusion = 'success' then 0 else 1 end as failed
  from runs
  where conclusion in ('success', 'failure', 'timed_out', 'startup_failure')
) decided
group by repo, workflow
