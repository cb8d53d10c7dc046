"""The API in general: methods, ETags, caching and errors."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from archive import NOW, of_repo, save, set_clock, watch
from datasette.app import Datasette
from factories import run_payload, times
from sqlite_utils import Database
from web_client import counting, get_error, get_json, serving

from ci_observer.ingest.store import feeds, instance
from ci_observer.ingest.times import utc
from ci_observer.web.api.table import ROUTES as TABLE
from ci_observer.web.cache import CachedResponse
from ci_observer.web.parameters import PARAMETERS
from ci_observer.web.responses import has_etag

JSON_ROUTES = (
    *("/api", "/api/runs", "/api/wall", "/api/filters", "/api/config"),
    *(
        "/api/summary",
        "/api/openapi.json",
        "/api/runs/1",
        "/api/attempts",
        "/api/jobs",
        "/api/stats",
    ),
)
ROUTES = tuple(
    path.format(run_id=1, owner="acme", repo="api", file="ci.yml")
    for path in TABLE.by_path
)
API = ("acme/api", "ci.yml")
WEB = ("acme/web", "ci.yml")


@pytest.fixture
def polled(db: Database) -> None:
    """Two watched feeds, one passing and one failing, after a successful poll."""
    watch(db, API, WEB)
    save(
        db,
        run_payload(1, **times("17:00")),
        run_payload(2, **times("17:30"), **of_repo("acme/web"), conclusion="failure"),
    )
    moment = utc(NOW)
    poll = {"started_at": moment, "finished_at": moment, "feeds": 2, "feeds_failed": 0}
    poll |= {"requests": 2, "not_modified": 0, "runs_written": 2}
    poll |= {"rate_limit": 5000, "rate_limit_remaining": 4998}
    instance.save_poll(db, poll | {"rate_limit_reset_at": "2026-03-01T18:30:00Z"})


@pytest_asyncio.fixture
async def datasette(
    db_path: Path, db: Database, polled: None
) -> AsyncIterator[Datasette]:
    async with serving(db_path) as datasette:
        yield datasette


async def etag(datasette: Datasette, path: str) -> str:
    response = await datasette.client.get(path)
    assert response.status_code == 200
    return str(response.headers["etag"])


@pytest.mark.asyncio
async def test_the_index_lists_every_route(datasette: Datasette) -> None:
    answer = await get_json(datasette, "/api")

    assert [route["path"] for route in answer["routes"]] == [*TABLE.by_path]


@pytest.mark.asyncio
@pytest.mark.parametrize("path", JSON_ROUTES)
async def test_an_unchanged_response_is_304(datasette: Datasette, path: str) -> None:
    headers = {"if-none-match": await etag(datasette, path)}

    response = await datasette.client.get(path, headers=headers)

    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == headers["if-none-match"]
    assert "cache-control" in response.headers


@pytest.mark.parametrize(
    ("if_none_match", "expected"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", W/"a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ("", False),
    ],
)
def test_etags_compare_weakly(if_none_match: str, expected: bool) -> None:
    assert has_etag(if_none_match, '"a"') is expected


def test_equal_contents_have_equal_etags() -> None:
    first, second = (CachedResponse(b"{}", revision=1) for _ in range(2))

    assert first.etag == second.etag != CachedResponse(b"[]", revision=1).etag


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/api/runs", "/api/wall", "/api/filters"])
async def test_a_new_run_changes_the_etag(
    datasette: Datasette, db: Database, path: str
) -> None:
    before = await etag(datasette, path)

    save(db, run_payload(3, **times("17:45")))

    assert await etag(datasette, path) != before


@pytest.mark.asyncio
async def test_a_tile_turns_stale_by_time_alone(
    datasette: Datasette, db: Database
) -> None:
    before = await etag(datasette, "/api/wall")
    set_clock(db, NOW + timedelta(seconds=179))
    just_before = await etag(datasette, "/api/wall")
    set_clock(db, NOW + timedelta(seconds=180))
    wall = await get_json(datasette, "/api/wall")

    assert just_before == before
    assert await etag(datasette, "/api/wall") != before
    assert [tile["tile_state"] for tile in wall["tiles"]] == ["stale", "stale"]
    assert wall["counts"]["stale"] == 2


@pytest.mark.asyncio
async def test_a_stale_tile_is_fresh_after_a_poll_without_changes(
    datasette: Datasette, db: Database
) -> None:
    fresh = (await get_json(datasette, "/api/wall"))["tiles"]
    later = NOW + timedelta(hours=1)
    set_clock(db, later)
    stale = (await get_json(datasette, "/api/wall"))["tiles"]

    for feed in feeds.watched(db):
        feeds.save_checked(db, feed, later)

    assert (await get_json(datasette, "/api/wall"))["tiles"] == fresh != stale


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/api/runs", "/api/wall", "/api/filters"])
async def test_a_poll_that_changed_nothing_is_304(
    datasette: Datasette, db: Database, path: str
) -> None:
    headers = {"if-none-match": await etag(datasette, path)}

    for feed in feeds.watched(db):
        feeds.save_checked(db, feed, NOW + timedelta(seconds=60))
    set_clock(db, NOW + timedelta(seconds=60))
    response = await datasette.client.get(path, headers=headers)

    assert response.status_code == 304


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/api/runs?limit=5", "/api/wall", "/api/filters"])
async def test_concurrent_requests_share_one_computation(
    datasette: Datasette, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = counting(datasette, monkeypatch)

    answers = await asyncio.gather(*(datasette.client.get(path) for _ in range(8)))
    await datasette.client.get(path)

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("json_object" in sql for sql in statements()) == 1


@pytest.mark.asyncio
async def test_the_cache_is_not_shared_between_databases(
    datasette: Datasette, tmp_path: Path
) -> None:
    async with serving(tmp_path / "other.db") as other:
        await get_json(datasette, "/api/wall")
        status, _ = await get_error(other, "/api/wall")

    assert status == 503


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_405(
    datasette: Datasette, path: str, method: str
) -> None:
    cookies = {"ds_csrftoken": "x"}
    response = await datasette.client.request(
        method,
        path,
        headers={"cookie": "; ".join("=".join(c) for c in cookies.items())},
    )

    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    assert response.json()["error"].startswith(f"{method} is not allowed.")


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ROUTES)
async def test_options_lists_the_methods(datasette: Datasette, path: str) -> None:
    response = await datasette.client.options(path)

    assert (response.status_code, response.content) == (204, b"")
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.asyncio
@pytest.mark.parametrize("path", JSON_ROUTES)
async def test_head_has_the_headers_of_get(datasette: Datasette, path: str) -> None:
    # httpx unpacks a compressed body, whose length differs.
    plain = {"accept-encoding": "identity"}
    get = await datasette.client.get(path, headers=plain)
    head = await datasette.client.head(path, headers=plain)

    assert head.content == b""
    assert dict(head.headers) == dict(get.headers)
    assert int(head.headers["content-length"]) == len(get.content)


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ROUTES)
async def test_an_unknown_filter_is_400(datasette: Datasette, path: str) -> None:
    status, error = await get_error(datasette, f"{path}?color=red")

    assert status == 400
    assert error.startswith("Unknown filter 'color'.")


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/api/x", "/api/", "/api/runs/1/2", "/api/runs.xml"])
async def test_an_unknown_route_is_a_json_404(datasette: Datasette, path: str) -> None:
    status, error = await get_error(datasette, path)

    assert status == 404
    assert error == f"There is no {path} here. /api lists the routes."


@pytest.mark.asyncio
async def test_every_route_works_under_a_base_url(
    db_path: Path, db: Database, polled: None
) -> None:
    async with serving(db_path, base_url="/ci/") as datasette:
        routes = (await get_json(datasette, "/api"))["routes"]
        values = {"run_id": 1, "owner": "acme", "repo": "api", "file": "ci.yml"}
        paths = [route["path"].format_map(values) for route in routes]
        for path in paths:
            response = await datasette.client.request(
                "GET", path, avoid_path_rewrites=True
            )
            assert response.status_code == 200

    assert set(paths) == {f"/ci{path}" for path in ROUTES}


@pytest.mark.asyncio
async def test_filters_are_counted_most_frequent_first(
    datasette: Datasette, db: Database
) -> None:
    save(db, run_payload(3, **times("17:45"), status="queued", conclusion=None))

    answer = await get_json(datasette, "/api/filters")

    assert answer.pop("ok") is True
    assert answer.pop("revision") > 0
    assert answer == {
        "repos": [
            {"value": "acme/api", "count": 2},
            {"value": "acme/web", "count": 1},
        ],
        "workflows": [{"value": "ci.yml", "count": 3}],
        "branches": [{"value": "main", "count": 3}],
        "events": [{"value": "push", "count": 3}],
        "actors": [{"value": "ada", "count": 3}],
        "statuses": [
            {"value": "completed", "count": 2},
            {"value": "queued", "count": 1},
        ],
        "conclusions": [
            {"value": "failure", "count": 1},
            {"value": "success", "count": 1},
        ],
    }


@pytest.mark.asyncio
async def test_config_has_the_public_settings(
    datasette: Datasette, db: Database
) -> None:
    config = await get_json(datasette, "/api/config")
    wall_etag = config.pop("wall_etag")

    assert wall_etag == (await etag(datasette, "/api/wall")).removeprefix("W/")

    [[revision]] = db.execute("select value from instance where key = 'revision'")
    assert config == {
        "ok": True,
        "title": "CI Observer",
        "refresh_seconds": 60,
        "stale_seconds": 180,
        "timezone": "UTC",
        "repos": ["acme/api", "acme/web"],
        "workflows": ["ci.yml"],
        "screens": [],
        "shard": None,
        "version": "0.1.0",
        "revision": int(revision),
        "polling": {
            "state": "ok",
            "reason": None,
            "last_success_at": "2026-03-01T18:00:00Z",
            "feeds": 2,
            "stale_feeds": 0,
            "next_poll_at": "2026-03-01T18:00:00Z",
            "token_expires_at": None,
            "rate_limit": {
                "limit": 5000,
                "remaining": 4998,
                "reset_at": "2026-03-01T18:30:00Z",
            },
        },
        "server_time": "2026-03-01T18:00:00Z",
        "warnings": [],
        "read_only": False,
    }


@pytest.mark.asyncio
async def test_config_has_the_etag_of_the_filtered_wall(
    datasette: Datasette, db: Database
) -> None:
    both, narrowed = [
        (await get_json(datasette, f"/api/config{query}"))["wall_etag"]
        for query in ("", "?repo=acme/api")
    ]
    assert narrowed == await etag(datasette, "/api/wall?repo=acme/api")
    save(db, run_payload(3, **times("17:45")))
    later = (await get_json(datasette, "/api/config"))["wall_etag"]

    assert len({both, narrowed, later}) == 3


@pytest.mark.asyncio
async def test_config_rejects_filters_that_the_wall_does_not_have(
    datasette: Datasette,
) -> None:
    status, error = await get_error(datasette, "/api/config?limit=3")

    assert status == 400
    assert "Unknown filter 'limit'" in error


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("br, GZIP;q=0.5", "gzip"), ("identity", None), ("br, gzip;q=0", None)],
)
async def test_large_responses_are_compressed_if_the_client_accepts_gzip(
    datasette: Datasette,
    monkeypatch: pytest.MonkeyPatch,
    accepted: str,
    encoding: str | None,
) -> None:
    monkeypatch.setattr("ci_observer.web.responses.GZIP_MIN_BYTES", 0)
    headers = {"accept-encoding": accepted}
    plain = (await datasette.client.get("/api/wall", headers=headers)).json()
    response = await datasette.client.get("/api/wall", headers=headers)
    again = await datasette.client.get(
        "/api/wall", headers=headers | {"if-none-match": response.headers["etag"]}
    )

    assert response.headers.get("content-encoding") == encoding
    assert response.headers["etag"].startswith("W/") is (encoding == "gzip")
    assert response.headers["vary"] == "Accept-Encoding"
    assert response.json() == plain
    assert again.status_code == 304


@pytest.mark.asyncio
async def test_health_is_503_when_the_data_are_old(
    datasette: Datasette, db: Database
) -> None:
    fresh = await get_json(datasette, "/api/health")
    set_clock(db, NOW + timedelta(hours=1))
    response = await datasette.client.get("/api/health")

    assert fresh["state"] == "ok"
    assert response.status_code == 503
    assert response.json() == {
        "ok": False,
        "error": "The ingest process has stopped polling.",
        "status": 503,
        "state": "stale",
        "last_success_at": "2026-03-01T18:00:00Z",
        "feeds": 2,
        "stale_feeds": 2,
        "warnings": [],
    }


def test_the_docs_describe_every_route_and_filter() -> None:
    docs = Path(__file__).parents[2] / "docs"
    text = (docs / "api.md").read_text()
    headings = set(re.findall(r"(?m)^## `(/api[^`]*)`", text))
    others = (docs / "integrations.md").read_text()
    headings |= set(re.findall(r"(?m)^## .*`(/[^`]*)`", others))
    documented = set(re.findall(r"(?m)^\| `(\w+)` \|", text))

    assert headings == set(TABLE.by_path)
    assert documented == {*PARAMETERS}
