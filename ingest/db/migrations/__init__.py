"""The database's tables, as a list of migrations.

Each migration runs once in each database, in the order of this package's modules. To
change a table, add one at the end of the last module, or in a new module; the number in
its name only makes the name unique. Views, triggers and indexes stand in `sql/`: the
indexes that old migrations create are replaced by those.
"""

from contextlib import closing
from functools import cache

from sqlite_utils import Database

from ci_observer.ingest.db.migrations import (
    m001_first_tables,
    m050_ready_tiles,
    m090_plain_names,
    m120_untested,
    m170_jobs,
    m190_rollups,
    m240_states,
    m250_settings,
    m260_state_spans,
    m280_expected_schedules,
    m290_branch_rollups,
    m300_alerts,
    m310_run_changes,
)
from ci_observer.ingest.db.migrations.registry import migrations, statements

__all__ = ["MODULES", "known_names", "migrations", "statements", "table_names"]

# Their import adds their migrations to the list.
MODULES = (
    m001_first_tables,
    m050_ready_tiles,
    m090_plain_names,
    m120_untested,
    m170_jobs,
    m190_rollups,
    m240_states,
    m250_settings,
    m260_state_spans,
    m280_expected_schedules,
    m290_branch_rollups,
    m300_alerts,
    m310_run_changes,
)


@cache
def known_names() -> frozenset[str]:
    """The names of all migrations: those that are pending in an empty database."""
    with closing(Database(memory=True)) as empty:
        return frozenset(migration.name for migration in migrations.pending(empty))


@cache
def table_names() -> frozenset[str]:
    """The names of the tables that the migrations leave."""
    with closing(Database(memory=True)) as empty:
        migrations.apply(empty)
        return frozenset(empty.table_names())
