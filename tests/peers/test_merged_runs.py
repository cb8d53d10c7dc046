"""`/api/runs` over several instances, each of them a real server."""

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from peer_team import HOSTILE_RUN, Instance, add_runs, instance, payload_of
from raw_server import OPEN, head, raw_server
from sqlite_utils import Database
from web_client import get_error, get_json

from ci_observer.web.api.cursors import encode_cursor
from ci_observer.web.columns import RUN_COLUMNS
from ci_observer.web.peers import merged_runs
from ci_observer.web.peers.body import MAX_BYTES

REPOS = ("acme/own", "acme/first", "acme/second")
NAMES = ("own", "first", "second", "all")
RUNS = 40
pytestmark = pytest.mark.asyncio


@dataclass
class Team:
    """An instance with two peers, and one that has the runs of all three."""

    own: Instance
    first: Instance
    second: Instance
    all: Instance

    def instance_of(self, repo: str) -> Instance:
        return (self.own, self.first, self.second)[REPOS.index(repo)]


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory, migrated_file: bytes
) -> dict[str, bytes]:
    """The databases of a team: runs of three repositories, some of the same minute."""
    chance = random.Random(5)  # noqa: S311 (a seeded sample)
    payloads = []
    for run_id in range(1, RUNS + 1):
        repo, minute = chance.choice(REPOS), chance.randrange(RUNS)
        conclusion = chance.choice(("success", "failure"))
        payloads.append(payload_of(run_id, repo, minute, conclusion=conclusion))
    found = {}
    for name, repo in zip(NAMES, (*REPOS, None), strict=True):
        path = tmp_path_factory.mktemp("team") / f"{name}.db"
        path.write_bytes(migrated_file)
        own = (p for p in payloads if repo in (None, p["repository"]["full_name"]))
        add_runs(path, *own)
        found[name] = path.read_bytes()
    return found


@pytest_asyncio.fixture
async def team(tmp_path: Path, files: dict[str, bytes]) -> AsyncIterator[Team]:
    paths = {name: tmp_path / f"{name}.db" for name in NAMES}
    for name, path in paths.items():
        path.write_bytes(files[name])
    async with AsyncExitStack() as stack:
        first, second, every = [
            await stack.enter_async_context(instance(paths[name])) for name in NAMES[1:]
        ]
        peers = (first.url, second.url)
        own = await stack.enter_async_context(instance(paths["own"], peers))
        for server in (first, second):
            await server.start()
        yield Team(own, first, second, every)


async def pages_of(
    own: Instance, query: str, between: Callable[[int], Any] | None = None
) -> list[dict[str, Any]]:
    """All pages, as a client reads them that follows the links."""
    path = f"/api/runs?{query}"
    pages: list[dict[str, Any]] = []
    while path:
        response = await own.datasette.client.get(path)
        assert response.status_code == 200, response.text
        pages.append(response.json())
        url = response.links.get("next", {}).get("url", "")
        path = url.removeprefix("http://localhost")
        assert bool(path) == bool(pages[-1]["next"])
        if between is not None:
            await between(len(pages))
    return pages


