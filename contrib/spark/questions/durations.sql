-- The duration that 50 % and 95 % of each workflow's successful first attempts do not
-- exceed. It is exact, and counts equal durations first, so that few rows are sorted.
select
  repo, workflow, max(total) as runs,
  min(case when 100 * place >= 50 * total then seconds end) as p50_seconds,
  min(case when 100 * place >= 95 * total then seconds end) as p95_seconds
from (
  select
    repo, workflow, seconds,
    sum(n) over (partition by repo, workflow order by seconds) as place,
    sum(n) over (partition by repo, workflow) as total
  from (
    select repo, workflow, duration_seconds as seconds, count(*) as n
    from runs
    where conclusion = 'success' and run_attempt = 1 and duration_seconds > 0
    group by repo, workflow, duration_seconds
  ) counted
) ranked
group by repo, workflow
