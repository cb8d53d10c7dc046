"""The wall of a past time in a browser: its marks, keys, playing and filters."""

from typing import TYPE_CHECKING, Any

import pytest
from archive import NOW
from axe import violations
from sqlite_utils import Database
from walls import PHONE, overflow, save_wall

from ci_observer.ingest.times import utc

if TYPE_CHECKING:
    from browser import NewVisit, Visit

pytestmark = pytest.mark.browser


def time_of(page: Any) -> str:
    at: str = page.locator("#past").get_attribute("data-at")
    return at


def test_the_past_is_stepped_and_played(db: Database, visit: "Visit") -> None:
    save_wall(db, 12)
    page = visit.open("?at=2026-03-01T14:00Z")
    assert page.locator(".tile").count() == 12
    assert page.locator("body[data-past][data-unrecorded]").count() == 1
    assert page.locator(".tile__record").first.is_visible()
    # Nothing of now: no band, no banner, no age, and no requests for refreshes.
    assert page.locator("#age, #clock, #banner").first.is_hidden()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    visit.refresh()
    assert requests == []
    assert overflow(page) == (0, 0)

    page.keyboard.press("]")
    visit.settle()
    assert time_of(page) == "2026-03-01T15:00:00Z"
    assert page.title().startswith("Past, Sun 01 Mar 2026, 15:00 UTC")
    page.keyboard.press("{")
    visit.settle()
    assert time_of(page) == "2026-02-28T15:00:00Z"
    page.go_back()
    visit.settle()
    assert time_of(page) == "2026-03-01T15:00:00Z"

    page.keyboard.press("p")
    page.clock.fast_forward(10)
    visit.settle()
    assert time_of(page) == "2026-03-01T16:00:00Z"
    assert page.locator("#play").get_attribute("aria-pressed") == "true"
    page.clock.fast_forward(1000)
    visit.settle()
    assert time_of(page) == "2026-03-01T17:00:00Z"
    page.keyboard.press("p")
    page.clock.fast_forward(5000)
    visit.settle()
    assert time_of(page) == "2026-03-01T17:00:00Z"

    page.keyboard.press("?")
    assert "play or pause" in page.locator("#keys").inner_text()
    page.keyboard.press("Escape")

    page.click("#counts [data-state=failing]")
    visit.settle()
    assert "state=failing" in page.url
    assert "at=2026-03-01T17" in page.url
    assert {
        node.get_attribute("data-state") for node in page.locator(".tile").all()
    } <= {"failing", "invalid_file"}
    page.keyboard.press("0")
    page.wait_for_url("**/?state=failing")
    assert page.locator("#past").count() == 0


def test_playing_ends_with_the_present(db: Database, visit: "Visit") -> None:
    save_wall(db, 3)
    page = visit.open("?at=2026-03-01T16:30Z")
    page.keyboard.press("p")
    for wait in (10, 1000):
        page.clock.fast_forward(wait)
        visit.settle()

    assert time_of(page) == utc(NOW)
    assert page.locator("#play").get_attribute("aria-pressed") == "false"
    assert page.locator("#note").is_hidden()


def test_a_stored_view_has_a_past(db: Database, visit: "Visit") -> None:
    """A step leads to the address of the view itself, as a change does now."""
    save_wall(db, 12)
    db["screens"].insert({"name": "few", "query": "state=failing", "position": 0})
    page = visit.open("s/few?at=2026-03-01T14:00Z")
    states = {"failing", "invalid_file"}
    tiles = page.locator(".tile")

    page.keyboard.press("]")
    visit.settle()

    assert page.url.endswith("/?state=failing&at=2026-03-01T15%3A00%3A00Z")
    page.go_back()
    visit.settle()
    assert time_of(page) == "2026-03-01T14:00:00Z"
    assert {tile.get_attribute("data-state") for tile in tiles.all()} <= states
    assert tiles.count() < 12


def test_axe_finds_nothing_on_a_past_wall(db: Database, new_visit: "NewVisit") -> None:
    save_wall(db, 12)
    for theme, window in (("dark", {}), ("light", {"viewport": PHONE})):
        visit = new_visit(**window)
        page = visit.open(f"?at=2026-03-01T14:00Z&theme={theme}")
        assert violations(page) == []
        assert overflow(page)[0] == 0
