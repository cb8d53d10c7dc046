"""The daily rollups: the columns of each table, and the SQL that counts them.

`SQL_VALUES` puts the SQL into `sql/70_rollups.sql`: the views that define the tables,
and the triggers that keep the tables equal to them.
"""
# ruff: noqa: S608 (own names, and no value)

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlite_utils import Database

from ci_observer.ingest.db.vocabulary import sql_list

LEVEL_KEYS = ("unit", "period", "repo", "workflow")


@dataclass(frozen=True)
class Rollup:
    """A table, and how it counts the rows of a view of contributions.

    `keys` and `counts` are columns of the table with their SQL, in which `c` is the row
    of `source`. Rows for which `where` is not true are left out. The first of `counts`
    is the number of runs or jobs: a row without any is deleted.
    """

    table: str
    source: str
    keys: Mapping[str, str]
    counts: Mapping[str, str]
    where: str = "true"

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the table's primary key."""
        return (*LEVEL_KEYS, *self.keys)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the table, in order."""
        return (*self.key, *self.counts)

    @property
    def additions(self) -> str:
        """The part of an upsert that adds the counts to those of a stored row."""
        return ", ".join(f"{name} = {name} + excluded.{name}" for name in self.counts)


# The conclusions that have a column of their own.
CONCLUSIONS = (
    "success",
    "failure",
    "timed_out",
    "startup_failure",
    "cancelled",
    "skipped",
    "neutral",
    "action_required",
    "stale",
)
# The columns of the views of contributions, except the sign.
_OF_RUN = (
    *("run_id", "repo", "workflow", "day", "branch", "is_own", "is_default_branch"),
)
CONTRIBUTIONS = {
    "run_contributions": (
        *_OF_RUN,
        "outcome",
        "run_attempt",
        "timed_seconds",
        "duration_bucket",
        "queue_seconds",
        "queue_bucket",
    ),
    "job_contributions": (
        "job_id",
        "run_id",
        "run_attempt",
        "repo",
        "workflow",
        "day",
        "hour",
        "branch",
        "is_own",
        "is_default_branch",
        "labels",
        "waste",
        "actor",
        "seconds",
        "minutes",
        "queue_bucket",
    ),
    "flaky_contributions": _OF_RUN,
}

_IS_DEFAULT = {"is_default_branch": "c.is_default_branch"}
_WASTED = {"labels": "c.labels", "waste": "c.waste"}
_IS_QUEUED = "c.queue_bucket is not null"
_JOB_COUNTS = {"jobs": "1", "seconds": "c.seconds", "minutes": "c.minutes"}

ROLLUPS = (
    Rollup(
        "run_rollups",
        "run_contributions",
        _IS_DEFAULT,
        {
            "runs": "1",
            "unfinished": "c.outcome = 'unfinished'",
            **{name: f"c.outcome = '{name}'" for name in CONCLUSIONS},
            "other": "c.outcome = 'other'",
            "reruns": "c.run_attempt > 1",
            "attempts": "c.run_attempt",
            "timed_runs": "c.timed_seconds is not null",
            "timed_seconds": "coalesce(c.timed_seconds, 0)",
            "queued_runs": "c.queue_seconds is not null",
            "queue_seconds": "coalesce(c.queue_seconds, 0)",
            "unfinished_reruns": "c.outcome = 'unfinished' and c.run_attempt > 1",
            "successful_reruns": "c.outcome = 'success' and c.run_attempt > 1",
        },
    ),
    Rollup(
        "run_bucket_rollups",
        "run_contributions",
        _IS_DEFAULT | {"measure": "'duration'", "bucket": "c.duration_bucket"},
        {"runs": "1"},
        where="c.duration_bucket is not null",
    ),
    Rollup(
        "run_bucket_rollups",
        "run_contributions",
        _IS_DEFAULT | {"measure": "'queue'", "bucket": "c.queue_bucket"},
        {"runs": "1"},
        where=_IS_QUEUED,
    ),
    Rollup("job_rollups", "job_contributions", _IS_DEFAULT | _WASTED, _JOB_COUNTS),
    Rollup(
        "actor_rollups",
        "job_contributions",
        _IS_DEFAULT | {"actor": "c.actor"} | _WASTED,
        _JOB_COUNTS,
    ),
    Rollup(
        "queue_rollups",
        "job_contributions",
        _IS_DEFAULT | {"labels": "c.labels", "bucket": "c.queue_bucket"},
        {"jobs": "1"},
        where=_IS_QUEUED,
    ),
    Rollup(
        "queue_hour_rollups",
        "job_contributions",
        _IS_DEFAULT | {"hour": "c.hour", "bucket": "c.queue_bucket"},
        {"jobs": "1"},
        where=_IS_QUEUED,
    ),
    Rollup("flaky_rollups", "flaky_contributions", _IS_DEFAULT, {"commits": "1"}),
)
TABLES = tuple(dict.fromkeys(rollup.table for rollup in ROLLUPS))

# The key columns of a level, for the row `c` of a view of contributions.
_LEVEL = (
    "l.unit",
    "iif(l.unit = 'day', c.day, substr(c.day, 1, 7))",
    "iif(l.is_sum, '', c.repo)",
    "iif(l.is_sum, '', c.workflow)",
)


# The columns whose change moves a run or a job within the rollups.
_BRANCH = ("run_id", "repo", "workflow", "head_branch", "is_tag", "event", "head_repo")
_CHANGES = {
    "counted_run_columns": (
        *_BRANCH,
        "status",
        "conclusion",
        "cancel_cause",
        "run_attempt",
        "started_at",
        "duration_seconds",
        "queue_seconds",
        "waited_for",
    ),
    "job_branch_columns": _BRANCH,
    "counted_attempt_columns": (
        "run_id",
        "run_attempt",
        "conclusion",
        "cancel_cause",
        "triggering_actor",
    ),
    "counted_job_columns": (
        "job_id",
        "run_id",
        "run_attempt",
        "created_at",
        "started_at",
        "completed_at",
        "duration_seconds",
        "conclusion",
        "runner_name",
        "labels",
        "queue_seconds",
        "waited_for",
    ),
}

# Of a status, only this counts: an open run may go from queued to in_progress.
_FACTS = {"status": "({}.status is 'completed')"}

# All runs with this id or a greater one are counted. 0, the last value, is below all.
_IS_COUNTED = "(select from_run_id from rollup_progress) <= max({}, 0)"
# Above every id, so that no trigger counts a run.
PAUSED = 1e19
_IS_PAUSED = f"(select from_run_id from rollup_progress) = {PAUSED:.0e}"


def restart(db: Database) -> None:
    """Empty the rollups, for the background to build them again."""
    db.execute("update rollup_progress set from_run_id = null")


def add_between(db: Database, from_run_id: int, to_run_id: int) -> None:
    """Add the runs from `from_run_id` on to before `to_run_id`, within a transaction.

    Several tables read the contributions, so they are computed once.
    """
    for source, columns in CONTRIBUTIONS.items():
        rows = f"temp.{source}_to_add"
        select = f"select {_list(columns)} from {source}"
        db.execute(
            f"create temp table if not exists {source}_to_add as {select} limit 0"
        )
        db.execute(
            f"insert into {rows} {select} where run_id >= ? and run_id < ?",
            [from_run_id, to_run_id],
        )
        for rollup in ROLLUPS:
            if rollup.source == source:
                db.execute(_add(rollup, _by_level(rollup, rows)))
        db.execute(f"delete from {rows}")


def add_runs(db: Database, ids: Iterable[int]) -> None:
    """Add runs by their ids, within a transaction.

    Leaves out those that the background has yet to count. The caller counts their jobs.
    """
    rows = (
        "(select * from run_contributions"
        " where run_id in (select value from json_each(?))"
        # The limit keeps SQLite from computing a value for each column that uses it.
        f" and {_IS_COUNTED.format('run_id')} limit -1)"
    )
    params = [json.dumps([*ids])]
    for rollup in ROLLUPS:
        if rollup.source == "run_contributions":
            db.execute(_add(rollup, _by_level(rollup, rows)), params)


def _add_row(source: str) -> str:
    """Statements of a trigger that add the row `new`, or subtract it by its sign."""
    statements = []
    for rollup in ROLLUPS:
        if rollup.source == source:
            counts = [f"new.sign * ({sql})" for sql in rollup.counts.values()]
            values = ", ".join([*_LEVEL, *rollup.keys.values(), *counts])
            select = f"select {values} from rollup_levels l where {rollup.where}"
            statements.append(_add(rollup, re.sub(r"\bc\.", "new.", select)))
    return _script(statements)


def _add_branches(sign: str) -> str:
    """Statements of a trigger that add or subtract the runs of two branches.

    `old` and `new` are the former and the present row of `default_branches`.
    """
    where = (
        "repo = new.repo and branch in (old.branch, new.branch) and is_own"
        f" and {_IS_COUNTED.format('run_id')}"
    )
    return _script(
        _add(
            rollup,
            _by_level(rollup, f"(select * from {rollup.source} where {where})", sign),
        )
        for rollup in ROLLUPS
        if "is_default_branch" in rollup.keys
    )


def _delete_empty() -> str:
    """A trigger for each table that deletes a row once it counts nothing."""
    counters = {rollup.table: (next(iter(rollup.counts)), rollup) for rollup in ROLLUPS}
    return "\n".join(
        f"create trigger {table}_delete_empty after update of {counter} on {table}\n"
        f"when new.{counter} = 0\n"
        "begin\n"
        f"  delete from {table} where "
        + " and ".join(f"{name} = new.{name}" for name in rollup.key)
        + ";\nend;"
        for table, (counter, rollup) in counters.items()
    )


def _defining_views() -> str:
    """The views that define the tables."""
    views = []
    for table in TABLES:
        selects = [
            _grouped(rollup, f"(select * from {rollup.source} limit -1)")
            for rollup in ROLLUPS
            if rollup.table == table
        ]
        views.append(
            f"create view counted_{table} as\n" + "\nunion all\n".join(selects)
        )
    return _script(views)


def _grouped(rollup: Rollup, rows: str, sign: str = "") -> str:
    """Select the counts of some rows of contributions, at all levels."""
    keys = dict(zip(rollup.key, (*_LEVEL, *rollup.keys.values()), strict=True))
    return (
        f"select {_sums(keys, rollup.counts, sign)}\n"
        f"from {rows} c cross join rollup_levels l\n"
        f"where c.day is not null and {rollup.where}\ngroup by {_numbers(keys)}"
    )


def _by_level(rollup: Rollup, rows: str, sign: str = "") -> str:
    """The same, faster: the days of each workflow first, which are few."""
    keys = {name: f"c.{name}" for name in ("day", "repo", "workflow")}
    keys |= rollup.keys
    days = (
        f"(select {_sums(keys, rollup.counts)} from {rows} c"
        f" where c.day is not null and {rollup.where} group by {_numbers(keys)})"
    )
    counted = replace(
        rollup,
        keys={name: f"c.{name}" for name in rollup.keys},
        counts={name: f"c.{name}" for name in rollup.counts},
        where="true",
    )
    return _grouped(counted, days, sign)


def _sums(keys: Mapping[str, str], counts: Mapping[str, str], sign: str = "") -> str:
    columns = [
        f"{sql} collate nocase as {name}" if name == "repo" else f"{sql} as {name}"
        for name, sql in keys.items()
    ]
    columns += [f"{sign}sum({sql}) as {name}" for name, sql in counts.items()]
    return ", ".join(columns)


def _numbers(keys: Mapping[str, str]) -> str:
    return ", ".join(str(n) for n in range(1, len(keys) + 1))


def _add(rollup: Rollup, select: str) -> str:
    """A statement that adds the selected counts to the table."""
    return (
        f"insert into {rollup.table} ({', '.join(rollup.columns)})\n{select}\n"
        f"on conflict ({', '.join(rollup.key)}) do update set {rollup.additions}"
    )


def _script(statements: Iterable[str]) -> str:
    return "".join(f"{statement};\n" for statement in statements).rstrip()


def _have_changed(columns: Iterable[str]) -> str:
    """A condition of a trigger: whether a column differs, if only in letter case."""
    changes = [_FACTS.get(name, "{}." + name) for name in columns]
    return (
        "("
        + " or ".join(
            f"{sql.format('old')} is not {sql.format('new')} collate binary"
            for sql in changes
        )
        + ")"
    )


def _list(columns: Iterable[str]) -> str:
    return ", ".join(columns)


def _set_default_branch(repo: str) -> str:
    """Statements of a trigger on `feeds` that set the default branch of a repository.

    A row is inserted and deleted with a null, so that only an update moves runs.
    """
    own = f"repo = {repo}"
    branch = f"(\n  select branch from feed_default_branches where {own}\n)"
    return _script(
        (
            f"insert into default_branches (repo)\nselect {repo} where not exists (\n"
            f"  select 1 from default_branches where {own}\n)",
            f"update default_branches set branch = {branch}\n"
            f"where {own} and branch is not {branch}",
            f"delete from default_branches where {own} and branch is null",
        )
    )


def _restart_from(at: str) -> str:
    """A statement that starts all over if a day since an instant is counted."""
    counted = " or ".join(
        f"exists (\n  select 1 from {table} where unit = 'day'"
        f" and period >= date({at}, '-1 day')\n)"
        for table in ("run_rollups", "job_rollups", "flaky_rollups")
    )
    return _script([f"update rollup_progress set from_run_id = null\nwhere {counted}"])


SQL_VALUES = {
    "rollup_views": _defining_views(),
    "rollup_delete_empty": _delete_empty(),
    "add_run": _add_row("run_contributions"),
    "add_job": _add_row("job_contributions"),
    "add_flaky": _add_row("flaky_contributions"),
    "subtract_branches": _add_branches("-"),
    "add_branches": _add_branches(""),
    "set_old_default_branch": _set_default_branch("old.repo"),
    "set_new_default_branch": _set_default_branch("new.repo"),
    "restart_from_old": _restart_from("old.from_at"),
    "restart_from_new": _restart_from("new.from_at"),
    "restart_from_both": _restart_from("min(old.from_at, new.from_at)"),
    "delete_rollups": _script(f"delete from {table}" for table in TABLES),
    "run_columns": _list(CONTRIBUTIONS["run_contributions"]),
    "job_columns": _list(CONTRIBUTIONS["job_contributions"]),
    "flaky_columns": _list(CONTRIBUTIONS["flaky_contributions"]),
    "own_conclusions": sql_list(CONCLUSIONS),
    "is_paused": _IS_PAUSED,
    "is_old_run_counted": _IS_COUNTED.format("old.run_id"),
    "is_new_run_counted": _IS_COUNTED.format("new.run_id"),
    **{name: _list(columns) for name, columns in _CHANGES.items()},
    **{
        f"have_{name}_changed": _have_changed(columns)
        for name, columns in _CHANGES.items()
    },
}
