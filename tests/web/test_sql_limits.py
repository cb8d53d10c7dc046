# ruff: noqa: S608 (the statements are those of this file)
"""Statements that would take all memory or all time: each ends with a clear error."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from archive import watch
from datasette.app import Datasette
from datasette.database import QueryInterrupted, Results
from sqlite_utils import Database
from up import is_running
from waiting import HANG_SECONDS, eventually
from web_client import get_json, serving

from ci_observer.web.database import DATABASE, ReadOnlyDatabase
from ci_observer.web.sql import pool as sql_pool
from ci_observer.web.sql import worker as sql_worker

MEGABYTE = "hex(zeroblob(500000))"
NUMBERS = "with recursive n(x) as (select 1 union all select x + 1 from n)"
TEN_THOUSAND = f"{NUMBERS[:-1]} limit 10000)"
TIMED_OUT = "query took too long"

TOO_LARGE = {
    "hex(zeroblob)": ("select hex(zeroblob(400000000))", sql_worker.TOO_LARGE_CELL),
    "zeroblob": ("select zeroblob(999999999)", sql_worker.TOO_LARGE_CELL),
    "quote": ("select quote(zeroblob(3000000))", sql_worker.TOO_LARGE_CELL),
    "replace": (
        f"select replace({MEGABYTE}, '0', {MEGABYTE})",
        sql_worker.TOO_LARGE_CELL,
    ),
    "randomblob": ("select randomblob(900000000)", sql_worker.TOO_LARGE_CELL),
    "group_concat": (
        f"{NUMBERS[:-1]} limit 20) select group_concat({MEGABYTE}) from n",
        sql_worker.TOO_LARGE_CELL,
    ),
    "json_group_array": (
        f"{NUMBERS[:-1]} limit 20) select json_group_array({MEGABYTE}) from n",
        sql_worker.TOO_MUCH_MEMORY,
    ),
    "doubled": (
        "with recursive d(t) as (select 'xxxxxxxx' union all select t || t from d)"
        " select length(t) from d",
        sql_worker.TOO_LARGE_CELL,
    ),
    "rows of blobs": (
        f"{NUMBERS} select randomblob(1000000) from n",
        sql_worker.TOO_MANY_BYTES,
    ),
    "columns of blobs": (
        f"select {', '.join(['zeroblob(3900000)'] * 90)}",
        sql_worker.TOO_MUCH_MEMORY,
    ),
    "columns of texts": (
        f"select {', '.join([MEGABYTE] * 90)}",
        sql_worker.TOO_MUCH_MEMORY,
    ),
    "cells": (
        f"{NUMBERS} select {', '.join(['x'] * 200)} from n",
        sql_worker.TOO_MANY_CELLS,
    ),
    "sorted blobs": (
        f"{NUMBERS[:-1]} limit 100000) select x, randomblob(100000) from n order by 2",
        sql_worker.TOO_LARGE_FILE,
    ),
    "long pattern": (f"select 'a' like '{'%a' * 600}'", "pattern too complex"),
    "deep expression": (f"select {'not ' * 600} 1", ""),
    "compound select": (" union all ".join(["select 1"] * 200), "compound SELECT"),
    "deep json": (f"select json('{'[' * 3000}{']' * 3000}')", "malformed JSON"),
    "two statements": ("select 1; select 2", "one statement at a time"),
    "not SQL": ("select from where", "syntax error"),
}
ENDLESS = {
    "counting": f"{NUMBERS} select count(*) from n",
    "cross join": " ".join(
        [
            f"{TEN_THOUSAND} select count(*) from n a, n b, n c",
            "where a.x + b.x + c.x < 0",
        ]
    ),
    "sort": f"{NUMBERS} select x from n order by -x",
    "window": f"{NUMBERS} select sum(x) over (order by x) from n",
    "distinct": f"{NUMBERS} select count(distinct x) from n",
}
# SQLite notices an interrupt only between two calls of a function.
UNINTERRUPTIBLE = {
    "like": f"select {MEGABYTE} || {MEGABYTE} like '%{'0' * 900}1%'",
    "glob": f"select {MEGABYTE} || {MEGABYTE} glob '*{'0' * 900}1*'",
    "instr": (
        f"select instr({MEGABYTE} || {MEGABYTE}, substr({MEGABYTE}, 1, 500000) || '1')"
    ),
    "printf": "select printf('%.*c', 1000000000, 'x')",
}


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path, sql_time_limit_ms=600_000) as datasette:
        yield datasette


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci_observer.web.sql.pool.GRACE_SECONDS", 0.2)


def database_of(datasette: Datasette) -> ReadOnlyDatabase:
    database: ReadOnlyDatabase = datasette.get_database(DATABASE)
    return database


async def ask(datasette: Datasette, sql: str, ending: str = "json") -> httpx.Response:
    response: httpx.Response = await datasette.client.get(
        f"/ci_observer.{ending}?_shape=arrays&sql={quote(sql)}"
    )
    return response


async def wall_answers(datasette: Datasette) -> bool:
    return len((await get_json(datasette, "/api/wall"))["tiles"]) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("name", TOO_LARGE)
async def test_a_statement_that_is_too_large_says_which_limit(
    datasette: Datasette, name: str
) -> None:
    sql, message = TOO_LARGE[name]
    refused = await ask(datasette, sql)
    later = await ask(datasette, "select 1")

    assert refused.status_code == 400
    assert message in refused.json()["error"]
    assert later.json()["rows"] == [[1]]
    assert await wall_answers(datasette)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ENDLESS)
async def test_a_statement_without_end_is_interrupted(
    datasette: Datasette, name: str
) -> None:
    datasette.sql_time_limit_ms = 300
    refused = await ask(datasette, ENDLESS[name])
    pids = database_of(datasette).workers.pids
    later = await ask(datasette, "select 1")

    assert refused.status_code == 400
    assert TIMED_OUT in refused.json()["error"]
    assert later.json()["rows"] == [[1]]
    assert database_of(datasette).workers.pids == pids
    assert await wall_answers(datasette)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", UNINTERRUPTIBLE)
async def test_a_function_without_end_ends_with_its_process(
    datasette: Datasette, short_grace: None, name: str
) -> None:
    await ask(datasette, "select 1")
    [before] = database_of(datasette).workers.pids
    datasette.sql_time_limit_ms = 300
    refused = await ask(datasette, UNINTERRUPTIBLE[name])
    later = await ask(datasette, "select 1")
    [after] = database_of(datasette).workers.pids

    assert refused.status_code == 400
    assert TIMED_OUT in refused.json()["error"]
    assert later.json()["rows"] == [[1]]
    assert after != before
    assert not is_running(before)
    assert await wall_answers(datasette)


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", ["json", "csv", ""])
async def test_every_format_shows_the_limit(datasette: Datasette, ending: str) -> None:
    path = f"/ci_observer{ending and '.'}{ending}"
    sql, message = TOO_LARGE["rows of blobs"]
    response = await datasette.client.get(f"{path}?sql={quote(sql)}")

    # Datasette's CSV of a failed statement is empty, with the same status as before.
    assert response.status_code == (200 if ending == "csv" else 400)
    assert ending == "csv" or message in response.text


@pytest.mark.asyncio
async def test_a_filter_is_limited_like_a_statement(datasette: Datasette) -> None:
    where = quote("length(hex(zeroblob(400000000))) > 0")
    path = f"/ci_observer/feeds.json?_where={where}"
    response = await datasette.client.get(path)

    assert response.status_code == 400
    assert response.json()["error"] == sql_worker.TOO_LARGE_CELL


@pytest.mark.asyncio
async def test_a_killed_worker_is_replaced(datasette: Datasette) -> None:
    await ask(datasette, "select 1")
    [pid] = database_of(datasette).workers.pids
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_running(pid))
    later = await ask(datasette, "select 1")

    assert later.json()["rows"] == [[1]]


@pytest.mark.asyncio
async def test_a_worker_killed_during_a_statement_is_an_error(
    datasette: Datasette,
) -> None:
    running, pid = await start_endless(datasette)
    os.kill(pid, signal.SIGKILL)

    with pytest.raises(sqlite3.OperationalError, match="has ended its process"):
        await running


def processor_time(pid: int) -> int:
    """The processor time of a process, in hundredths of a second."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


