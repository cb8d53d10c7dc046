-- The wall: the tiles, with everything that depends on the time.

-- The only view that reads the time. Tests replace it.
create view clock as
select strftime('%Y-%m-%dT%H:%M:%SZ', 'now') as now;

create view settings as
select
  cast(max(value) filter (where key = 'refresh_seconds') as integer)
    as refresh_seconds,
  -- Data are stale after three refreshes without a good response, but not before 120
  -- seconds: a request with its time-outs and retries may take 108.
  max(3 * cast(max(value) filter (where key = 'refresh_seconds') as integer), 120)
    as stale_seconds,
  max(value) filter (where key = 'title') as title,
  max(value) filter (where key = 'timezone') as timezone
from instance;

-- The sources of tiles: every feed, and each owner or repository with an error of its
-- own, under the workflow `*`. The casts let SQLite search both tables, not their union.
create view wall_sources as
select
  repo, workflow, workflow_name, workflow_state, default_branch, is_watched, checked_at,
  error, error_kind, error_at, no_runs_at
from feeds
union all
select
  repo, cast('*' as text), cast(null as text), cast(null as text), cast(null as text),
  cast(1 as integer), cast(null as text), error, error_kind, error_at,
  cast(null as text)
from watch_errors;

-- One row per watched feed: its tile, as the key of its row in `tiles`. A workflow that
-- has not run on the default branch follows its tags; null if it has run on neither.
create view feed_tiles as
select
  f.repo, f.workflow, f.default_branch, coalesce(
    (
      select t.rowid from tiles t
      where t.repo = f.repo and t.workflow = f.workflow
        and t.branch = f.default_branch and t.newest_run_id is not null
    ),
    (
      select t.rowid from tiles t
      where t.repo = f.repo and t.workflow = f.workflow
        and t.branch = 'refs/tags' and t.newest_run_id is not null
    )
  ) as tile_id
from feeds f
where f.is_watched;

-- The tiles of the wall that have a row in `tiles`: those of the feeds, and those of other
-- branches that the settings choose.
create view followed_tiles as
select repo, workflow, tile_id from feed_tiles
union all
select f.repo, f.workflow, t.rowid
from chosen_tiles c
cross join feeds f on f.repo = c.repo and f.workflow = c.workflow
join tiles t on t.repo = c.repo and t.workflow = c.workflow and t.branch = c.branch
where f.is_watched and c.branch is not f.default_branch;

