"""Reads in one transaction, which never stays open between two requests.

An open transaction holds a lock on the file. The program that writes a replica takes
its own lock in between: https://www.sqlite.org/lockingv3.html
"""

from collections.abc import Callable
from typing import TypeVar

from datasette.utils.sqlite import sqlite3

from ci_observer.web.database_file import ReadGuard

T = TypeVar("T")


def in_transaction(
    select: Callable[[sqlite3.Connection], T], *, keeps: bool = False
) -> Callable[[sqlite3.Connection], T]:
    """The same in one transaction; with `keeps`, temporary tables keep their rows."""

    def run(conn: sqlite3.Connection) -> T:
        guard: ReadGuard = getattr(conn, "guard", None) or ReadGuard()
        conn.execute("begin")
        try:
            guard.check_begin(conn)
            result = select(conn)
            guard.check_end()
            if keeps:
                conn.commit()
            return result
        except sqlite3.DatabaseError:
            # An error about a file that has changed since is none of the file now.
            guard.check_end()
            raise
        finally:
            conn.rollback()

    return run
