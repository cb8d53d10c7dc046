-- The steps of jobs, as GitHub sent them. ingest/github/step_rows.py stores them
-- compactly: a result that is a number is the end of a step that succeeded and began at
-- the end of the one before.
create view steps as
with results as not materialized (
  select
    j.job_id, j.run_id, j.run_attempt, j.name as job_name, n.key as place,
    iif(n.type = 'array', n.value ->> 0, n.key + 1) as number,
    iif(n.type = 'array', n.value ->> 1, n.value) as name,
    s.steps -> n.key as result,
    iif(n.key = 0, '0', s.steps -> (n.key - 1)) as former,
    unixepoch(coalesce(j.started_at, '1970-01-01T00:00:00Z')) as job_start
  from jobs j
  join job_steps s using (job_id)
  join step_names l using (names_id)
  join json_each(l.names) n
),
times as not materialized (
  select
    *,
    iif(json_type(result) = 'integer', 'success', result ->> 0) as conclusion,
    job_start + iif(
      json_type(result) = 'array', result ->> 1,
      iif(json_type(former) = 'array', former ->> 2, cast(former as integer))
    ) as starts,
    job_start
      + iif(json_type(result) = 'array', result ->> 2, cast(result as integer)) as ends
  from results
)
select
  job_id, run_id, run_attempt, job_name, number, name, conclusion,
  strftime('%Y-%m-%dT%H:%M:%SZ', starts, 'unixepoch') as started_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', ends, 'unixepoch') as completed_at,
  max(0, ends - starts) as duration_seconds
from times;
