"""/api/wall: the tiles, their counts and filters."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import of_repo, save, save_owner_error, watch
from datasette.app import Datasette
from factories import run_payload, times
from sqlite_utils import Database
from web_client import get_error, get_json, serving

from ci_observer.ingest.store.keys import Owner
from ci_observer.web.columns import TILE_COLUMNS


@pytest_asyncio.fixture
async def datasette(db_path: Path, db: Database) -> AsyncIterator[Datasette]:
    """Three feeds: one failing, one passing and running again, one without runs."""
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"), ("acme/doc", "ci.yml"))
    save(
        db,
        run_payload(1, **times("16:00")),
        run_payload(2, **times("17:00"), status="in_progress", conclusion=None),
        run_payload(3, **times("16:30"), head_branch="dev", conclusion="failure"),
        run_payload(
            4,
            **times("17:10"),
            **of_repo("acme/web"),
            conclusion="failure",
            event="schedule",
            actor={"login": "bob"},
            display_title="Nightly",
        ),
    )
    async with serving(db_path) as datasette:
        yield datasette


async def tiles(datasette: Datasette, query: str = "") -> list[dict[str, Any]]:
    answer = await get_json(datasette, f"/api/wall?{query}")
    listed: list[dict[str, Any]] = answer["tiles"]
    return listed


@pytest.mark.asyncio
async def test_a_tile_has_the_views_columns_except_those_that_change_at_every_poll(
    datasette: Datasette, db: Database
) -> None:
    [tile] = await tiles(datasette, "repo=acme/web")

    of_view = set(db["wall"].columns_dict) - {
        "stale_at",
        "expires_at",
        "rank",
        "is_on_wall",
    }
    assert set(tile) == set(TILE_COLUMNS) == of_view
    assert tile["is_default_branch"] is True
    assert tile["is_flaky"] is False
    assert [run["run_id"] for run in tile["strip"]] == [4]


@pytest.mark.asyncio
async def test_tiles_are_sorted_most_urgent_first(datasette: Datasette) -> None:
    assert [
        (tile["repo"], tile["tile_state"], tile["activity"])
        for tile in await tiles(datasette)
    ] == [
        ("acme/web", "failing", None),
        ("acme/api", "passing", "running"),
        ("acme/doc", "unknown", None),
    ]


@pytest.mark.asyncio
async def test_counts_are_of_all_tiles_whatever_the_state_filter(
    datasette: Datasette,
) -> None:
    answer = await get_json(datasette, "/api/wall?state=failing")

    assert {word: n for word, n in answer["counts"].items() if n} == {
        "total": 3,
        "failing": 1,
        "passing": 1,
        "unknown": 1,
        "running": 1,
    }
    assert answer["counts"]["stale"] == 0
    assert len(answer["tiles"]) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("repo=ACME/web", ["acme/web"]),
        ("workflow=ci.yml", ["acme/web", "acme/api", "acme/doc"]),
        ("state=running", ["acme/api"]),
        ("state=running&state=unknown", ["acme/api", "acme/doc"]),
        ("state=held", []),
        ("event=schedule", ["acme/web"]),
        ("actor=bob", ["acme/web"]),
        ("status=in_progress", ["acme/api"]),
        ("conclusion=failure", ["acme/web"]),
        ("conclusion=null", ["acme/api", "acme/doc"]),
        ("since=2026-03-01T17:05:00Z", ["acme/web"]),
        ("until=2026-03-01T17:05:00Z", ["acme/api"]),
        ("q=nightly", ["acme/web"]),
        ("q=acme+ci.yml+main", ["acme/web", "acme/api", "acme/doc"]),
        ("branch=main", ["acme/web", "acme/api", "acme/doc"]),
        ("branch=dev", ["acme/api"]),
        ("branch=dev&state=passing", []),
        ("branch=gone", []),
    ],
)
async def test_filters_select_tiles(
    datasette: Datasette, query: str, expected: list[str]
) -> None:
    assert [tile["repo"] for tile in await tiles(datasette, query)] == expected


@pytest.mark.asyncio
async def test_another_branch_has_a_tile_of_its_own(datasette: Datasette) -> None:
    [tile] = await tiles(datasette, "branch=dev")

    assert (tile["branch"], tile["tile_state"]) == ("dev", "failing")
    assert tile["is_default_branch"] is False


@pytest.mark.asyncio
async def test_an_unknown_state_is_400(datasette: Datasette) -> None:
    status, error = await get_error(datasette, "/api/wall?state=green")

    assert status == 400
    assert "Allowed: no_access, blocked, stale, overdue" in error


@pytest.mark.asyncio
async def test_the_filter_accepts_every_state_of_the_view(
    datasette: Datasette, db: Database
) -> None:
    counts = (await get_json(datasette, "/api/wall"))["counts"]

    for tile in await tiles(datasette):
        assert tile["tile_state"] in counts


@pytest.mark.asyncio
async def test_an_invalid_file_counts_as_failing_and_as_its_own_state(
    datasette: Datasette, db: Database
) -> None:
    path = ".github/workflows/ci.yml"
    broken = {"name": path, "conclusion": "failure"} | times("17:50", minutes=0)
    save(db, run_payload(90, **broken, **of_repo("acme/doc")))

    answer = await get_json(datasette, "/api/wall?state=invalid_file")

    assert [(tile["repo"], tile["tile_state"]) for tile in answer["tiles"]] == [
        ("acme/doc", "failing")
    ]
    assert (answer["counts"]["invalid_file"], answer["counts"]["failing"]) == (1, 2)


@pytest.mark.asyncio
async def test_an_owner_that_cannot_be_listed_has_a_tile_that_is_counted(
    datasette: Datasette, db: Database
) -> None:
    save_owner_error(db, Owner("nobody"))

    answer = await get_json(datasette, "/api/wall")

    [tile] = [t for t in answer["tiles"] if t["repo"] == "nobody/*"]
    expected = {
        "workflow": "*",
        "tile_state": "no_access",
        "alarm": "no_access",
        "error": "No such owner.",
        "branch": None,
        "is_default_branch": True,
        "last_result": "unknown",
        "strip": [],
    }
    assert {name: tile[name] for name in expected} == expected
    assert (answer["counts"]["total"], answer["counts"]["no_access"]) == (4, 1)
    assert await tiles(datasette, "repo=nobody/*") == [tile]
