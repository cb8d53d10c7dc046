"""Where the web side reads: on the event loop's thread, beside it, or patiently."""

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

from ci_observer.web import slow
from ci_observer.web.database import DATABASE, How, fetch
from ci_observer.web.quick import QuickReads
from ci_observer.web.readers import Readers
from ci_observer.web.slow import SlowKinds

NEVER_ENDING = """
with recursive n (n) as (select 1 union all select n + 1 from n) select count(*) from n
"""


@pytest.fixture
def quick(db_path: Path, db: Database) -> QuickReads:
    return QuickReads(lambda: sqlite3.connect(db_path))


@pytest.fixture
def readers(db_path: Path, db: Database) -> Iterator[Readers]:
    one = Readers(
        lambda: sqlite3.connect(db_path, check_same_thread=False),
        threads=1,
        cache_kib=1000,
    )
    yield one
    one.close()


@pytest_asyncio.fixture
async def datasette(db_path: Path, db: Database) -> AsyncIterator[Datasette]:
    async with serving(db_path) as served:
        yield served


def here(conn: sqlite3.Connection) -> int:
    """Read something; return on which thread."""
    conn.execute("select count(*) from runs").fetchall()
    return threading.get_ident()


def for_ever(conn: sqlite3.Connection) -> object:
    return conn.execute(NEVER_ENDING).fetchall()


def test_a_quick_read_is_done_here(quick: QuickReads) -> None:
    assert quick.read(here, seconds=60) == threading.get_ident()


def test_a_quick_read_is_interrupted_when_it_is_not(quick: QuickReads) -> None:
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        quick.read(for_ever, seconds=0)

    assert quick.read(here, seconds=60)


def test_a_quick_read_does_not_wait_for_a_lock(
    quick: QuickReads, db_path: Path, db: Database
) -> None:
    db.execute("pragma journal_mode = delete").fetchall()
    holder = sqlite3.connect(db_path)
    holder.execute("begin exclusive")

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        quick.read(here, seconds=60)
    holder.close()


@pytest.mark.asyncio
async def test_a_reader_is_interrupted_and_reads_on(readers: Readers) -> None:
    endless = asyncio.ensure_future(readers.read(for_ever, seconds=0.01))
    # Waits for its turn, longer than it may take.
    late = asyncio.ensure_future(readers.read(here, seconds=0))
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        await endless
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        await late

    assert await readers.read(here, seconds=60) != threading.get_ident()


@pytest.mark.asyncio
async def test_nobody_waits_for_a_read_that_was_cancelled(readers: Readers) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def begin(conn: sqlite3.Connection) -> object:
        loop.call_soon_threadsafe(begun.set)
        return for_ever(conn)

    endless = asyncio.ensure_future(readers.read(begin, seconds=60))
    await begun.wait()
    endless.cancel()

    assert await readers.read(here, seconds=60)


@pytest.mark.asyncio
async def test_each_kind_is_read_where_it_is_best(datasette: Datasette) -> None:
    loop = threading.get_ident()
    threads = {
        how: await fetch(datasette, "runs", here, how=how)
        for how in ("quickly", "beside", "patiently")
    }

    assert threads.pop("quickly") == loop
    assert len({loop, *threads.values()}) == 3


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["quickly", "beside"])
async def test_what_is_slow_is_read_patiently_the_next_times(
    datasette: Datasette, monkeypatch: pytest.MonkeyPatch, how: How
) -> None:
    """The first time it is tried, and given up."""
    monkeypatch.setattr("ci_observer.web.database.QUICK_SECONDS", 0)
    monkeypatch.setattr("ci_observer.web.database.BESIDE_SECONDS", 0)
    patient = await fetch(datasette, "", here, how="patiently")
    tried: list[int] = []

    def read(conn: sqlite3.Connection) -> int:
        tried.append(threading.get_ident())
        return for_ever_at_first(conn)

    def for_ever_at_first(conn: sqlite3.Connection) -> int:
        if len(tried) == 1:
            for_ever(conn)
        return here(conn)

    monkeypatch.setattr("ci_observer.web.database.BESIDE_SECONDS", 0.01)
    first = await fetch(datasette, "n", read, how=how)
    again = await fetch(datasette, "n", here, how=how)
    other = await fetch(datasette, "m", here, how="beside")

    assert len(tried) == 2
    assert "n" in datasette.get_database(DATABASE).slow
    assert tried[0] not in {first, again}
    assert other not in {first, again, patient}


def test_slow_kinds_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = SlowKinds()
    kinds.add("n")
    remembered = "n" in kinds
    monkeypatch.setattr(slow, "FORGET_SECONDS", 0)

    assert remembered
    assert "n" not in kinds


def test_only_so_many_slow_kinds_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slow, "MAX_KINDS", 1)
    kinds = SlowKinds()
    kinds.add("n")
    kinds.add("m")

    assert "n" not in kinds
    assert "m" in kinds


@pytest.mark.asyncio
async def test_an_error_of_the_select_is_no_slowness(datasette: Datasette) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await datasette.get_database(DATABASE).beside.read(
            lambda conn: conn.execute("select * from none"), seconds=60
        )


@pytest.mark.asyncio
async def test_each_change_is_seen(datasette: Datasette, db: Database) -> None:
    revisions = []
    for _ in range(2):
        revisions.append((await get_json(datasette, "/api/config"))["revision"])
        db.execute("update instance set value = value + 1 where key = 'revision'")
        db.conn.commit()

    assert revisions[1] == revisions[0] + 1