async def start_endless(datasette: Datasette) -> "tuple[asyncio.Task[Results], int]":
    """A statement without end, and the worker that is busy with it."""
    await ask(datasette, "select 1")
    database = database_of(datasette)
    [pid] = database.workers.pids
    before = processor_time(pid)
    task = asyncio.create_task(database.execute(ENDLESS["counting"]))
    await asyncio.to_thread(eventually, lambda: processor_time(pid) > before + 5)
    return task, pid


@pytest.mark.asyncio
async def test_a_cancelled_statement_ends_at_once(datasette: Datasette) -> None:
    running, pid = await start_endless(datasette)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    await asyncio.to_thread(eventually, lambda: not is_running(pid))
    assert (await ask(datasette, "select 1")).json()["rows"] == [[1]]


@pytest.mark.asyncio
async def test_a_statement_that_finds_no_worker_is_told_to_try_again(
    datasette: Datasette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_observer.web.sql.pool.WAIT_SECONDS", 0.01)
    database = database_of(datasette)
    running = [
        asyncio.create_task(database.execute(ENDLESS["counting"]))
        for _ in range(sql_pool.WORKERS)
    ]
    await asyncio.to_thread(eventually, lambda: len(database.workers.pids) == 3)
    refused = await ask(datasette, "select 1")
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

    assert refused.status_code == 503
    assert refused.json()["error"].startswith("The server is busy")
    assert (await ask(datasette, "select 1")).status_code == 200


@pytest.mark.asyncio
async def test_a_time_limit_in_the_url_can_only_be_shorter(
    datasette: Datasette,
) -> None:
    datasette.sql_time_limit_ms = 300
    for limit in (1, 100_000_000):
        sql = quote(ENDLESS["counting"])
        path = f"/ci_observer.json?sql={sql}&_timelimit={limit}"
        response = await datasette.client.get(path)
        assert TIMED_OUT in response.json()["error"]


@pytest.mark.asyncio
async def test_more_rows_than_datasette_returns_are_truncated(
    datasette: Datasette,
) -> None:
    result = (await ask(datasette, f"{NUMBERS} select x from n")).json()

    assert result["truncated"] is True
    assert len(result["rows"]) == 5000


@pytest.mark.asyncio
async def test_rows_are_those_of_sqlite(datasette: Datasette) -> None:
    """Datasette and its plugins read them by number and by name, in any case."""
    sql = 'select 1 as id, 2 as "a ""b", x\'ff00\' as "", null as [n], 1.5 as r'
    results = await database_of(datasette).execute(sql)
    [row] = results.rows
    conn = sqlite3.connect(":memory:")
    conn.row_factory = sqlite3.Row
    cursor = conn.execute(sql)
    [expected] = cursor.fetchall()
    conn.close()

    assert isinstance(row, sqlite3.Row)
    assert tuple(row) == tuple(expected)
    assert row.keys() == expected.keys()
    assert row["ID"] == 1
    assert results.description == cursor.description
    assert (results.truncated, results.columns) == (False, row.keys())


@pytest.mark.asyncio
async def test_invalid_text_and_large_numbers_are_shown(datasette: Datasette) -> None:
    response = await ask(datasette, "select cast(x'41ff' as text), 9223372036854775807")

    assert response.json()["rows"] == [["A\N{REPLACEMENT CHARACTER}", 2**63 - 1]]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n": 2**70}, "too large"),
        ({"n": "\ud800"}, "surrogates"),
        ({}, "did not supply a value"),
        ([1, 2], "bindings"),
    ],
)
async def test_bad_parameters_are_sqlite_s_errors(
    datasette: Datasette, params: object, message: str
) -> None:
    with pytest.raises(sqlite3.DatabaseError, match=message):
        await database_of(datasette).execute("select :n", params)


