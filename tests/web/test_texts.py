"""Texts of GitHub on pages and on the wall: cut, cleaned, and never empty."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from archive import NOW, save_runs, watch
from datasette.app import Datasette
from factories import run_payload, times
from hypothesis import given
from hypothesis import strategies as st
from page_reader import get_page, table_rows
from sqlite_utils import Database
from web_client import get_json, serving

from ci_observer.ingest.store import feeds
from ci_observer.ingest.store.database import transaction
from ci_observer.ingest.store.tiles import update_tiles
from ci_observer.web.texts import (
    MAX_CHARACTERS,
    MAX_CODE_POINTS,
    NO_TITLE,
    characters,
    cut,
    display_name,
    display_text,
    display_title,
)

FAMILY = "👨‍👩‍👧‍👦"
SCOTLAND = (
    "🏴" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct") + "\U000e007f"
)
INVISIBLE = {
    "blanks": "   ",
    "no-break spaces": "\u00a0\u2007\u202f\u3000",
    "zero-width characters": "\u200b\u200c\u200d\u2060\ufeff",
    "bidi marks": "\u200e\u200f\u061c\u202e\u2067\u2069",
    "controls": "\x00\t\r\n\x1b\x7f\x85",
    "line ends": "\u2028\u2029",
    "fillers": "\u115f\u1160\u3164\uffa0\u2800",
    "selectors": "\ufe0f\U000e0100\u180b\u034f",
    "tags": "\U000e0041\U000e007f",
    "ignorable": "\u2065\ufff0\ufffb\u00ad\U000e0fff",
    "nothing": "",
}


@pytest.mark.parametrize(
    "character",
    [
        "x",
        "é",
        "e\u0301",
        FAMILY,
        "👩🏽‍💻",
        "🏳️‍🌈",
        "❤️",
        "🇩🇪",
        SCOTLAND,
        "1️⃣",
        "각",
        "한",
        "\u1112\u1161\u11ab",
        "க்",
        "क्षि",
        "กำ",
        "ｶﾞ",
        "\u0600\u0661",
    ],
)
def test_a_text_is_cut_between_characters(character: str) -> None:
    assert [*characters(character * 3)] == [character] * 3
    assert cut(character * MAX_CHARACTERS) == character * MAX_CHARACTERS
    shown = cut(character * (MAX_CHARACTERS + 1))
    assert shown == character * (MAX_CHARACTERS - 1) + "…"


def test_five_halves_of_flags_are_three_characters() -> None:
    assert [*characters("🇩🇪🇫🇷🇮")] == ["🇩🇪", "🇫🇷", "🇮"]


def test_controls_become_blanks() -> None:
    assert display_text("a\r\nb\u0007é") == "a  b é"


def test_a_tower_of_marks_is_cut() -> None:
    shown = cut("a" + "\u0301" * 65_000 + "b")
    assert shown == "a" + "\u0301" * (MAX_CODE_POINTS - 1)


@given(st.text(max_size=1000))
def test_a_text_is_never_longer_and_keeps_its_beginning(text: str) -> None:
    shown = cut(text)
    assert len([*characters(shown)]) <= MAX_CHARACTERS
    assert text.startswith(shown.removesuffix("…")) or len(shown) < len(text)
    assert cut(shown) == shown


@pytest.mark.parametrize("text", INVISIBLE.values(), ids=INVISIBLE)
def test_a_text_without_anything_to_see_is_none(text: str) -> None:
    assert display_text(text) is None
    assert display_title(text) == NO_TITLE
    assert display_name(text, "ci.yml") == "ci.yml"


@pytest.mark.parametrize(
    "text", ["0", ".", "é", "\u0301", "漢", "🚀", "\ufffd", "\ue000", "\u0605"]
)
def test_a_single_visible_character_stays(text: str) -> None:
    assert display_text(text) == text


def test_invisible_characters_do_not_push_a_text_out_of_sight() -> None:
    assert display_text("\u200b" * 65_000 + "Fix") == "Fix"


def test_a_missing_text_stays_missing() -> None:
    assert display_text(None) is None
    assert display_name(None, "ci.yml") is None


def test_a_long_file_name_is_cut_in_place_of_a_missing_name() -> None:
    assert display_name(None, "W" * 301) == "W" * 299 + "…"


@pytest.mark.parametrize("control", "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069")
def test_a_text_cannot_reorder_the_text_around_it(control: str) -> None:
    assert display_text(f"Fix {control}gpj.exe") == "Fix gpj.exe"


def test_marks_that_only_order_their_own_text_stay() -> None:
    assert display_text("שלום\u200f!") == "שלום\u200f!"


@pytest_asyncio.fixture
async def datasette(db: Database, db_path: Path) -> AsyncIterator[Datasette]:
    watch(db, ("acme/api", "ci.yml"))
    async with serving(db_path) as datasette:
        yield datasette


LONG = "W" * 65_000


def save_long_texts(db: Database) -> None:
    feeds.save_metadata(
        db,
        "acme/api",
        default_branch="main",
        workflows={"ci.yml": (LONG, "active")},
        now=NOW,
    )
    actor = {"login": LONG}
    texts = {"display_title": LONG, "name": LONG, "actor": actor, "event": LONG}
    save_runs(
        db,
        run_payload(1, **times("10:00"), conclusion="failure", **texts),
        run_payload(2, **times("11:00"), conclusion=LONG, head_branch=LONG, **texts),
        run_payload(3, **times("12:00"), run_attempt=2, conclusion="skipped", **texts),
    )
    job = {"run_id": 1, "run_attempt": 1, "name": LONG, "failed_step": LONG}
    db["jobs"].insert(job | {"job_id": 1, "conclusion": "failure"})
    with transaction(db):
        update_tiles(db, [1])


@pytest.mark.asyncio
async def test_the_wall_cuts_every_text(db: Database, datasette: Datasette) -> None:
    save_long_texts(db)

    wall = await get_json(datasette, "/api/wall")

    [tile] = wall["tiles"]
    assert tile["last_result_display_title"] == "W" * 299 + "…"
    assert longest(tile) == MAX_CHARACTERS


def longest(value: Any) -> int:
    """The length of the longest text in a JSON value."""
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list):
        return max(map(longest, value), default=0)
    return len(value) if isinstance(value, str) else 0


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ["/", "/runs", "/workflows/acme/api/ci.yml"])
async def test_pages_cut_every_text(
    db: Database, datasette: Datasette, path: str
) -> None:
    save_long_texts(db)

    response = await datasette.client.get(path)

    assert "W" * 299 in response.text
    assert "W" * 301 not in response.text


@pytest.mark.asyncio
async def test_the_api_keeps_whole_texts(db: Database, datasette: Datasette) -> None:
    save_long_texts(db)

    response = await get_json(datasette, "/api/runs?branch=main&conclusion=failure")

    [run] = response["runs"]
    names = ("display_title", "workflow_name", "actor", "event")
    assert {run[name] for name in names} == {LONG}


@pytest.mark.asyncio
@pytest.mark.parametrize("text", INVISIBLE.values(), ids=INVISIBLE)
async def test_an_invisible_name_is_replaced_by_the_file(
    db: Database, datasette: Datasette, text: str
) -> None:
    workflows = {"ci.yml": (text, "active")}
    feeds.save_metadata(
        db, "acme/api", default_branch="main", workflows=workflows, now=NOW
    )
    save_runs(db, run_payload(1, **times("10:00"), display_title=text, name=text))

    [tile] = (await get_json(datasette, "/api/wall"))["tiles"]
    [row] = table_rows(await get_page(datasette, "/runs"), "runs")
    workflow = await get_page(datasette, "/workflows/acme/api/ci.yml")

    assert tile["workflow_name"] in ("ci.yml", None)
    assert tile["last_result_display_title"] == NO_TITLE
    assert row[1:3] == [f"{NO_TITLE} #1", "ci.yml"]
    assert workflow.one("h1").text == "ci.yml acme/api · ci.yml"
    assert (
        json.loads(workflow.one("script", id="tile").text)["workflow_name"]
        == (tile["workflow_name"])
    )
