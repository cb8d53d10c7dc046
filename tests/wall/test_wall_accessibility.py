"""Accessibility of the wall: axe-core, the keyboard, zoom, no JavaScript."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe import violations
from sqlite_utils import Database
from walls import PHONE, overflow, save_wall

from ci_observer.ingest.config import Config

if TYPE_CHECKING:
    from browser import NewVisit, Visit, WallServer

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
# A window of 1920 by 1080 at a zoom of 200 %.
ZOOMED = {"width": 960, "height": 540}


@pytest.fixture
def wall(db: Database) -> Database:
    """Tiles in every state."""
    save_wall(db, 40)
    return db


def open_settings(page: Any) -> None:
    page.get_by_role("button", name="Settings").click()
    page.locator("#drawer").wait_for()


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("query", ["", "kiosk=1", "state=failing&cols=99", "q=none"])
def test_axe_finds_nothing(
    wall: Database, visit: "Visit", theme: str, query: str
) -> None:
    assert violations(visit.open(f"?theme={theme}&{query}")) == []


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing_in_the_settings(
    wall: Database, visit: "Visit", theme: str
) -> None:
    page = visit.open(f"?theme={theme}&mute=acme/gone/ci.yml&repo=acme/gone")
    open_settings(page)
    page.locator("details").evaluate_all(
        "lists => lists.forEach(l => { l.open = true })"
    )
    page.get_by_label("Time zone").fill("Nowhere")
    assert violations(page) == []


def test_axe_finds_nothing_in_the_list_of_keys(wall: Database, visit: "Visit") -> None:
    page = visit.open()
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    assert violations(page) == []


def test_axe_finds_nothing_under_a_banner(
    wall: Database, visit: "Visit", server: "WallServer", expect: Any
) -> None:
    page = visit.open()
    server.stop()
    for _ in range(4):
        visit.refresh()
    expect(page.locator("#banner")).to_be_visible()
    assert violations(page) == []
    server.start()


def test_axe_finds_nothing_on_an_empty_wall(db: Database, visit: "Visit") -> None:
    assert violations(visit.open()) == []


def test_axe_finds_nothing_in_the_table_without_javascript(
    wall: Database, new_visit: "NewVisit"
) -> None:
    """Axe needs JavaScript: it is given the page as a browser without it would be."""
    page = new_visit(java_script_enabled=False).open()
    unused = r"</?noscript>|<script.*?</script>|<link rel=.modulepreload.*?>"
    html = re.sub(unused, "", page.content(), flags=re.S)
    assert "<td" in html
    other = new_visit().page
    other.set_content(html)
    assert violations(other) == []


def test_axe_notices_a_fault(wall: Database, visit: "Visit") -> None:
    page = visit.open()
    page.evaluate("document.documentElement.lang = ''")
    [found] = violations(page)
    assert found.startswith("html-has-lang")


def test_at_a_zoom_of_200_percent_nothing_is_cut_off(
    wall: Database, new_visit: "NewVisit"
) -> None:
    page = new_visit(viewport=ZOOMED).open()
    assert overflow(page)[0] == 0
    open_settings(page)
    assert overflow(page)[0] == 0
    assert page.locator("#drawer").evaluate(
        "panel => panel.scrollWidth <= panel.clientWidth"
    )


def test_the_settings_fit_a_phone(
    wall: Database, new_visit: "NewVisit", expect: Any
) -> None:
    page = new_visit(viewport=PHONE, has_touch=True).open()
    page.get_by_role("button", name="Settings").tap()
    page.locator("#drawer").wait_for()
    assert overflow(page)[0] == 0
    assert page.locator("#drawer").bounding_box() == {"x": 0, "y": 0} | PHONE
    page.get_by_text("Letter keys").scroll_into_view_if_needed()
    page.get_by_text("Repositories", exact=True).tap()
    page.get_by_role("checkbox", name="acme/service-003").tap()
    page.get_by_label("Close", exact=True).tap()
    expect(page.locator(".tile")).to_have_count(1)


def test_right_to_left_the_header_stays_whole(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    page.evaluate("document.documentElement.dir = 'rtl'")
    open_settings(page)
    assert overflow(page)[0] == 0
    expect(page.locator("#drawer")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_theme_auto_follows_the_browser(
    wall: Database, new_visit: "NewVisit", scheme: str
) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page = new_visit(color_scheme=scheme).open("?theme=auto")
    same = new_visit().open(f"?theme={scheme}")
    assert page.evaluate(ground) == same.evaluate(ground)


def test_the_skip_link_leads_to_the_tiles(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the tiles")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(".tile").first.locator("a").first).to_be_focused()


def test_the_arrow_keys_go_from_tile_to_tile(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?cols=4")
    links = [tile.locator("h2 a") for tile in page.locator(".tile").all()]
    page.keyboard.press("ArrowRight")
    expect(links[0]).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(links[1]).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(links[0]).to_be_focused()


def test_each_key_does_what_the_list_says(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?state=passing")
    for key, address in [
        ("g", "?state=passing&group=repo"),
        ("g", "?state=passing"),
        ("k", "?state=passing&kiosk=1"),
        ("Escape", "?state=passing"),
    ]:
        page.keyboard.press(key)
        expect(page).to_have_url(f"{visit.server.url}{address}")
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.keyboard.press("f")
    expect(page.locator("#drawer")).to_be_visible()
    page.keyboard.press("f")
    expect(page.locator("#drawer")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_label("Search", exact=True)).to_be_focused()
    page.keyboard.type("gtk")
    expect(page).to_have_url(f"{visit.server.url}?state=passing&q=gtk")
    page.keyboard.press("Escape")
    expect(page.locator("#drawer")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("k")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page).to_have_url(f"{visit.server.url}?state=passing&q=gtk")


def test_keys_of_one_letter_can_be_turned_off(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open("?keys=0&kiosk=1")
    page.keyboard.press("k")
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{visit.server.url}?keys=0")
    expect(page.locator("#drawer")).to_be_hidden()


def test_the_list_of_keys_matches_the_documentation(
    wall: Database, visit: "Visit"
) -> None:
    page = visit.open()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    documented = (ROOT / "docs/wall.md").read_text().split("## Keys")[1].split("##")[0]
    assert list(
        zip(
            dialog.locator("dt").all_inner_texts(),
            dialog.locator("dd").all_inner_texts(),
            strict=True,
        )
    ) == re.findall(r"^\| `(.+)` \| (.+) \|$", documented, re.M)


def test_screen_readers_read_the_counts_only_when_they_change(
    wall: Database, visit: "Visit", expect: Any
) -> None:
    page = visit.open()
    page.evaluate(COUNT_CHANGES)
    page.clock.run_for(2 * Config().refresh_seconds * 1000)
    assert page.evaluate("window.changes") == []
    page.get_by_role("button", name="Settings").click()
    page.get_by_text("Repositories", exact=True).click()
    page.get_by_role("checkbox", name="acme/service-003").check()
    text = "acme/service-003, 1 of 40 tiles: 1 failing"
    expect(page.locator("#summary")).to_have_text(text)
    assert page.evaluate("window.changes") == [text]


# Records every change that a screen reader would read.
COUNT_CHANGES = """
() => {
  window.changes = [];
  const watch = new MutationObserver((records) =>
    window.changes.push(...new Set(records.map(({ target }) => target.textContent))));
  for (const live of document.querySelectorAll("[role=status], [role=alert]")) {
    watch.observe(live, { childList: true, characterData: true, subtree: true });
  }
}
"""
