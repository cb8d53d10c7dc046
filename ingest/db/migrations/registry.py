"""The list that migrations join, and the execution of their scripts."""

import sqlite3

from sqlite_utils import Database, Migrations

migrations = Migrations("ci_observer")


def execute_all(db: Database, script: str) -> None:
    """Execute the statements of a script within the caller's transaction."""
    # Not executescript: that would commit the migration's transaction half-way.
    for sql in statements(script):
        db.execute(sql)


def statements(script: str) -> list[str]:
    """The statements of a script, without their semicolons."""
    found: list[str] = []
    rest = ""
    for line in script.splitlines(keepends=True):
        rest += line
        if sqlite3.complete_statement(rest):
            found.append(rest.strip().removesuffix(";"))
            rest = ""
    return found
