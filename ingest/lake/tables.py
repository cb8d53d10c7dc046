"""The tables of the lake: their columns, keys, and which of two rows is newer.

Every row also has `revision`, that of the database when the row was read. A table of
runs has `month`, the month in which the run was created: it never changes, so a row
stays in its partition.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

from ci_observer import column_kinds as kinds

MONTH, REVISION, SOURCE = "month", "revision", "source"
MONTH_SQL = (
    "iif({run}.created_at glob '[0-9][0-9][0-9][0-9]-[0-9][0-9]-*',"
    " substr({run}.created_at, 1, 7), 'unknown')"
)

RUNS = (
    *("run_id", "repo", "workflow", "workflow_name", "run_number", "run_attempt"),
    *("event", "display_title", "status", "conclusion", "effective_conclusion"),
    *("head_branch", "head_sha", "head_repo", "actor", "triggering_actor"),
    *("pr_number", "created_at", "started_at", "updated_at", "duration_seconds"),
    *("queue_seconds", "waited_for", "cancel_cause", "cancelled_by", "gone_at"),
    *("is_tag", "tile_branch", "html_url"),
)
# The repository, the workflow and the branch of the run save a join.
OF_THE_RUN = ("repo", "workflow", "tile_branch")
ATTEMPTS = (
    *("run_id", "run_attempt", "status", "conclusion", "effective_conclusion"),
    *("started_at", "updated_at", "duration_seconds", "queue_seconds", "waited_for"),
    *("triggering_actor", "cancel_cause", "cancelled_by"),
)
JOBS = (
    *("job_id", "run_id", "run_attempt", "last_attempt", "name", "status"),
    *("conclusion", "created_at", "started_at", "completed_at", "duration_seconds"),
    *("queue_seconds", "waited_for", "is_timed_out", "labels", "runner_name"),
    *("runner_group", "failed_step", "html_url"),
)
TILES = (
    *("repo", "workflow", "branch", "newest_run_id", "last_result"),
    *("last_result_run_id", "last_result_run_attempt", "last_result_conclusion"),
    *("last_result_started_at", "last_result_duration_seconds", "since_at", "streak"),
    *("failed_job", "failed_step", "failed_jobs", "error_message", "active_run_id"),
    *("activity", "median_duration_seconds", "p95_duration_seconds"),
    *("usual_queue_seconds", "success_rate", "is_flaky", "untested_reason"),
    *("untested_runs", "broken_run_id", "broken_actor", "broken_at"),
    *("usual_fix_seconds", "last_scheduled_at"),
)


@dataclass(frozen=True)
class LakeTable:
    """A table of the lake. `described_as` is the table of the database.

    `values` are the SQL of the columns, and `from_sql` has the rows of the database as
    `x`. `order` are the columns that say which row of a key is newer.
    """

    name: str
    described_as: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    from_sql: str
    values: tuple[str, ...]
    order: tuple[str, ...] = ()
    partition: str | None = MONTH

    @property
    def select_sql(self) -> str:
        """A select without its from: the values in the order of `columns`."""
        return f"select {', '.join(self.values)}"

    @property
    def partitions(self) -> list[str]:
        """The columns by which its files are in folders."""
        return [self.partition] if self.partition else []

    @property
    def columns_id(self) -> str:
        """A short text that differs if the columns do."""
        return f"{crc32(' '.join(self.columns).encode()):08x}"

    def kind(self, column: str) -> str:
        """The kind of value in a column, one of `column_kinds`."""
        if column in (MONTH, SOURCE, "branch", "tile_branch"):
            return kinds.WORD
        return kinds.INTEGER if column == REVISION else kinds.kind_of(column)


def of_runs(
    name: str,
    table: str,
    key: tuple[str, ...],
    columns: tuple[str, ...],
    order: tuple[str, ...],
) -> LakeTable:
    """A table with rows that belong to runs."""
    added = () if table == "runs" else OF_THE_RUN
    is_run = "" if table == "runs" else " cross join runs r using (run_id)"
    run = "x" if table == "runs" else "r"
    return LakeTable(
        name,
        table,
        key,
        (*columns, *added, MONTH, REVISION),
        f"{table} x{is_run}",
        (
            *(f"x.{column}" for column in columns),
            *(f"r.{column}" for column in added),
            MONTH_SQL.format(run=run),
            ":revision",
        ),
        order,
    )


TABLES = (
    of_runs("runs", "runs", ("run_id",), RUNS, ("run_attempt", "updated_at")),
    of_runs(
        "attempts",
        "run_attempts",
        ("run_id", "run_attempt"),
        ATTEMPTS,
        ("updated_at",),
    ),
    of_runs("jobs", "jobs", ("job_id",), JOBS, ()),
)
TILE_TABLE = LakeTable(
    "tiles",
    "tiles",
    ("repo", "workflow", "branch"),
    (*TILES, SOURCE, REVISION),
    "followed_tiles f cross join tiles x on x.rowid = f.tile_id",
    (*(f"x.{column}" for column in TILES), ":source", ":revision"),
    partition=None,
)
ALL_TABLES = (*TABLES, TILE_TABLE)


def is_newer_sql(table: LakeTable) -> str:
    """Whether the row `s` of the database replaces the row `t` of the lake.

    The order decides first. Of two rows that are equal in it, such as those before and
    after a rename, the one of the later revision.
    """
    differs = _any_of(
        [
            f"(s.{column} is distinct from t.{column})"
            for column in table.columns
            if column not in (*table.key, *table.order, REVISION, table.partition)
        ]
    )
    sql = f"(s.revision >= t.revision and ({differs}))"
    for column in reversed(table.order):
        later = f"s.{column} > t.{column}"
        sql = f"({later} or (s.{column} = t.{column} and {sql}))"
    return sql


def _any_of(conditions: Sequence[str]) -> str:
    """Joined in pairs of pairs: the parser refuses deeply nested conditions."""
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    return f"({_any_of(conditions[:half])} or {_any_of(conditions[half:])})"


def is_same_sql(table: LakeTable, months: Iterable[str]) -> str:
    """The condition of a merge: the key, within these partitions.

    The constants let concurrent merges of other months commit.
    """
    same = " and ".join(f"t.{column} = s.{column}" for column in table.key)
    if table.partition is None:
        return same
    listed = ", ".join(f"'{month}'" for month in sorted(months))
    return f"t.month in ({listed}) and t.month = s.month and {same}"
