"""/api/wall?at=TIME: the wall of a past time, its filters, errors and ETag."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import NOW, of_repo, save, set_clock, watch
from datasette.app import Datasette
from factories import run_payload, times
from sqlite_utils import Database
from web_client import get_error, get_json, serving

from ci_observer.ingest.config import Config
from ci_observer.ingest.store import feeds, instance
from ci_observer.ingest.times import utc
from ci_observer.web.columns import TILE_COLUMNS

MORNING = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def save_states(db: Database) -> None:
    """acme/api is disabled from 14:00 on; acme/web is watched from 12:00 on."""
    changes: list[tuple[str, dict[str, Any]]] = [
        ("14:00", {"workflow_state": "disabled_manually"}),
        ("15:00", {"workflow_state": "active", "default_branch": "trunk"}),
        ("17:50", {"default_branch": "main"}),
    ]
    for time, change in changes:
        set_clock(db, datetime.fromisoformat(f"2026-03-01T{time}:00Z"))
        db["feeds"].update(("acme/api", "ci.yml"), change)


@pytest_asyncio.fixture
async def datasette(db_path: Path, db: Database) -> AsyncIterator[Datasette]:
    """Two feeds, recorded from 8:00 on, of which one was added at 12:00."""
    set_clock(db, MORNING)
    watch(db, ("acme/api", "ci.yml"), now=MORNING)
    save_states(db)
    noon = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    set_clock(db, noon)
    db.execute("delete from feed_states where repo = 'acme/web'")
    watch(db, ("acme/api", "ci.yml"), ("acme/web", "ci.yml"), now=noon)
    save_states(db)
    save(
        db,
        run_payload(1, **times("07:00")),
        run_payload(2, **times("10:00", 20), conclusion="failure"),
        run_payload(3, **times("13:00"), head_branch="trunk"),
        run_payload(4, **times("13:30"), **of_repo("acme/web"), conclusion="failure"),
    )
    set_clock(db, NOW)
    for feed in feeds.watched(db):
        feeds.save_checked(db, feed, NOW)
    db.execute("update feed_states set is_stale = 0")
    async with serving(db_path) as datasette:
        yield datasette


async def tiles(datasette: Datasette, query: str) -> dict[str, dict[str, Any]]:
    response = await get_json(datasette, f"/api/wall?{query}")
    return {tile["repo"]: tile for tile in response["tiles"]}


async def state(datasette: Datasette, time: str) -> tuple[str, str | None]:
    tile = (await tiles(datasette, f"at=2026-03-01T{time}Z"))["acme/api"]
    return tile["tile_state"], tile["activity"]


@pytest.mark.asyncio
async def test_the_states_of_runs_and_workflows_are_those_of_the_time(
    datasette: Datasette,
) -> None:
    assert await state(datasette, "09:59:59") == ("passing", None)
    assert await state(datasette, "10:00:00") == ("passing", "unfinished")
    assert await state(datasette, "10:19:59") == ("passing", "unfinished")
    assert await state(datasette, "10:20:00") == ("failing", None)
    assert await state(datasette, "13:59:59") == ("failing", None)
    assert await state(datasette, "14:00:00") == ("disabled", None)
    # The default branch is another one.
    assert await state(datasette, "15:00:00") == ("passing", None)
    assert await state(datasette, "17:50:00") == ("failing", None)


@pytest.mark.asyncio
async def test_states_before_the_first_recorded_one_are_unknown(
    datasette: Datasette,
) -> None:
    before = await get_json(datasette, "/api/wall?at=2026-03-01T07:59Z")
    after = await tiles(datasette, "at=2026-03-01T08:00Z")

    assert before["recorded_since"] == "2026-03-01T08:00:00Z"
    assert before["archive_since"] == "2026-03-01T07:00:00Z"
    # A feed that was not watched when states were recorded was not on the wall.
    assert {tile["repo"]: tile["is_recorded"] for tile in before["tiles"]} == {
        "acme/api": False,
        "acme/web": False,
    }
    assert {name: tile["is_recorded"] for name, tile in after.items()} == {
        "acme/api": True
    }
    assert set(after["acme/api"]) == {*TILE_COLUMNS, "is_recorded"}


@pytest.mark.asyncio
async def test_a_workflow_that_had_not_run_has_its_name(
    datasette: Datasette, db: Database
) -> None:
    """The name is recorded some seconds after the workflow is found."""
    db.execute("update feed_states set workflow_name = null where repo = 'acme/web'")
    db["feeds"].update(("acme/web", "ci.yml"), {"workflow_name": "Build"})

    for time in ("2020-01-01T00:00", "2026-03-01T13:00"):
        tile = (await tiles(datasette, f"at={time}Z"))["acme/web"]
        assert (tile["workflow_name"], tile["run_id"]) == ("Build", None), time


@pytest.mark.asyncio
async def test_the_last_second_is_the_wall_of_now(datasette: Datasette) -> None:
    now = await get_json(datasette, "/api/wall")
    past = await get_json(datasette, f"/api/wall?at={utc(NOW)}")

    for tile in past["tiles"]:
        assert tile.pop("is_recorded")
    assert past["tiles"] == now["tiles"]
    assert past["counts"] == now["counts"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"acme/api", "acme/web"}),
        ("repo=acme/web", {"acme/web"}),
        ("state=disabled", {"acme/api"}),
        ("branch=trunk", {"acme/api"}),
        ("q=change 4", {"acme/web"}),
        ("conclusion=success", set()),
        ("since=2026-03-01T13:00Z", {"acme/web"}),
    ],
)
async def test_filters_work_as_for_now(
    datasette: Datasette, query: str, found: set[str]
) -> None:
    assert set(await tiles(datasette, f"at=2026-03-01T14:30Z&{query}")) == found


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-01T14:00Z", "2026-03-01T14:00:00Z"),
        ("2026-03-01T15:00+01:00", "2026-03-01T14:00:00Z"),
        ("2026-03-01T15:00%2B01:00", "2026-03-01T14:00:00Z"),
        ("2026-03-01 15:00", "2026-03-01T14:00:00Z"),
        ("2026-03-01T14:00:00.9Z", "2026-03-01T14:00:00Z"),
        ("20260301T140000Z", "2026-03-01T14:00:00Z"),
        ("2026-03-01t14:00z", "2026-03-01T14:00:00Z"),
        ("2026-03-01 16:00 02", "2026-03-01T14:00:00Z"),
        ("20260301T160000.5 0200", "2026-03-01T14:00:00Z"),
        # The last one counts.
        ("&at=yesterday&at=2026-03-01T14:00Z", "2026-03-01T14:00:00Z"),
        # A date means its end.
        ("2026-02-28", "2026-02-28T22:59:59Z"),
        ("20260228", "2026-02-28T22:59:59Z"),
        ("2026-W09-6", "2026-02-28T22:59:59Z"),
    ],
)
async def test_a_time_without_a_zone_is_in_that_of_the_dashboard(
    datasette: Datasette, db: Database, text: str, at: str
) -> None:
    config = Config(repos=("acme/api",), workflows=("ci.yml",), timezone="Europe/Rome")
    instance.save_settings(db, config, version="0.1.0", now=NOW)

    assert (await get_json(datasette, f"/api/wall?at={text}"))["at"] == at


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "text",
    [
        *("yesterday", "now", "2026-13-01", "14:00", "0", "1", "1772373600"),
        *("9999-12-31T23:59-12:00", "2026-02-28T23:59:60Z", "2026-02-29"),
        *("2026-03-01T14:00 CET", "2026-03-01T14:00Europe/Rome", "٢٠٢٦-03-01"),
    ],
)
async def test_a_text_that_is_no_time_gets_400(datasette: Datasette, text: str) -> None:
    status, error = await get_error(datasette, f"/api/wall?at={text}")

    assert status == 400
    assert f"at={text} is not a time." in error


@pytest.mark.asyncio
async def test_a_time_before_all_archives_gets_400(datasette: Datasette) -> None:
    status, error = await get_error(datasette, "/api/wall?at=0001-01-01")

    assert status == 400
    assert "at=0001-01-01 lies before 2000" in error


@pytest.mark.asyncio
async def test_a_time_in_the_future_gets_400(datasette: Datasette) -> None:
    later = utc(NOW + timedelta(seconds=1))

    status, error = await get_error(datasette, f"/api/wall?at={later}")

    assert status == 400
    assert f"at={later} lies in the future" in error


@pytest.mark.asyncio
async def test_before_the_archive_all_is_unknown(datasette: Datasette) -> None:
    found = await tiles(datasette, "at=2020-01-01T00:00Z")

    assert {tile["tile_state"] for tile in found.values()} == {"unknown"}
    assert {tile["unknown_reason"] for tile in found.values()} == {"no_run"}


@pytest.mark.asyncio
async def test_a_past_wall_keeps_its_etag_until_the_revision_changes(
    datasette: Datasette, db: Database
) -> None:
    path = "/api/wall?at=2026-03-01T14:30Z"
    first = await datasette.client.get(path)
    set_clock(db, NOW + timedelta(hours=5))

    etag = first.headers["etag"]
    again = await datasette.client.get(path, headers={"If-None-Match": etag})
    save(db, run_payload(5, **times("14:10"), **of_repo("acme/web")))
    other = await datasette.client.get(path, headers={"If-None-Match": etag})

    assert again.status_code == 304
    assert other.status_code == 200
    states = {tile["repo"]: tile["tile_state"] for tile in other.json()["tiles"]}
    assert states["acme/web"] == "passing"