@pytest.mark.asyncio
async def test_magic_parameters_are_computed(datasette: Datasette) -> None:
    """A mapping as Datasette passes it for a canned query."""

    class Magic(dict[str, object]):
        def __getitem__(self, name: str) -> object:
            return 7 if name == "_magic_number" else super().__getitem__(name)

    results = await database_of(datasette).execute(
        "select :_magic_number, :given", Magic(given="x")
    )

    assert tuple(results.first()) == (7, "x")


@pytest.mark.asyncio
async def test_an_interrupted_statement_has_datasette_s_exception(
    datasette: Datasette,
) -> None:
    with pytest.raises(QueryInterrupted) as caught:
        await database_of(datasette).execute(
            ENDLESS["counting"], {"a": 1}, custom_time_limit=5
        )

    assert (caught.value.sql, caught.value.params) == (ENDLESS["counting"], {"a": 1})


@pytest.mark.asyncio
async def test_a_payload_of_100_kb_is_within_the_limits(
    datasette: Datasette, db: Database
) -> None:
    payload = json.dumps({"text": "x" * 150_000})
    db["notes"].insert_all(({"id": n, "payload": payload} for n in range(60)), pk="id")
    page = await get_json(datasette, "/ci_observer/notes.json?_size=50")

    assert {len(row[1]) for row in page["rows"]} == {len(payload)}
    assert len(page["rows"]) == 50


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("two words", '"two" "words"'),
        ('a "b c" d', '"a" "b c" "d"'),
        ('open "quote', '"open" "quote"'),
        ('"" x-y*', '"x-y*"'),
        ("", ""),
    ],
)
def test_a_search_is_quoted_as_datasette_does(search: str, expected: str) -> None:
    from datasette.utils import escape_fts  # noqa: PLC0415 (the original)

    assert sql_worker.escape_fts(search) == expected == escape_fts(search)


