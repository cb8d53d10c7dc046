"""Short reads on the event loop's own thread, and what becomes of the others."""

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlite_utils import Database
from web_client import get_json, serving

from web import quick
from web.database import DATABASE, fetch_rows
from web.quick import QuickReads

NEVER_ENDING = """
with recursive n (n) as (select 1 union all select n + 1 from n) select count(*) from n
"""
LONG = """
with recursive n (n) as (select 1 union all select n + 1 from n where n < 300000)
select count(*) as numbers from n
"""


@pytest.fixture
def reads(db_path: Path, db: Database) -> QuickReads:
    return QuickReads(lambda: sqlite3.connect(db_path, check_same_thread=False))


def thread_of(conn: sqlite3.Connection) -> int:
    conn.execute("select count(*) from runs").fetchall()
    return threading.get_ident()


def test_a_short_read_is_done_here(reads: QuickReads) -> None:
    assert reads.read("runs", thread_of) == threading.get_ident()


def test_a_long_read_is_given_up(reads: QuickReads) -> None:
    assert reads.read("n", lambda conn: conn.execute(NEVER_ENDING).fetchall()) is None


def test_its_like_is_not_tried_again(reads: QuickReads) -> None:
    reads.read("n", lambda conn: conn.execute(NEVER_ENDING).fetchall())

    assert reads.read("n", lambda _: 1) is None
    assert reads.read("runs", lambda _: 1) == 1


def test_it_is_tried_again_after_a_while(
    reads: QuickReads, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads.read("n", lambda conn: conn.execute(NEVER_ENDING).fetchall())
    monkeypatch.setattr(quick, "FORGET_SECONDS", 0)

    assert reads.read("n", lambda _: 1) == 1


def test_what_is_remembered_has_an_end(
    reads: QuickReads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick, "MAX_SLOW", 1)
    for name in ("n", "m"):
        reads.read(name, lambda conn: conn.execute(NEVER_ENDING).fetchall())

    assert reads.read("n", lambda _: 1) == 1
    assert reads.read("m", lambda _: 1) is None


def test_a_locked_database_is_not_waited_for(
    reads: QuickReads, db_path: Path, db: Database
) -> None:
    db.execute("pragma journal_mode = delete").fetchall()
    holder = sqlite3.connect(db_path)
    holder.execute("begin exclusive")

    assert reads.read("runs", thread_of) is None
    holder.close()


def test_another_error_is_the_callers(reads: QuickReads) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        reads.read("x", lambda conn: conn.execute("select * from none"))


@pytest.mark.asyncio
async def test_a_long_select_is_answered_by_a_thread(
    db_path: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick, "QUICK_SECONDS", 0)
    async with serving(db_path) as datasette:
        [row] = await fetch_rows(datasette, LONG)
        quick_reads = datasette.get_database(DATABASE).quick

        assert row["numbers"] == 300_000
        assert quick_reads.read(LONG, lambda _: 1) is None


@pytest.mark.asyncio
async def test_a_reader_on_the_loop_sees_each_change(
    db_path: Path, db: Database
) -> None:
    async with serving(db_path) as datasette:
        revisions = []
        for _ in range(2):
            revisions.append((await get_json(datasette, "/api/config"))["revision"])
            db.execute("update instance set value = value + 1 where key = 'revision'")
            db.conn.commit()

    assert revisions[1] == revisions[0] + 1
