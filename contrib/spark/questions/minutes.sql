-- The minutes of the runs of each repository and month (UTC, YYYY-MM).
select
  repo, month, count(*) as runs,
  cast(sum(duration_seconds) as double) / 60 as minutes
from runs
group by repo, month