-- One row per watched feed and branch with runs, and one per feed for its default branch
-- even without runs. Of these, the wall shows the default branches; where the settings
-- choose branches, it shows those with runs, and the default one only if there is none.
-- The constants let SQLite skip the parts that a reader does not need.
create view wall_branches as
with branches as (
  select
    f.*, f.default_branch as branch, 1 as is_default_branch,
    case
      when not exists (select 1 from tile_branches b where b.repo = f.repo) then 1
      when exists (
        select 1 from chosen_tiles c
        where c.repo = f.repo and c.workflow = f.workflow
          and c.branch = f.default_branch
      ) then 1
      else not exists (
        select 1 from chosen_tiles c where c.repo = f.repo and c.workflow = f.workflow
      )
    end as is_on_wall
  from wall_sources f
  where f.is_watched
  union all
  select
    f.repo, f.workflow, f.workflow_name, f.workflow_state, f.default_branch,
    f.is_watched, f.checked_at, f.error, f.error_kind, f.error_at, f.no_runs_at,
    c.branch, 0, 1
  -- `cross join` makes SQLite start with the repositories that have patterns.
  from chosen_tiles c
  cross join feeds f on f.repo = c.repo and f.workflow = c.workflow
  where f.is_watched and c.branch is not f.default_branch
  union all
  select
    f.repo, f.workflow, f.workflow_name, f.workflow_state, f.default_branch,
    f.is_watched, f.checked_at, f.error, f.error_kind, f.error_at, f.no_runs_at,
    t.branch, 0, 0
  from feeds f join tiles t on t.repo = f.repo and t.workflow = f.workflow
  where f.is_watched and t.branch is not f.default_branch
    and (f.repo not in (select repo from tile_branches) or not exists (
      select 1 from chosen_tiles c
      where c.repo = t.repo and c.workflow = t.workflow and c.branch = t.branch
    ))
),
-- The tiles of default branches that fail with a known error. Whether their data are
-- stale does not matter, so that nothing here depends on the time.
failing as materialized (
  select t.rowid as tile_id, t.error_id, t.error_first_at
  from tiles t
  cross join feed_tiles x
    on x.repo = t.repo and x.workflow = t.workflow and x.tile_id = t.rowid
  join feeds f on f.repo = t.repo and f.workflow = t.workflow
  left join repos r on r.repo = f.repo
  where t.error_id is not null
    and coalesce(f.workflow_state, 'active') = 'active'
    and coalesce(f.error_kind, '') not in ('not_found', 'forbidden')
    and r.blocked_run_id is null
),
same_errors as materialized (
  select error_id, count(*) as tiles, min(error_first_at) as since_at
  from failing group by error_id
),
times as materialized (
  select
    now, stale_seconds,
    -- A feed that was last fetched at or before this time is stale.
    strftime('%Y-%m-%dT%H:%M:%SZ', now, -stale_seconds || ' seconds') as stale_to,
    -- A later time is from before the clock was set back, and proves nothing.
    strftime('%Y-%m-%dT%H:%M:%SZ', now, '+{{clock_tolerance_seconds}} seconds') as now_at_most
  from settings cross join clock
),
timed as (
  select
    f.repo, f.workflow, f.branch, f.is_default_branch, f.is_on_wall, f.workflow_name,
    f.workflow_state, f.checked_at, f.error, f.error_kind, r.blocked_run_id,
    -- A feed that was never fetched is stale from its first failure on.
    iif(
      coalesce(f.checked_at, f.error_at) > s.now_at_most, '',
      coalesce(f.checked_at, f.error_at)
    ) as fresh_at,
    s.now, s.stale_to,
    strftime(
      '%Y-%m-%dT%H:%M:%SZ',
      iif(
        coalesce(f.checked_at, f.error_at) > s.now_at_most, null,
        coalesce(f.checked_at, f.error_at)
      ),
      '+' || s.stale_seconds || ' seconds'
    ) as stale_at,
    t.last_result, t.last_result_run_id, t.last_result_run_attempt,
    t.last_result_conclusion, t.last_result_started_at, t.last_result_duration_seconds,
    t.last_result_run_number, t.last_result_display_title, t.last_result_actor,
    t.last_result_html_url, t.is_invalid_file, t.since_at, t.streak, t.newest_run_id,
    t.median_duration_seconds, t.p95_duration_seconds, t.success_rate, t.is_flaky,
    t.strip, t.failed_job, t.failed_step, t.failed_jobs, t.lost_run_id, t.lost_at,
    t.lost_html_url, t.phantom_failures, t.phantom_run_id, t.phantom_html_url,
    t.last_result_cancel_cause, t.timed_out_seconds,
    t.broken_run_id, t.broken_run_number, t.broken_run_attempt, t.broken_event,
    t.broken_actor, t.broken_head_sha, t.broken_at, t.broken_html_url,
    t.usual_fix_seconds, t.error_message, t.error_id, t.error_first_at,
    t.rowid as tile_id, t.usual_queue_seconds, t.fixed_run_id, t.fixed_run_number, t.fixed_run_attempt,
    t.fixed_event, t.fixed_actor, t.fixed_at, t.fixed_html_url, t.red_seconds,
    -- Only a passing result needs the proof of the newest run.
    case
      when t.last_result is not 'passing' then null
      when f.no_runs_at is not null then 'no_runs'
      else t.untested_reason
    end as untested_reason,
    t.untested_runs, t.untested_run_id, t.untested_conclusion, t.untested_at,
    t.untested_html_url, t.cancelled_by,
    case when f.workflow_state is null or f.workflow_state = 'active'
      then coalesce(x.overdue_at, t.overdue_at) end as overdue_at,
    -- An expected schedule is never taken to be gone.
    iif(x.repo is null, t.overdue_until_at, null) as overdue_until_at,
    t.last_scheduled_at, fs.team,
    iif(t.given_up_at <= s.now, null, t.active_run_id) as active_run_id,
    iif(t.given_up_at <= s.now, null, t.activity) as activity, t.given_up_at,
    iif(t.stuck_given_up_at <= s.now, null, t.stuck_at) as stuck_at,
    t.stuck_run_id, t.stuck_html_url, t.stuck_given_up_at
  from times s
  cross join branches f
  left join repos r on r.repo = f.repo
  left join feed_settings fs on fs.repo = f.repo and fs.workflow = f.workflow
  left join expected_schedules x
    on x.repo = f.repo and x.workflow = f.workflow and f.is_default_branch
    and x.schedule_from_at <= s.now
  left join tiles t
    on t.rowid = iif(
      f.is_default_branch,
      (
        select x.tile_id from feed_tiles x
        where x.repo = f.repo and x.workflow = f.workflow
      ),
      (
        select x.rowid from tiles x
        where x.repo = f.repo and x.workflow = f.workflow and x.branch = f.branch
          and x.newest_run_id is not null
      )
    )
),
-- Whatever is wrong with a tile's workflow or with its data, the worst first.
alarms as (
  select
    *,
    case
      when error_kind = 'not_found' and workflow_state = 'deleted' then 'disabled'
      when error_kind in ('not_found', 'forbidden') then 'no_access'
      when fresh_at <= stale_to then 'stale'
      when blocked_run_id is not null then 'blocked'
      when workflow_state <> 'active' then 'disabled'
      when is_invalid_file then 'invalid_file'
      when stuck_at <= now then 'stuck'
      when overdue_at <= now and (overdue_until_at is null or now < overdue_until_at)
        then 'overdue'
    end as alarm
  from timed
)
select
  w.repo, w.workflow, coalesce(w.workflow_name, n.workflow_name) as workflow_name,
  w.workflow_state, iif(n.is_tag, n.head_branch, w.branch) as branch,
  w.is_default_branch, w.is_on_wall, iif(n.is_tag, n.head_branch, null) as tag,
  w.team,
  case
    when alarm = 'invalid_file' then 'failing'
    when alarm is not null then alarm
    when last_result is null or checked_at is null then 'unknown'
    when untested_reason is not null then 'untested'
    else last_result
  end as tile_state,
  coalesce(w.last_result, 'unknown') as last_result, w.activity, w.alarm, w.error,
  -- The order on the wall: the most urgent first.
  case
    when w.alarm = 'invalid_file' then 1
    when w.alarm is not null then 0
    when w.last_result = 'failing' then iif(w.activity is null, 1, 2)
    when w.activity = 'held' then 3
    when w.activity is not null then 4
    when w.last_result is null or w.checked_at is null then 5
    when w.untested_reason is not null then 6
    else 7
  end as rank,
  w.since_at, coalesce(w.streak, 0) as streak,
  w.last_result_run_id, w.last_result_run_attempt, w.last_result_conclusion,
  w.last_result_cancel_cause, w.last_result_started_at, w.last_result_duration_seconds,
  w.last_result_run_number, w.last_result_display_title, w.last_result_actor,
  w.last_result_html_url, w.failed_job, w.failed_step, w.failed_jobs,
  w.timed_out_seconds,
  w.error_message, w.error_id,
  iif(w.error_id is null, null, coalesce((
    select s.tiles from same_errors s where s.error_id = w.error_id
  ), 0) - exists (
    select 1 from failing f where f.tile_id = w.tile_id
  )) as error_other_tiles,
  iif(w.error_id is null, null, min(w.error_first_at, coalesce((
    select s.since_at from same_errors s where s.error_id = w.error_id
  ), w.error_first_at))) as error_since_at,
  w.broken_run_id, w.broken_run_number, w.broken_run_attempt, w.broken_event,
  w.broken_actor, w.broken_head_sha, w.broken_at, w.broken_html_url,
  w.usual_fix_seconds, w.fixed_run_id, w.fixed_run_number, w.fixed_run_attempt,
  w.fixed_event, w.fixed_actor, w.fixed_at, w.fixed_html_url, w.red_seconds,
  w.untested_reason,
  case
    when w.untested_reason is null then null
    when w.untested_reason = 'no_runs' then 0
    else w.untested_runs
  end as untested_runs,
  iif(w.untested_reason is null, null, w.untested_run_id) as untested_run_id,
  iif(w.untested_reason is null, null, u.run_number) as untested_run_number,
  iif(w.untested_reason is null, null, w.untested_conclusion) as untested_conclusion,
  iif(w.untested_reason is null, null, w.untested_at) as untested_at,
  iif(w.untested_reason is null, null, w.untested_html_url) as untested_html_url,
  iif(w.untested_reason = 'cancelled', w.cancelled_by, null) as cancelled_by,
  w.lost_run_id, w.lost_at, w.lost_html_url,
  coalesce(w.phantom_failures, 0) as phantom_failures,
  w.phantom_run_id, w.phantom_html_url,
  -- Why there is no result: nothing to wait for, or the first run is still to come.
  case
    when w.last_result is not null or w.newest_run_id is not null then null
    when not exists (
      select 1 from runs where runs.repo = w.repo and runs.workflow = w.workflow
    ) then 'no_run'
    -- Every run that is not of a pull request or a fork has a tile.
    when not exists (
      select 1 from tiles where tiles.repo = w.repo and tiles.workflow = w.workflow
    ) then 'pull_requests_only'
  end as unknown_reason,
  -- The run that the tile shows: the active one, else the last result, else the newest.
  n.run_id, n.run_number, n.run_attempt, n.status, n.conclusion, n.event,
  n.display_title, n.head_sha, n.actor, n.triggering_actor, n.pr_number, n.created_at,
  n.started_at, n.duration_seconds,
  iif(n.gone_at is null, n.html_url, null) as html_url,
  w.median_duration_seconds, w.p95_duration_seconds, w.usual_queue_seconds,
  w.success_rate,
  coalesce(w.is_flaky, 0) as is_flaky, coalesce(w.strip, '[]') as strip,
  w.stale_at, w.overdue_at,
  -- The schedule was overdue for so long that it is taken to be gone.
  iif(
    w.overdue_at is not null and w.overdue_until_at <= w.now, w.last_scheduled_at, null
  ) as no_scheduled_run_since,
  w.stuck_at,
  iif(w.stuck_at <= w.now, w.stuck_run_id, null) as stuck_run_id,
  iif(w.stuck_at <= w.now, o.run_number, null) as stuck_run_number,
  iif(w.stuck_at <= w.now, o.started_at, null) as stuck_started_at,
  iif(w.stuck_at <= w.now, o.activity, null) as stuck_activity,
  iif(w.stuck_at <= w.now, w.stuck_html_url, null) as stuck_html_url,
  b.html_url as blocked_html_url,
  m.reason as muted_reason, m.until_at as muted_until,
  -- When the row next changes by time alone.
  nullif(min(
    iif(stale_at > now, stale_at, '~'), iif(w.overdue_at > now, w.overdue_at, '~'),
    iif(overdue_until_at > now, overdue_until_at, '~'),
    iif(w.stuck_at > now, w.stuck_at, '~'),
    iif(w.given_up_at > now, w.given_up_at, '~'),
    iif(stuck_given_up_at > now, stuck_given_up_at, '~'),
    coalesce(m.until_at, '~')
  ), '~') as expires_at
