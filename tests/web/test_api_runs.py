"""/api/runs and its exports: filters, order, paging and content."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import of_repo, save, watch
from datasette.app import Datasette
from factories import run_payload, times
from sqlite_utils import Database
from web_client import get_error, get_json, serving

from ci_observer.web.api.cursors import encode_cursor
from ci_observer.web.api.exports import EXPORTS_PER_CLIENT
from ci_observer.web.columns import RUN_COLUMNS
from ci_observer.web.sql import slots

HOSTILE = (
    "<script>alert(1)</script>",
    "'; drop table runs; --",
    'say "hi", then\r\nleave',
    "NUL \0 inside",
    "🚀 naïve 汉字 \u202e",
    "100%_done\\",
    "=HYPERLINK(1)",
)


@pytest.fixture
def runs(db: Database) -> None:
    """Five runs with different values for every filter, newest last."""
    pairs = (("acme/api", "ci.yml"), ("acme/web", "ci.yml"), ("acme/api", "cd.yml"))
    watch(db, *pairs)
    save(
        db,
        run_payload(1, **times("10:00")),
        run_payload(2, **times("11:00"), head_branch="dev", conclusion="failure"),
        run_payload(3, **times("12:00"), event="schedule", actor={"login": "bob"}),
        run_payload(
            4,
            **times("13:00"),
            **of_repo("acme/web"),
            status="in_progress",
            conclusion=None,
            display_title="Release 100% of it",
        ),
    )
    save(db, run_payload(5, **times("14:00"), head_branch=None), workflow="cd.yml")


@pytest_asyncio.fixture
async def datasette(db_path: Path, db: Database) -> AsyncIterator[Datasette]:
    async with serving(db_path) as datasette:
        yield datasette


async def ids(datasette: Datasette, query: str) -> list[int]:
    answer = await get_json(datasette, f"/api/runs?{query}")
    return [run["run_id"] for run in answer["runs"]]


@pytest.mark.asyncio
async def test_a_run_has_the_columns_of_the_table_in_order(
    datasette: Datasette, runs: None, db: Database
) -> None:
    answer = await get_json(datasette, "/api/runs?limit=1")

    [run] = answer["runs"]
    assert list(run) == list(db["runs"].columns_dict) == list(RUN_COLUMNS)
    assert run == next(
        db["runs"].rows_where("run_id = 5", select=", ".join(RUN_COLUMNS))
    )
    assert list(answer) == ["ok", "revision", "runs", "next"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("repo=acme/web", [4]),
        ("repo=ACME/Web", [4]),
        ("repo=acme/web&repo=acme/api", [5, 4, 3, 2, 1]),
        ("repo=acme/none", []),
        ("workflow=cd.yml", [5]),
        ("branch=dev", [2]),
        ("branch=null", [5]),
        ("branch=dev&branch=null", [5, 2]),
        ("status=in_progress", [4]),
        ("status=invented", []),
        ("conclusion=failure", [2]),
        ("conclusion=null", [4]),
        ("event=schedule", [3]),
        ("actor=bob", [3]),
        ("since=2026-03-01T12:00:00Z", [5, 4, 3]),
        ("until=2026-03-01T12:00:00Z", [3, 2, 1]),
        ("since=2026-03-01&until=2026-03-01", [5, 4, 3, 2, 1]),
        ("until=2026-02-28", []),
        ("q=BOB", [3]),
        ("q=100%25", [4]),
        ("q=1_0", []),
        ("q=change+ci.yml+dev", [2]),
        ("q=bob&q=release", [4, 3]),
        ("repo=acme/api&conclusion=success&workflow=ci.yml", [3, 1]),
        ("repo=acme/api&branch=main&event=push&since=2026-03-01T11:00:00Z", []),
        ("branch=&conclusion=", [5, 4, 3, 2, 1]),
    ],
)
async def test_filters_select(
    datasette: Datasette, runs: None, query: str, expected: list[int]
) -> None:
    assert await ids(datasette, query) == expected


@pytest.mark.asyncio
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_of_runs_with_equal_times_neither_skip_nor_repeat_a_run(
    datasette: Datasette, db: Database, limit: int
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save(db, *(run_payload(i, **times(f"12:0{i // 4}")) for i in range(1, 14)))
    seen: list[int] = []
    query = f"/api/runs?limit={limit}"

    answer = await get_json(datasette, query)
    while True:
        seen += [run["run_id"] for run in answer["runs"]]
        if answer["next"] is None:
            break
        answer = await get_json(datasette, f"{query}&cursor={answer['next']}")

    assert seen == list(range(13, 0, -1))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense!",
        "bm9uc2Vuc2U",
        encode_cursor("[1, 2]"),
        encode_cursor('["a"]'),
        encode_cursor("{}"),
        encode_cursor("[" * 5000),
        "%ED%A0%80",
        encode_cursor('["a", 99999999999999999999]'),
    ],
)
async def test_a_broken_cursor_is_400(datasette: Datasette, cursor: str) -> None:
    status, error = await get_error(datasette, f"/api/runs?cursor={cursor}")

    assert status == 400
    assert "Use the value of next" in error


@pytest.mark.asyncio
async def test_raw_adds_githubs_object(
    datasette: Datasette, runs: None, db: Database
) -> None:
    [run] = (await get_json(datasette, "/api/runs?branch=dev&raw=1"))["runs"]

    [[raw_json]] = db.execute("select raw_json from runs_full where run_id = 2")
    assert run["raw_json"] == json.loads(raw_json)
    assert run["raw_json"]["id"] == 2


@pytest.mark.asyncio
async def test_githubs_object_may_hold_a_lone_surrogate(
    datasette: Datasette, db: Database
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    payload = run_payload(1, display_title="\ud800 alone")
    save(db, payload)

    [run] = (await get_json(datasette, "/api/runs?raw=1"))["runs"]
    [exported] = await export(datasette, "/api/runs.csv?raw=1")
    [line] = await export(datasette, "/api/runs.ndjson?raw=1")

    assert run["raw_json"] == line["raw_json"] == payload
    assert json.loads(exported["raw_json"]) == payload


@pytest.mark.asyncio
@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_is_returned_unchanged(
    datasette: Datasette, db: Database, text: str
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save(db, run_payload(1, display_title=text, actor={"login": text}))

    [run] = (await get_json(datasette, "/api/runs?raw=1"))["runs"]
    [exported] = await export(datasette, "/api/runs.csv?raw=1&formulas=keep")
    [line] = await export(datasette, "/api/runs.ndjson?raw=1")

    assert run["display_title"] == line["display_title"] == text
    assert exported["display_title"] == text
    assert run["raw_json"]["actor"]["login"] == text
    assert json.loads(exported["raw_json"]) == line["raw_json"] == run["raw_json"]


@pytest.mark.asyncio
@pytest.mark.parametrize("text", [text for text in HOSTILE if "\0" not in text])
async def test_hostile_text_is_found_by_its_words(
    datasette: Datasette, db: Database, text: str
) -> None:
    watch(db, ("acme/api", "ci.yml"))
    save(db, run_payload(1, display_title=text), run_payload(2))
    response = await datasette.client.get("/api/runs", params={"q": text})

    assert [run["run_id"] for run in response.json()["runs"]] == [1]


@pytest.mark.asyncio
async def test_a_filters_hostile_value_selects_nothing(
    datasette: Datasette, runs: None
) -> None:
    params = dict.fromkeys(("branch", "actor"), HOSTILE[1])
    response = await datasette.client.get("/api/runs", params=params)

    assert response.json()["runs"] == []


async def export(datasette: Datasette, path: str) -> list[dict[str, Any]]:
    response = await datasette.client.get(path)
    assert response.status_code == 200
    if ".csv" in path:
        return list(csv.DictReader(io.StringIO(response.text, newline="")))
    return [json.loads(line) for line in response.text.split("\n")[:-1]]


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/api/runs.csv", "/api/runs.ndjson"])
async def test_an_export_has_every_selected_run(
    datasette: Datasette, runs: None, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_observer.web.api.exports.PAGE_SIZE", 2)

    exported = await export(datasette, path)
    selected = await export(datasette, f"{path}?repo=acme/api")

    assert [int(run["run_id"]) for run in exported] == [5, 4, 3, 2, 1]
    assert [int(run["run_id"]) for run in selected] == [5, 3, 2, 1]
    assert list(exported[0]) == list(RUN_COLUMNS)


@pytest.mark.asyncio
async def test_an_empty_export_has_its_header(datasette: Datasette) -> None:
    response = await datasette.client.get("/api/runs.csv")

    assert response.text == ",".join(RUN_COLUMNS) + "\r\n"
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == 'attachment; filename="runs.csv"'


@pytest.mark.asyncio
async def test_head_of_an_export_sends_no_body(
    datasette: Datasette, runs: None
) -> None:
    response = await datasette.client.head("/api/runs.csv")

    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.asyncio
async def test_an_export_stops_when_the_client_disconnects(
    datasette: Datasette, runs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ci_observer.web.api.exports.PAGE_SIZE", 1)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/runs.ndjson",
        "raw_path": b"/api/runs.ndjson",
        "query_string": b"",
        "headers": [],
    }
    sent: list[bytes] = []

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("body", b""))

    await datasette.app()(scope, receive, send)

    assert len(b"".join(sent).splitlines()) < 5


@pytest.mark.asyncio
async def test_a_few_exports_run_at_once(
    datasette: Datasette, runs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a page of runs in memory, for as long as its reader is slow."""
    monkeypatch.setattr(slots, "WAIT_SECONDS", 0.01)
    is_read, started = asyncio.Event(), asyncio.Semaphore(0)

    async def export(address: str) -> int:
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/api/runs.ndjson",
            "raw_path": b"/api/runs.ndjson",
            "query_string": b"",
            "headers": [],
            "client": (address, 1),
        }
        status = 0

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            status = status or message["status"]
            started.release()
            await is_read.wait()

        async def receive() -> dict[str, str]:
            return await asyncio.Future()

        await datasette.app()(scope, receive, send)
        return status

    slow = [asyncio.create_task(export("10.0.0.1")) for _ in range(EXPORTS_PER_CLIENT)]
    for _ in slow:
        await started.acquire()
    refused = asyncio.create_task(export("10.0.0.1"))
    await started.acquire()
    other = asyncio.create_task(export("10.0.0.2"))
    await started.acquire()
    is_read.set()

    assert (await refused, await other) == (503, 200)
    assert {await task for task in slow} == {200}
    assert await export("10.0.0.1") == 200


@pytest.mark.asyncio
async def test_an_export_rejects_limit_and_cursor(datasette: Datasette) -> None:
    status, error = await get_error(datasette, "/api/runs.csv?limit=5")

    assert status == 400
    assert error.startswith("Unknown filter 'limit'. Allowed: repo,")
