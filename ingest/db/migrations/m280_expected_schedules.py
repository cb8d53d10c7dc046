"""The expected schedules of feeds over time."""

from sqlite_utils import Database

from ci_observer.ingest.db.migrations.registry import execute_all, migrations


@migrations()
def m280_expected_schedules(db: Database) -> None:
    """Record the expected schedules. Those of now are true since they are expected."""
    execute_all(
        db,
        """
        alter table feed_states add column schedule_seconds integer;
        alter table feed_states add column schedule_from_at text;

        insert or ignore into feed_states
            (repo, workflow, from_at, is_watched, workflow_name, workflow_state,
             default_branch, error_kind, error, blocked_run_id, no_runs_at, is_stale)
        select
            s.repo, s.workflow, f.schedule_from_at, is_watched, workflow_name,
            workflow_state, default_branch, error_kind, error, blocked_run_id,
            no_runs_at, is_stale
        from feed_settings f
        join feed_states s
            on s.repo = f.repo and s.workflow = f.workflow and s.from_at = (
                select max(from_at) from feed_states
                where repo = f.repo and workflow = f.workflow
                    and from_at < f.schedule_from_at
            )
        where f.schedule_seconds is not null;

        update feed_states
        set schedule_seconds = f.schedule_seconds, schedule_from_at = f.schedule_from_at
        from feed_settings f
        where f.repo = feed_states.repo and f.workflow = feed_states.workflow
            and feed_states.from_at >= f.schedule_from_at;

        insert into changed_states (repo, workflow, from_at)
        select repo, workflow, schedule_from_at
        from feed_settings where schedule_seconds is not null
        on conflict do update set from_at = min(from_at, excluded.from_at);
        """,
    )