from alarms w
left join runs n
  on n.run_id = coalesce(w.active_run_id, w.last_result_run_id, w.newest_run_id)
left join runs b on b.run_id = w.blocked_run_id
left join runs u on u.run_id = w.untested_run_id
left join run_activities o on o.run_id = w.stuck_run_id
-- The longest of the mutes of now.
left join muted_tiles m on m.mute_id = (
  select x.mute_id from muted_tiles x
  where x.repo = w.repo and x.workflow = w.workflow
    and (x.branch is null or x.branch = iif(n.is_tag, n.head_branch, w.branch))
    and x.from_at <= w.now and x.until_at > w.now
  order by x.until_at desc, x.mute_id limit 1
);

-- The tiles of the wall: one row per watched feed, on its repository's default branch or
-- on each branch that the settings choose.
create view wall as
select * from wall_branches where is_on_wall;

-- One row: whether GitHub is being polled and responds, and if not, why.
create view polling as
with facts as (
  select
    s.stale_seconds, c.now,
    strftime('%Y-%m-%dT%H:%M:%SZ', c.now, -s.stale_seconds || ' seconds') as stale_to,
    -- A later time is from before the clock was set back, and proves nothing.
    strftime('%Y-%m-%dT%H:%M:%SZ', c.now, '+{{clock_tolerance_seconds}} seconds') as now_at_most,
    -- A shard that has no feeds has nothing to poll, which is no failure.
    coalesce(
      max(i.value) filter (where i.key = 'why_not_polling'),
      iif(
        exists (select 1 from wall_sources where is_watched), null,
        max(i.value) filter (where i.key = 'empty_shard')
      )
    ) as why_not_polling,
    max(i.value) filter (where i.key = 'ingest_started_at') as ingest_started_at,
    max(i.value) filter (where i.key = 'next_poll_at') as next_poll_at,
    max(i.value) filter (where i.key = 'poll_started_at') as poll_started_at,
    strftime('%Y-%m-%dT%H:%M:%SZ', c.now, (-3 * s.refresh_seconds) || ' seconds')
      as overdue_to,
    max(i.value) filter (where i.key = 'token_expires_at') as token_expires_at
  from settings s cross join clock c cross join instance i
),
last_poll as (
  select
    started_at, finished_at, error, error_kind, rate_limit, rate_limit_remaining,
    rate_limit_reset_at
  from polls order by poll_id desc limit 1
),
-- The watched feeds, and the owners and repositories with an error, together.
counted as (
  select
    count(w.repo) as feeds,
    count(w.error) as feeds_with_error,
    count(*) filter (
      where w.checked_at > f.stale_to and w.checked_at <= f.now_at_most
    ) as fresh_feeds,
    max(iif(w.checked_at <= f.now_at_most, w.checked_at, null)) as last_success_at,
    max(w.checked_at) > f.now_at_most as is_clock_set_back
  from facts f left join wall_sources w on w.is_watched
),
judged as (
  select
    facts.*, counted.*, last_poll.error, last_poll.error_kind,
    last_poll.finished_at as last_poll_at,
    -- Ingest has died when its next poll is long overdue. During a long first pass, the
    -- feeds that it checks show that it is alive.
    coalesce(
      max(
        iif(ingest_started_at <= now_at_most, ingest_started_at, ''),
        iif(last_poll.finished_at <= now_at_most, last_poll.finished_at, ''),
        -- A wait may be long, so only the time when it began can be in the future.
        iif(
          coalesce(last_poll.finished_at, ingest_started_at) <= now_at_most,
          coalesce(next_poll_at, ''), ''
        ),
        coalesce(last_success_at, '')
      ) <= stale_to, 1
    )
    -- Between two passes there is no slow request to wait for.
    or coalesce(
      next_poll_at <= overdue_to and poll_started_at <= last_poll.finished_at, 0
    ) as is_dead,
    feeds_with_error = feeds
      and coalesce(counted.last_success_at < last_poll.started_at, 1) as has_only_errors
  from facts cross join counted left join last_poll on true
),
named as (
  select
    *,
    case
      when ingest_started_at is null then 'off'
      when why_not_polling is not null then 'off'
      when is_dead then 'stale'
      when error_kind = 'unauthorized' then 'unauthorized'
      when error_kind = 'rate_limited' then 'rate_limited'
      when error_kind is not null then 'offline'
      when last_poll_at is null then 'starting'
      when fresh_feeds = 0 or has_only_errors then 'failed'
      else 'ok'
    end as state
  from judged
)
select
  state,
  case
    when ingest_started_at is null
      then 'Nothing has polled into this database yet. Start ci-observer ingest.'
    when why_not_polling is not null then why_not_polling
    when state in ('stale', 'failed') and is_clock_set_back then
      'The clock was set back: the times of the last responses are in the future. '
      || 'The next poll corrects them.'
    when state = 'stale' then 'The ingest process has stopped polling.'
    when error_kind is not null then error
    when state = 'starting' then 'The first poll is under way.'
    when state = 'failed' and feeds = 0 then 'No workflow to watch was found yet.'
    when state = 'failed' then coalesce(
      (
        select
          count(*) || ' of ' || feeds || iif(feeds = 1, ' workflow: ', ' workflows: ')
          || w.error
        from wall_sources w
        where w.is_watched and w.error is not null
        group by w.error order by count(*) desc, w.error limit 1
      ),
      'No good response from GitHub since ' || last_success_at || '.',
      'No good response from GitHub yet.'
    )
  end as reason,
  -- Healthy: a feed had a good response lately, or polling is off on purpose.
  why_not_polling is not null or fresh_feeds > 0 as is_healthy,
  feeds, feeds - fresh_feeds as stale_feeds, stale_seconds,
  last_poll_at, last_success_at, next_poll_at, token_expires_at,
  (select rate_limit from last_poll) as rate_limit,
  (select rate_limit_remaining from last_poll) as rate_limit_remaining,
  (select rate_limit_reset_at from last_poll) as rate_limit_reset_at
from named;
