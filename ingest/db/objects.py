"""The views, triggers and indexes of the database: which are ours and which a user's.

Ours stand in `sql/` and are recorded in the table `schema_objects`. Any other object is
a user's; `user_objects` keeps those.
"""

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

from sqlite_utils import Database

from ci_observer.ingest.db import minutes, payload_tokens, rollups, vocabulary
from ci_observer.ingest.db.hashes_before_record import HASHES_BEFORE_RECORD
from ci_observer.ingest.db.migrations import migrations, statements
from ci_observer.ingest.errors import IncompleteInstallation

# Type (view, trigger or index) and name → the `create` statement.
Objects = dict[tuple[str, str], str]

# The files of `sql/`, in the order in which their objects are created.
SQL_FILES = (
    "10_payloads.sql",
    "20_branch_runs.sql",
    "30_tiles.sql",
    "35_settings.sql",
    "40_wall.sql",
    "45_feed_states.sql",
    "46_state_spans.sql",
    "47_alerts.sql",
    "48_run_changes.sql",
    "50_stats.sql",
    "60_flaky_shas.sql",
    "60_steps.sql",
    "60_commits.sql",
    "60_job_history.sql",
    "60_step_history.sql",
    "70_rollups.sql",
    "80_minutes.sql",
    "80_charts.sql",
    "indexes.sql",
)
# What `{{name}}` stands for in the SQL files.
SQL_VALUES = (
    payload_tokens.SQL_VALUES
    | vocabulary.SQL_VALUES
    | rollups.SQL_VALUES
    | minutes.SQL_VALUES
)
# The migration that creates the table `schema_objects`.
RECORD = "m071_schema_objects"
# Ends the message of each refused upgrade.
NOTHING_CHANGED = "Nothing has been changed."


@cache
def shipped() -> Objects:
    """The objects of this version, in the order in which they are created."""
    found: Objects = {}
    for text in sql_files():
        for sql in statements(fill_in(re.sub(r"(?m)^--.*\n", "", text))):
            _, kind, name, _ = sql.split(maxsplit=3)
            found[kind, name] = sql
    return found


def sql_files() -> list[str]:
    """The texts of the files in `sql/`.

    Raises `IncompleteInstallation` if one is missing: an upgrade would drop its views.
    """
    folder = resources.files("ci_observer.ingest.db").joinpath("sql")
    for name in SQL_FILES:
        if not folder.joinpath(name).is_file():
            raise IncompleteInstallation(
                f"{folder.joinpath(name)} is missing. Reinstall CI Observer, or restore"
                " it from a checkout."
            )
    return [folder.joinpath(name).read_text(encoding="utf-8") for name in SQL_FILES]


def fill_in(sql: str) -> str:
    """Replace each `{{name}}` by its value, whose later lines get its indentation."""

    def value(match: re.Match[str]) -> str:
        return match[1] + SQL_VALUES[match[2]].replace("\n", f"\n{match[1]}")

    return re.sub(r"( *)\{\{(\w+)\}\}", value, sql)


def stored(db: Database) -> Objects:
    """Every object of the database, the user's included.

    SQLite writes the words before the name in capitals; ours are in small letters. The
    table of migrations and its index belong to sqlite-utils.
    """
    rows = db.execute(
        "select type, name, sql from sqlite_master"
        " where type in ('view', 'trigger', 'index') and sql is not null"
        " and tbl_name <> '_sqlite_migrations'"
    )
    return {
        (kind, name): re.sub(r"^CREATE \w+", lambda words: words[0].lower(), sql)
        for kind, name, sql in rows
    }


def split_by_owner(db: Database) -> tuple[Objects, Objects]:
    """Our objects of the database, and the user's."""
    recorded = _recorded(db)

    def is_ours(key: tuple[str, str], sql: str) -> bool:
        return key in recorded if recorded else _was_shipped(key, sql)

    ours: Objects = {}
    users: Objects = {}
    for key, sql in stored(db).items():
        owner = ours if is_ours(key, sql) else users
        owner[key] = sql
    return ours, users


def text_hash(sql: str) -> str:
    """A short hash of a statement that ignores its line breaks and indentation."""
    return hashlib.sha256(" ".join(sql.split()).encode()).hexdigest()[:12]


def _was_shipped(key: tuple[str, str], sql: str) -> bool:
    """Whether this version, or one that recorded nothing, has shipped the object."""
    known = HASHES_BEFORE_RECORD.get(key, frozenset())
    return shipped().get(key) == sql or text_hash(sql) in known


def are_up_to_date(db: Database) -> bool:
    """Whether the database has all shipped objects, and no former ones of ours.

    The definitions of indexes are left to `indexes`.
    """
    wanted, found = shipped(), stored(db)
    return _recorded(db) == wanted.keys() and all(
        found.get(key) == sql for key, sql in wanted.items() if key[0] != "index"
    )


def record(db: Database) -> None:
    """Record the shipped objects as ours."""
    db.execute("delete from schema_objects")
    db.conn.executemany(
        "insert into schema_objects (type, name) values (?, ?)", shipped()
    )


def _recorded(db: Database) -> set[tuple[str, str]]:
    # Until the migration has run, a table of this name is the user's.
    if RECORD not in {migration.name for migration in migrations.applied(db)}:
        return set()
    return set(db.execute("select type, name from schema_objects").fetchall())


def drop(db: Database, keys: Iterable[tuple[str, str]]) -> None:
    """Drop these objects; a trigger goes before its view, which takes it along."""
    for kind, name in sorted(keys):
        db.execute(f"drop {kind} {quoted(name)}")


def quoted(name: str) -> str:
    """The name as SQL."""
    return '"' + name.replace('"', '""') + '"'
