"""Whether a database has the schema that this version of the web side reads.

The schema is the contract with the writer. Only `serve --read-only` reads a file whose
writer may be another version: without the option, `serve` brings it up to date.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from datasette.utils.sqlite import sqlite3

from ci_observer.web.errors import OtherSchema, Unavailable
from ci_observer.web.texts import cut, display_text

MAX_VERSION = 40

NO_TABLES = (
    "The database {path} has no tables of CI Observer. Check CI_OBSERVER_DB, and start"
    " ci-observer ingest where it is written."
)
_THEIRS = "The database {path} has the schema of CI Observer {theirs}"
NEWER = (
    f"{_THEIRS} with the migration {{name}}, which this version, {{ours}}, does not "
    "know: update this process to the writer's version."
)
OLDER = (
    f"{_THEIRS} without the migration {{name}} of this version, {{ours}}: update the "
    "writer, or run its version here. Without a writer, as for a restored file, run "
    "ci-observer migrate."
)
OTHER_VIEW = (
    f"{_THEIRS}, whose view {{name}} differs from that of this version, {{ours}}: run "
    "the same version here and at the writer."
)

MIGRATIONS_SQL = """
select name from _sqlite_migrations where migration_set = 'ci_observer'
"""
VIEWS_SQL = "select name, sql from sqlite_master where type = 'view'"
VERSION_SQL = "select value from instance where key = 'version'"


@dataclass(frozen=True)
class Schema:
    """The schema of a version: the names of its migrations, and its views' texts.

    `views` maps a name to its `create view` statement.
    """

    version: str
    migrations: tuple[str, ...]
    views: Mapping[str, str]

    def difference(
        self, conn: sqlite3.Connection
    ) -> tuple[str, type[Unavailable]] | None:
        """How the schema of a database differs: a text with `{path}`, and its error.

        None if it does not. Raises `sqlite3.DatabaseError`.
        """
        try:
            applied = [row[0] for row in conn.execute(MIGRATIONS_SQL).fetchall()]
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return NO_TABLES, Unavailable
        if unknown := [name for name in applied if name not in self.migrations]:
            return self._sentence(conn, NEWER, unknown[-1]), OtherSchema
        if missing := [name for name in self.migrations if name not in applied]:
            return self._sentence(conn, OLDER, missing[-1]), OtherSchema
        found = {row[0]: _text(row[1]) for row in conn.execute(VIEWS_SQL).fetchall()}
        for name, sql in self.views.items():
            if found.get(name) != _text(sql):
                return self._sentence(conn, OTHER_VIEW, name), OtherSchema
        return None

    def _sentence(self, conn: sqlite3.Connection, text: str, name: str) -> str:
        try:
            [theirs] = conn.execute(VERSION_SQL).fetchone() or [None]
        except sqlite3.OperationalError:
            theirs = None
        parts = {
            "{theirs}": cut(
                display_text(theirs) or "of an unknown version", MAX_VERSION
            ),
            "{ours}": self.version,
            "{name}": name,
        }
        # Texts of the file may contain braces, which mean something to `format`.
        for mark, part in parts.items():
            text = text.replace(mark, re.sub(r"[{}]", "", part))
        return text


def _text(sql: str) -> str:
    """A statement as `create` wrote it: SQLite writes the first words in capitals."""
    return re.sub(r"^CREATE VIEW", "create view", sql)
