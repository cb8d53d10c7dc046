"""Whether an attempt of a changed run had ended, and its status if it had not, as SQL.

Expressions on a row `a` of `main.run_attempts`. They are text, not columns of another
view: SQLite would compute such a column in full for each use.
"""

_AT = "(select at from past_time)"
_STARTED_LATER = "strftime('%Y-%m-%dT%H:%M:%SZ', a.started_at, '+' || {} || ' seconds')"
_ATTEMPT = "run_id = a.run_id and {}.run_attempt = a.run_attempt"

FIRST_JOB_AT = _STARTED_LATER.format("a.queue_seconds")
# An attempt is over at its end, and at the latest when the next one begins. Where the
# end is not known, since GitHub changed `updated_at` later, the last change counts.
IS_ENDED = f"""(
  a.status is 'completed' and (
    coalesce({_STARTED_LATER.format("a.duration_seconds")}, a.updated_at) <= {_AT}
    or exists (
      select 1 from main.run_attempts n
      where n.run_id = a.run_id and n.run_attempt > a.run_attempt
        and n.started_at <= {_AT}
    )
  )
)"""  # noqa: S608 (own names)
# A recorded wait counts while it lasted. Before the first job, the attempt waited for
# what that job waited for. Without the time of a job only `unfinished` is certain.
OPEN_STATUS = f"""
case
  when exists (
    select 1 from main.waits w
    where w.{_ATTEMPT.format("w")} and w.reason = 'approval'
      and w.from_at <= {_AT} and coalesce(w.until_at, {_AT}) >= {_AT}
  ) then 'waiting'
  when exists (
    select 1 from main.waits w
    where w.{_ATTEMPT.format("w")}
      and w.from_at <= {_AT} and coalesce(w.until_at, {_AT}) >= {_AT}
  ) then 'pending'
  when {FIRST_JOB_AT} <= {_AT} then 'in_progress'
  when a.queue_seconds is not null and exists (
    select 1 from main.waits w where w.{_ATTEMPT.format("w")} and w.from_at > {_AT}
  ) then 'queued'
  when a.waited_for is 'approval' then 'waiting'
  when a.waited_for is 'concurrency' then 'pending'
  when a.queue_seconds is not null then 'queued'
  when exists (
    select 1 from main.jobs j
    where j.{_ATTEMPT.format("j")}
      and (j.runner_name <> '' or j.conclusion = 'success') and j.started_at <= {_AT}
  ) then 'in_progress'
  -- No job ever ran.
  when a.status is 'completed' and a.has_jobs is not null then 'queued'
  when a.status in ('queued', 'requested') then a.status
  when a.status is 'in_progress' and a.updated_at <= {_AT} then 'in_progress'
  else 'unfinished'
end"""  # noqa: S608 (own names)
