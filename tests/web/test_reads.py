"""Where the web side reads: inline on the event loop's thread, or in the read pool."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from datasette.app import Datasette
from sqlite_utils import Database
from web_client import get_json, serving

from ci_observer.web import database, read_pool
from ci_observer.web.database import DATABASE, InlineReader, SlowQueryMemo, fetch
from ci_observer.web.read_pool import ReadPool

ENDLESS = """
with recursive n (n) as (select 1 union all select n + 1 from n) select count(*) from n
"""


@pytest.fixture
def inline(db_path: Path, db: Database) -> InlineReader:
    return InlineReader(lambda: sqlite3.connect(db_path))


@pytest.fixture
def pool(db_path: Path, db: Database) -> Iterator[ReadPool]:
    """A pool of one thread."""
    pool = ReadPool(
        lambda: sqlite3.connect(db_path, check_same_thread=False), threads=1
    )
    yield pool
    pool.close()


@pytest_asyncio.fixture
async def datasette(db_path: Path, db: Database) -> AsyncIterator[Datasette]:
    async with serving(db_path) as served:
        yield served


def thread_of(conn: sqlite3.Connection) -> int:
    """Read something; return the thread that did."""
    conn.execute("select count(*) from runs").fetchall()
    return threading.get_ident()


def read_endlessly(conn: sqlite3.Connection) -> object:
    return conn.execute(ENDLESS).fetchall()


def test_an_inline_read_runs_on_the_calling_thread(inline: InlineReader) -> None:
    assert inline.read(thread_of, seconds=60) == threading.get_ident()


def test_an_inline_read_is_interrupted_at_its_deadline(inline: InlineReader) -> None:
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        inline.read(read_endlessly, seconds=0)

    assert inline.read(thread_of, seconds=60)


def test_an_inline_read_does_not_wait_for_a_lock(
    inline: InlineReader, db_path: Path, db: Database
) -> None:
    db.execute("pragma journal_mode = delete").fetchall()
    holder = sqlite3.connect(db_path)
    holder.execute("begin exclusive")

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        inline.read(thread_of, seconds=60)
    holder.close()


@pytest.mark.asyncio
async def test_a_thread_of_the_pool_reads_on_after_an_interrupt(pool: ReadPool) -> None:
    endless = asyncio.ensure_future(pool.read(read_endlessly, seconds=0.01))
    # Waits in the queue for longer than its limit.
    late = asyncio.ensure_future(pool.read(thread_of, seconds=0))
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        await endless
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        await late

    assert await pool.read(thread_of, seconds=60) != threading.get_ident()


@pytest.mark.asyncio
async def test_a_cancelled_read_frees_its_thread(pool: ReadPool) -> None:
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def select(conn: sqlite3.Connection) -> object:
        loop.call_soon_threadsafe(started.set)
        return read_endlessly(conn)

    endless = asyncio.ensure_future(pool.read(select, seconds=60))
    await started.wait()
    endless.cancel()

    assert await pool.read(thread_of, seconds=60)


@pytest.mark.asyncio
async def test_a_read_runs_inline_unless_the_caller_wants_the_pool(
    datasette: Datasette,
) -> None:
    inline = await fetch(datasette, thread_of, key="runs")
    pooled = await fetch(datasette, thread_of, key="runs", inline=False)

    assert inline == threading.get_ident()
    assert pooled != inline


@pytest.mark.asyncio
async def test_a_slow_read_moves_to_the_pool_and_its_like_start_there(
    datasette: Datasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "INLINE_SECONDS", 0.01)
    tried_on: list[int] = []

    def select(conn: sqlite3.Connection) -> int:
        tried_on.append(threading.get_ident())
        if len(tried_on) == 1:
            read_endlessly(conn)
        return thread_of(conn)

    first = await fetch(datasette, select, key="n")
    monkeypatch.setattr(database, "INLINE_SECONDS", 600)
    again = await fetch(datasette, thread_of, key="n")
    other = await fetch(datasette, thread_of, key="m")

    assert len(tried_on) == 2
    assert "n" in datasette.get_database(DATABASE).slow_queries
    assert tried_on[0] == other == threading.get_ident()
    assert threading.get_ident() not in {first, again}


@pytest.mark.asyncio
async def test_slow_queries_of_a_visitor_do_not_delay_the_wall(
    datasette: Datasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than the pool has threads."""
    monkeypatch.setattr(database, "TIME_LIMIT_SECONDS", 600)
    loop = asyncio.get_running_loop()
    started = asyncio.Semaphore(0)

    def select(conn: sqlite3.Connection) -> object:
        loop.call_soon_threadsafe(started.release)
        return read_endlessly(conn)

    slow = [
        asyncio.ensure_future(fetch(datasette, select, key="n", inline=False))
        for _ in range(read_pool.THREADS + 1)
    ]
    for _ in range(read_pool.THREADS):
        await started.acquire()
    pages = [
        await get_json(datasette, path) for path in ("/api/wall", "/api/runs?repo=a/b")
    ]
    are_done = [read.done() for read in slow]
    for read in slow:
        read.cancel()

    assert [page["ok"] for page in pages] == [True, True]
    assert not any(are_done)


def test_slow_queries_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    memo = SlowQueryMemo()
    memo.add("n")
    was_remembered = "n" in memo
    monkeypatch.setattr(database, "MEMO_SECONDS", 0)

    assert was_remembered
    assert "n" not in memo


def test_the_memo_of_slow_queries_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "MEMO_SIZE", 1)
    memo = SlowQueryMemo()
    memo.add("n")
    memo.add("m")

    assert "n" not in memo
    assert "m" in memo


@pytest.mark.asyncio
async def test_the_pool_raises_the_error_of_a_select(pool: ReadPool) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await pool.read(lambda conn: conn.execute("select * from none"), seconds=60)


@pytest.mark.asyncio
async def test_each_change_is_seen(datasette: Datasette, db: Database) -> None:
    revisions = []
    for _ in range(2):
        revisions.append((await get_json(datasette, "/api/config"))["revision"])
        db.execute("update instance set value = value + 1 where key = 'revision'")
        db.conn.commit()

    assert revisions[1] == revisions[0] + 1
