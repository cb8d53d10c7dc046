"""The tiles of a peer are checked: its words, its links, its texts."""

import json
import random
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from archive import NOW
from sqlite_utils import Database
from walls import LOUD, QUIET, UNTESTED, save_wall
from web_client import get_json, serving

from ci_observer import column_kinds as kinds
from ci_observer.web.columns import TILE_COLUMNS
from ci_observer.web.pages.tile_table import table_row
from ci_observer.web.peers.client import PeerResponse
from ci_observer.web.peers.links import link_check
from ci_observer.web.peers.peer import Peer, PeerError
from ci_observer.web.peers.tiles import parse_tiles, rank_of, sort_key
from ci_observer.web.vocabulary import STATES, state_of

PEER = Peer("https://a.example/team")
GITHUB = "https://api.github.com"
LEAST = {
    "repo": "acme/api",
    "workflow": "ci.yml",
    "tile_state": "passing",
    "last_result": "passing",
}


def parsed(**changes: Any) -> dict[str, Any]:
    """The tile that a tile of a peer becomes."""
    wall = {"ok": True, "tiles": [LEAST | changes]}
    return tiles_of(json.dumps(wall).encode())[0]


def tiles_of(content: bytes) -> list[dict[str, Any]]:
    return parse_tiles(PeerResponse(content, ""), PEER, link_check(PEER, GITHUB))


@pytest.mark.asyncio
async def test_a_true_wall_passes_unchanged_and_in_its_order(
    db: Database, db_path: Path
) -> None:
    kinds = (*LOUD, *QUIET, *UNTESTED, "unscheduled", "tag", "archived")
    save_wall(db, len(kinds), kinds=kinds)
    async with serving(db_path) as datasette:
        wall = await get_json(datasette, "/api/wall")

    tiles = tiles_of(json.dumps(wall).encode())

    of_peer = {"peer": "a.example/team", "peer_url": "https://a.example/team/"}
    assert tiles == [tile | of_peer for tile in wall["tiles"]]
    ranks = {(row["repo"], row["rank"]) for row in db.query("select * from wall")}
    assert {(tile["repo"], rank_of(tile)) for tile in tiles} == ranks
    mixed = tiles[1::2] + tiles[::2]
    assert sorted(mixed, key=sort_key) == tiles


@pytest.mark.parametrize(
    "changes",
    [
        {"repo": "acme/<b>"},
        {"repo": "../etc"},
        {"repo": None},
        {"workflow": "ci\n.yml"},
        {"since_at": "yesterday"},
        {"since_at": "2026-99-99T99:99:99Z"},
        {"since_at": "0001-01-01T00:00:00Z"},
        {"success_rate": 1e308},
        {"last_result_run_id": 1},
        {"fixed_run_id": 1},
        {"streak": "many"},
        {"streak": 2**64},
        {"success_rate": float("nan")},
        {"is_flaky": "yes"},
        {"display_title": {"a": 1}},
        {"display_title": "x" * 6000},
        {"strip": [{"run_id": "x", "result": None}]},
        {"strip": [{"run_id": 1, "result": "green"}]},
        {"strip": [{"run_id": 1, "result": None}] * 101},
    ],
)
def test_a_value_of_another_type_refuses_the_response(changes: dict[str, Any]) -> None:
    with pytest.raises(PeerError, match=r"its tiles are not valid \(tiles 0 "):
        parsed(**changes)


def test_too_many_tiles_are_refused() -> None:
    wall = {"ok": True, "tiles": [LEAST] * 2001}

    with pytest.raises(PeerError, match="it has 2,001 tiles, and at most 2,000 fit"):
        tiles_of(json.dumps(wall).encode())


# Values of each kind that a database never has.
EXTREMES: dict[str, tuple[Any, ...]] = {
    kinds.TIME: ("1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z"),
    kinds.BOOLEAN: (True, False),
    kinds.INTEGER: (0, -(2**63) + 1, 2**63 - 1),
    kinds.NUMBER: (0, 10**10),
}
TEXTS = ("", "schedule", "timeout", "cancelled", "\u202e", "<b>", "x" * 5000)
STATES_AND_ALARMS = {
    "tile_state": (*STATES, "splendid"),
    "last_result": ("passing", "failing", "unknown"),
    "alarm": (*STATES, "splendid"),
}


def random_tile(chance: random.Random) -> dict[str, Any]:
    """A tile of any values that have the right types, a third of them null."""
    values = {}
    for name in TILE_COLUMNS:
        extremes = EXTREMES.get(kinds.kind_of(name), TEXTS)
        known = STATES_AND_ALARMS.get(name, extremes)
        values[name] = chance.choice(known) if chance.random() < 2 / 3 else None
    return values


def test_every_tile_that_is_not_refused_can_be_shown() -> None:
    chance = random.Random(7)  # noqa: S311 (a seeded sample)
    least = LEAST | {"is_default_branch": True, "is_flaky": False, "strip": []}
    needed = {"last_result_run_attempt": 1, "fixed_at": "2026-03-01T12:00:00Z"}
    for _ in range(100):
        values = random_tile(chance) | {"repo": "acme/api", "workflow": "ci.yml"}
        some = {k: v for k, v in values.items() if v is not None and k != "strip"}
        tile = parsed(**(least | needed | some))

        for zone in ("America/New_York", "Asia/Tokyo"):
            row = table_row(tile, "/runs", now=NOW, zone=ZoneInfo(zone))
            assert all(isinstance(text, str) for text, _ in row)
        if state_of(tile) == "passing":
            assert some.get("last_result", "passing") == "passing"
            assert "alarm" not in some


@pytest.mark.parametrize(
    "changes",
    [
        {"tile_state": "splendid"},
        {"last_result": "splendid"},
        {"alarm": "splendid"},
        # They contradict each other.
        {"alarm": "stale"},
        {"last_result": "failing"},
        {"last_result": None},
    ],
)
def test_a_word_of_a_newer_version_is_never_green(changes: dict[str, Any]) -> None:
    assert parsed(**changes)["tile_state"] == "unknown"


def test_texts_are_cut_and_cleaned() -> None:
    tile = parsed(display_title="a\u202eb\nc" + "d" * 1000, actor="\x07", new_key=1)

    assert tile["display_title"].startswith("ab cddd")
    assert len(tile["display_title"]) == 300
    assert tile["actor"] is None
    assert "new_key" not in tile


@pytest.mark.parametrize(
    "link",
    [
        "https://github.com/acme/api/actions/runs/1",
        "https://a.example/team/runs/1",
    ],
)
def test_links_to_github_and_to_the_peer_are_kept(link: str) -> None:
    assert parsed(html_url=link)["html_url"] == link


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "http://github.com/acme/api",
        "https://github.com.evil.example/",
        "https://user@github.com/acme",
        "https://github.com:8443/acme",
        "https://a.example/other",
        "https://a.example/team/../other",
        "https://evil.example/team/",
        "//evil.example/",
        "\\\\evil.example",
        "https://git\thub.com/",
        "https://[github.com/",
        "https://github.com/" + "x" * 2000,
    ],
)
def test_other_links_are_left_out(link: str) -> None:
    assert parsed(html_url=link)["html_url"] is None


def test_links_to_an_enterprise_server_need_the_setting() -> None:
    link = "https://ghe.example/acme/api"

    assert link_check(PEER, "https://ghe.example/api/v3")(link) == link
    assert link_check(PEER, GITHUB)(link) is None
    assert link_check(PEER, "https://api.acme.ghe.com")("https://acme.ghe.com/x")