def runs_in(pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [run for page in pages for run in page["runs"]]


async def test_all_pages_are_the_list_of_an_instance_with_all_runs(team: Team) -> None:
    for query in ("", "conclusion=failure&q=change", "repo=ACME/First", "raw=1"):
        pages = await pages_of(team.own, f"limit=7&{query}")

        runs = runs_in(pages)
        expected = runs_in(await pages_of(team.all, f"limit=1000&{query}"))
        assert len(expected) > 7
        assert [{k: run[k] for k in expected[0]} for run in runs] == expected
        for run in runs:
            has = team.instance_of(run["repo"])
            page = f"/runs/{run['run_id']}"
            is_own = has is team.own
            assert run["peer"] == (None if is_own else has.url)
            assert run["page_url"] == (page if is_own else f"{has.url}{page}")
        assert all(page["missing_peers"] == [] for page in pages)
        assert {len(page["runs"]) for page in pages[:-1]} == {7}


async def test_a_peer_that_is_down_for_a_while_is_named_and_its_runs_come_later(
    team: Team,
) -> None:
    async def between(page: int) -> None:
        if page == 1:
            await team.first.stop()
        elif page == 3:
            await team.first.start()

    pages = await pages_of(team.own, "limit=5", between)

    for page in pages[1:3]:
        [missing] = page["missing_peers"]
        assert missing["peer"] == team.first.url
        assert missing["reason"] == "it does not respond (connection refused)"
        assert missing["since"] == pages[1]["missing_peers"][0]["since"]
        assert "acme/first" not in [run["repo"] for run in page["runs"]]
    assert not any(p["missing_peers"] for p in (pages[0], *pages[3:]))
    assert sorted(run["run_id"] for run in runs_in(pages)) == [*range(1, RUNS + 1)]
    # The late ones begin the first page that has them.
    assert pages[3]["runs"][0]["repo"] == "acme/first"


async def test_a_list_that_only_a_missing_peer_can_continue_is_503(team: Team) -> None:
    await team.first.stop()
    page = await get_json(team.own.datasette, "/api/runs?limit=1000")
    path = f"/api/runs?limit=1000&cursor={page['next']}"

    response = await team.own.datasette.client.get(path)
    await team.first.start()
    rest = await get_json(team.own.datasette, path)

    assert "acme/first" not in {run["repo"] for run in page["runs"]}
    assert response.status_code == 503
    error = response.json()
    assert [missing["peer"] for missing in error["missing_peers"]] == [team.first.url]
    assert team.first.url in error["error"]
    assert "same cursor" in error["error"]
    assert {run["repo"] for run in rest["runs"]} == {"acme/first"}
    assert rest["next"] is None
    assert len(page["runs"]) + len(rest["runs"]) == RUNS


async def test_the_etag_changes_with_the_runs_of_a_peer_only(team: Team) -> None:
    client = team.own.datasette.client
    first = await client.get("/api/runs")
    etag = {"If-None-Match": first.headers["etag"]}
    unchanged = await client.get("/api/runs", headers=etag)
    add_runs(team.second.path, payload_of(99, "acme/second", 100))
    changed = await client.get("/api/runs", headers=etag)

    assert unchanged.status_code == 304
    assert changed.status_code == 200
    assert changed.json()["runs"][0]["run_id"] == 99
    assert changed.headers["etag"] != first.headers["etag"]


async def test_a_run_that_two_instances_have_is_shown_once(team: Team) -> None:
    newer = {"updated_at": "2026-03-01T17:00:00Z", "conclusion": "failure"}
    add_runs(team.own.path, payload_of(99, "acme/both", 100))
    add_runs(team.second.path, payload_of(99, "acme/both", 100, **newer))

    pages = await pages_of(team.own, "repo=acme/both&limit=1")

    [run] = runs_in(pages)
    assert (run["conclusion"], run["peer"]) == ("failure", team.second.url)


async def test_peers_no_is_the_list_of_this_instance_as_without_peers(
    team: Team,
) -> None:
    own = await get_json(team.own.datasette, "/api/runs?peers=no&limit=2")
    path = f"/api/runs?peers=no&limit=2&cursor={own['next']}"
    second = await get_json(team.own.datasette, path)
    without_peers = await get_json(team.all.datasette, "/api/runs?limit=2")

    assert {run["repo"] for run in own["runs"] + second["runs"]} == {"acme/own"}
    for page in (own, without_peers):
        assert [*page] == ["ok", "revision", "runs", "next"]
        assert [*page["runs"][0]] == [*RUN_COLUMNS]
    path = "/api/runs?limit=2&peers=no"
    assert await get_json(team.all.datasette, path) == without_peers


async def test_a_cursor_of_another_list_is_400(team: Team) -> None:
    merged = (await get_json(team.own.datasette, "/api/runs?limit=2"))["next"]
    plain = encode_cursor('["2026-03-01T12:00:00Z", 5]')
    refusals = (
        (team.own, f"cursor={plain}", "Use the value of next"),
        (team.all, f"cursor={merged}", "Use the value of next"),
        (team.own, f"peers=no&cursor={merged}", "Use the value of next"),
        (team.own, f"repo=acme/own&cursor={merged}", "other filters"),
        (team.own, "cursor=nonsense", "Use the value of next"),
        (team.own, "peers=yes", "Write peers=no"),
    )

    for server, query, text in refusals:
        status, error = await get_error(server.datasette, f"/api/runs?{query}")
        assert (status, text in error) == (400, True), error


async def merged_with(
    migrated_file: bytes, folder: Path, *chunks: bytes
) -> dict[str, Any]:
    """The first page of an instance whose only peer responds with these bytes."""
    path = folder / "own.db"
    path.write_bytes(migrated_file)
    add_runs(path, payload_of(1, "acme/own", 10))
    with raw_server(lambda _: chunks) as server:
        async with instance(path, [server.url]) as own:
            return await get_json(own.datasette, "/api/runs")


def page_with(*runs: dict[str, Any], **keys: Any) -> bytes:
    return json.dumps({"ok": True, "runs": runs, "next": None} | keys).encode()


async def test_texts_of_a_peer_are_passed_on_as_texts_and_its_links_are_not(
    migrated_file: bytes, tmp_path: Path
) -> None:
    run = HOSTILE_RUN | {"page_url": "javascript:alert(2)", "peer": None, "more": 1}

    page = await merged_with(migrated_file, tmp_path, head(), page_with(run))

    shown, own = page["runs"]
    assert own["run_id"] == 1
    assert [*shown] == [*RUN_COLUMNS, "peer", "page_url"]
    assert shown["display_title"] == HOSTILE_RUN["display_title"]
    assert shown["html_url"] is None
    assert shown["page_url"] == f"{shown['peer']}/runs/77"
    assert shown["peer"].startswith("http://127.0.0.1:")


async def test_a_peer_with_a_large_response_is_missing(
    migrated_file: bytes, tmp_path: Path
) -> None:
    page = await merged_with(migrated_file, tmp_path, head(), b" " * (MAX_BYTES + 1))

    assert [run["run_id"] for run in page["runs"]] == [1]
    assert "larger than" in page["missing_peers"][0]["reason"]
    assert page["next"]


async def test_the_page_of_runs_links_to_those_of_the_peers(
    db: Database, db_path: Path
) -> None:
    peers = ["https://a.example/ci", "https://b.example"]
    path = "/runs?repo=acme/none&limit=5"
    async with instance(db_path, peers) as own, instance(db_path) as alone:
        page = (await own.datasette.client.get(path)).text
        without_peers = (await alone.datasette.client.get(path)).text

    assert "2 peers: their runs are in the JSON, too, and at" in page
    links = [f'<a href="{peer}/runs?repo=acme%2Fnone">' for peer in peers]
    assert all(link in page for link in links)
    assert "peer" not in without_peers


async def test_a_slow_peer_is_missing(
    migrated_file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged_runs, "TOTAL_SECONDS", 0.05)

    page = await merged_with(migrated_file, tmp_path, OPEN)

    assert [run["run_id"] for run in page["runs"]] == [1]
    assert "does not respond within" in page["missing_peers"][0]["reason"]