@pytest.mark.asyncio
async def test_workers_import_neither_datasette_nor_httpx(
    datasette: Datasette,
) -> None:
    await ask(datasette, "select 1")
    [pid] = database_of(datasette).workers.pids
    mapped = Path(f"/proc/{pid}/maps").read_text()

    assert "_sqlite3" in mapped
    assert "uvloop" not in mapped
    assert "site-packages" not in mapped


@pytest.mark.asyncio
async def test_workers_end_with_the_server(db: Database, db_path: Path) -> None:
    async with serving(db_path) as datasette:
        await ask(datasette, "select 1")
        [pid] = database_of(datasette).workers.pids

    eventually(lambda: not is_running(pid))


def test_a_worker_whose_server_has_ended_ends_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-I", "-S", sql_worker.__file__]
    with subprocess.Popen(  # noqa: S603 (our own command)
        command, stdin=subprocess.PIPE, stdout=writer, stderr=subprocess.PIPE
    ) as process:
        os.close(writer)
        assert process.stderr
        errors = process.stderr.read()
        assert (process.wait(HANG_SECONDS), errors) == (0, b"")


def test_a_statement_cancelled_at_its_end_leaves_no_killed_worker(
    db_path: Path, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, late = sql_pool.SqlPool(), sql_pool._Call()
    statement = sql_pool.Statement(
        sql="select 1", params={}, uri=db_path.as_uri(), key=(), seconds=5, max_rows=1
    )
    run = sql_pool.Worker.run

    def cancelled(worker: sql_pool.Worker, statement: sql_pool.Statement) -> Any:
        outcome = run(worker, statement)
        late.cancel()
        return outcome

    with monkeypatch.context() as patch:
        patch.setattr(sql_pool.Worker, "run", cancelled)
        pool._run(statement, late)
    left = pool.pids
    outcome = pool._run(statement, sql_pool._Call())
    pool.close()

    assert left == []
    assert outcome.rows() == [(1,)]
