-- The archive as of a past time, as temporary tables and views that have the names of the
-- stored ones. In a temporary view a name means the temporary object first: so the views
-- of the wall, created again as temporary ones, compute the wall of that time.

-- The time, in UTC; one row.
create temp table past_time (at text not null);

create temp view clock as select at as now from past_time;

-- The states of the watched feeds; `is_recorded` if they are known for the time.
create temp table past_states as
select *, 0 as is_recorded from main.feed_states limit 0;
create unique index temp.past_states_feed on past_states (repo, workflow);

-- The branches whose rows are those of another time, too.
create temp table kept_tiles (repo text collate nocase, workflow text, branch text);

-- The runs of the asked branches whose state was another one than now.
create temp table past_runs (
  run_id integer primary key,
  repo text not null collate nocase,
  workflow text not null,
  branch text
);
create index temp.past_runs_branch on past_runs (repo, workflow, branch);

-- Their attempts that had begun and not ended, each with its status of then.
create temp table open_attempts (
  run_id integer not null,
  run_attempt integer not null,
  status text not null,
  primary key (run_id, run_attempt)
) without rowid;

-- The attempts that had begun. What GitHub tells at the end of an attempt counts from
-- then on.
create temp view run_attempts as
select
  run_id, run_attempt,
  coalesce((
    select o.status from open_attempts o
    where o.run_id = a.run_id and o.run_attempt = a.run_attempt
  ), status) as status,
  iif({{is_open}}, null, conclusion) as conclusion,
  started_at,
  iif({{is_open}}, started_at, updated_at) as updated_at,
  iif({{is_open}}, null, duration_seconds) as duration_seconds,
  triggering_actor,
  iif({{is_open}}, null, cancel_cause) as cancel_cause,
  iif({{is_open}}, null, cancelled_by) as cancelled_by,
  annotations_at,
  iif({{is_open}}, null, effective_conclusion) as effective_conclusion,
  iif({{is_open}}, null, queue_seconds) as queue_seconds,
  iif({{is_open}}, null, waited_for) as waited_for,
  has_jobs
from main.run_attempts a
where a.started_at <= (select at from past_time);

-- The jobs of these attempts. Those of an open attempt decide nothing.
create temp view jobs as
select * from main.jobs j
where j.run_id not in (select run_id from past_runs) or not exists (
  select 1 from main.run_attempts a
  where a.run_id = j.run_id and a.run_attempt = j.run_attempt
    and a.started_at > (select at from past_time)
);

create temp view job_errors as
select * from main.job_errors
where failed_at is null or failed_at <= (select at from past_time);

create temp view pending as
select * from main.pending
where gone_at is null or gone_at <= (select at from past_time);
